"""The kit that settles "prompt or fine-tune?": see README.md for the lessons, and the module list below for the house.

Floors, lowest first; a module imports only from lower floors (``tests/test_walls.py`` keeps them)::

    errors < records, formatting, atomic, proportions, today < statistics, project < ledger, facts, assets < open_models
        < tokens < data, costs, providers
        < jobs, evaluate, decide < deploy, trial < show, doctor, your_project, page

``local_api`` is a program of its own (``python -m helpers.local_api``): nothing imports it.
"""

__version__ = "0.1.0"
