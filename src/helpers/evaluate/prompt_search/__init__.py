"""Better prompts, searched for on training rows within a budget of calls::

search      what the searches share: rows in two parts, the budget, a record of every try
choosing    which training rows to show as worked examples
optimising  instructions that a model rewrites from its mistakes (GEPA)
"""
