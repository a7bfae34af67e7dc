"""What a machine may repair, logged change by change, and what it leaves to a person.

::

    repair     the way in: a repaired copy, its log, and the file made again from both
    fixers     what is done about each code
    decisions  the rows that a person decides, and the file with the decisions carried out
"""
