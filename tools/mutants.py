"""Do the tests notice? Small changes to the code, one at a time, each met by the tests of its room: `make mutants`.

A room of ``mutants.toml`` is a few files and the tests that keep them. A seeded sample of each room's mutants is run;
what came out is kept in ``.local/mutants/results.jsonl``: a run goes on where an earlier one stopped, and repeats only
mutants of files that have changed, and survivors when their tests have. The working tree is never touched: all of it
happens in a copy.

A kept library was looked at first (2026-11). cosmic-ray 8.7 has no sample, writes mutants into the working tree,
gives every ``*`` eleven variants, and a fifth of its mutants of ``helpers.costs`` change type annotations, which no
test can notice. mutmut 3.8 has no sample either, and picks tests by what they call in their own process, where the
local API runs in another. Around either of them a driver like this one would still be needed.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import contextlib
import hashlib
import json
import multiprocessing
import os
import py_compile
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from mutating import Mutant, mutants, mutated

TOP = Path(__file__).resolve().parents[1]
WORK = TOP / ".local" / "mutants"
TREE = WORK / "tree"
RESULTS = WORK / "results.jsonl"
HEAVY = [
    *("pytest", "nbval.plugin", "schemathesis.pytest.plugin", "coverage", "jupyter_client", "rapidfuzz", "hypothesis"),
    *("pandas", "scipy.stats", "statsmodels.stats.api", "sklearn.linear_model", "sklearn.pipeline", "openai", "httpx2"),
]
"""Imported once, by the process that those of the tests are forked from: most of a short run is importing."""
OUTCOMES = ("killed", "survived", "timed out", "equal")


def lay_tree(files: list[Path]) -> None:
    """A copy of what git knows, whose files under test are written as mutants are; bytecode is checked by content."""
    shutil.rmtree(TREE, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (TOP / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, TREE / name)
    for file in files:
        (TREE / file.relative_to(TOP)).write_text(ast.unparse(ast.parse(file.read_text("utf-8"))), encoding="utf-8")
    compileall.compile_dir(TREE / "src", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def tests_of(room: list[str]) -> None:
    """Runs tests on the copy up to the first that fails. Ends its process, the leader of a group."""
    os.setsid()
    os.chdir(TREE)
    output = os.open(WORK / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1), os.dup2(output, 2)
    sys.path.insert(0, str(TREE / "src"))
    os.environ |= {"PYTHONPATH": str(TREE / "src"), "KIT_HOME": str(TOP / ".local")}
    import pytest

    sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "--tb=short", "--hypothesis-seed=0", *room]))


def outcome(room: list[str], limit: float | None) -> tuple[str, float, str]:
    """ "survived", "killed" or "timed out"; the seconds it took; and the test that failed."""
    started = time.monotonic()
    process = multiprocessing.get_context("forkserver").Process(target=tests_of, args=(room,))
    process.start()
    try:
        process.join(limit)
    finally:  # also when this run is stopped: its tests would go on, and so would servers that they have started
        late = process.exitcode is None
        for stop in (signal.SIGINT, signal.SIGKILL) if late else (signal.SIGKILL,):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, stop)
            process.join(20)
    lines = (WORK / "output.txt").read_text(errors="replace").splitlines()
    by = next((line for line in lines if line.startswith(("FAILED", "ERROR"))), "")
    return "timed out" if late else "killed" if process.exitcode else "survived", time.monotonic() - started, by


def hash_of(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


class Runs:
    """What has come out so far, and the runs that are still to be made."""

    def __init__(self) -> None:
        lines = RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else []
        self.known = {record["id"]: record for record in map(json.loads, lines)}
        self.limits: dict[str, float] = {}

    def limit(self, room: str, tests: list[str]) -> float:
        """Seconds that a mutant may take: five times what the tests take on code that is not changed, and a minute."""
        if room not in self.limits:
            found, seconds, by = outcome(tests, None)
            if found != "survived":
                sys.exit(f"The tests of {room} fail before anything is changed: {by}\nSee {WORK / 'output.txt'}.")
            print(f"{room}: {seconds:.0f} s for the tests without a change", flush=True)
            self.limits[room] = 5 * seconds + 60
        return self.limits[room]

    def of(self, mutant: Mutant, room: str, tests: list[str]) -> dict[str, Any]:
        """The record of a mutant: a known one while it holds, else that of a run now."""
        code, kept = hash_of(TOP / mutant.file), hash_of(*(TREE / test for test in tests if test[0] != "-"))
        known = self.known.get(mutant.id, {})
        if known.get("code") == code and (known["outcome"] == "killed" or known["tests"] == kept):
            return known
        limit = self.limit(room, tests)
        target = TREE / mutant.file
        before = target.read_text(encoding="utf-8")
        target.write_text(mutated(TOP / mutant.file, mutant.number), encoding="utf-8")
        try:
            found, seconds, by = outcome(tests, limit)
        finally:
            target.write_text(before, encoding="utf-8")
        record = {"id": mutant.id, "code": code, "tests": kept, "outcome": found, "seconds": round(seconds), "by": by}
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        print(f"  {found:9} {seconds:4.0f} s  {where(mutant)}", flush=True)
        return record


def where(mutant: Mutant) -> str:
    """File, line, id and change; of a long one the part around what differs."""
    first = next((at for at, (a, b) in enumerate(zip(mutant.was, mutant.now, strict=False)) if a != b), 0)
    was, now = (text[max(0, first - 50) : first + 50] for text in (mutant.was, mutant.now))
    return f"{mutant.file}:{mutant.line} [{mutant.id}]  {was}  ->  {now}"


def row(name: str, all_of_them: int | str, found: Counter[str]) -> str:
    from helpers.proportions import wilson  # not above: the processes of the tests must import the copy's

    noticed, n = found["killed"], sum(found.values()) - found["equal"]
    low, high = wilson(noticed, n) if n else (0.0, 1.0)
    share = f"{noticed / n:.1%} ({low:.1%} to {high:.1%})" if n else "-"
    return f"{name:<12}{all_of_them:>9}" + "".join(f"{found[one]:>11}" for one in OUTCOMES) + f"  {share}"


def main() -> None:
    """Draw, run what is not known yet, and print a table and what survived."""
    asked = argparse.ArgumentParser(description="Run a seeded sample of mutants against the tests of their rooms.")
    asked.add_argument("--sample", type=int, default=120, help="mutants, shared out evenly between the rooms")
    asked.add_argument("--seed", type=int, default=1, help="a larger sample of one seed holds the smaller ones")
    asked.add_argument("--room", action="append", help="this room only; may be given several times")
    options = asked.parse_args()
    table = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    rooms = {name: room for name, room in table["rooms"].items() if name in (options.room or table["rooms"])}
    files = {name: sorted({f for g in room["files"] for f in TOP.glob(g)}) for name, room in rooms.items()}
    if unknown := set(options.room or ()) - set(rooms):
        sys.exit(f"No such room: {', '.join(sorted(unknown))}. There are {', '.join(table['rooms'])}.")
    if missing := [glob for room in rooms.values() for glob in room["files"] if not any(TOP.glob(glob))]:
        sys.exit(f"mutants.toml names files that are not there: {', '.join(missing)}. Correct it.")
    os.nice(19)
    os.environ |= {"OMP_NUM_THREADS": "1"}
    multiprocessing.get_context("forkserver").set_forkserver_preload(HEAVY)
    lay_tree([file for found in files.values() for file in found])
    runs, equal, survivors, lines, total = Runs(), {one["id"]: one for one in table.get("equal", ())}, [], [], Counter()
    for name, room in rooms.items():
        everything = [mutant for file in files[name] for mutant in mutants(file, TOP)]
        drawn = sorted(everything, key=lambda mutant: hashlib.sha256(f"{options.seed}{mutant.id}".encode()).digest())
        found: Counter[str] = Counter()
        for mutant in drawn[: options.sample // len(rooms)]:
            what = "equal" if mutant.id in equal else runs.of(mutant, name, room["tests"])["outcome"]
            found[what] += 1
            survivors += [f"{what}: {where(mutant)}"] if what in ("survived", "timed out") else []
        total += found
        lines.append(row(name, len(everything), found))
    print(f"\n{'room':<12}{'mutants':>9}" + "".join(f"{one:>11}" for one in OUTCOMES) + "  killed (95 % interval)")
    print(*lines, row("together", "", total), *survivors, sep="\n")


if __name__ == "__main__":
    main()
