"""What the local API keeps: rows in SQLite, and the bytes of files, jobs and tuned models beside it.

From the outside in::

    api_store  files, jobs and models: what may be done with them, and where their bytes are
    database   the connection, its schema, transactions, rows of any table
    records    what a row is, a class for each table
"""
