"""Amazon Bedrock: the same steps through AWS's own API, with boto3 (``pip install boto3``; no other part needs it).

Bedrock's OpenAI-shaped API does reinforcement fine-tuning only, so supervised jobs go this way: a file to S3, a
customization job, a custom model. Which models can be tuned is asked of the dated facts, never written here: Claude 3
Haiku, the only Claude that Bedrock could tune, has ended, and a Claude that returns needs a row in the table, no code.

Built from https://docs.aws.amazon.com/bedrock/latest/userguide/custom-model-fine-tuning.html and boto3's own service
model, as of 2026-11-23; run against moto's server, not run by us against AWS.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from helpers import facts
from helpers.errors import ConsentError, HostError, JobError
from helpers.jobs.uploads import ask_before_upload
from helpers.providers import Host
from helpers.providers.host import LOOPBACK

ENDED = ("Completed", "Failed", "Stopped")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")


@dataclass(frozen=True)
class Bedrock:
    """One account's Bedrock in one region.

    Args:
        region: such as ``us-east-1``; each model is tuned in some regions only.
        bucket: an S3 bucket of yours in that region, for training files and results.
        role: ARN of the IAM role that lets Bedrock read and write that bucket.
        endpoint: another address for every AWS service, for rehearsals on this machine.

    Credentials are AWS's own affair (``aws configure``, environment variables, a role): they are not read here.

    Raises:
        HostError: boto3 is missing, or the region or role cannot be right; all of it at once.
        ConsentError: ``KIT_STAY_LOCAL`` is set and the endpoint is another machine.
    """

    region: str
    bucket: str
    role: str
    endpoint: str | None = None

    def __post_init__(self) -> None:
        try:
            import boto3
        except ImportError:
            raise HostError("Bedrock needs the library boto3.", fix="Run: pip install boto3") from None
        if os.environ.get("KIT_STAY_LOCAL") and self.host.leaves_machine:
            raise ConsentError("KIT_STAY_LOCAL is set, so nothing may be sent to bedrock.", fix="Unset it to allow it.")
        regions = boto3.session.Session().get_available_regions("bedrock")
        problems = []
        if self.region not in regions:
            problems.append(f"region {self.region!r} (has Bedrock: {', '.join(regions[:6])} …)")
        if not ROLE.fullmatch(self.role):
            problems.append(f"role {self.role!r} (expected: arn:aws:iam::ACCOUNT:role/NAME)")
        if problems:
            raise HostError("Bedrock cannot be reached with these settings.", got="; ".join(problems), fix="Mend it.")

    @property
    def host(self) -> Host:
        """Where data goes, in the words of all other hosts."""
        url = self.endpoint or f"https://bedrock.{self.region}.amazonaws.com"
        return Host("bedrock", url, "", True, leaves_machine=urlsplit(url).hostname not in LOOPBACK)

    def _service(self, name: str) -> Any:
        import boto3

        return boto3.client(name, region_name=self.region, endpoint_url=self.endpoint)

    def upload(self, path: str | Path, *, may_upload_to: str = "local") -> str:
        """Put a file into the bucket under its content's hash, once; returns its ``s3://`` address.

        Args:
            path: JSONL in Bedrock's shape: ``data.write(examples, path, provider="bedrock")``.
            may_upload_to: must be ``"bedrock"`` for data to leave this machine.

        Raises:
            ConsentError: the reader did not name Bedrock; the message says what would have left.
            HostError: nobody can start a job there any more, by the dated facts; or AWS refuses.
        """
        path = Path(path)
        self.host.refuse_rows()
        ask_before_upload(self.host, path, may_upload_to=may_upload_to)
        content = path.read_bytes()
        key = f"prompt-or-fine-tune/{path.stem}-{hashlib.sha256(content).hexdigest()[:12]}.jsonl"
        s3 = self._service("s3")
        there = _asked("list", lambda: s3.list_objects_v2(Bucket=self.bucket, Prefix=key)).get("Contents", [])
        if not any(one["Key"] == key and one["Size"] == len(content) for one in there):
            _asked("upload", lambda: s3.put_object(Bucket=self.bucket, Key=key, Body=content))
        return f"s3://{self.bucket}/{key}"

    def start(
        self, training: str, model: str, *, validation: str | None = None,
        hyperparameters: Mapping[str, Any] | None = None, spend_limit_usd: float = 0.0,
        estimate_usd: float | None = None,
    ) -> str:  # fmt: skip
        """Start a supervised job, or find the one with exactly these inputs; returns its name.

        The name is made from what is asked for, and AWS keeps names unique: no double can come about. After a job that
        failed or was stopped, the next one has a number behind its name.

        Args:
            training: ``s3://`` address of the training file, from :meth:`upload`.
            model: a base model's id on Bedrock; :func:`tunable` lists those that are open today.
            validation: ``s3://`` address of a validation file.
            hyperparameters: by Bedrock's own names (``epochCount`` …), which differ from model to model; sent as text.
            spend_limit_usd: the most that this job may cost.
            estimate_usd: what it is expected to cost (upper end), from ``helpers.costs``.

        Raises:
            HostError: the facts say that this model cannot be tuned there (any more), or AWS refuses.
            ConsentError: the estimate is missing or above the limit.
        """
        require_tunable(model)
        if self.host.leaves_machine and (estimate_usd is None or estimate_usd > spend_limit_usd):
            price = "of unknown price" if estimate_usd is None else f"estimated at up to ${estimate_usd:.2f}"
            raise ConsentError(f"This job at bedrock is {price}, and SPEND_LIMIT_USD is {spend_limit_usd:.2f}.")
        settings = {name: str(value) for name, value in (hyperparameters or {}).items()}
        asked = [training, validation, model, settings, self.role]
        name = f"kit-{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}"
        bedrock = self._service("bedrock")
        listed = _asked("list", lambda: bedrock.list_model_customization_jobs(nameContains=name))
        past = listed.get("modelCustomizationJobSummaries", [])
        for job in past:
            if job["status"] not in ("Failed", "Stopped"):
                return job["jobName"]
        name = f"{name}-{len(past) + 1}" if past else name
        request = {
            "jobName": name,
            "customModelName": name,
            "roleArn": self.role,
            "baseModelIdentifier": model,
            "customizationType": "FINE_TUNING",
            "clientRequestToken": name,
            "trainingDataConfig": {"s3Uri": training},
            "outputDataConfig": {"s3Uri": f"s3://{self.bucket}/prompt-or-fine-tune/out/"},
            "hyperParameters": settings,
        }
        if validation:
            request["validationDataConfig"] = {"validators": [{"s3Uri": validation}]}
        _asked("start the job", lambda: bedrock.create_model_customization_job(**request))
        return name

    def look(self, job: str) -> dict[str, Any]:
        """The job as it stands: ``status`` (InProgress, Completed, Failed, Stopping, Stopped), metrics, model."""
        return _asked("look", lambda: self._service("bedrock").get_model_customization_job(jobIdentifier=job))

    def watch(
        self, job: str, on_progress: Callable[[dict[str, Any]], None] | None = None, every: float = 30.0
    ) -> dict[str, Any]:
        """Follow the job to its end. Interrupting the cell leaves the job running.

        Args:
            job: its name, from :meth:`start`.
            on_progress: gets the job as :meth:`look` has it, at each look before the last.
            every: seconds between looks.

        Raises:
            JobError: it failed or was stopped.
            HostError: AWS refuses, or cannot be reached; the job goes on.
        """
        while (now := self.look(job))["status"] not in ENDED:
            if on_progress:
                on_progress(now)
            time.sleep(every)
        if now["status"] != "Completed":
            why = now.get("failureMessage") if now["status"] == "Failed" else "it was stopped"
            raise JobError(f"Job {now['jobName']} did not succeed.", got=why or now["status"])
        return now

    def cancel(self, job: str) -> None:
        """Stop the job."""
        _asked("stop", lambda: self._service("bedrock").stop_model_customization_job(jobIdentifier=job))

    def models(self) -> dict[str, str]:
        """Custom models of this account and region, name → ARN; each costs storage by the month (see the facts)."""
        pages = self._service("bedrock").get_paginator("list_custom_models").paginate()
        found = _asked("list", lambda: [one for page in pages for one in page.get("modelSummaries", [])])
        return {one["modelName"]: one["modelArn"] for one in found}

    def delete(self, model: str) -> None:
        """Delete a custom model by name or ARN; there is no way back."""
        _asked("delete", lambda: self._service("bedrock").delete_custom_model(modelIdentifier=model))

    def delete_file(self, uri: str) -> None:
        """Delete an uploaded file by its ``s3://`` address; one that is gone is no error."""
        key = uri.removeprefix(f"s3://{self.bucket}/")
        _asked("delete", lambda: self._service("s3").delete_object(Bucket=self.bucket, Key=key))


