"""``/v1/files``: training files come in, are checked by :mod:`helpers.data`, and go away again with their bytes."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from helpers.errors import DataError
from helpers.local_api.http.body import limited
from helpers.local_api.http.errors import ApiError, unknown
from helpers.local_api.http.paging import page_of
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.records import File, new_id

MAX_FILE_BYTES = 512 * 2**20
"""As OpenAI's Files API: 512 MB a file (openai/openai-openapi, openapi.yaml, read 2026-11-23)."""
FORM_OVERHEAD_BYTES = 64 * 2**10
ANCHOR, SECONDS = "expires_after[anchor]", "expires_after[seconds]"
EXPIRY_SECONDS = range(3600, 2_592_001)
"""An hour to 30 days, as at OpenAI (openai/openai-openapi, read 2026-11-29)."""
WITH_TOOLS = "with tools"
"""Whose limits (``helpers.facts``) hold for rows of models whose chat template has a place for tools."""
MAX_TOLD, MAX_LISTED = 50, 1000
"""Problems of a refused file: in the message, and in the error's list ``problems``."""


def router(store: ApiStore, serving: Serving) -> APIRouter:
    """The routes of this file.

    Args:
        store: keeps the files.
        serving: says whether rows with tools could be trained on.
    """
    routes = APIRouter()
    one_check = asyncio.Lock()  # a check holds its file's rows in memory: one file at a time

    @routes.post("/files")
    async def create(request: Request) -> dict[str, Any]:
        """Take a training file, whole or not at all. Fields: ``file``, ``purpose`` = ``fine-tune``, and where it is to
        go by itself ``expires_after[anchor]`` = ``created_at`` and ``expires_after[seconds]``."""
        async with _form(request) as form:
            upload, expires_in = _only_file(form), _expiry(form)
            filename = _plain_name(upload.filename or "")
            arriving = store.temporary / new_id("upload-")
            try:
                await asyncio.to_thread(_copy, upload, arriving)
                async with one_check:
                    rows = await asyncio.to_thread(_checked_rows, arriving, filename, serving)
                file = store.add_file(
                    arriving, purpose="fine-tune", filename=filename, rows=rows, expires_in=expires_in
                )
                return public(file)
            finally:
                arriving.unlink(missing_ok=True)

    @routes.get("/files")
    def list_files(request: Request) -> dict[str, Any]:
        purpose = request.query_params.get("purpose")
        where, values = ("purpose = ?", (purpose,)) if purpose is not None else ("1", ())
        return page_of(
            store,
            "files",
            request,
            public,
            default=10_000,
            maximum=10_000,
            where=where,
            values=values,
            extra_parameters=("order", "purpose"),
            with_ends=True,
        )

    @routes.get("/files/{file_id}")
    def retrieve(file_id: str) -> dict[str, Any]:
        return public(_existing(store, file_id))

    @routes.get("/files/{file_id}/content")
    def content(file_id: str) -> FileResponse:
        file = _existing(store, file_id)
        kind = "text/csv" if file.purpose == "fine-tune-results" else "application/jsonl"
        return FileResponse(store.path_of(file.id), media_type=kind, filename=file.filename)

    @routes.delete("/files/{file_id}")
    def delete(file_id: str) -> dict[str, Any]:
        file = _existing(store, file_id)
        if job := store.delete_file(file.id):
            raise ApiError(
                409,
                f"File {file.id} is in use by job {job.id}, which is {job.status}. Cancel the job or wait for its end.",
                param="file_id",
                code="file_in_use",
            )
        return {"id": file.id, "object": "file", "deleted": True}

    return routes


