"""Panels, made of ipywidgets. What a person has put into one is kept by a module without widgets: ``rating``,
``reviewing`` and ``tagging`` for those of ``rater``, ``review`` and ``errors``."""