def tunable() -> list[str]:
    """Models that the facts list for supervised fine-tuning on Bedrock and that are open today."""
    rows = [row for row in facts.rows("tunable") if (row["provider"], row["method"]) == ("bedrock", "supervised")]
    return [row["model"] for row in rows if facts.standing(row["model"], "bedrock", facts.today()).state == "open"]


def require_tunable(model: str) -> None:
    """Pass when the facts list the model as open for tuning on Bedrock.

    Raises:
        HostError: it is not; the message says what happened to it and what can be tuned instead.
    """
    if model in tunable():
        return
    ended = [
        event for event in facts.life(model, "bedrock") if event["model"] == model and event["date"] <= facts.today()
    ]
    happened = "; ".join(f"{event['date']}: {event['what']} ({event.cite})" for event in ended)
    raise HostError(
        f"{model} cannot be fine-tuned on Bedrock.",
        got=happened or "no row in the facts says that it can",
        fix=f"Tune one of {', '.join(tunable())}, or keep {model.split('.')[0]} as a prompted candidate.",
    )


def _asked(what: str, call: Callable[[], Any]) -> Any:
    """The answer, or AWS's refusal in one sentence (its messages name resources, never keys)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        told = error.response["Error"]
        raise HostError(
            f"AWS refused to {what}.",
            got=f"{told.get('Code')}: {told.get('Message')}",
            fix="Change what the message names.",
        ) from None
    except BotoCoreError as error:
        raise HostError(
            f"AWS could not {what}.", got=str(error), fix="Check the region, the network and `aws configure`."
        ) from None
