"""Lists as the protocol pages them: ``limit``, ``after``, ``has_more``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import Request

from helpers.local_api.http.errors import ApiError
from helpers.local_api.store.api_store import ApiStore


def page_of(
    store: ApiStore,
    table: str,
    request: Request,
    public: Callable[[Any], dict[str, Any]],
    *,
    default: int,
    maximum: int,
    where: str = "1",
    values: Sequence[Any] = (),
    extra_parameters: Sequence[str] = (),
    with_ends: bool = False,
) -> dict[str, Any]:
    """One page of ``table``, newest first unless ``order=asc`` is allowed and asked for.

    Args:
        store: has the table.
        table: its name there.
        request: says in its query which page.
        public: makes the protocol's object from a record.
        default: how many objects a page has when ``limit`` is not given.
        maximum: how many it has at most.
        where: SQL that rows of the list fulfil.
        values: one for each ``?`` in ``where``.
        extra_parameters: query parameters besides ``limit`` and ``after`` that the caller understands.
        with_ends: add ``first_id`` and ``last_id``, where the protocol has them (never null: ``""`` in an empty list).

    Raises:
        ApiError: a parameter is unknown or out of range, or ``after`` names nothing.
    """
    query = request.query_params
    for name in query:
        pair = "metadata" in extra_parameters and name.startswith("metadata[")
        if name not in ("limit", "after", *extra_parameters) and not pair:
            raise ApiError(400, f"Unknown query parameter: {name[:80]!r}.", param=name[:80], code="unknown_parameter")
    limit, order = query.get("limit", str(default)), query.get("order", "desc")
    if not (re.fullmatch(r"[1-9][0-9]{0,8}", limit) and int(limit) <= maximum):
        raise ApiError(400, f"Invalid 'limit': {limit[:40]!r}, must be from 1 to {maximum}.", param="limit")
    if order not in ("asc", "desc"):
        raise ApiError(400, f"Invalid 'order': {order[:40]!r}, must be 'asc' or 'desc'.", param="order")
    after = query.get("after") or None  # clients send it empty for the first page
    page = store.page(table, limit=int(limit), after=after, newest_first=order == "desc", where=where, values=values)
    if page is None:
        raise ApiError(400, f"Invalid 'after': there is no {after!r} in this list.", param="after")
    records, has_more = page
    data = [public(record) for record in records]
    answer = {"object": "list", "data": data, "has_more": has_more}
    if with_ends:
        answer |= {"first_id": data[0]["id"] if data else "", "last_id": data[-1]["id"] if data else ""}
    return answer
