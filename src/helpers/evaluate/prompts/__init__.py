"""What is sent::

candidates  the messages of a candidate: instructions, worked examples, the question
rungs       the prompt ladder for any reader's rows
"""
