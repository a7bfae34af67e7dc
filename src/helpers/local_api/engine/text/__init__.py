"""Between messages, token ids and text.

Nothing here needs the model itself::

    template       what the model sees of a conversation
    jinja_template  the same, as a model's own template writes it
    call_form      what a call of a tool looks like in a model's own template
    calls          calls of tools in an answer: their grammar, and how they are told from text
    constrain      answers that keep to a JSON schema or to a grammar
    detokenizer    from token ids to text that may be sent
"""
