"""The record of a decision, and what it is made from.

More than the standard library is needed here (Jinja2, the ledger): the browser's page brings Jinja2 along::

    record     the record itself: record.json, record.html, record.md, from templates/
    stored     evidence in its JSON shape, an older kit's, too
    gathering  what the lessons have measured, from the project file
    begun      a decision that was begun elsewhere and goes on here
"""
