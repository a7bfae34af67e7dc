"""``/v1/models``: the base models of this machine, what was tuned from them, and the model that embeds texts."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from helpers import assets
from helpers.local_api.http.base_models import Base
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.routes import embeddings
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.records import Model

NOTE = (
    "A local teaching engine: a small open model on this machine's own processor. It shows how fine-tuning works; "
    "its prompted scores say nothing about the large models of a provider."
)

NOTE_OF_A_LARGER = "An open model on this machine's own processor."
LARGER = 1_000_000_000
"""Parameters from which the kit counts a prompted model's scores (``helpers.facts.names``)."""


def router(store: ApiStore, serving: Serving) -> APIRouter:
    """The routes of this file.

    Args:
        store: keeps the tuned models.
        serving: says which base models there are, and forgets tuned ones that are deleted.
    """
    routes = APIRouter()

    @routes.get("/models")
    def list_models() -> dict[str, Any]:
        bases = [_of_base(base, serving) for base in serving.bases.values()]
        if assets.have_embedder():
            bases.append(_of_embedder(serving))
        tuned = [_of_tuned(model, serving) for model in store.all("models")]
        return {"object": "list", "data": bases + tuned}

    @routes.get("/models/{model_id:path}")
    def retrieve(model_id: str) -> dict[str, Any]:
        if base := serving.bases.get(model_id):
            return _of_base(base, serving)
        if model_id == embeddings.MODEL and assets.have_embedder():
            return _of_embedder(serving)
        return _of_tuned(serving.tuned(model_id), serving)

    @routes.delete("/models/{model_id:path}")
    def delete(model_id: str) -> dict[str, Any]:
        """Delete a tuned model and its adapter's bytes; a job's final model takes its checkpoints along."""
        if model_id in serving.bases or model_id == embeddings.MODEL:
            raise ApiError(
                403, f"{model_id} is a base model: it cannot be deleted.", param="model", code="not_deletable"
            )
        model = serving.tuned(model_id)
        job = store.get("jobs", model.job_id)
        if job is not None and job.active:
            raise ApiError(
                409,
                f"Job {job.id}, which makes {model_id}, is {job.status}. Cancel it or wait for its end.",
                param="model",
                code="model_in_use",
            )
        serving.forget(store.delete_model(model), model.base)
        return {"id": model_id, "object": "model", "deleted": True}

    return routes


def _of_base(base: Base, serving: Serving) -> dict[str, Any]:
    return _entry(base.id, serving.started_at, serving, name=base.title, parameters=base.parameters or None)


def _of_embedder(serving: Serving) -> dict[str, Any]:
    return _entry(embeddings.MODEL, serving.started_at, serving, name=embeddings.TITLE)


def _of_tuned(model: Model, serving: Serving) -> dict[str, Any]:
    return _entry(model.id, model.created_at, serving, base_model=model.base, fine_tuning_job=model.job_id)


def _entry(model_id: str, created: int, serving: Serving, **more: Any) -> dict[str, Any]:
    is_larger = (more.get("parameters") or 0) >= LARGER
    return {
        "id": model_id,
        "object": "model",
        "created": created,
        "owned_by": "local-teaching-engine",
        "shutdown_date": serving.shutdown_date and serving.shutdown_date.isoformat(),
        "note": NOTE_OF_A_LARGER if is_larger else NOTE,
        **more,
    }
