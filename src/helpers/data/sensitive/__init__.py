"""Personal data and secrets in texts: found, shown masked, removed.

``personal`` is the way in, for secrets too, and finds e-mail addresses; ``credentials``: keys, tokens, passwords;
``identifiers``: phone, card and account numbers; ``national_ids``: identity and tax numbers.
"""
