"""The ASGI application: routes under ``/v1``, every error in OpenAI's shape."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from helpers.local_api.http.auth import LOOPBACK, AuthMiddleware
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.routes import chat, embeddings, files, fine_tuning, models, responses
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.database import disk_full
from helpers.local_api.training.worker import Worker

log = logging.getLogger(__name__)


def application(
    store: ApiStore,
    serving: Serving,
    worker: Worker,
    key: str,
    hosts: Collection[str] = LOOPBACK,
    any_address: bool = False,
) -> ASGIApp:
    """The whole API behind its checks.

    Args:
        store: files, jobs and models.
        serving: answers requests.
        worker: runs the jobs.
        key: that every request must bring.
        hosts: names under which this machine may be addressed (:class:`AuthMiddleware`).
        any_address: whether IP addresses pass as such names, too.
    """
    api = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    routes = APIRouter(prefix="/v1")
    routes.include_router(files.router(store, serving))
    routes.include_router(fine_tuning.router(store, serving, worker))
    routes.include_router(models.router(store, serving))
    routes.include_router(chat.router(serving))
    routes.include_router(responses.router(serving))
    routes.include_router(embeddings.router())
    api.include_router(routes)
    api.add_exception_handler(ApiError, _refused)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(ClientDisconnect, _gone)
    api.add_exception_handler(OSError, _full_or_broken)
    api.add_exception_handler(sqlite3.OperationalError, _full_or_broken)
    api.add_exception_handler(Exception, _broken)
    return AuthMiddleware(_over_when_answered(api), key, hosts, any_address)


def _over_when_answered(app: ASGIApp) -> ASGIApp:
    """Starlette answers an unexpected exception and raises it again; uvicorn then closes the connection behind the
    answer, and cuts off whoever sends the next request down it at that moment. Once answered, it is over."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        complete = False

        async def watched(message: Message) -> None:
            nonlocal complete
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await app(scope, receive, watched)
        except Exception:
            if not complete:
                raise

    return answering


def _refused(request: Request, refusal: ApiError) -> Response:
    return refusal.response()


def _http_error(request: Request, error: HTTPException) -> Response:
    """No such route, or the route does not know the method."""
    place = f"{request.method} {request.url.path[:200]}"
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        message = f"Not allowed: {place}. It takes {allowed}."
        return ApiError(405, message, code="method_not_allowed").response({"Allow": allowed})
    if error.status_code == 404:
        return ApiError(404, f"Unknown request URL: {place}.", code="unknown_url").response()
    return ApiError(error.status_code, f"{place}: {error.detail}").response()


def _methods(request: Request) -> list[str]:
    """The methods that the address takes. The exception knows those of one of its routes only."""

    def takes(method: str) -> bool:
        asked = request.scope | {"method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)

    return [method for method in ("GET", "POST", "DELETE") if takes(method)]


def _gone(request: Request, error: ClientDisconnect) -> Response:
    return ApiError(400, "The connection was closed in the middle of the request.").response()  # nobody reads it


def _full_or_broken(request: Request, error: Exception) -> Response:
    if not disk_full(error):
        return _broken(request, error)
    return ApiError(
        507,
        "The disk is full: nothing was stored. Free some space and send it again.",
        kind="server_error",
        code="disk_full",
    ).response()


def _broken(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return ApiError(500, "The server had an error; its log says more.", kind="server_error").response()
