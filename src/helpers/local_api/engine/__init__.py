"""The engine that answers.

``README.md`` in the folder above explains its three ideas::

    generate     Engine: requests from any thread, one thread that computes
    scheduler    which requests run together, and the beginnings that are kept for the next ones
    inference    the arithmetic: rows that share a prefix, packed weights, adapters put in place
    transformer  a causal language model taken apart, layer by layer (training uses it, too)
    sampling     the choice of the next token
    chances      how likely each token was, for ``logprobs``
    adapters     LoRA adapters read from their folders
    text         between messages, token ids and text
    embed        the sentence embedder, also a program of its own
    convert      a program that makes the base model's folder from its 4-bit file, once
"""
