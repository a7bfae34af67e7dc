"""Tables of sums (pandas), put around the core: :mod:`helpers.costs` loads one when a table is asked for.

``frames`` has bills beside each other and what the answer hangs on; ``article``, the sums of the article done again.
"""
