"""What was measured, and what may be said about it.

Results come from replies, a line an answer::

    rows      hashes of rows, and the columns of an answer
    results   Results: scores, the table, comparisons, evidence
    stored    results as a project file holds them
    scoring   from the replies of a candidate to its results
    outcomes  what a full score and less are called: right and wrong, or rules kept and broken
    mistakes  the rows that a candidate got wrong
    plateau   whether prompting has stopped improving, and whether its winner holds on fresh rows
    keeping   from results to the project's ledger
"""
