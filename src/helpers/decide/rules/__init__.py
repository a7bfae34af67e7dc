"""The rules, and what they say.

From what is shared to what decides::

    ruling         what a rule says, and the words for choices and lessons
    criteria       the judgements that several rules share, each with its threshold
    sentences      what was measured, in words
    steps          next steps, with their prices
    places         where a model would be trained
    other_ways     reinforcement fine-tuning and distillation
    preconditions  a date that forces a move, the wrong tool, no need
    prompting      prompting has not had its chance, or suffices, or a target's score is missing
    tuning         whether tuning won, whether the data carries it, and where
    order          all rules in order: the first one that speaks decides
"""
