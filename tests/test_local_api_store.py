"""The store: bytes and rows that agree after any kill, lists that do not trust the clock, schemas that do not mix."""

from __future__ import annotations

import sqlite3
import stat
import time
from pathlib import Path

import pytest

from helpers.errors import JobError
from helpers.local_api.store.api_store import ApiStore
from helpers.local_api.store.database import SCHEMA_VERSION

JOB = {
    "model": "tiny",
    "training_file": "file-1",
    "validation_file": None,
    "suffix": "",
    "seed": 0,
    "metadata": None,
    "hyperparameters": {"n_epochs": "auto"},
}


@pytest.fixture
def store(tmp_path: Path) -> ApiStore:
    return ApiStore(tmp_path / "home")


def add_file(store: ApiStore, text: str = "some text", name: str = "a.jsonl", expires_in: int | None = None):
    arriving = store.temporary / "arriving"
    arriving.write_text(text)
    return store.add_file(arriving, purpose="fine-tune", filename=name, rows=1, expires_in=expires_in)


def test_only_the_owner_can_look_in(store: ApiStore):
    add_file(store)
    for folder in (store.home, store.files_folder, store.jobs_folder, store.temporary):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_bytes_without_a_row_are_removed_at_the_next_start(store: ApiStore):
    kept = add_file(store)
    (store.files_folder / "file-torn").write_text("half an upload")
    (store.temporary / "upload-torn").write_text("half an upload")
    (store.jobs_folder / "ftjob-torn").mkdir()
    store.close()
    again = ApiStore(store.home)
    assert [path.name for path in again.files_folder.iterdir()] == [kept.id]
    assert not list(again.temporary.iterdir()) and not list(again.jobs_folder.iterdir())


def test_a_transaction_is_all_or_nothing_even_when_nested(store: ApiStore):
    with pytest.raises(RuntimeError), store.transaction():
        store.add_job(**JOB)
        with store.transaction():
            store.add_event("ftjob-x", "never seen")
        raise RuntimeError
    assert store.all("jobs") == [] and store.all("events") == []
    store.add_job(**JOB)  # and the connection is usable


def test_deleting_removes_the_bytes_from_disk_and_database(store: ApiStore):
    file = add_file(store, "canary-in-the-bytes", "canary-in-the-name.jsonl")
    assert store.delete_file(file.id) is None
    store.close()
    left = b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())
    assert b"canary-in-the-bytes" not in left and b"canary-in-the-name" not in left


def on_disk(store: ApiStore) -> bytes:
    """All bytes of the home, while the database is open: its write-ahead log is among them."""
    return b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())


def test_a_deleted_file_leaves_no_name_in_the_log(store: ApiStore):
    file = add_file(store, "canary-in-the-bytes", "canary-in-the-name.jsonl")
    assert b"canary-in-the-name" in on_disk(store)
    store.delete_file(file.id)
    assert b"canary" not in on_disk(store)


def test_a_deleted_job_takes_all_along_that_it_made(store: ApiStore):
    """Its metadata, events, checkpoints, models, result file and folder; other jobs keep theirs."""
    jobs = []
    for word in ("canary", "finch"):
        job = store.add_job(**JOB | {"metadata": {"who": f"{word}-metadata"}, "suffix": f"{word}-suffix"})
        folder = store.folder_of(job.id) / "checkpoints/step-5"
        folder.mkdir(parents=True)
        (folder / "adapter").write_text(f"{word}-adapter")
        store.add_event(job.id, f"{word}-event")
        store.add_checkpoint(job, 5, folder, {"step": 5})
        store.add_model(job.tuned_name, job, folder)
        result = add_file(store, f"{word}-result", f"{word}-result.csv")
        store.end_job(job.id, "succeeded", result_file=result.id, fine_tuned_model=job.tuned_name)
        jobs.append(store.get("jobs", job.id))
    gone, kept = jobs
    assert sorted(store.delete_job(gone)) == sorted([gone.tuned_name, f"{gone.tuned_name}:ckpt-step-5"])
    assert b"canary" not in on_disk(store)
    assert store.all("jobs") == [kept] and not store.folder_of(gone.id).exists()
    assert {model.job_id for model in store.all("models")} == {kept.id} == {e.job_id for e in store.all("events")}
    assert store.path_of(kept.result_file).read_text() == "finch-result"


