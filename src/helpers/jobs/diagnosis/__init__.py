"""It trained, but nothing changed: what is wrong?

``diagnosing`` asks the models, ``symptoms`` holds the figures, ``comparing`` says whether an answer is the ideal one,
``findings`` has a rule for each fault, and ``figures`` puts figures into words.
"""
