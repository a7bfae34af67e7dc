"""What requests may say, as pydantic models, a file for each family of endpoints.

What comes in with a file stands in its route (:mod:`helpers.local_api.http.routes.files`): a form, no JSON::

    chat        chat completions, and what a model sees of a conversation
    responses   the responses interface
    jobs        fine-tuning jobs
    embeddings  sentence embeddings
    fields      what several of them have in common
"""
