"""The kit that settles "prompt or fine-tune?": README.md is about the lessons, this page about the code that they call.

Each package says in its own docstring or README which file does what::

    data           reads, checks, repairs and splits a file of examples
    evaluate       asks models, scores what comes back, compares candidates; rivals without a language model
    costs          a job's and a month's bill, break-even
    decide         checklist and evidence in, verdict and record out
    jobs           fine-tuning jobs at any host: upload, start, watch, diagnose
    deploy         release gate, aliases, model card, drift, export
    providers      hosts: how to connect, what each is like, local model servers
    facts          dated prices, limits and closing days of providers
    open_models    open models that can be fetched, and what each needs on this machine
    assets         the small model of the lessons and its like: pinned, fetched, checked
    tokens         counts tokens as a named model does
    statistics     intervals, paired tests, agreement; proportions: what needs no library
    show           tables, charts and panels in notebooks
    page           the decision page of the site, in a browser
    trial          the article's claims as experiments
    local_api      the fine-tuning API on this machine, a program of its own
    project        what lessons leave for each other; ledger: every measurement; records: the dataclasses they share
    your_project   from a file to a notebook of one's own
    doctor         what works on this machine
    errors, formatting, atomic, today: used everywhere

Floors, lowest first; a module imports only from lower floors (``tests/test_walls.py`` keeps them)::

    errors < records, formatting, atomic, proportions, today < statistics, project < ledger, facts, assets < open_models
        < tokens < data, costs, providers
        < jobs, evaluate, decide < deploy, trial < show, doctor, your_project, page

``local_api`` is a program of its own (``python -m helpers.local_api``): nothing imports it.
"""

__version__ = "0.1.0"
