"""``/v1/fine_tuning/jobs``: create, list, retrieve, cancel; events and checkpoints; and an estimate beforehand."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from fastapi import APIRouter, Request

from helpers.errors import KitError
from helpers.local_api.http import probe
from helpers.local_api.http.base_models import how_to_get, is_on_shelf, will_not_fit
from helpers.local_api.http.body import read_request
from helpers.local_api.http.errors import ApiError, unknown
from helpers.local_api.http.paging import page_of
from helpers.local_api.http.schemas.fields import MAX_PAIRS
from helpers.local_api.http.schemas.jobs import CreateJob
from helpers.local_api.http.serving import Serving, api_error_of
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.records import Checkpoint, Job, JobEvent, Record
from helpers.local_api.training import checkup
from helpers.local_api.training.worker import Worker


def router(store: ApiStore, serving: Serving, worker: Worker) -> APIRouter:
    """The routes of this file.

    Args:
        store: keeps the jobs.
        serving: says which base models there are, and forgets tuned ones that are deleted.
        worker: is woken when there is something to do.
    """
    routes = APIRouter(prefix="/fine_tuning/jobs")
    one_probe = asyncio.Lock()  # two probes at once would time each other

    @routes.post("")
    async def create(request: Request) -> dict[str, Any]:
        asked = await read_request(request, CreateJob)
        with store.transaction():  # the files cannot go away between the look and the job
            _check_ids(store, serving, asked)
            job = store.add_job(
                model=asked.model,
                training_file=asked.training_file,
                validation_file=asked.validation_file,
                suffix=asked.suffix or "",
                seed=secrets.randbelow(2**31) if asked.seed is None else asked.seed,
                metadata=asked.metadata,
                hyperparameters=asked.asked.model_dump(exclude={"keep"} if asked.asked.keep == "last" else None),
            )
        worker.wake()
        return public(job)

    @routes.post("/estimate")
    async def estimate(request: Request) -> dict[str, Any]:
        """This API only, not in OpenAI's protocol: how long a job would take here, by a short probe. Same body as
        create; nothing is stored."""
        asked = await read_request(request, CreateJob)
        _check_ids(store, serving, asked)
        async with one_probe:
            return await asyncio.to_thread(probe.estimate, store, serving, asked)

    @routes.get("")
    def list_jobs(request: Request) -> dict[str, Any]:
        where, values = _metadata_filter(request)
        return page_of(
            store,
            "jobs",
            request,
            public,
            default=20,
            maximum=100,
            where=where,
            values=values,
            extra_parameters=("metadata",),
        )

    @routes.get("/{job_id}")
    def retrieve(job_id: str) -> dict[str, Any]:
        return public(_existing(store, job_id))

    @routes.get("/{job_id}/checkup")
    def look_at(job_id: str) -> dict[str, Any]:
        """This API only, not in OpenAI's protocol: what training read, and how far the adapter moved the weights."""
        job = _existing(store, job_id)
        if job.status != "succeeded":
            message = f"Job {job.id} is {job.status}: there is nothing to look at before it has succeeded."
            raise ApiError(400, message, param="fine_tuning_job_id", code="job_not_succeeded")
        try:
            return checkup.checkup(store, serving.base_folder, job)
        except KitError as error:
            raise api_error_of(error) from None
        except FileNotFoundError:
            message = f"The training file {job.training_file} of job {job.id} has been deleted."
            raise ApiError(404, message, param="training_file", code="file_not_found") from None

    @routes.delete("/{job_id}")
    def delete(job_id: str) -> dict[str, Any]:
        """This API only, not in OpenAI's protocol: forget a job that has ended, with its metadata and all it made."""
        job = _existing(store, job_id)
        if job.active:
            message = f"Job {job.id} is {job.status}. Cancel it or wait for its end."
            raise ApiError(409, message, param="fine_tuning_job_id", code="job_active")
        serving.forget(store.delete_job(job), job.model)
        return {"id": job.id, "object": "fine_tuning.job", "deleted": True}

    @routes.post("/{job_id}/cancel")
    def cancel(job_id: str) -> dict[str, Any]:
        """Cancelled when this returns; the trainer stops within seconds. Finished checkpoints stay usable."""
        job = _existing(store, job_id)
        if not store.cancel_job(job.id):
            status = store.get("jobs", job.id).status
            raise ApiError(400, f"Job {job.id} has already ended: it {_ended(status)}.", code="job_already_ended")
        worker.wake()
        return public(store.get("jobs", job.id))

    @routes.post("/{job_id}/pause")
    @routes.post("/{job_id}/resume")
    def pause_or_resume(job_id: str, request: Request) -> dict[str, Any]:
        _existing(store, job_id)
        action = request.url.path.rpartition("/")[2]
        raise ApiError(
            400,
            f"This local API does not support {action!r}. Cancel the job and start another; stopping the server keeps "
            "a running job, which goes on at the next start.",
            code="unsupported",
        )

    @routes.get("/{job_id}/events")
    def events(job_id: str, request: Request) -> dict[str, Any]:
        job = _existing(store, job_id)
        return page_of(
            store, "events", request, _of_event, default=20, maximum=1000, where="job_id = ?", values=(job.id,)
        )

    @routes.get("/{job_id}/checkpoints")
    def checkpoints(job_id: str, request: Request) -> dict[str, Any]:
        job = _existing(store, job_id)
        return page_of(
            store,
            "checkpoints",
            request,
            _of_checkpoint,
            default=10,
            maximum=1000,
            where="job_id = ?",
            values=(job.id,),
            with_ends=True,
        )

    return routes


