"""Keys stay where they belong: planted here, and looked for everywhere that they could turn up."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

import openai
import psutil
import pytest
from job_host import JobHost
from running_api import chat_rows

from helpers import jobs, providers
from helpers.errors import HostError, KitError
from helpers.project import Project
from helpers.providers import local
from helpers.providers.keys import private_http

PLANTED = {
    "OPENAI_API_KEY": "sk-planted-openai-0001",
    "OPENAI_ADMIN_KEY": "sk-admin-planted-0002",
    "OPENAI_ORG_ID": "org-planted-0003",
    "OPENAI_PROJECT_ID": "proj-planted-0004",
    "OPENAI_CUSTOM_HEADERS": "X-Company-Token: planted-0005",
    "NEBIUS_API_KEY": "nb-planted-0006",
    "HOST_A_KEY": "a-planted-0007",
    "HOST_B_KEY": "b-planted-0008",
    "AWS_SECRET_ACCESS_KEY": "aws-planted-0009",
}


@pytest.fixture
def two_hosts(tmp_path, monkeypatch):
    """Two hosts with a key each, in a hosts.toml of the test's own, and keys of others in the environment."""
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KIT_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    a, b = (JobHost(key=PLANTED[f"HOST_{name}_KEY"], quotes_key=True) for name in "AB")
    (tmp_path / "hosts.toml").write_text(
        "".join(
            f'[{name}]\nbase_url = "{host.base_url}"\nkey_variable = "HOST_{name.upper()}_KEY"\ndefault_model = "m"\n'
            for name, host in (("a", a), ("b", b))
        )
    )
    yield a, b
    a.close(), b.close()


def planted_in(text: str, *allowed: str) -> list[str]:
    return [value for value in PLANTED.values() if value.split(": ")[-1] in text and value not in allowed]


def everything_sent_to(host: JobHost) -> str:
    return json.dumps(
        [[method, path, headers, body.decode("latin-1")] for method, path, headers, body in host.requests]
    )


def test_each_host_sees_its_own_key_and_nothing_else(two_hosts, tmp_path):
    train = tmp_path / "train.jsonl"
    train.write_bytes(chat_rows(12))
    for name in "ab":
        client = providers.connect(name)
        job = jobs.start(client, jobs.upload(client, train).id)
        jobs.watch(client, job.id, every=0.05)
        client.with_options(timeout=5).chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        jobs.inventory(client)
    a, b = two_hosts
    assert planted_in(everything_sent_to(a), a.key) == [] and a.key in everything_sent_to(a)
    assert planted_in(everything_sent_to(b), b.key) == [] and b.key in everything_sent_to(b)


def test_an_absolute_address_does_not_carry_the_key_along(two_hosts):
    a, b = two_hosts
    with pytest.raises(openai.OpenAIError):
        providers.connect("a").get(f"{b.base_url}/models", cast_to=object)
    assert b.requests and planted_in(everything_sent_to(b)) == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_carries_neither_key_nor_data_to_another_host(two_hosts, status, monkeypatch):
    _, b = two_hosts

    class Redirector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Location", f"{b.base_url}/chat/completions")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Redirector)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    client = providers.connect(f"http://127.0.0.1:{server.server_port}/v1", key_variable="HOST_A_KEY")
    with pytest.raises(openai.APIStatusError):
        client.with_options(max_retries=0).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "secret data"}]
        )
    server.shutdown(), server.server_close()
    assert b.requests == []


def test_no_exception_and_no_repr_shows_a_key(two_hosts, tmp_path, monkeypatch):
    """Hosts that quote the key in their refusals are the worst case; tracebacks show every exception in the chain."""
    a, _ = two_hosts
    a.key = "another, so that each request is refused"
    client = providers.connect("a")
    train = tmp_path / "train.jsonl"
    train.write_bytes(chat_rows(12))
    attempts = [
        lambda: client.models.list(),
        lambda: client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}]),
        lambda: jobs.upload(client, train),
        lambda: jobs.start(client, "file-1"),
        lambda: jobs.look(client, "ftjob-1"),
        lambda: jobs.inventory(client),
        lambda: jobs.delete_file(client, "file-1"),
    ]
    shown = [
        repr(client),
        str(client),
        repr(providers.hosts()),
        repr(providers.host_of(client)),
        str(vars(client.chat)),
    ]
    for attempt in attempts:
        with pytest.raises((KitError, openai.OpenAIError)):
            try:
                attempt()
            except Exception:
                shown.append(traceback.format_exc())
                raise
    assert len(shown) == 5 + len(attempts) and "***" in "".join(shown)
    assert planted_in("\n".join(shown)) == []


