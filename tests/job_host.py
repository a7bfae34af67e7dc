"""A small real HTTP host for fine-tuning jobs, in OpenAI's shape or in the one that Nebius's notebook recorded.

It trains nothing: a job's progress follows the clock. What it keeps (files, jobs, requests with their headers) is there
for a test to look at. See ``faulty_proxy`` for bad days.
"""

from __future__ import annotations

import email.parser
import email.policy
import email.utils
import itertools
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import openai

STEPS = 6
HANG_UP = 0
"""Instead of a status: close the connection without an answer."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # a burst of senders finds room


class JobHost:
    """Runs on a free loopback port.

    Args:
        shape: "openai" or "nebius" (top-level hyperparameters only, no metadata, null file status, no metrics events,
            checkpoints with result files; a tuned model answers once its job is in ``deployed``).
        key: the only key that it takes.
        job_seconds: how long a job runs.
        fails: every job fails half-way.
        skew: seconds by which its clock is ahead of ours.
        quotes_key: a refusal repeats the key, as careless hosts do.
    """

    def __init__(
        self, shape: str = "openai", *, key: str = "test-key", job_seconds: float = 0.3, fails: bool = False,
        skew: float = 0.0, quotes_key: bool = False,
    ) -> None:  # fmt: skip
        self.shape, self.key, self.job_seconds, self.fails, self.skew = shape, key, job_seconds, fails, skew
        self.quotes_key = quotes_key
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.deployed: set[str] = set()
        self.kept_steps: tuple[int, ...] = (STEPS // 2, STEPS)  # of the checkpoints
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.lock = threading.RLock()
        self.numbers = itertools.count(1)
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                if len(body) < size:  # cut off in mid-upload: nobody is there to hear an answer
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                with host.lock:
                    host.requests.append((self.command, self.path, headers, body))
                    status, reply = host.route(self.command, urlsplit(self.path), headers, body)
                if status == HANG_UP:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer

            def date_time_string(self, timestamp: float | None = None) -> str:
                return email.utils.formatdate(host.now(), usegmt=True)

            def log_message(self, *_: object) -> None:
                pass

        self.handler = Handler
        self.listen(0)
        self.port = self.server.server_port
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def listen(self, port: int) -> None:
        self.server = Server(("127.0.0.1", port), self.handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def client(self, **options: Any) -> openai.OpenAI:
        settings = {"base_url": self.base_url, "api_key": self.key, "max_retries": 3} | options
        return openai.OpenAI(**settings, http_client=openai.DefaultHttpxClient(trust_env=False))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def now(self) -> float:
        return time.time() + self.skew

    # Routes ---------------------------------------------------------------------------------------------------------

    def route(self, method: str, url: Any, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if headers.get("authorization") != f"Bearer {self.key}":
            sent = headers.get("authorization", "")
            return error(401, f"Incorrect API key provided: {sent}" if self.quotes_key else "Incorrect API key")
        parts = unquote(url.path).removeprefix("/v1/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match method, parts:
            case "POST", ["files"]:
                return self.add_file(headers, body)
            case "GET", ["files"]:
                return page(list(self.files.values()), query, default=10_000)
            case "GET", ["files", name] if name in self.files:
                return 200, self.files[name]
            case "GET", ["files", name, "content"] if name in self.files:
                return 200, self.contents[name]
            case "DELETE", ["files", name] if name in self.files:
                del self.files[name], self.contents[name]
                return 200, {"id": name, "object": "file", "deleted": True}
            case "POST", ["fine_tuning", "jobs"]:
                return self.add_job(json.loads(body))
            case "GET", ["fine_tuning", "jobs"]:
                return page([self.job(name) for name in self.jobs], query, default=20)
            case "GET", ["fine_tuning", "jobs", name] if name in self.jobs:
                return 200, self.job(name)
            case "POST", ["fine_tuning", "jobs", name, "cancel"] if name in self.jobs:
                if self.job(name)["status"] in ("succeeded", "failed", "cancelled"):
                    return error(400, "The job has already ended.")
                self.jobs[name] |= {"cancelled": True}
                return 200, self.job(name)
            case "GET", ["fine_tuning", "jobs", name, "events"] if name in self.jobs:
                return page(self.events(name), query, default=20)
            case "GET", ["fine_tuning", "jobs", name, "checkpoints"] if name in self.jobs:
                return page(self.checkpoints(name), query, default=10)
            case "GET", ["models"]:
                [self.job(name) for name in self.jobs]
                return 200, {"object": "list", "data": list(self.models.values())}
            case "DELETE", ["models", name] if name in self.models:
                del self.models[name]
                return 200, {"id": name, "object": "model", "deleted": True}
            case "POST", ["chat", "completions"]:
                asked = json.loads(body)
                if self.shape == "nebius" and asked["model"] in self.jobs and asked["model"] not in self.deployed:
                    return error(404, f"There is no model {asked['model']}")
                return 200, self.chat(asked)
        return error(404, f"There is no {url.path}")

    def chat(self, asked: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": "ok", "refusal": None}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return {"id": "c", "object": "chat.completion", "created": int(self.now()), "model": asked["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}],
                "usage": usage}  # fmt: skip

    def add_file(self, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        content = parts["file"].get_payload(decode=True)
        return 200, self.keep(parts["file"].get_filename(), content, "fine-tune")

    def keep(self, filename: str, content: bytes, purpose: str) -> dict[str, Any]:
        name = f"file-{next(self.numbers):06d}"
        self.contents[name] = content
        self.files[name] = {
            "id": name, "object": "file", "bytes": len(content), "created_at": int(self.now()), "filename": filename,
            "purpose": purpose, "status": None if self.shape == "nebius" else "processed",
        }  # fmt: skip
        return self.files[name]

    def add_job(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if self.shape == "nebius" and "method" in asked:
            return error(400, "Unknown field: method. Send hyperparameters.")
        if asked["training_file"] not in self.files:
            return error(400, f"There is no file {asked['training_file']}.")
        name = f"ftjob-{next(self.numbers):06d}"
        self.jobs[name] = {"id": name, "asked": asked, "began": time.monotonic(), "created": int(self.now())}
        return 200, self.job(name)

    # A job as time goes by ------------------------------------------------------------------------------------------

    def share(self, name: str) -> float:
        job = self.jobs[name]
        return min(1.0, (time.monotonic() - job["began"]) / self.job_seconds)

    def job(self, name: str) -> dict[str, Any]:
        job, asked, share = self.jobs[name], self.jobs[name]["asked"], self.share(name)
        failed = self.fails and share >= 0.5
        status = (
            "cancelled" if job.get("cancelled") else "failed" if failed else "succeeded" if share == 1 else "running"
        )
        settings = asked.get("hyperparameters") or asked.get("method", {}).get("supervised", {}).get("hyperparameters")
        tuned = self.tuned_model(name) if status == "succeeded" else None
        if tuned and self.shape == "openai" and "model" not in job:
            job["model"] = tuned
            self.models[tuned] = {"id": tuned, "object": "model", "created": job["created"], "owned_by": "test"}
        public = {
            "id": name, "object": "fine_tuning.job", "created_at": job["created"], "finished_at": None,
            "error": {"code": "bad", "message": "line 3 is bad", "param": None} if status == "failed" else None,
            "fine_tuned_model": tuned if self.shape == "openai" else None, "hyperparameters": settings or {},
            "model": asked["model"], "organization_id": "org", "result_files": [], "status": status,
            "seed": asked.get("seed") or 0, "trained_tokens": 1000 if tuned else None,
            "training_file": asked["training_file"], "validation_file": asked.get("validation_file"),
        }  # fmt: skip
        if self.shape == "nebius":
            return public | {"trained_steps": int(share * STEPS), "total_steps": STEPS, "suffix": asked.get("suffix")}
        return public | {"metadata": asked.get("metadata"), "method": asked.get("method")}

    def tuned_model(self, name: str) -> str:
        asked = self.jobs[name]["asked"]
        return f"ft:{asked['model']}:{asked.get('suffix') or ''}:{name}"

    def events(self, name: str) -> list[dict[str, Any]]:
        steps = int(self.share(name) * STEPS)
        texts = [("message", "Job is submitted", None)]
        if self.shape == "openai":
            texts += [
                ("metrics", f"Step {n}/{STEPS}", {"step": n, "total_steps": STEPS, "train_loss": 1 / n})
                for n in range(1, steps + 1)
            ]
        return [
            {"id": f"ev-{name}-{n}", "object": "fine_tuning.job.event", "created_at": int(self.now()), "level": "info",
             "message": text, "type": kind, "data": data}
            for n, (kind, text, data) in enumerate(texts)
        ]  # fmt: skip

    def checkpoints(self, name: str) -> list[dict[str, Any]]:
        if self.job(name)["status"] != "succeeded":
            return []
        job, found = self.jobs[name], []
        for epoch, step in enumerate(self.kept_steps, 1):
            point = {
                "id": f"ftckpt-{name}-{step}", "object": "fine_tuning.job.checkpoint", "created_at": job["created"],
                "fine_tuning_job_id": name, "step_number": step, "fine_tuned_model_checkpoint": None,
                "metrics": {"train_loss": 1 / epoch, "valid_loss": 2 / epoch},
            }  # fmt: skip
            if self.shape == "nebius":
                weights = job.setdefault(f"weights-{step}", self._weights(step))
                point["result_files"] = [weights]
            else:
                point["fine_tuned_model_checkpoint"] = f"{job['model']}:ckpt-step-{step}"
            found.append(point)
        return found

    def _weights(self, step: int) -> str:
        return self.keep("adapter_model.safetensors", b"weights of step %d" % step, "fine-tune-results")["id"]


def page(items: list[dict[str, Any]], query: dict[str, str], default: int) -> tuple[int, Any]:
    """Newest first, as hosts do."""
    items = items[::-1]
    if "after" in query:
        items = items[[item["id"] for item in items].index(query["after"]) + 1 :]
    limit = int(query.get("limit", default))
    ends = {"first_id": items[0]["id"] if items else None, "last_id": items[:limit][-1]["id"] if items else None}
    return 200, {"object": "list", "data": items[:limit], "has_more": len(items) > limit, **ends}


def error(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": "invalid_request_error", "code": None, "param": None}}
