"""Everything that is wrong with a file of examples, in one report.

``check.check`` runs all of it::

    rules       what a provider takes, from the tables of facts
    messages    one row, message by message
    tool_calls  tools and calls in one row
    texts       placeholders, refusals, HTML and wrong decoding in a text
    corpus      what is kept of each row, for
    whole_file  what only all rows together show: duplicates, leaks, labels, forms
    languages   in which language a text most likely is
"""
