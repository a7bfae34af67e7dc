"""Bedrock through boto3 against moto's server: a real process that speaks AWS's protocol, so boto3 itself is real."""

from __future__ import annotations

import json

import pytest

boto3 = pytest.importorskip("boto3")
moto_server = pytest.importorskip("moto.server")

from helpers import data, facts  # noqa: E402
from helpers.errors import ConsentError, HostError, JobError  # noqa: E402
from helpers.jobs import bedrock  # noqa: E402
from helpers.records import Example  # noqa: E402

ROLE = "arn:aws:iam::123456789012:role/tuner"
NOVA = "amazon.nova-micro-v1:0"
CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "rehearsal")
    monkeypatch.setenv("KIT_TODAY", "2026-11-23")
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    here = bedrock.Bedrock("us-east-1", "my-bucket", ROLE, endpoint=f"http://127.0.0.1:{port}")
    here._service("s3").create_bucket(Bucket="my-bucket")
    yield here
    server.stop()


@pytest.fixture
def file(tmp_path):
    rows = [
        Example(({"role": "user", "content": f"Where is {n}?"}, {"role": "assistant", "content": "delivery"}))
        for n in range(12)
    ]
    return data.write(rows, tmp_path / "train.jsonl", provider="bedrock")


def test_upload_job_status_custom_model_delete(aws, file):
    training = aws.upload(file)
    assert aws.upload(file) == training
    stored = aws._service("s3").list_objects_v2(Bucket="my-bucket")["Contents"]
    assert len(stored) == 1 and training.endswith(stored[0]["Key"])
    row = json.loads(file.read_text().splitlines()[0])
    assert row["schemaVersion"] == "bedrock-conversation-2024"

    job = aws.start(training, NOVA, hyperparameters={"epochCount": 2})
    assert aws.start(training, NOVA, hyperparameters={"epochCount": 2}) == job
    other = aws.start(training, NOVA, hyperparameters={"epochCount": 3})
    assert other != job
    now = aws.look(job)
    assert now["status"] == "InProgress" and now["baseModelArn"].endswith(NOVA)
    assert now["hyperParameters"] == {"epochCount": "2"} and now["trainingDataConfig"] == {"s3Uri": training}
    assert len(aws.models()) == 2

    aws.cancel(other)
    with pytest.raises(JobError, match="stopped"):
        aws.watch(other, every=0.05)
    again = aws.start(training, NOVA, hyperparameters={"epochCount": 3})
    assert again == f"{other}-2" and aws.look(again)["status"] == "InProgress"
    for name in aws.models():
        aws.delete(name)
    assert aws.models() == {}
    aws.delete_file(training), aws.delete_file(training)
    assert "Contents" not in aws._service("s3").list_objects_v2(Bucket="my-bucket")


def test_a_model_that_ended_is_told_with_its_date_and_what_is_left(aws):
    with pytest.raises(HostError) as caught:
        aws.start("s3://my-bucket/x.jsonl", CLAUDE)
    assert "2026-09-10" in str(caught.value) and "as of" in str(caught.value) and NOVA in caught.value.fix
    assert "prompted candidate" in caught.value.fix
    with pytest.raises(HostError, match="no row in the facts"):
        aws.start("s3://my-bucket/x.jsonl", "amazon.nova-ultra-v9:0")


def test_the_table_decides_not_the_code(aws, monkeypatch):
    """A Claude model that returns is accepted as soon as the facts list it."""
    row = next(r for r in facts.rows("tunable") if r["model"] == NOVA)
    claude = facts.FactRow("tunable", {**row.values, "model": "anthropic.claude-next"}, 99)
    rows = facts.rows
    monkeypatch.setattr(facts, "rows", lambda table: (*rows(table), claude) if table == "tunable" else rows(table))
    assert aws.start("s3://my-bucket/x.jsonl", "anthropic.claude-next").startswith("kit-")


@pytest.mark.parametrize("state, day", [(True, "2027-03-29"), (False, "2027-03-30")])
def test_what_can_be_tuned_follows_the_day(monkeypatch, state, day):
    monkeypatch.setenv("KIT_TODAY", day)
    assert ("meta.llama3-1-8b-instruct-v1:0" in bedrock.tunable()) is state


def test_wrong_region_and_wrong_role_are_told_together():
    with pytest.raises(HostError) as caught:
        bedrock.Bedrock("moon-1", "b", "arn:aws:iam::12:user/me", endpoint="http://127.0.0.1:1")
    assert "moon-1" in str(caught.value) and "role/NAME" in str(caught.value)


def test_what_aws_refuses_is_one_clear_error(aws, file):
    nobody = bedrock.Bedrock("us-east-1", "no-such-bucket", ROLE, endpoint=aws.endpoint)
    with pytest.raises(HostError, match="NoSuchBucket"):
        nobody.upload(file)
    with pytest.raises(HostError, match="ResourceNotFound"):
        aws.look("kit-none")
    with pytest.raises(HostError, match="AWS refused to start the job"):
        aws.start("not-an-address", NOVA)
    gone = bedrock.Bedrock("us-east-1", "b", ROLE, endpoint="http://127.0.0.1:9")
    with pytest.raises(HostError, match="could not"):
        gone.models()


def test_nothing_leaves_without_consent(file, monkeypatch):
    with pytest.raises(ConsentError, match="KIT_STAY_LOCAL"):
        bedrock.Bedrock("us-east-1", "b", ROLE)
    monkeypatch.delenv("KIT_STAY_LOCAL")
    real = bedrock.Bedrock("us-east-1", "b", ROLE)
    with pytest.raises(ConsentError, match="12 rows.*bedrock"):
        real.upload(file)
    with pytest.raises(ConsentError, match="unknown price"):
        real.start("s3://b/x.jsonl", NOVA)