def public(file: File) -> dict[str, Any]:
    """The file as the protocol shows it."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        **({} if file.expires_at is None else {"expires_at": file.expires_at}),
    }


def _plain_name(filename: str) -> str:
    """``filename`` if it is a plain name.

    Raises:
        ApiError: it could be taken for a path, or holds characters that no name needs.
    """
    bad = filename in ("", ".", "..") or len(filename) > 255 or any(c in "/\\" or ord(c) < 32 for c in filename)
    if bad or not filename.isprintable():
        raise ApiError(
            400,
            f"Invalid file name {filename[:100]!r}: send 1 to 255 printable characters, without a path.",
            param="file",
            code="invalid_filename",
        )
    return filename


def _checked_rows(path: Path, filename: str, serving: Serving) -> int:
    """The number of examples in a good training file. Tools are let through where any base model knows them; a job on
    another one names the rows.

    A file with too few of them is let through: it may be a validation file, and the job says so where it is not.

    Raises:
        ApiError: 400 with every error of the file, each with its line.
    """
    from helpers import data  # it imports pandas: not needed until somebody uploads

    try:
        errors, rows = data.errors(path, provider="local", model=WITH_TOOLS if serving.knows_tools() else None)
    except DataError as error:
        raise ApiError(400, f"{filename}: {error}", param="file", code="invalid_file") from None
    errors = [problem._asdict() for problem in errors if problem.code != "invalid_n_examples"]
    if not errors:
        return rows
    listed = errors[:MAX_LISTED]
    told = [_sentence(problem) for problem in listed[:MAX_TOLD]]
    if len(errors) > MAX_TOLD:
        told.append(f"… and {len(errors) - MAX_TOLD:,} more (the error's list 'problems' has the first {MAX_LISTED:,})")
    plural = "error" if len(errors) == 1 else "errors"
    raise ApiError(
        400,
        f"{filename} was refused, {len(errors):,} {plural}:\n" + "\n".join(told),
        param="file",
        code="invalid_file",
        problems=listed,
    )


def _sentence(problem: Mapping[str, Any]) -> str:
    place = f"line {problem['line']}" if problem["line"] else "file"
    if problem["where"] and problem["where"] != place:
        place += f", {problem['where']}"
    return f"{place}: {problem['message']} {problem['fix']}".rstrip()


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    """The multipart form, its file on disk; never more of it in memory than a megabyte."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError(
            400, "Files are uploaded as multipart/form-data with the fields 'file' and 'purpose'.", code="invalid_form"
        )
    stream = limited(request, MAX_FILE_BYTES + FORM_OVERHEAD_BYTES)
    try:
        form = await MultiPartParser(request.headers, stream, max_files=1, max_fields=8).parse()
    except MultiPartException as error:
        raise ApiError(400, f"The form could not be read: {error.message}", code="invalid_form") from None
    try:
        yield form
    finally:
        await form.close()


def _only_file(form: FormData) -> UploadFile:
    for name in form:
        if name not in ("file", "purpose", ANCHOR, SECONDS):
            raise ApiError(400, f"Unsupported parameter: {name[:80]!r}.", param=name[:80], code="unsupported_parameter")
    upload, purpose = form.get("file"), form.get("purpose")
    if not isinstance(upload, UploadFile):
        raise ApiError(400, "Missing required parameter: 'file' (a file part with a name).", param="file")
    if purpose != "fine-tune":
        got = "missing" if purpose is None else repr(purpose)[:80]
        raise ApiError(400, f"Invalid 'purpose': {got}. This API stores 'fine-tune' files only.", param="purpose")
    if (upload.size or 0) > MAX_FILE_BYTES:
        raise ApiError(413, f"The file is larger than {MAX_FILE_BYTES / 2**20:.0f} MiB.", param="file")
    return upload


def _expiry(form: FormData) -> int | None:
    """Seconds from its upload after which the file is deleted; None: it stays."""
    anchor, seconds = form.get(ANCHOR), form.get(SECONDS)
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise ApiError(400, f"Invalid '{ANCHOR}': {str(anchor)[:40]!r}, must be 'created_at'.", param=ANCHOR)
    if not (isinstance(seconds, str) and re.fullmatch(r"[0-9]{1,8}", seconds) and int(seconds) in EXPIRY_SECONDS):
        low, high = EXPIRY_SECONDS[0], EXPIRY_SECONDS[-1]
        found = "missing" if seconds is None else repr(str(seconds)[:40])
        raise ApiError(400, f"Invalid '{SECONDS}': {found}, must be from {low} to {high}.", param=SECONDS)
    return int(seconds)


def _copy(upload: UploadFile, target: Path) -> None:
    with open(target, "xb") as out:
        shutil.copyfileobj(upload.file, out, 2**20)


def _existing(store: ApiStore, file_id: str) -> File:
    file = store.get("files", file_id)
    if file is None:
        raise unknown("file", file_id, param="file_id")
    return file
