"""A fine-tuning API on this machine, in OpenAI's protocol: ``python -m helpers.local_api``.

A program of its own: nothing imports it, ``providers`` starts it and talks HTTP to it. Imports run one way between its
rooms, from http to training and engine, and from training to engine::

    http       the protocol: who may ask, what a request may say, the shape of answers and errors
    training   jobs: their settings, the trainer's process, what it learns and writes
    engine     answers: the model, the requests that run together, text in and text out
    store      its state: rows in SQLite, and files on disk
    formats    model files in the formats of other programs

At the top: ``__main__`` starts it, ``export`` takes a tuned model out of it. ``README.md`` beside this file follows one
request and one job through the rooms.
"""
