"""Which column of a table is the question and which the answer.

``resolving.resolved`` answers; the others stand below it, the lowest last::

    given       the reader's own ``COLUMNS``, checked
    guessing    what the columns are, from names and contents
    suggesting  a ``COLUMNS`` to paste
    ranking     how much a column looks like the question, or the answer
    profiles    what a column holds
"""
