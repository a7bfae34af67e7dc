"""The one shape of an error answer: ``{"error": {"message", "type", "param", "code"}}``, as OpenAI sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse


class ApiError(Exception):
    """A request that is answered with an error.

    Args:
        status: HTTP status code.
        message: what is wrong, where, and what to do.
        param: the request's field that is to blame.
        code: a short name that programs can test.
        kind: OpenAI's error type.
        extra: more fields of the error object (``problems`` of a refused file).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = "invalid_request_error",
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": kind, "param": param, "code": code, **extra}

    def response(self, headers: Mapping[str, str] = {}) -> JSONResponse:
        """The answer, with further headers."""
        scheme = {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return JSONResponse({"error": self.error}, status_code=self.status, headers=scheme | headers)


def unknown(what: str, object_id: str, *, param: str = "id") -> ApiError:
    """404 for an object that is not in the store.

    Args:
        what: its kind, in words.
        object_id: what the client called it.
        param: the request's field that named it.
    """
    return ApiError(404, f"No such {what}: {object_id!r}.", param=param, code="not_found")


def shortened(value: Any) -> str:
    """A value as a message quotes it: at most 80 characters of its ``repr``."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
