"""A host that speaks as Nebius's recorded notebook does, before a real local API that really trains and answers.

What it changes on the way: hyperparameters come at the top level, with a rate where others take a multiplier, and
nothing else is taken; files have no status; a job carries no metadata, names no model and tells steps instead of
metrics events; checkpoints name result files, which hold the adapter's real bytes; a tuned model answers only once its
job is deployed. What was recorded is in ``facts`` (hosts.toml names the notebook); what was not is left out here.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from job_host import error, page

from helpers import deploy

KEY = "nebius-rehearsal-key"
RATE = 2e-3
"""The local API's own peak rate, which its multiplier multiplies; here the rate itself is asked for."""
FURTHER = ("lora", "lora_r", "lora_alpha", "packing", "warmup_ratio", "weight_decay")
TAKEN = ("model", "training_file", "validation_file", "suffix", "seed", "hyperparameters")
Answer = tuple[int, Any]


class NebiusFront:
    """Runs on a free loopback port, in front of the API at ``base_url``.

    Args:
        base_url, key: the local API behind it.
        home: that API's folder: the weights of checkpoints are taken from there.
        deploys: plays the person too who deploys each model as soon as its job is done.
        base: the base model's folder, when it is not the kit's own.
    """

    def __init__(self, base_url: str, key: str, home: Path, *, deploys: bool = False, base: Path | None = None) -> None:
        self.behind, self.behind_key, self.home = urlsplit(base_url), key, home
        self.deploys, self.base = deploys, base
        self.deployed: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                kind = self.headers.get("Content-Type", "application/json")
                if self.headers.get("Authorization") != f"Bearer {KEY}":
                    status, reply = error(401, "Incorrect API key")
                else:
                    status, reply = front.route(self.command, self.path, body, kind)
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def route(self, method: str, path: str, body: bytes, kind: str) -> Answer:
        url = urlsplit(path)
        parts = unquote(url.path).removeprefix("/v1/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match method, parts:
            case "GET", ["files", name] | ["files", name, "content"] if name.startswith("file-weights-"):
                return self.weights(name, "content" in parts)
            case _, ["files", *_]:
                return self.reshaped(self.send(method, path, body, kind), without_status)
            case "POST", ["fine_tuning", "jobs"]:
                return self.create(json.loads(body))
            case "GET", ["fine_tuning", "jobs"]:
                jobs = [self.job(job) for job in self.all("/fine_tuning/jobs", 100)]
                return page(jobs[::-1], query, default=20)
            case "GET", ["fine_tuning", "jobs", name]:
                return self.reshaped(self.send(method, path), self.job)
            case "POST", ["fine_tuning", "jobs", name, "cancel"]:
                return self.reshaped(self.send(method, path), self.job)
            case "GET", ["fine_tuning", "jobs", name, "events"]:
                events = [untyped(one) for one in self.all(f"/fine_tuning/jobs/{name}/events", 1000)
                          if one["type"] != "metrics"]  # fmt: skip
                return page(events[::-1], query, default=20)
            case "GET", ["fine_tuning", "jobs", name, "checkpoints"]:
                points = [checkpoint(one) for one in self.all(f"/fine_tuning/jobs/{name}/checkpoints", 1000)]
                return page(points[::-1], query, default=10)
            case "GET", ["models"]:
                return self.reshaped(self.send(method, path), self.models)
            case "POST", ["chat", "completions"]:
                return self.chat(json.loads(body))
        return error(404, f"There is no {method} {url.path}")

    # The API behind -------------------------------------------------------------------------------------------------

    def send(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> Answer:
        there = http.client.HTTPConnection(self.behind.hostname, self.behind.port, timeout=600)
        headers = {"Authorization": f"Bearer {self.behind_key}", "Content-Type": kind}
        there.request(method, path, body or None, headers)
        said = there.getresponse()
        data = said.read()
        there.close()
        return said.status, data if "json" not in said.headers.get("Content-Type", "") else json.loads(data)

    def all(self, path: str, limit: int) -> list[dict[str, Any]]:
        """What a list holds, the newest first."""
        return self.send("GET", f"/v1{path}?limit={limit}")[1].get("data", [])

    def reshaped(self, answer: Answer, change: Any) -> Answer:
        status, said = answer
        if status != 200 or not isinstance(said, dict):
            return answer
        return status, said | {"data": [change(one) for one in said["data"]]} if "data" in said else change(said)

    # Jobs -----------------------------------------------------------------------------------------------------------

    def create(self, asked: dict[str, Any]) -> Answer:
        self.asked.append(asked)
        unknown = sorted(set(asked) - set(TAKEN))
        if unknown:
            return error(400, f"Unknown fields: {', '.join(unknown)}. Send hyperparameters at the top level.")
        settings = dict(asked.get("hyperparameters") or {})
        if "auto" in settings.values() or settings.get("lora") is not True:
            return error(400, "Hyperparameters are numbers, and lora must be true on this base model.")
        rate = settings.pop("learning_rate_multiplier", None)
        kept = {name: value for name, value in settings.items() if name not in FURTHER}
        if rate:
            kept["learning_rate_multiplier"] = rate / RATE
        body = json.dumps({**asked, "hyperparameters": kept}).encode()
        return self.reshaped(self.send("POST", "/v1/fine_tuning/jobs", body), self.job)

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        if job.get("object") != "fine_tuning.job":
            return job
        if job["status"] == "succeeded" and self.deploys:
            self.deployed.add(job["id"])
        steps = next((event["data"] for event in self.all(f"/fine_tuning/jobs/{job['id']}/events", 5)
                      if event["type"] == "metrics"), {})  # fmt: skip
        gone = ("metadata", "method", "integrations", "user_provided_suffix", "estimated_finish")
        return {name: value for name, value in job.items() if name not in gone} | {
            "fine_tuned_model": None,
            "finished_at": None,
            "result_files": [],
            "hyperparameters": {**job["hyperparameters"], "lora": True},
            "suffix": job["user_provided_suffix"],
            "trained_steps": steps.get("step", 0),
            "total_steps": steps.get("total_steps", 0),
        }

    def weights(self, name: str, content: bool) -> Answer:
        """A result file: the adapter of one checkpoint."""
        wanted = name.removeprefix("file-weights-")
        for job in self.all("/fine_tuning/jobs", 100):
            for point in self.all(f"/fine_tuning/jobs/{job['id']}/checkpoints", 1000):
                if point["id"] == wanted:
                    data = self.adapter(point["fine_tuned_model_checkpoint"])
                    about = {"id": name, "object": "file", "bytes": len(data), "created_at": point["created_at"],
                             "filename": "adapter_model.safetensors", "purpose": "fine-tune-results",
                             "status": None}  # fmt: skip
                    return 200, data if content else about
        return error(404, f"There is no file {name}")

    def adapter(self, model: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            to = deploy.export(model, Path(folder) / "adapter", "adapter", home=self.home, base=self.base)
            return (to / "adapter_model.safetensors").read_bytes()

    # Models ---------------------------------------------------------------------------------------------------------

    def models(self, model: dict[str, Any]) -> dict[str, Any]:
        return {name: model[name] for name in ("id", "object", "created", "owned_by")}

    def chat(self, asked: dict[str, Any]) -> Answer:
        name = asked["model"]
        if name.startswith("ft:"):
            return error(404, f"There is no model {name}")
        if name.startswith("ftjob-"):
            status, job = self.send("GET", f"/v1/fine_tuning/jobs/{name}")
            if status != 200 or name not in self.deployed:
                return error(404, f"There is no model {name}")
            asked = asked | {"model": job["fine_tuned_model"]}
        status, said = self.send("POST", "/v1/chat/completions", json.dumps(asked).encode())
        return status, said | {"model": name} if status == 200 else said


def without_status(file: dict[str, Any]) -> dict[str, Any]:
    return file | {"status": None} if file.get("object") == "file" and not file.get("deleted") else file


def untyped(event: dict[str, Any]) -> dict[str, Any]:
    return event | {"type": "message", "data": None}


def checkpoint(point: dict[str, Any]) -> dict[str, Any]:
    told = point["metrics"]
    return point | {
        "fine_tuned_model_checkpoint": None,
        "result_files": [f"file-weights-{point['id']}"],
        "metrics": {"train_loss": told.get("train_loss"), "valid_loss": told.get("full_valid_loss")},
    }
