"""What the side trip on training rows stands on: draws, the time of many jobs, watching them, the chart, the trial."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from running_api import TINY, chat_rows

from helpers import jobs, show
from helpers.errors import EvaluationError, JobError
from helpers.evaluate import learning_curve
from helpers.records import Example

ROWS = [
    Example(({"role": "user", "content": f"q{i}"}, {"role": "assistant", "content": str(i % 3)})) for i in range(60)
]
SIZES = np.repeat([10, 20, 40, 80, 120, 240], 3)


def law(sizes, ceiling=0.85, a=0.9, b=0.4):
    return ceiling - a * np.asarray(sizes, dtype=float) ** -b


# --- draws ---------------------------------------------------------------------------------------------------------


def test_the_same_rows_are_drawn_again_and_each_repeat_has_its_own():
    draws = learning_curve.draw(ROWS, (40, 10, 20), 2, seed=7)
    assert [(draw.size, len(draw.rows), draw.seed) for draw in draws] == [
        (10, 10, 1), (10, 10, 2), (20, 20, 1), (20, 20, 2), (40, 40, 1), (40, 40, 2)
    ]  # fmt: skip
    assert draws == learning_curve.draw(ROWS, (40, 10, 20), 2, seed=7), (
        "files and jobs are found again by their content"
    )
    assert all(len({row.question for row in draw.rows}) == draw.size for draw in draws), "drawn without putting back"
    drawn = {tuple(row.question for row in draw.rows) for draw in draws}
    assert len(drawn) == len({draw.name for draw in draws}) == 6
    assert draws[0].rows != learning_curve.draw(ROWS, (10,), 1, seed=8)[0].rows


def test_more_repeats_or_sizes_leave_the_other_draws_as_they_were():
    few = {draw.name: draw.rows for draw in learning_curve.draw(ROWS, (10, 40), 1)}
    many = {draw.name: draw.rows for draw in learning_curve.draw(ROWS, (10, 20, 40, 60), 3)}
    assert few.items() <= many.items()


def test_rows_are_drawn_evenly():
    counts = Counter(row.question for s in range(200) for row in learning_curve.draw(ROWS, (15,), 1, seed=s)[0].rows)
    assert len(counts) == 60 and max(counts.values()) < 85 and min(counts.values()) > 25  # 50 expected, sd 6.1


def test_every_size_gets_about_as_many_steps():
    steps = {
        draw.size: -(-draw.size // draw.hyperparameters["batch_size"]) * draw.hyperparameters["n_epochs"]
        for draw in learning_curve.draw(ROWS * 4, (1, 3, 10, 20, 40, 80, 120, 240), 1, steps=120)
    }
    assert steps == {1: 20, 3: 20, 10: 60, 20: 100, 40: 120, 80: 120, 120: 120, 240: 120}, "few rows: not by heart"


@pytest.mark.parametrize(("sizes", "repeats"), [((0, 10), 1), ((10, 61), 1), ((10,), 0), ((), 1)])
def test_draws_that_cannot_be_made_say_which_sizes_can(sizes, repeats):
    with pytest.raises(EvaluationError, match="60 rows cannot be drawn that way.*sizes from 1 to 60"):
        learning_curve.draw(ROWS, sizes, repeats)


# --- the forecast on trial -----------------------------------------------------------------------------------------


def test_a_true_law_passes_its_trial_and_a_late_jump_does_not():
    noise = np.random.default_rng(3).normal(0, 0.01, len(SIZES))
    told = learning_curve.on_trial(SIZES, law(SIZES) + noise)
    assert "From the runs up to 120 rows, 240 rows were forecast" in told and told.endswith("That is inside the band.")
    jump = law(SIZES) + noise + np.where(SIZES == 240, 0.15, 0)
    assert learning_curve.on_trial(SIZES, jump).endswith("That is outside the band.")


def test_a_trial_without_a_forecast_says_so():
    noise = np.random.default_rng(4).normal(0, 0.005, len(SIZES))
    late = np.where(SIZES < 80, 0.1, 0.6) + noise
    assert "allow no forecast. Measured with 240: 6" in learning_curve.on_trial(SIZES, late)
    far = np.repeat([10, 20, 30, 40, 50, 240], 3)
    assert "more than 4 times" in learning_curve.on_trial(far, law(far) + noise)
    with pytest.raises(EvaluationError, match="too few"):
        learning_curve.on_trial(SIZES[6:], law(SIZES[6:]))
    for few in (SIZES[3:], np.unique(SIZES)):  # too few sizes, too few runs, once the largest is hidden
        assert "too few are left for a forecast" in learning_curve.on_trial(few, law(few))


def test_a_flat_start_is_no_evidence_that_rows_are_useless():
    noise = np.random.default_rng(2).normal(0, 0.01, len(SIZES))
    for scores in (np.zeros(len(SIZES)), 0.3 + noise):
        curve = learning_curve.fit(SIZES, scores)
        assert curve.state == "cannot tell" and np.isnan(curve.gain_from_doubling.value)
        assert "does not rise beyond its scatter" in curve.sentence and "may start flat" in curve.sentence
        assert curve.as_evidence()["low"] is None
    done = learning_curve.fit(SIZES, np.clip(0.995 + noise / 4, 0, 1))
    assert done.state == "more data hardly helps", "at the top there is nothing left to gain"


def test_pure_noise_is_rarely_taken_for_a_rise():
    """400 flat curves: a rise is seen in about 5 % of them, by luck."""
    rng = np.random.default_rng(6)
    told = [learning_curve.fit(SIZES, 0.4 + rng.normal(0, 0.02, 18), seed=n).state for n in range(400)]
    assert sum(state != "cannot tell" for state in told) <= 32  # 20 expected, sd 4.4


# --- the time of many jobs, on a real server -------------------------------------------------------------------------


def test_the_time_of_many_jobs_comes_from_two_probes(local_api, tmp_path):
    client = local_api.client(timeout=170)  # a probe loads the model
    files = []
    for n in (10, 20, 40):
        path = tmp_path / f"curve-{n}.jsonl"
        path.write_bytes(chat_rows(n))
        files.append(jobs.upload(client, path))
    settings = [{"n_epochs": 6, "batch_size": 4}] * 3
    seconds = jobs.estimate_all(client, files, settings, model=TINY)
    assert all(one > 0 for one in seconds)
    light, middle, heavy = seconds
    shares = [(file.bytes - files[0].bytes) / (files[2].bytes - files[0].bytes) for file in files]
    assert middle == pytest.approx(light + shares[1] * (heavy - light))
    assert not [job for job in client.fine_tuning.jobs.list() if job.training_file in {file.id for file in files}]
    assert len(set(jobs.estimate_all(client, files[:1] * 2, settings[:2], model=TINY))) == 1
    with pytest.raises(JobError, match="a file and its settings"):
        jobs.estimate_all(client, files, settings[:2])


def test_the_time_between_two_sittings_does_not_count():
    def job(began: int, finished: int | None) -> SimpleNamespace:
        return SimpleNamespace(created_at=began, finished_at=finished)

    assert jobs.time_taken([job(0, 10), job(1, 25), job(1000, 1030), job(1000, 1060), job(2000, None)]) == 25 + 60
    assert jobs.time_taken([]) == 0


def test_jobs_are_watched_one_after_the_other_and_found_again(local_api, tmp_path, capsys):
    client = local_api.client()
    path = tmp_path / "queue.jsonl"
    path.write_bytes(chat_rows(10, words=3))
    file = jobs.upload(client, path)

    def start_both():
        asked = {"model": TINY, "hyperparameters": {"n_epochs": 1, "batch_size": 4}}
        return [jobs.start(client, file.id, suffix=f"run-{seed}", seed=seed, **asked).id for seed in (1, 2)]

    ids = start_both()
    ended = show.watch_all(client, ids, expected=[4.0, 4.0], every=0.1)
    assert [job.id for job in ended] == ids and {job.status for job in ended} == {"succeeded"}
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("  1 of 2 took ") and "run-1, about " in first and first.endswith(" left")
    assert second.startswith("  2 of 2 took ") and second.endswith("run-2")
    assert start_both() == ids, "after a kernel restart nothing is trained twice"


# --- the chart -----------------------------------------------------------------------------------------------------


def test_the_chart_states_the_forecast_and_ends_where_it_may():
    noise = np.random.default_rng(1).normal(0, 0.01, len(SIZES))
    curve = learning_curve.fit(SIZES, law(SIZES) + noise)
    chart = show.learning_curve(
        curve, rivals={"TF-<i>IDF</i>": law(SIZES) - 0.2}, flat={"best <b>prompt</b>": 0.2}, metric="all_fields"
    )
    gain = curve.gain_from_doubling
    assert chart.layout.title.text.startswith(f"From 240 to 480 rows, expect {100 * gain.value:.0f} point")
    assert max(max(trace.x) for trace in chart.data) == 960
    marks = next(trace for trace in chart.data if trace.mode == "markers")
    assert list(marks.x) == list(SIZES) and list(marks.y) == [round(100 * score, 2) for score in curve.scores]
    means = next(trace for trace in chart.data if "IDF" in trace.name)
    assert list(means.x) == [10, 20, 40, 80, 120, 240] and means.name.startswith("TF-&lt;i&gt;")
    assert chart.layout.annotations[0].text == "best &lt;b&gt;prompt&lt;/b&gt;"
    assert "all fields" in chart.layout.yaxis.title.text and "4 times" in chart.layout.meta["sentence"]


def test_runs_without_a_law_are_drawn_without_a_line():
    scores = np.where(SIZES < 80, 0.1, 0.7) + np.random.default_rng(0).normal(0, 0.005, len(SIZES))
    chart = show.learning_curve(learning_curve.fit(SIZES, scores))
    assert "allow no forecast" in chart.layout.title.text
    assert [trace.mode for trace in chart.data] == ["markers"]
