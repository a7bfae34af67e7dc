"""Rivals that need no language model: what a prompt has to beat.

From one field and one method to all rivals::

    guessing   one field by one method: counting, TF-IDF, nearest row, classifier
    embedding  sentence embeddings, computed once a text
    patterns   plain code for open fields, learned from training rows
    task       what is learned from and answered, field by field
    fields     each field by each method
    rivals     without_llm: all rivals on the same rows as the prompts
    cascade    a sure classifier answers, a model gets the rest
"""
