"""Files at a host: shown before they leave, uploaded once."""

from __future__ import annotations

import hashlib
import time
import warnings
from pathlib import Path

import openai
from openai.types import FileObject

from helpers.errors import ConsentError, HostError, JobError, KitError
from helpers.formatting import host_called
from helpers.jobs.retry import make_once, patiently, reason
from helpers.providers import LOCAL, Host, connect, host_of

BEING_PROCESSED = ("pending", "running", "notRunning", "uploading")
"""Words with which hosts (Azure) say that a file cannot be used yet; others say nothing at all (Nebius: null)."""
PROCESSING_SECONDS = 600
NO_SUCH_THING = (404, 405, 501)
"""What a host answers to a request for its files that has none."""


def upload(client: openai.OpenAI, path: str | Path, *, may_upload_to: str = "local") -> FileObject:
    """Put a training file at the host, or find the same bytes that are there already.

    Where the dated facts say that not everybody can start a job there, they warn before anything is sent.

    Args:
        client: from ``providers.connect``.
        path: JSONL file in the host's format.
        may_upload_to: the only host, besides this machine, that the reader allows data to go to.

    Raises:
        ConsentError: the host is another one; the message says what would have left the machine.
        HostError: no jobs can be made at this host, by nobody any more according to the dated facts (nothing is sent
            then), it refuses the key, or it does not answer.
        JobError: the host refused the file; every problem that it named is in the message.
    """
    path, host = Path(path), host_of(client)
    host.refuse_training()
    host.refuse_rows()
    ask_before_upload(host, path, may_upload_to=may_upload_to)
    who, said = host.door()
    if who not in ("", "anyone"):
        warnings.warn(f"{host.name}, according to the dated facts: {said}", UserWarning, stacklevel=2)
    content = path.read_bytes()
    name = f"{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}.jsonl"

    def same(client: openai.OpenAI) -> list[FileObject]:
        there = [known for known in client.files.list(purpose="fine-tune") if _is(known, name, len(content))]
        return sorted(there, key=lambda known: (known.created_at, known.id))

    try:
        made = make_once(
            client,
            find=same,
            make=lambda c: c.files.create(file=(name, content), purpose="fine-tune"),
            remove=lambda c, one: c.files.delete(one.id),
        )
        return _when_processed(client, made)
    except openai.APIStatusError as error:
        if error.status_code in NO_SUCH_THING:
            raise _trains_nothing(client.base_url.netloc.decode() if host.name == LOCAL.name else host.name) from None
        raise JobError(
            f"{host_called(host.name, first=True)} refused {path.name}.",
            got=reason(error),
            fix="Fix the file (lesson 01) and upload it again.",
        ) from None


def obstacle(host: str) -> str:
    """Why no jobs can be made at this host (a name or an address), and what to do; empty when nothing is in the way.

    Asks the host for its list of files, which costs nothing: an API that only answers prompts has none.
    """
    try:
        client = connect(host, may_train_on_prompts=host)  # no prompt is sent
        host_of(client).refuse_training()
        host_of(client).refuse_rows()
        patiently(client, lambda c: c.files.list(purpose="fine-tune", limit=1))
    except KitError as error:
        return str(error)
    except openai.APIStatusError as error:
        if error.status_code in NO_SUCH_THING:
            return str(_trains_nothing(host))
        return f"{host_called(host, first=True)} refuses to list its files: {reason(error)}."
    return ""


def _trains_nothing(host: str) -> HostError:
    return HostError(
        f"{host} does not offer fine-tuning.",
        got="an API without files, where no job can be created",
        fix='It can still be measured. Set TRAIN_AT = "local" in the parameters cell (HOST in lessons 2 and 3).',
    )


def ask_before_upload(host: Host, path: str | Path, *, may_upload_to: str) -> None:
    """Pass when the file stays on this machine or the reader named this host; called before every upload.

    Args:
        host: where it would go.
        path: the file, JSONL; its bytes and rows stand in the message.
        may_upload_to: the name of the one host that the reader allows besides this machine.

    Raises:
        ConsentError: the file would leave for a host that the reader did not name; it says what would have left.
    """
    if not host.leaves_machine or may_upload_to == host.name:
        return
    content = Path(path).read_bytes()
    rows = content.count(b"\n")
    raise ConsentError(
        f"{Path(path).name} ({len(content):,} bytes, {rows} rows) would leave this machine for {host.name}.",
        fix=f'If you may share this data, set MAY_UPLOAD_TO = "{host.name}" in the parameters cell.',
    )


def _is(known: FileObject, name: str, size: int) -> bool:
    return known.filename == name and known.bytes in (size, None) and known.status not in ("error", "deleted")


def _when_processed(client: openai.OpenAI, file: FileObject) -> FileObject:
    deadline = time.monotonic() + PROCESSING_SECONDS
    while file.status in BEING_PROCESSED and time.monotonic() < deadline:
        time.sleep(2)
        file = patiently(client, lambda c, name=file.id: c.files.retrieve(name))
    if file.status == "error":
        raise JobError(
            f"The host could not process {file.filename}.",
            got=str(file.status_details or "no reason given"),
            fix="Fix the file (lesson 01) and upload it again.",
        )
    return file
