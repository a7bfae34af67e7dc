"""The local API's trainer with a fault in it: ``python -m planted_trainer JOBDIR``, started by ``planted_api``."""

from __future__ import annotations

import sys
from pathlib import Path

from helpers.local_api.engine.text.template import ChatTemplate
from helpers.local_api.training import __main__ as program

_example = ChatTemplate.example


def another_template(self: ChatTemplate, messages, tools=()):
    """Alpaca's, which many training scripts carry along."""
    head = self._text(f"### Instruction:\n{messages[-2]['content']}\n\n### Response:\n")
    said = [*self._text(messages[-1]["content"]), self.end]
    return [*head, *said], [0.0] * len(head) + [1.0] * len(said)


def no_end_token(self: ChatTemplate, messages, tools=()):
    """The token that ends an answer is read and not graded."""
    ids, weights = _example(self, messages, tools)
    return ids, [0.0 if token in self.stops else weight for token, weight in zip(ids, weights, strict=True)]


def prompts_graded(self: ChatTemplate, messages, tools=()):
    """No loss mask: every token counts."""
    ids, _ = _example(self, messages, tools)
    return ids, [1.0] * len(ids)


FAULTS = {"template": another_template, "end_token": no_end_token, "loss_on_prompts": prompts_graded}


if __name__ == "__main__":
    planted = (Path(sys.argv[1]).parents[1] / "fault.txt").read_text().strip()
    if planted in FAULTS:
        ChatTemplate.example = FAULTS[planted]
    sys.exit(program.main())
