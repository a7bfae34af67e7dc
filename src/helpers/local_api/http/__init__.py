"""The protocol side of the local API: what comes in, what goes out, and what is refused.

From the outside in::

    app          the ASGI application: its routes, and every error in OpenAI's shape
    connections  HTTP connections, and an end to half-open ones
    auth         Host, Origin and key checks
    errors       the one shape of an error answer
    body         a request's body, read within bounds, and what is wrong with it
    schemas      what requests may say, as pydantic models: a file for each family of endpoints
    paging       lists in pages
    routes       the addresses under /v1, a file each
    answers      answers on their way from the engine's thread to the event loop
    serving      which model answers, base or tuned, and their engines, loaded when first used
    base_models  those of this machine, and whether one can be tuned in its memory
    probe        how long a job would take: a short run of the trainer
"""
