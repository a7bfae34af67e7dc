"""One small state file a project, so that lessons find each other's results.

``.local/projects/<name>/project.json`` holds split hashes, file and job ids, prompts, scores, guesses and the verdict.
It is written to a temporary file and renamed, so a killed kernel leaves either the old state or the new one. Two
notebooks may hold the same project: each change reads the file again under a lock and changes one key only.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from helpers.atomic import kit_home, write_atomically
from helpers.errors import ProjectError
from helpers.records import Candidate

MADE_BY = {
    "checklist": ("00_should_you_fine_tune", 1),
    "evidence": ("00_should_you_fine_tune", 10),
    "splits": ("01_prepare_data", 1),
    "upload": ("02_upload", 1),
    "jobs": ("03_train", 8),
    "ledger": ("00_should_you_fine_tune", 10),
    "results": ("04_evaluate", 20),
    "verdict": ("06_decide", 1),
}
"""Which lesson writes which key, and about how many minutes it takes on two cores."""


ANSWERS = "answers.sqlite"
"""File in a project's folder with every answer that hosts gave."""


class Project:
    """The state of one decision.

    Args:
        name: letters, digits, ``-`` and ``_``; the folder's name below ``.local/projects``.

    Raises:
        ProjectError: the name is not a plain folder name, or the state file is damaged.
    """

    def __init__(self, name: str) -> None:
        self.check_name(name)
        self.name = name
        self.folder = kit_home() / "projects" / name
        self.file = self.folder / "project.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.read()

    @staticmethod
    def check_name(name: str) -> None:
        """Pass when a project may be called so, without making one; ``ProjectError`` otherwise.

        Raises:
            ProjectError: it cannot be a folder's name.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
            raise ProjectError(
                "The project's name cannot be a folder name.",
                got=repr(name),
                fix="Use letters, digits, - and _, starting with a letter or digit.",
            )

    def read(self) -> dict[str, Any]:
        """All of the state, as it is on disk now."""
        try:
            state = json.loads(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._damaged(str(error)) from error
        if not isinstance(state, dict):
            raise self._damaged(f"a {type(state).__name__} instead of an object")
        return state

    def _damaged(self, got: str) -> ProjectError:
        return ProjectError(
            f"The state file of project {self.name!r} cannot be read.",
            got=got,
            fix=f"Mend {self.file}, or rename it to start the project afresh (trained models are kept elsewhere).",
        )

    def get(self, key: str, default: Any = None) -> Any:
        """The value under ``key``, or ``default``.

        Args:
            key: a top-level key of the state file.
            default: what stands for nothing.
        """
        return self.read().get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Store a JSON value under ``key``; other keys keep what they have on disk.

        Args:
            key: a top-level key of the state file.
            value: anything that JSON can hold.
        """
        self.change(key, lambda _: value)

    def change(self, key: str, changed: Callable[[Any], Any]) -> None:
        """Replace the value under ``key`` by ``changed`` of what is on disk now (an empty mapping where nothing is).

        Args:
            key: a top-level key of the state file.
            changed: makes the new value from the old one; called under the lock.
        """
        with FileLock(self.folder / ".lock", timeout=10):
            state = self.read()
            state[key] = changed(state.get(key, {}))
            self._write(state)

    def _write(self, state: Mapping[str, Any]) -> None:
        write_atomically(self.file, json.dumps(state, ensure_ascii=False, indent=1, sort_keys=True) + "\n")

    def begin(self, source: Mapping[str, Any], *, start_again: bool = False) -> str:
        """Remember what this project's rows are, and refuse other ones: their splits would be mixed with old scores.

        Args:
            source: from ``data.origin`` (``rows``, ``file``, ``columns``, ``shares`` and ``sha256`` of the rows as they
                are split: those that fit the task, as cases), with ``task`` (its kind) and ``cases``.
            start_again: begin with nothing but the answers that hosts gave before (the same question is not paid for
                twice, and how often rows were opened is not forgotten); the old state is moved aside.

        Returns:
            One sentence: what the project holds, and where the old state lies.

        Raises:
            ProjectError: the project holds other rows, none that are known, or rows split for another kind of task (old
                training rows would come among the new test rows); it says what has changed.
        """
        aside = self._move_aside() if start_again and self.file.exists() else None
        before = self.get("source", {} if self.get("splits") else None)
        if before is not None and (changes := _changes(before, source)):
            raise ProjectError(
                f"Project {self.name!r} was made from other data.",
                got=changes,
                fix="Give this data a name of its own (PROJECT), or set START_AGAIN = True in the parameters cell: the "
                "old state is moved aside, not lost.",
            )
        self.set("source", dict(source))
        if aside is None:
            return f"Project {self.name!r}: {source['rows']:,} rows of {source['file']}."
        return (
            f"Project {self.name!r} starts again; its old state lies in {aside}. Set START_AGAIN back to False: "
            "while it is True every run starts again."
        )

    def _move_aside(self) -> Path:
        """Rename the folder after the day of its last change; the answers of hosts stay here as well."""
        day = datetime.fromtimestamp(self.file.stat().st_mtime).date()
        names = [f"{self.name}-until-{day}", *(f"{self.name}-until-{day}-{n}" for n in range(2, 1000))]
        aside = next(path for name in names if not (path := self.folder.with_name(name)).exists())
        self.folder.rename(aside)
        self.folder.mkdir()
        if (aside / ANSWERS).exists():
            shutil.copy2(aside / ANSWERS, self.folder / ANSWERS)
        return aside

    def keep_task(self, *, rules: Any = None, **about: Any) -> None:
        """Remember what the reader's own rows ask for, so that the lessons can work on them and a verdict's steps lead
        to where they can be taken. The sample's project has no task.

        Args:
            rules: ``RULES``: a file's path (kept as text), a list of rules, or the name of a check.
            about: ``instructions``, ``kind``, ``chosen`` and ``reason`` of the task, ``facts``.

        Raises:
            ProjectError: rules that no file can hold, such as a metric.
        """
        rules = str(rules) if isinstance(rules, Path) else rules
        try:
            json.dumps(rules)
        except TypeError:
            raise ProjectError(
                "RULES cannot be kept for the lessons.",
                got=repr(rules)[:200],
                fix='Use the path of a TOML file, a list of rules, or the name of a check, such as "final_number".',
            ) from None
        self.set("task", {**about, "rules": rules})
        self.keep("evidence", "project", self.name)
        self.keep("evidence", "task", about.get("kind", ""))

    def keep_prompt(self, prompt: Candidate) -> None:
        """Remember the prompt that was best on the validation rows, so that lessons choose none on test rows.

        Its pool is left out: that is the training rows.
        """
        self.set("prompt", _stored(prompt))

    def keep_found(self, prompt: Candidate) -> None:
        """Remember a prompt that a search found on training rows, so that later lessons compare it, too."""
        self.keep("found", prompt.name, _stored(prompt))

    def only_the_sample(self, what: str) -> None:
        """Pass in a lesson that is wired to the sample, unless this is a project of the reader's own.

        Raises:
            ProjectError: it is; the lesson would write over its splits.
        """
        if self.get("task"):
            raise ProjectError(
                f"{what}, and would write over the splits of {self.name!r}.",
                fix='your_project has checked and split your file. To read this lesson set PROJECT = "sample"; go on '
                "with lesson 02.",
            )

    def keep_splits(self, files: Mapping[str, Path]) -> None:
        """Remember which file is which split, with its sha256 and number of rows, so that lessons agree."""
        contents = {name: Path(file).read_bytes() for name, file in files.items()}
        self.set(
            "splits",
            {
                name: {
                    "path": str(Path(files[name]).resolve()),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "rows": content.count(b"\n"),
                }
                for name, content in contents.items()
            },
        )

    def keep(self, group: str, key: str, value: Any) -> None:
        """Store a JSON value under ``key`` inside ``group`` (such as "evidence"); the group's other keys stay.

        Args:
            group: a top-level key whose value is an object.
            key: a key of that object.
            value: anything that JSON can hold.
        """
        self.change(group, lambda kept: {**kept, key: value})

    def require(self, key: str) -> Any:
        """The value under ``key``.

        Raises:
            ProjectError: it is not there; the message names the lesson that makes it and the minutes that takes.
        """
        value = self.get(key)
        if key == "results" and value is not None and value.get("split") != "test":
            value = None  # older kits kept results on validation rows here; whoever asks means the test rows
        if value is None:
            lesson, minutes = MADE_BY.get(key, ("an earlier lesson", 5))
            raise ProjectError(
                f"Project {self.name!r} has no {key!r} yet.",
                fix=f"Run notebooks/{lesson}.ipynb first (about {minutes} min), then run this cell again.",
            )
        return value


def _stored(prompt: Candidate) -> dict[str, Any]:
    kept = {name: getattr(prompt, name) for name in ("name", "system", "nearest", "schema", "max_tokens", "tries")}
    return {**kept, "shots": [list(shot.messages) for shot in prompt.shots]}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between two sources, in words."""
    if not before:
        return f"splits of unknown rows; now {now['rows']:,} rows of {now['file']}"
    said = []
    if before["sha256"] != now["sha256"]:
        was, is_ = (f"{one['rows']:,} rows of {one['file']}, columns {one['columns']}" for one in (before, now))
        said.append(f"{was} before, {is_} now" + ", with other contents" * (was == is_))
        said += _changed("cases", before, now)  # it counts for conversations only: alone it changes no rows
    said += _changed("task", before, now)
    if before["shares"] != now["shares"]:
        said.append(f"shares {before['shares']} before, {now['shares']} now")
    return "; ".join(said)


def _changed(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A parameter's two values, where they differ; an older kit kept none, and then nothing is known of it."""
    if name not in before or before[name] == now.get(name):
        return []
    return [f"{name.upper()} {before[name]!r} before, {now.get(name)!r} now"]