def public(job: Job) -> dict[str, Any]:
    """The job as the protocol shows it."""
    settings = dict(job.hyperparameters)
    return _shown(
        job,
        "fine_tuning.job",
        error=job.error,
        estimated_finish=job.estimated_finish,
        fine_tuned_model=job.fine_tuned_model,
        finished_at=job.finished_at,
        hyperparameters=settings,
        integrations=[],
        metadata=job.metadata,
        method={"type": "supervised", "supervised": {"hyperparameters": settings}},
        model=job.model,
        organization_id="local",
        result_files=[job.result_file] if job.result_file else [],
        seed=job.seed,
        status=job.status,
        trained_tokens=job.trained_tokens,
        training_file=job.training_file,
        user_provided_suffix=job.suffix or None,
        validation_file=job.validation_file,
    )


def _of_event(event: JobEvent) -> dict[str, Any]:
    kept = {"level": event.level, "message": event.message, "type": event.type, "data": event.data}
    return _shown(event, "fine_tuning.job.event", **kept)


def _of_checkpoint(checkpoint: Checkpoint) -> dict[str, Any]:
    return _shown(
        checkpoint,
        "fine_tuning.job.checkpoint",
        fine_tuned_model_checkpoint=checkpoint.model,
        fine_tuning_job_id=checkpoint.job_id,
        metrics={name: value for name, value in checkpoint.metrics.items() if value is not None},
        step_number=checkpoint.step,
    )


def _shown(record: Record, kind: str, **fields: Any) -> dict[str, Any]:
    """An object of the protocol: what all of them begin with, and its own fields."""
    return {"id": record.id, "object": kind, "created_at": record.created_at, **fields}


def _check_ids(store: ApiStore, serving: Serving, asked: CreateJob) -> None:
    """All wrong ids of a request at once."""
    problems = []
    if asked.model not in serving.bases:
        problems.append(
            (
                "model",
                f"Model {asked.model[:200]!r} cannot be fine-tuned here; choose one of: {', '.join(serving.bases)}"
                + (f". {how_to_get(asked.model).removesuffix('.')}" if is_on_shelf(asked.model) else ""),
            )
        )
    elif too_large := will_not_fit(asked.model, asked.asked.recipe):
        problems.append(("model", too_large))
    for param, file_id in (("training_file", asked.training_file), ("validation_file", asked.validation_file)):
        if file_id is None:
            continue
        file = store.get("files", file_id)
        if file is None:
            problems.append((param, f"There is no file {file_id[:200]!r} for '{param}'; upload it first"))
        elif file.purpose != "fine-tune":
            problems.append((param, f"File {file_id} for '{param}' has purpose {file.purpose!r}, not 'fine-tune'"))
    if asked.asked.keep == "best" and asked.validation_file is None:
        problems.append(("validation_file", "keep: 'best' compares validation losses; give a 'validation_file'"))
    if problems:
        code = "model_not_available" if problems[0][0] == "model" else f"invalid_{problems[0][0]}"
        raise ApiError(400, "; ".join(text for _, text in problems) + ".", param=problems[0][0], code=code)


def _metadata_filter(request: Request) -> tuple[str, tuple[str, ...]]:
    """``metadata[key]=value`` pairs, all of which must match; ``metadata=null`` for jobs without any."""
    whole = request.query_params.get("metadata")
    if whole == "null":
        return "metadata IS NULL", ()
    if whole is not None:
        message = f"Invalid 'metadata': {whole[:40]!r}. Ask for metadata[KEY]=VALUE, or metadata=null for none."
        raise ApiError(400, message, param="metadata")
    pairs = [
        (name.removeprefix("metadata[").removesuffix("]"), value)
        for name, value in request.query_params.multi_items()
        if name.startswith("metadata[") and name.endswith("]")
    ]
    if len(pairs) > MAX_PAIRS:
        message = f"Invalid 'metadata': {len(pairs)} pairs, a job has at most {MAX_PAIRS}."
        raise ApiError(400, message, param="metadata")
    match = "EXISTS (SELECT 1 FROM json_each(jobs.metadata) AS pair WHERE pair.key = ? AND pair.value = ?)"
    return " AND ".join(["1", *[match] * len(pairs)]), tuple(part for pair in pairs for part in pair)


def _existing(store: ApiStore, job_id: str) -> Job:
    job = store.get("jobs", job_id)
    if job is None:
        raise unknown("fine-tuning job", job_id[:200], param="fine_tuning_job_id")
    return job


def _ended(status: str) -> str:
    return {"failed": "failed", "succeeded": "succeeded"}.get(status, "was cancelled")
