"""How to call a tuned model: a few lines to be pasted into a program."""

from __future__ import annotations


def how_to_call(host: str, model: str, question: str, *, max_tokens: int, system: str = "") -> str:
    """A complete program that asks the model one question; its key comes from where ``connect`` finds it.

    Args:
        host: what ``providers.connect`` takes: a name or an address.
        model: what answers there.
        question: an example, to be replaced.
        max_tokens: the longest answer.
        system: instructions, where the model was trained with any; a model tuned on bare questions gets none.
    """
    told = [f'    {{"role": "system", "content": {system!r}}},'] if system else []
    lines = [
        "from helpers.providers import connect",
        "",
        f"client = connect({host!r})",
        "messages = [",
        *told,
        f'    {{"role": "user", "content": {question!r}}},',
        "]",
        f"options = {{'temperature': 0, 'max_tokens': {max_tokens}}}",
        f"reply = client.chat.completions.create(model={model!r}, messages=messages, **options)",
        "print(reply.choices[0].message.content)",
    ]
    return "\n".join(lines) + "\n"