def test_a_file_that_cannot_be_recorded_leaves_no_bytes(store: ApiStore):
    """The database may not grow any more, as on a full disk."""
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    name = "x" * 255
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for _ in range(1000):
            add_file(store, name=name)
    assert {path.name for path in store.files_folder.iterdir()} == {file.id for file in store.all("files")}
    assert not list(store.temporary.iterdir())


def test_a_result_file_goes_with_the_transaction_that_fails(store: ApiStore):
    with pytest.raises(RuntimeError), store.transaction():
        add_file(store)
        raise RuntimeError
    assert not list(store.files_folder.iterdir()) and store.all("files") == []


def test_a_file_that_a_job_needs_stays(store: ApiStore):
    file = add_file(store)
    job = store.add_job(**JOB | {"training_file": file.id})
    assert store.delete_file(file.id).id == job.id
    assert store.path_of(file.id).exists()
    store.end_job(job.id, "cancelled")
    assert store.delete_file(file.id) is None


def test_lists_follow_the_order_of_events_when_the_clock_jumps_back(store: ApiStore, monkeypatch: pytest.MonkeyPatch):
    now = time.time()
    ids = []
    for moment in (now, now - 3600, now + 3600, now - 86400):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        ids.append(store.add_job(**JOB).id)
    first, more = store.page("jobs", limit=3)
    rest, end = store.page("jobs", limit=3, after=first[-1].id)
    assert [job.id for job in (*first, *rest)] == ids[::-1] and more and not end
    store.end_job(ids[2], "cancelled")
    job = store.get("jobs", ids[2])
    assert job.finished_at >= job.created_at


def test_a_job_ends_once(store: ApiStore):
    job = store.add_job(**JOB)
    assert store.end_job(job.id, "cancelled")
    assert not store.end_job(job.id, "succeeded", fine_tuned_model="x")
    assert not store.update_job(job.id, status="running")
    assert store.get("jobs", job.id).status == "cancelled"


def test_a_checkpoint_recorded_twice_counts_once(store: ApiStore):
    job = store.add_job(**JOB)
    for _ in range(2):
        store.add_checkpoint(job, 5, store.folder_of(job.id) / "checkpoints/step-5", {"step": 5})
    assert len(store.all("checkpoints")) == len(store.all("models")) == 1


def test_a_tuned_model_goes_with_its_checkpoints_and_their_bytes(store: ApiStore):
    job = store.add_job(**JOB)
    folders = [store.folder_of(job.id) / f"checkpoints/step-{step}" for step in (5, 10)]
    for step, folder in zip((5, 10), folders, strict=True):
        folder.mkdir(parents=True)
        store.add_checkpoint(job, step, folder, {"step": step})
    store.add_model(job.tuned_name, job, folders[1])

    last = store.get("models", f"{job.tuned_name}:ckpt-step-10")
    assert store.delete_model(last) == [last.id]
    assert folders[1].exists(), "the final model is made of the same bytes"
    assert len(store.delete_model(store.get("models", job.tuned_name))) == 2
    assert not folders[0].exists() and not folders[1].exists()
    assert store.all("models") == [] and store.all("checkpoints") == []


def test_a_home_from_the_future_is_left_alone(store: ApiStore):
    store.close()
    with sqlite3.connect(store.home / "api.sqlite3") as database:
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(JobError, match="newer version"):
        ApiStore(store.home)


def test_a_file_goes_at_its_end_unless_a_job_needs_it(store: ApiStore, monkeypatch: pytest.MonkeyPatch):
    kept, doomed, needed = (add_file(store, expires_in=seconds) for seconds in (None, 3600, 3600))
    job = store.add_job(**JOB | {"training_file": needed.id})
    later = time.time() + 3601
    assert store.delete_expired() == 0
    monkeypatch.setattr(time, "time", lambda: later)
    assert store.delete_expired() == 1
    assert [file.id for file in store.all("files")] == [kept.id, needed.id]
    assert not store.path_of(doomed.id).exists() and store.path_of(needed.id).exists()
    store.end_job(job.id, "cancelled")
    assert store.delete_expired() == 1


def test_a_home_of_the_first_version_is_taken_over(tmp_path: Path):
    """Its files had no end."""
    old = ApiStore(tmp_path / "home")
    file = add_file(old)
    old.close()
    with sqlite3.connect(old.home / "api.sqlite3") as database:
        database.execute("ALTER TABLE files DROP COLUMN expires_at")
        database.execute("PRAGMA user_version = 1")
    database.close()
    again = ApiStore(old.home)
    assert again.get("files", file.id).expires_at is None
    assert add_file(again, expires_in=60).expires_at
