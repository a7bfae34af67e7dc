"""A server in OpenAI's shape whose models are as good as a world says: see ``planting``.

It takes files and jobs as ``JobHost`` does and ends each job at once. Where a world wants it, it dies after so many
test rows, or reads no more of a prompt than its window holds, as Ollama does.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from job_host import HANG_UP, STEPS, JobHost, error
from worlds.planting import Kinds, Place, Planted, in_schema

from helpers import tokens
from helpers.records import Example

SHRUG = "I cannot say."
"""The answer to questions that stand in no split: probes and the like."""
VERDICTS = {"Reply with one character": "0", "Reply with one word": "yes"}
"""What it says when it is asked to judge."""


class PlantedHost(JobHost):
    """Runs on a free loopback port, and takes any key.

    Args:
        models: model to kind of prompt to share of right rows; tuned models (``ft:…``) have the one kind "tuned".
        pools: training rows that prompts may show.
        splits: the rows that questions come from: "validation" and "test".
        trouble: a world's ``server`` table: ``model`` with ``dies_after_test_rows``, or with ``keeps_tokens`` and
            ``keeps``.
    """

    def __init__(
        self,
        models: Mapping[str, Mapping[str, float]],
        pools: Sequence[Sequence[Example]],
        splits: Mapping[str, Sequence[Example]],
        trouble: Mapping[str, Any] | None = None,
    ) -> None:
        self.planted, self.kinds = Planted(dict(models), splits), Kinds(*pools)
        self.trouble = dict(trouble or {})
        self.answered: Counter[tuple[str, str, str]] = Counter()
        self.gone = False
        super().__init__(job_seconds=1e-6)
        self.requests = deque(maxlen=100)
        for name in models:
            self.models[name] = {"id": name, "object": "model", "created": int(time.time()), "owned_by": "test"}

    # Jobs -----------------------------------------------------------------------------------------------------------

    def add_tuned(self, model: str) -> str:
        """A job that has made this model; its id."""
        file = self.keep("train.jsonl", b"", "fine-tune")["id"]
        return self.add_job({"model": model.split(":")[1], "training_file": file, "made": model})[1]["id"]

    def tuned_model(self, name: str) -> str:
        """A job that a notebook started makes the world's tuned model, under a name of its own."""
        asked = self.jobs[name]["asked"]
        if "made" not in asked:
            planted = next(model for model in self.planted.shares if model.startswith("ft:"))
            asked["made"] = f"ft:{planted.split(':')[1]}:{asked.get('suffix') or ''}::x"
            self.planted.shares[asked["made"]] = self.planted.shares[planted]
        return asked["made"]

    # Bad days -------------------------------------------------------------------------------------------------------

    def die(self) -> None:
        """Answer nobody any more, and listen to nobody."""
        self.gone = True
        self.close()

    def come_back(self) -> None:
        """Listen again at the same address, for good."""
        self.trouble.pop("dies_after_test_rows", None)
        self.gone = False
        self.listen(self.port)

    def is_due(self, asked: Mapping[str, Any], place: Place | None) -> bool:
        """Whether it dies on this request."""
        most = self.trouble.get("dies_after_test_rows")
        if most is None or asked["model"] != self.trouble["model"] or place is None or place.split != "test":
            return False
        return sum(count for (model, _, split), count in self.answered.items()
                   if (model, split) == (asked["model"], "test")) >= most  # fmt: skip

    def window(self, model: str) -> int | None:
        return self.trouble.get("keeps_tokens") if model == self.trouble.get("model") else None

    # Answers --------------------------------------------------------------------------------------------------------

    def route(self, method: str, url: Any, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if self.gone:
            return HANG_UP, None
        path = url.path.removeprefix("/v1/")
        if (method, path) == ("POST", "chat/completions"):
            return self.completion(json.loads(body))
        if (method, path) == ("POST", "fine_tuning/jobs/estimate"):
            return 200, {"seconds": 1.0, "low": 1.0, "high": 1.0, "total_steps": STEPS, "trained_tokens": 1000}
        if method == "GET" and path.removeprefix("models/") in self.models:
            return 200, self.models[path.removeprefix("models/")]
        return super().route(method, url, headers | {"authorization": f"Bearer {self.key}"}, body)

    def completion(self, asked: dict[str, Any]) -> tuple[int, Any]:
        model = asked["model"]
        if model not in self.planted.shares:
            return error(404, f"There is no model {model}")
        question = [message["content"] for message in asked["messages"] if message["role"] == "user"][-1]
        place = self.planted.places.get(question)
        if self.is_due(asked, place):
            self.die()
            return HANG_UP, None
        sent = sum(prompt_tokens(model, message["role"], message["content"]) for message in asked["messages"])
        read = min(sent, self.window(model) or sent)
        text = self.text(asked, question, place, cut=read < sent)
        said = tokens.counter(model).text(text)
        usage = {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}
        reply = self.chat(asked)
        reply["choices"][0]["message"]["content"] = text
        return 200, reply | {"usage": usage}

    def text(self, asked: dict[str, Any], question: str, place: Place | None, *, cut: bool) -> str:
        if place is None:
            return next((verdict for words, verdict in VERDICTS.items() if words in question), SHRUG)
        kind = self.kinds.of(asked)
        self.answered[asked["model"], kind, place.split] += 1
        if cut and self.trouble["keeps"] == "first":  # the question was not read
            return in_schema(self.planted.wrong(place), asked)
        return in_schema(self.planted.answer(asked["model"], "bare" if cut else kind, place), asked)


@lru_cache(maxsize=50_000)
def prompt_tokens(model: str, role: str, content: str) -> int:
    return tokens.counter(model).example([{"role": role, "content": content}])
