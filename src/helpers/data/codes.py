"""Every problem that ``check`` can name: how bad it is, what it means, and what to do about it.

``error``: the provider refuses the row or the file. ``warning``: it is accepted and will hurt. ``note``: worth knowing.
The fix here is the general one; a problem may carry a sharper one of its own.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]


class Code(NamedTuple):
    """What one code means."""

    severity: Severity
    means: str
    fix: str


E, W, N = "error", "warning", "note"

CODES: dict[str, Code] = {
    # the file
    "file_empty": Code(E, "The file contains no examples.", "Export it again; check that the export finished."),
    "not_jsonl": Code(
        E, "The file is not JSON Lines (one object per line).", "Write it with write(read(path), new_path)."
    ),
    "file_too_large": Code(E, "The file is larger than the provider accepts.", "Split it, or keep fewer examples."),
    "invalid_n_examples": Code(
        E, "Fewer examples than the provider accepts.", "Add examples until the minimum is met."
    ),
    "too_many_examples": Code(E, "More examples than the provider accepts.", "Keep the most varied ones."),
    "few_examples": Code(N, "Enough to start a job, but little to learn from.", "Aim for 50 to 100 good examples."),
    "mixed_shapes": Code(
        W, "Rows in different formats in one file.", "Write the file again with write(read(path), new_path)."
    ),
    "too_many_problems": Code(
        N, "So many problems of one kind that the rest are not listed.", "Repair, then check again."
    ),
    "tokens_not_counted": Code(N, "Tokens could not be counted.", "Make the vocabulary available, then check again."),
    "tokens_estimated": Code(
        N, "Tokens were counted with another model's vocabulary.", "Read the counts as estimates."
    ),
    "read_as": Code(
        N, "How the file was opened.", "If this is not what you meant, give another part of it, or another file."
    ),
    # the line
    "bom": Code(
        E, "There is a byte-order mark before the first brace.", "Save without a byte-order mark: repair() does."
    ),
    "encoding": Code(E, "The line is not UTF-8.", "Save as UTF-8: repair() decodes it with the encoding that fits."),
    "blank_line": Code(E, "A line without content.", "Remove it: repair() does."),
    "json": Code(
        E, "The line is not valid JSON.", "Fix the line: repair() fixes what is mechanical and drops the rest."
    ),
    "not_object": Code(
        E, "The line is JSON, but not an object.", 'Write one object per line: {"question": "…", "answer": "…"}.'
    ),
    "line_too_long": Code(E, "The line is too long to be an example.", "Look for a lost line break in the export."),
    "table_row": Code(
        E, "The table's row cannot be read as one example.", "Fix the row: quote cells that contain separators."
    ),
    # the row
    "unknown_shape": Code(
        E, "The row has none of the known formats.", "Name the columns in COLUMNS, or drop the row: repair() does."
    ),
    "wrong_shape": Code(
        E, "The provider does not accept rows in this format.", "Write the file with write(…, provider=…)."
    ),
    "unknown_key": Code(
        W, "A key that the format does not know.", "Remove it: repair() does; keep ids in a file of your own."
    ),
    "messages": Code(E, "`messages` is missing, empty, or not a list of objects.", "Give a list of messages."),
    "bad_role": Code(E, "The role is missing or not a legal one.", "Use system, developer, user, assistant or tool."),
    "unsupported": Code(E, "Legal elsewhere, but this provider refuses it.", "Remove it, or choose another provider."),
    "no_assistant": Code(
        E, "No assistant message: nothing to learn.", "Add the ideal answer, or drop the row with repair()."
    ),
    "last_not_assistant": Code(
        E, "The last message is not the assistant's.", "End with the ideal answer: repair() cuts the rest off."
    ),
    "no_user": Code(W, "No user message.", "Add what the user asked, or drop the row."),
    "system_not_first": Code(W, "A system message after the conversation began.", "Move it to the front."),
    "role_order": Code(W, "Two user messages, or two answers, in a row.", "Join them, or add the turn between them."),
    "content_missing": Code(E, "No content, and no tool call in its place.", "Write the content, or drop the row."),
    "content_type": Code(
        E, "The content is neither text nor a list of parts.", "Write it as a string: repair() does for numbers."
    ),
    "bad_part": Code(E, "A content part without a legal type or value.", 'Use {"type": "text", "text": …}.'),
    "empty_content": Code(W, "The text is empty or blank.", "Write it, or drop the row."),
    "empty_answer": Code(
        W, "The answer is empty or blank: the model learns to say nothing.", "Write it, or drop the row."
    ),
    "placeholder_answer": Code(W, "The answer is a placeholder.", "Write the real answer, or drop the row."),
    "refusal_answer": Code(W, "The answer refuses.", "Keep it only if the model should refuse here."),
    "answer_whitespace": Code(W, "The answer begins or ends with white space.", "Trim it: repair() does."),
    "control_characters": Code(W, "Control or replacement characters in the text.", "Remove them: repair() does."),
    "mojibake": Code(
        W,
        "Text decoded with the wrong encoding (such as Ã© for é).",
        "Decode it again: repair() does where it is certain.",
    ),
    "html_residue": Code(
        W, "HTML tags or entities left from an export.", "Strip them, unless the model should write HTML."
    ),
    "weight": Code(E, "`weight` is not 0 or 1, or not on an assistant's message.", "Use 0 (ignore) or 1 (learn)."),
    "nothing_trained": Code(
        E, "Every answer has weight 0: nothing to learn.", "Give one answer weight 1, or drop the row."
    ),
    # tools and pictures
    "tools": Code(
        E, "A tool declaration that is not one.", 'Use {"type": "function", "function": {"name", "parameters"}}.'
    ),
    "tool_call": Code(E, "A tool call without id, type, name or arguments.", "Give all four."),
    "tool_call_id": Code(
        E, "Tool calls and tool messages that do not pair up.", "Answer each call once, by its id, right after it."
    ),
    "tool_arguments": Code(E, "Tool arguments are not a JSON object in a string.", "Write json.dumps(arguments)."),
    "tool_schema": Code(W, "Tool arguments that break the declared schema.", "Correct the arguments or the schema."),
    "tool_undeclared": Code(W, "A call of a tool that the row does not declare.", "Declare it in `tools`."),
    "image": Code(
        E, "A picture where none is allowed, or too many.", "Keep pictures in user messages, at most ten per row."
    ),
    # preference pairs
    "preference": Code(
        E, "A preference pair with one side missing.", "Give input, preferred_output and non_preferred_output."
    ),
    "preference_same": Code(W, "Both answers of the pair are the same.", "Drop the row: it teaches nothing."),
    # length
    "tokens_over_limit": Code(
        W, "Longer than the model reads: its end is cut off, or the job fails.", "Shorten it; the answer is at the end."
    ),
    "truncated_share": Code(
        W, "Many examples are longer than the model reads.", "Shorten the prompts, or choose another model."
    ),
    # the file as a whole
    "duplicate": Code(W, "The same prompt and answer again.", "Keep one: repair() does."),
    "equal_rows": Code(
        W, "A large part of the file is one row again and again.", "Look at the export; repair() keeps one of them."
    ),
    "one_answer": Code(
        W, "Every row has the same answer.", "Add rows with other answers, or check which column is the answer."
    ),
    "near_duplicate": Code(
        W, "Almost the same prompt as an earlier row.", "Keep the better one, if they are one case."
    ),
    "contradiction": Code(
        W, "The same prompt with a different answer.", "A person decides which is right: repair() queues them."
    ),
    "leak": Code(W, "The prompt is in another split too.", "Split again with split(): it keeps them together."),
    "near_leak": Code(
        W, "Almost the same prompt is in another split.", "Split again with split(): it keeps them together."
    ),
    "answer_in_prompt": Code(
        W, "The answer is already in the prompt.", "Make sure that the model will see it there in real use too."
    ),
    "system_differs": Code(
        W, "A different system prompt from the other rows.", "Use one system prompt, the one used after training."
    ),
    "label_variant": Code(
        W, "A label spelled differently from its usual form.", "Spell each label one way: repair() does."
    ),
    "answer_format": Code(W, "Most answers are JSON of one form; this one is not.", "Give every answer the same form."),
    "label_imbalance": Code(
        N, "One label outnumbers the others.", "Add rows of the rare labels, and measure them separately."
    ),
    "rare_label": Code(W, "A label with very few rows.", "Add rows of it, or merge it with another."),
    "refusal_share": Code(
        W, "A large share of the answers refuse.", "The model will refuse more: keep only wanted refusals."
    ),
    "language_mix": Code(
        N,
        "The text is in a different language from most rows.",
        "Keep it if users will write it, and measure it separately.",
    ),
    "licence": Code(N, "Rows name different sources or licences.", "Make sure that every one allows training."),
    # personal data and secrets
    "personal_email": Code(W, "An e-mail address.", "Replace it with an invented one: repair() does."),
    "personal_phone": Code(W, "A phone number.", "Replace it with an invented one: repair() does."),
    "personal_card": Code(W, "A payment card number.", "Remove it: repair() does."),
    "personal_iban": Code(W, "A bank account number (IBAN).", "Remove it: repair() does."),
    "personal_national_id": Code(W, "A national identity or tax number.", "Remove it: repair() does."),
    "secret_api_key": Code(W, "An API key.", "Revoke the key, then remove it: repair() removes it."),
    "secret_private_key": Code(W, "A private key.", "Revoke the key, then remove it: repair() removes it."),
    "secret_token": Code(W, "An access token.", "Revoke the token, then remove it: repair() removes it."),
    "secret_password": Code(W, "A password.", "Change the password, then remove it: repair() removes it."),
}
