"""A fine-tuning API on this machine, in OpenAI's protocol: ``python -m helpers.local_api``.

A program of its own: nothing imports it, ``providers`` starts it and talks HTTP to it. From the outside in::

    __main__         arguments, lock on the home, key, socket, the ready line, clean stop
    app              the ASGI application: routes, error shapes
    connections      HTTP connections, and an end to half-open ones
    security         Host, Origin and key checks; refusals that a client can read
    schemas          what requests may say, as pydantic models
    files            /v1/files: uploads, checked by helpers.data
    fine_tuning      /v1/fine_tuning/jobs: jobs, events, checkpoints, estimate
    models           /v1/models
    chat             /v1/chat/completions, whole and streamed
    responses        /v1/responses, the same answers in another shape
    calls            calls of tools in an answer: their grammar, and how they are told from text
    template         what the model sees; jinja_template: as its own template writes it; call_form: how it calls a tool
    answers          answers on their way from the engine's thread to both of these
    serving          base models and engines, loaded when first used
    worker           one job at a time: validates, starts the trainer, follows its progress, recovers it
    trainer_process  the trainer's process: start, stop, adopt, read its progress file
    store            state in SQLite, bytes of files on disk
    train, generate  the compute side, see there
"""
