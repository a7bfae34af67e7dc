"""From a file, an address or a table in memory to examples.

In the order in which a file goes through them::

    fetching    an address: fetched with consent
    opening     the one file that is meant, out of its archives
    kinds       what kind of file it is
    encodings   how its bytes are text
    json_files  JSON Lines and JSON
    tables      tables as text, and workbooks
    columnar    Parquet and Arrow
    sources     any of these as rows, one at a time (``row.Row``)
    examples    rows as examples: ``read``, and ``mapping`` to look first
"""
