"""Measuring candidates on rows.

From one run to a target's score::

    runner       run: every candidate asked about every example, and scored
    forecasting  what a run will take, before it starts
    targets      the ladder once more, on a model that one would really use
"""
