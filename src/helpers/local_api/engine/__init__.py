"""The engine that answers.

``README.md`` in the folder above explains its three ideas::

    requests             what is asked, what comes back, what goes wrong
    generate             Engine: takes requests from any thread, computes in one of its own
    continuous_batching  that thread's work: requests join and leave the batches between any two tokens
    batch                one answer in flight, and one batch of them
    scheduler            which requests run together, and the beginnings that are kept for the next ones
    inference            the arithmetic: prompts read, next tokens, weights packed, adapters put in place
    kv_cache             keys and values: rows that share a prefix, and attention to them
    transformer          a causal language model taken apart, layer by layer (training uses it, too)
    sampling             the choice of the next token, and how likely it was (``logprobs``)
    adapters             LoRA adapters read from their folders
    text                 between messages, token ids and text
    embed                the sentence embedder, also a program of its own
"""
