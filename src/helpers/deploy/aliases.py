"""A name such as ``production`` that programs call, moved between models in one step, with the way back kept.

Aliases live in ``aliases.json`` in the project's folder, written atomically: a program that reads it while it changes
sees the old model or the new one, never half of each.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from filelock import FileLock

from helpers.errors import DeployError
from helpers.project import Project, write_atomically


@dataclass(frozen=True)
class Alias:
    """Which model a name stands for, at which host, since when, and which one it stood for before.

    Attributes:
        name: what programs ask for.
        model: the model's id at ``host``.
        host: what ``providers.connect`` takes.
        since: when the name was moved to this model, UTC, in ISO 8601 to the second.
        previous_model: the one before; empty where there was none.
        previous_host: where that one answers.
    """

    name: str
    model: str
    host: str
    since: str
    previous_model: str = ""
    previous_host: str = ""


def current(project: Project, name: str = "production") -> Alias:
    """The alias as it stands now.

    Args:
        project: in whose folder the aliases are kept.
        name: the alias.

    Raises:
        DeployError: nothing was promoted under this name yet.
    """
    known = _read(project)
    if name not in known:
        raise DeployError(
            f"Project {project.name!r} has no model called {name!r}.",
            got=", ".join(known) or "no alias at all",
            fix="Promote one with deploy.promote(project, model, host) (lesson 5).",
        )
    return Alias(**known[name])


def promote(project: Project, model: str, host: str, name: str = "production") -> Alias:
    """Point the alias at another model; what it pointed at before is kept for :func:`rollback`.

    Nobody is asked whether the model answers: measure it first (:func:`helpers.deploy.gate`). Naming the model that
    the alias has already changes nothing, so that the way back survives a cell that is run twice.

    Args:
        project: in whose folder the aliases are kept.
        model: the model's id at ``host``.
        host: what ``providers.connect`` takes to reach it.
        name: the alias; it is made when it is new.
    """
    with _locked(project):
        before = _read(project).get(name)
        if before and (before["model"], before["host"]) == (model, host):
            return Alias(**before)
        past = {"previous_model": before["model"], "previous_host": before["host"]} if before else {}
        return _write(project, Alias(name, model, host, _now(), **past))


def rollback(project: Project, name: str = "production") -> Alias:
    """Point the alias back at the model before; a second call goes forward again.

    Args:
        project: in whose folder the aliases are kept.
        name: the alias.

    Raises:
        DeployError: there is no alias of that name, or nothing before it.
    """
    with _locked(project):
        now = current(project, name)
        if not now.previous_model:
            raise DeployError(f"{name!r} has had one model only: {now.model}.", fix="Promote another one first.")
        return _write(project, Alias(name, now.previous_model, now.previous_host, _now(), now.model, now.host))


def _locked(project: Project) -> FileLock:
    return FileLock(project.folder / ".aliases.lock", timeout=10)


def _read(project: Project) -> dict[str, dict[str, str]]:
    try:
        return json.loads((project.folder / "aliases.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _write(project: Project, alias: Alias) -> Alias:
    known = _read(project) | {alias.name: asdict(alias)}
    write_atomically(project.folder / "aliases.json", json.dumps(known, indent=1) + "\n")
    return alias


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
