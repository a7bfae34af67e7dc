"""What is said about a running job, and that nothing but plain lines is printed where nobody watches."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pandas as pd
import pytest
from openai.types.fine_tuning import FineTuningJob

from helpers import providers, show
from helpers.errors import StopHere
from helpers.jobs import Progress
from helpers.show.panels import watching

NOW = 1_800_000_000


def progress(status: str, step: int | None = None, **job_fields) -> Progress:
    """A job as the SDK gives it, at one moment of its training."""
    fields = {
        "id": "ftjob-1", "object": "fine_tuning.job", "created_at": NOW - 100, "model": "small", "status": status,
        "organization_id": "local", "result_files": [], "seed": 0, "training_file": "file-1",
        "hyperparameters": {"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 1.0},
    }  # fmt: skip
    rows = [{"step": i, "total_steps": 8, "train_loss": 2 / i} for i in range(1, (step or 0) + 1)]
    metrics = pd.DataFrame(rows, columns=["step", "total_steps", "train_loss"])
    return Progress(FineTuningJob.model_validate(fields | job_fields), metrics, (), seconds=5)


def test_where_a_job_stands_in_words():
    early = "validating files, no training step yet (1:40 since its start)"
    assert watching.words(progress("validating_files"), NOW) == early
    running = progress("running", 4, estimated_finish=NOW + 30)
    assert watching.words(running, NOW) == ("running, step 4 of 8, loss 0.500, about 30 s left (1:40 since its start)")
    done = progress("succeeded", 8, finished_at=NOW + 140, trained_tokens=12_345)
    assert watching.words(done, NOW) == "succeeded after 4 min, 12,345 tokens trained"
    assert watching.words(progress("failed", 2), NOW) == "failed, step 2 of 8, loss 1.000"


def test_speed_and_time_left_are_taken_from_the_host_when_it_gives_them():
    running = progress("running", 2)
    running.metrics["tokens_per_second"] = [400.0, 450.4]
    running.metrics["seconds_left"] = [None, 200.0]
    assert "450 tokens/s, about 3 min left" in watching.words(running, NOW)


def test_the_host_says_what_goes_on_before_the_first_step_and_between_two():
    waiting = replace(progress("running"), phase="Preparing rows: 120 of 440")
    assert watching.words(waiting, NOW) == "running, preparing rows: 120 of 440 (1:40 since its start)"
    last = replace(progress("running", 8, estimated_finish=NOW - 50), phase="Measuring 200 rows after step 8")
    said = watching.words(last, NOW)
    assert "measuring 200 rows after step 8" in said and "left" not in said, "it is not over in 0 s"


@pytest.mark.parametrize(
    ("step", "left"),
    [(None, 31), (1, 0.625 * 180 + 0.375 * 31), (4, 180)],
    ids=["nothing measured yet", "an eighth of the way", "half of the way"],
)
def test_the_predicted_minutes_count_until_a_rate_is_measured(step, left):
    job = progress("running", step, created_at=NOW, **({"estimated_finish": NOW + 180 * 60} if step else {}))
    assert f"about {left:.0f} min left" in watching.words(job, NOW, expected=31)


@pytest.mark.parametrize(
    ("took", "left"),
    [([420], "58 min"), ([60], "29 min"), ([120] * 6, "48 min")],
    ids=["a slow first one", "as predicted", "a fifth of the way at half the speed"],
)
def test_one_slow_job_does_not_set_the_time_that_ten_others_are_said_to_take(took, left):
    ended, began = [], NOW
    for number, seconds in enumerate(took):
        job = {"id": f"ftjob-{number}", "created_at": began, "finished_at": began + seconds}
        ended.append(progress("succeeded", 8, **job).job)
        began += seconds
    assert watching._together(ended, [60.0] * 6 + [288.0] * 5).endswith(f"about {left} left")


def test_a_machine_that_is_kept_busy_by_others_is_named(monkeypatch):
    monkeypatch.setattr(watching.os, "cpu_count", lambda: 2)
    for load, named in ((2.5, False), (9.0, True)):
        monkeypatch.setattr(watching.os, "getloadavg", lambda load=load: (load, 0, 0), raising=False)
        assert bool(watching.others_compete()) == named
        panel = watching._Panel("ftjob-1", here=True)
        panel.show(progress("running", 4))
        assert ("Other programs" in panel.line.value) == named


def test_an_interrupt_ends_the_cell_with_a_sentence_and_no_traceback(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(watching.jobs, "watch", interrupted)
    client = providers.connect("local")
    with pytest.raises(StopHere, match="come back to it anywhere with: show.watch") as stopped:
        show.watch(client, "ftjob-1")
    assert stopped.value._render_traceback_() == [str(stopped.value)]
    with pytest.raises(StopHere, match="2 jobs go on"):
        show.watch_all(client, ["ftjob-1", "ftjob-2"])


def test_where_nobody_watches_a_few_lines_are_printed(capsys):
    lines = watching._Lines()
    for step in [0, 0, 1, 2, 3, 4, 5, 6, 7]:
        lines.show(progress("running", step))
    lines.show(progress("succeeded", 8, finished_at=NOW))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 5 and said[0].startswith("  0 %") and said[-1].startswith("100 %  succeeded")


def test_a_panel_follows_the_job_and_clears_its_chart_at_the_end(monkeypatch):
    monkeypatch.setattr(watching, "REDRAW_SECONDS", 0)
    panel = watching._Panel("ftjob-<1>")
    panel.show(progress("running", 0))
    assert panel.chart.outputs == () and panel.bar.value == 0
    panel.show(progress("running", 4))
    first = panel.chart.outputs
    assert len(first) == 2 and panel.bar.value == 0.5 and "<b>50 %</b>" in panel.line.value
    panel.show(progress("running", 4))
    assert panel.chart.outputs is first, "nothing new, nothing drawn"
    panel.show(progress("succeeded", 8, finished_at=NOW))
    assert panel.chart.outputs == () and panel.bar.bar_style == "success"
    assert "ftjob-&lt;1&gt;" in panel.line.value


def test_a_wait_says_what_it_is_for_and_its_clock_ticks(monkeypatch):
    shown = []
    monkeypatch.setattr(watching, "is_live", lambda: True)
    monkeypatch.setattr(watching, "display", shown.append)
    monkeypatch.setattr(watching, "TICK_SECONDS", 0.01)
    with show.waiting("Steps are <measured>"):
        (line,) = shown
        assert "Steps are &lt;measured&gt;" in line.value and "0:00" not in line.value
        until = time.monotonic() + 10
        while "0:00" not in line.value and time.monotonic() < until:
            time.sleep(0.01)
        assert "0:00" in line.value
    with pytest.raises(KeyboardInterrupt), show.waiting("stopped"):
        raise KeyboardInterrupt
    assert not [one for one in threading.enumerate() if one.name.endswith("(tick)")], "no clock is left"


def test_what_is_left_of_the_predicted_minutes_is_said():
    assert watching._left_of(2, 15) == ", about 2 min left"
    assert watching._left_of(2, 60) == ", about 60 s left"
    assert watching._left_of(2, 130) == ", longer than predicted", "no clock that stands at nothing left"
    assert watching._left_of(None, 15) == ""


def test_a_program_that_runs_a_notebook_is_not_a_person(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert not watching.is_live()
    monkeypatch.setenv("JPY_SESSION_NAME", "lesson.ipynb")
    assert not watching.is_live(), "plain Python started from a notebook's terminal"


def test_the_names_that_lessons_use_are_there():
    names = (
        "watch loss scores comparisons balance token_lengths what_the_model_sees check guess guesses table checklist "
        "calculator rater review verdict cost_curves bill scores_svg comparisons_svg"
    )
    assert set(names.split()) <= set(show.__all__)
    assert all(getattr(show, name).__doc__ for name in show.__all__)


@pytest.mark.soak
def test_a_real_job_is_watched_to_its_end(tmp_path, capsys):
    """Against the real API and a real training run; the browser test does the same with a person's eyes."""
    import json

    from helpers import jobs, providers

    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    chats = [[{"role": "user", "content": f"say {w}"}, {"role": "assistant", "content": w}] for w in words]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    client = providers.connect("local")
    job = jobs.start(client, jobs.upload(client, path).id, hyperparameters={"n_epochs": 1, "batch_size": 4})
    assert show.watch(client, job.id, every=0.3).status == "succeeded"
    assert "100 %  succeeded" in capsys.readouterr().out