@pytest.mark.parametrize("key", ["sk-with space", "sk-\u00e9", "sk-line\nbreak"])
def test_a_key_that_cannot_travel_is_told_without_it(two_hosts, monkeypatch, key):
    monkeypatch.setenv("HOST_A_KEY", key)
    with pytest.raises(HostError, match="HOST_A_KEY cannot be sent") as caught:
        providers.connect("a")
    assert key not in str(caught.value)


def test_no_log_shows_a_key(two_hosts, tmp_path):
    """At the lowest level of every logger, as a reader with OPENAI_LOG=debug would have it."""
    heard, root = io.StringIO(), logging.getLogger()
    handler, before = logging.StreamHandler(heard), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("openai").setLevel(logging.DEBUG)
    try:
        client = providers.connect("a")
        train = tmp_path / "train.jsonl"
        train.write_bytes(chat_rows(12))
        jobs.start(client, jobs.upload(client, train).id)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        logging.getLogger("openai").setLevel(logging.NOTSET)
    assert "files" in heard.getvalue() and planted_in(heard.getvalue()) == []


def test_records_and_state_files_hold_no_key(two_hosts, tmp_path):
    client = providers.connect("a")
    train = tmp_path / "train.jsonl"
    train.write_bytes(chat_rows(12))
    project = Project("keys")
    file = jobs.upload(client, train)
    job = jobs.start(client, file.id)
    project.set("upload", file.to_dict())
    project.set("jobs", {"first": job.to_dict(), "host": providers.host_of(client).name})
    found = {path.name: planted_in(path.read_text(errors="replace")) for path in tmp_path.rglob("*") if path.is_file()}
    assert "project.json" in found and not any(found.values())


def test_the_local_api_gets_no_providers_key_and_shows_none_in_its_command_line(two_hosts, tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_LOCAL_KEY", "local-planted-0010")
    server = local.start()
    try:
        process = psutil.Process(server.pid)
        family = [process, *process.children(recursive=True)]
        assert not any("planted" in " ".join(one.cmdline()) for one in family)
        inherited = {name: value for name, value in process.environ().items() if name in PLANTED}
        assert set(inherited) <= {
            "OPENAI_ORG_ID",
            "OPENAI_PROJECT_ID",
            "OPENAI_CUSTOM_HEADERS",
            "HOST_A_KEY",
            "HOST_B_KEY",
        }
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path for path in files if b"local-planted-0010" in path.read_bytes()] == []
    finally:
        local.stop()


def test_the_local_apis_own_key_is_in_one_file_that_only_its_owner_reads(two_hosts, tmp_path, monkeypatch):
    monkeypatch.delenv("KIT_LOCAL_KEY", raising=False)
    server = local.start()
    try:
        holding = [p for p in tmp_path.rglob("*") if p.is_file() and server.key.encode() in p.read_bytes()]
        assert [path.name for path in holding] == ["key"] and holding[0].stat().st_mode & 0o077 == 0
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        assert server.key not in listed
    finally:
        local.stop()


def test_the_guard_itself_can_fail(two_hosts):
    """Without it the SDK sends what the environment holds: the tests above look in the right place."""
    a, _ = two_hosts
    plain = openai.OpenAI(base_url=a.base_url, api_key=a.key, http_client=openai.DefaultHttpxClient(trust_env=False))
    plain.models.list()
    assert {"org-planted-0003", "proj-planted-0004", PLANTED["OPENAI_CUSTOM_HEADERS"]} <= set(
        planted_in(everything_sent_to(a))
    )
    guarded = private_http(providers.hosts()["a"], a.key)
    a.requests.clear()
    openai.OpenAI(base_url=a.base_url, api_key=a.key, http_client=guarded).models.list()
    assert planted_in(everything_sent_to(a), a.key) == []


def test_no_key_in_any_committed_file():
    """What git knows, outputs of notebooks included, holds nothing that looks like a provider's key."""
    import re

    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    shape = re.compile(r"sk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{32,}|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}")
    found = []
    for name in filter(None, tracked.stdout.split("\0")):
        path = os.path.join(root, name)
        if os.path.isfile(path) and name.endswith((".py", ".ipynb", ".md", ".toml", ".csv", ".json", ".jsonl", ".txt")):
            with open(path, encoding="utf-8", errors="replace") as file:
                found += [(name, hit.group()[:12]) for hit in shape.finditer(file.read())]
    allowed = [hit for hit in found if hit[0].startswith("tests/")]
    assert [hit for hit in found if hit not in allowed] == []
