"""How long a job would take on this machine: a short, real probe of the trainer in a folder that is removed again."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from typing import Any

from helpers.errors import KitError
from helpers.local_api.http.errors import ApiError
from helpers.local_api.http.schemas.jobs import CreateJob
from helpers.local_api.http.serving import Serving
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.records import new_id
from helpers.local_api.training import hyperparameters
from helpers.local_api.training.trainer_process import MODULE

PROBE_SECONDS = 300

log = logging.getLogger(__name__)


def estimate(store: ApiStore, serving: Serving, asked: CreateJob) -> dict[str, Any]:
    """Predicted seconds (low, likely, high), steps and billable tokens of a job.

    Args:
        store: has the job's files; the probe's folder lies among its temporary ones.
        serving: knows the base model's folder.
        asked: the job; its file ids exist.

    Raises:
        ApiError: the base model cannot be had, or the probe failed.
    """
    settings = asked.asked.model_dump(exclude={"keep"})
    recipe = settings.pop("recipe")
    decided = hyperparameters.resolve(store.get("files", asked.training_file).rows, **settings)
    settings = {name: getattr(decided, name) for name in settings} | {"recipe": recipe}
    folder = store.temporary / new_id("probe-")
    folder.mkdir(mode=0o700)
    try:
        specification = {
            "id": folder.name,
            "base_dir": str(serving.bases[asked.model].folder()),
            "training_file": str(store.path_of(asked.training_file)),
            "validation_file": str(store.path_of(asked.validation_file)) if asked.validation_file else None,
            "seed": asked.seed or 0,
            **settings,
        }
        (folder / "spec.json").write_text(json.dumps(specification), encoding="utf-8")
        command = [sys.executable, "-m", MODULE, "--estimate", str(folder)]
        probe = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_SECONDS, check=True
        )
        found = json.loads(probe.stdout)
    except KitError as error:
        raise ApiError(503, str(error), kind="server_error", code="base_model_unavailable") from None
    except subprocess.TimeoutExpired:
        message = f"The probe of {asked.model} did not end in {PROBE_SECONDS} seconds: the machine is busy, or the "
        message += "model is large for it."
        raise ApiError(503, message, kind="server_error", code="probe_too_slow") from None
    except (subprocess.SubprocessError, ValueError) as error:
        log.error("the probe failed: %s", getattr(error, "stderr", b"") or error)
        raise ApiError(
            500, "The probe of the trainer failed; the server's log says why.", kind="server_error"
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"object": "fine_tuning.job.estimate", "hyperparameters": settings, **found}
