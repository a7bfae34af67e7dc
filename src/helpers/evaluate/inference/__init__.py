"""Answers from a host: requested within its limits and the reader's money, and kept as they come.

From the smallest part to the whole::

    store     answers on disk; Reply
    reading   what is read in a chat completion
    clipping  prompts that did not fit the host's context
    spending  money: known before the first call, and never above the limit
    pricing   prices of a tuned model whose id is not known yet
    pace      the limits of a free tier
    failures  what a failed call means, and how often to try again
    requests  ask: many requests at a time, with retries
"""
