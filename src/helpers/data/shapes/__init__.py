"""The shapes in which people and providers write an example, and the way from each to chat messages.

``to_chat.shaped`` takes a row of any of them. What knows one shape knows no other::

    chat           chat shape itself
    provider_rows  OpenAI's chats and pairs, Amazon's Converse, Google's contents
    turns          conversations whose turns name their speakers
    table_rows     columns: a question and its answer, or a pair of answers
    column_names   by which names a column is recognised, and templates of several columns
    tool_calls     calls and declarations, as files write them
    cells          a table's cell as text
"""
