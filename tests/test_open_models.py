"""The shelf of open models: what stands on it is well-formed, and what is fetched is whole, checked and said before."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from model_hub import Hub, row

from helpers import assets, open_models
from helpers.errors import AssetError, ConsentError
from helpers.local_api.http.base_models import will_not_fit
from helpers.open_models import downloading, entries, fetching, sizing

TINY = "tiny-model"
REAL = entries.shelf()
SHAPES = json.loads((Path(__file__).parents[1] / "benchmarks" / "shapes.json").read_text())


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub with one model, a shelf that lists it, and a home of the test's own."""
    folder = tmp_path / "hub" / "org" / TINY
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"a": 1}')
    (folder / "tokenizer.json").write_text("{}" * 100)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 4000)  # 1 MB
    running = Hub(tmp_path / "hub")
    use_shelf(tmp_path, monkeypatch, row(TINY, f"org/{TINY}", folder))
    monkeypatch.setenv("KIT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KIT_MODEL_SOURCE", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(downloading, "WAIT", 0.01)
    yield running
    running.close()


def use_shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *rows: str) -> None:
    (tmp_path / "models.toml").write_text("\n".join(rows))
    monkeypatch.setattr(entries, "TABLE", tmp_path / "models.toml")
    entries.shelf.cache_clear()


@pytest.fixture(autouse=True)
def the_real_shelf_comes_back():
    yield
    entries.shelf.cache_clear()


def same(place: Path, hub: Hub) -> bool:
    source = hub.folder / "org" / TINY
    return all((place / file.name).read_bytes() == file.read_bytes() for file in source.iterdir())


# The shelf ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", REAL, ids=lambda model: model.name)
def test_a_row_is_well_formed(model: open_models.OpenModel):
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", model.name) and re.fullmatch(r"[\w.-]+/[\w.-]+", model.hub)
    assert re.fullmatch(r"[0-9a-f]{40}", model.revision), "a commit, not a branch that moves"
    for file in model.files:
        assert not file.sha256 or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert "/" not in file.name and not file.name.endswith((".bin", ".pt", ".pkl", ".py")), "no code"
    assert model.template in ("kit's", "its own") and model.engine in ("layer by layer", "as a whole")
    assert date(2026, 1, 1) <= model.as_of <= max(date.today(), date(2026, 11, 30))
    assert model.embedding % model.width == 0 and model.embedding < model.parameters
    assert bool(model.consent) == (model.licence not in ("Apache-2.0", "MIT")) or model.consent
    weights = sum(file.bytes for file in model.files if file.name.endswith(".safetensors"))
    assert not weights or weights == pytest.approx(model.parameters * 2, rel=0.3), "bf16"


def test_the_numbers_of_the_shelf_are_those_of_the_architectures():
    """Built from the families' configurations without a byte of memory; the shapes are their published ones."""
    code = """
import json, torch, transformers as t
shapes = json.loads(__import__("sys").argv[1])
for name, (config, model, shape) in shapes.items():
    with torch.device("meta"):
        made = getattr(t, model)(getattr(t, config)(tie_word_embeddings=True, **shape))
    print(json.dumps([name, sum(p.numel() for p in made.parameters()), made.lm_head.weight.numel()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(SHAPES)], capture_output=True, text=True, check=True
    ).stdout
    for name, parameters, embedding in map(json.loads, done.splitlines()):
        model = next(one for one in REAL if one.name == name)
        assert (model.parameters, model.embedding) == (parameters, embedding), name
        shape = SHAPES[name][2]
        assert (model.layers, model.width) == (shape["num_hidden_layers"], shape["hidden_size"])
    assert set(SHAPES) == {model.name for model in REAL}


def test_the_table_says_what_there_is(hub: Hub):
    table = open_models.table()
    assert list(table.index) == [TINY] and not table.loc[TINY, "here"]
    open_models.fetch(TINY, source=hub.address)
    assert open_models.table().loc[TINY, "here"]
    assert [model.name for model in open_models.fetched()] == [TINY]


def test_the_lessons_own_model_is_an_entry_like_the_others():
    assert open_models.fetch("smollm2-135m-instruct") == assets.base_model()
    assert open_models.folder("smollm2-135m-instruct") == assets.base_model()
    assert open_models.damaged("smollm2-135m-instruct") == []


# Fetching -------------------------------------------------------------------------------------------------------------


def test_a_model_is_announced_fetched_and_checked(hub: Hub, capsys: pytest.CaptureFixture):
    place = open_models.fetch(TINY, source=hub.address)
    assert same(place, hub) and place == open_models.home() / TINY
    said = capsys.readouterr().err
    assert "Apache-2.0" in said and hub.address in said and "minutes at 50 Mbit/s" in said and "GB to answer" in said
    assert "Not pinned" not in said
    asked = len(hub.asked)
    assert open_models.fetch(TINY, source=hub.address) == place and len(hub.asked) == asked, "once"
    assert open_models.damaged(TINY) == []
    assert not list(open_models.home().glob("*.part"))


def test_a_broken_connection_goes_on_where_it_broke(hub: Hub):
    hub.cut_after = [300_000, 1, 400_000]
    assert same(open_models.fetch(TINY, source=hub.address), hub)
    spans = [span for path, span, _ in hub.asked if path.endswith("model.safetensors")]
    assert spans == [None, "bytes=300000-", "bytes=300001-", "bytes=700001-"]


def test_an_interrupted_fetch_goes_on_in_the_next_call(hub: Hub):
    hub.cut_after = [500_000] + [0] * 20
    with pytest.raises(AssetError, match="did not come whole.*goes on from here"):
        open_models.fetch(TINY, source=hub.address)
    assert open_models.folder(TINY) is None, "half a model is no model"
    assert (open_models.home() / f"{TINY}.part" / "model.safetensors").stat().st_size == 500_000
    hub.cut_after, hub.asked = [], []
    assert same(open_models.fetch(TINY, source=hub.address), hub)
    assert [(path.rpartition("/")[2], span) for path, span, _ in hub.asked] == [
        ("model.safetensors", "bytes=500000-"), ("tokenizer.json", None),
    ], "what was whole is not fetched again"  # fmt: skip


def test_a_server_without_ranges_is_asked_from_the_start(hub: Hub):
    hub.ranges, hub.cut_after = False, [300_000]
    assert same(open_models.fetch(TINY, source=hub.address), hub)


def test_leftovers_that_are_no_beginning_of_the_file_are_thrown_away(hub: Hub):
    coming = open_models.home() / f"{TINY}.part"
    coming.mkdir(parents=True)
    for size in (10, 1_024_000, 2_000_000):
        (coming / "model.safetensors").write_bytes(b"x" * size)
        assert same(open_models.fetch(TINY, source=hub.address), hub), size
        shutil.rmtree(open_models.home() / TINY)
        coming.mkdir()


def test_wrong_bytes_are_refused_and_nothing_of_them_stays(hub: Hub):
    hub.wrong = {"model.safetensors"}
    with pytest.raises(AssetError, match=r"model.safetensors.*wrong bytes.*sha256 \w{16}…, expected \w{16}…"):
        open_models.fetch(TINY, source=hub.address)
    assert not (open_models.home() / f"{TINY}.part" / "model.safetensors").exists()
    assert open_models.folder(TINY) is None
    hub.wrong = set()
    assert same(open_models.fetch(TINY, source=hub.address), hub)


def test_a_folder_can_play_the_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model = open_models.on_shelf(TINY)
    cached = f"models--org--{TINY}/snapshots/{model.revision}"
    for layout in (f"org/{TINY}", TINY, cached, ""):
        given = tmp_path / "usb" / (layout.replace("/", "-") or "flat")
        shutil.copytree(hub.folder / "org" / TINY, given / layout, dirs_exist_ok=True)
        monkeypatch.setenv("KIT_MODEL_SOURCE", str(given))
        assert same(open_models.fetch(TINY), hub), layout
        shutil.rmtree(open_models.home())
    assert not hub.asked, "and nothing else is asked"
    monkeypatch.setenv("KIT_MODEL_SOURCE", str(tmp_path / "empty"))
    with pytest.raises(AssetError, match="config.json of Tiny-Model cannot be had from .*KIT_MODEL_SOURCE"):
        open_models.fetch(TINY)


def test_the_variable_names_a_mirror(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KIT_MODEL_SOURCE", hub.address + "/")
    assert same(open_models.fetch(TINY), hub)
    assert hub.asked[0][0] == f"/org/{TINY}/resolve/{'c' * 40}/config.json"


def test_the_hubs_token_goes_to_the_hub_only(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    open_models.fetch(TINY, source=hub.address)
    assert {token for _, _, token in hub.asked} == {None}
    shutil.rmtree(open_models.home())
    monkeypatch.setattr(fetching, "HUB", hub.address)
    open_models.fetch(TINY)
    assert {token for _, _, token in hub.asked[-3:]} == {"Bearer hf_secret"}


def test_the_token_is_not_sent_on_to_where_the_hub_keeps_its_files(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    front = Hub(hub.folder)
    front.elsewhere, hub.cut_after = hub.address, [300_000]
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(fetching, "HUB", front.address)
    assert same(open_models.fetch(TINY), hub)
    front.close()
    assert {token for _, _, token in front.asked} == {"Bearer hf_secret"} and {token for *_, token in hub.asked} == {
        None
    }
    assert "bytes=300000-" in [span for _, span, _ in hub.asked]


def test_a_file_that_is_not_pinned_is_taken_as_it_comes_first_and_must_match_later(hub, tmp_path, monkeypatch, capsys):
    use_shelf(tmp_path, monkeypatch, row(TINY, f"org/{TINY}", hub.folder / "org" / TINY, pinned=False))
    open_models.fetch(TINY, source=hub.address)
    said = capsys.readouterr().err
    assert "Not pinned: config.json" in said and "trust on first use" in said
    shutil.rmtree(open_models.home() / TINY)
    assert same(open_models.fetch(TINY, source=hub.address), hub)
    shutil.rmtree(open_models.home() / TINY)
    hub.wrong = {"model.safetensors"}
    with pytest.raises(AssetError, match="wrong bytes.*which the first fetch recorded"):
        open_models.fetch(TINY, source=hub.address)


def test_a_whole_file_that_is_not_pinned_is_not_fetched_twice(hub, tmp_path, monkeypatch):
    use_shelf(tmp_path, monkeypatch, row(TINY, f"org/{TINY}", hub.folder / "org" / TINY, pinned=False))
    (hub.folder / "org" / TINY / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    with pytest.raises(AssetError, match="tokenizer.json .*cannot be had.*404"):
        open_models.fetch(TINY, source=hub.address)
    (tmp_path / "tokenizer.json").rename(hub.folder / "org" / TINY / "tokenizer.json")
    assert same(open_models.fetch(TINY, source=hub.address), hub)
    spans = [span for path, span, _ in hub.asked if path.endswith("model.safetensors")]
    assert spans == [None, "bytes=1024000-"]


def test_an_optional_file_may_be_missing(hub, tmp_path, monkeypatch):
    listed = row(TINY, f"org/{TINY}", hub.folder / "org" / TINY)
    use_shelf(tmp_path, monkeypatch, listed.replace("files = [", 'files = [{ name = "extra.json", optional = true },'))
    place = open_models.fetch(TINY, source=hub.address)
    assert same(place, hub) and not (place / "extra.json").exists()


def test_a_licence_that_asks_for_consent_gets_it_as_a_value(hub, tmp_path, monkeypatch):
    folder = hub.folder / "org" / TINY
    use_shelf(tmp_path, monkeypatch, row(TINY, f"org/{TINY}", folder, licence="Own Terms", consent="its Own Terms"))
    for accepted in ("", "yes", "Apache-2.0"):
        with pytest.raises(ConsentError, match="consent to its Own Terms.*accept_licence='Own Terms'.*--accept"):
            open_models.fetch(TINY, source=hub.address, accept_licence=accepted)
    assert not hub.asked and open_models.fetch(TINY, source=hub.address, accept_licence="Own Terms")


def test_a_gated_model_says_how_to_get_in(hub, tmp_path, monkeypatch):
    use_shelf(tmp_path, monkeypatch, row(TINY, f"org/{TINY}", hub.folder / "org" / TINY, gated=True))
    hub.refuse = 401
    with pytest.raises(AssetError, match=f"401.*accept it at https://huggingface.co/org/{TINY} and set HF_TOKEN"):
        open_models.fetch(TINY, source=hub.address)
    assert len(hub.asked) == 1, "asking again does not help"


def test_a_server_in_trouble_is_asked_again_and_then_named(hub: Hub):
    hub.refuse = 503
    with pytest.raises(AssetError, match="did not come whole.*503"):
        open_models.fetch(TINY, source=hub.address)
    assert len(hub.asked) == downloading.FRUITLESS_TRIES


def test_what_will_not_fit_memory_is_said_before_with_what_would(hub, tmp_path, monkeypatch):
    folder = hub.folder / "org" / TINY
    large = row("large-model", "org/large", folder, parameters=10**13)
    use_shelf(tmp_path, monkeypatch, row(TINY, f"org/{TINY}", folder), large)
    with pytest.raises(AssetError, match="will not fit this machine's memory.*would fit: tiny-model"):
        open_models.fetch("large-model", source=hub.address)
    assert not hub.asked and open_models.table().loc["large-model", "fits here"] == "no"


def test_what_will_not_fit_the_disk_is_said_before_with_what_would(hub, tmp_path, monkeypatch):
    free = shutil._ntuple_diskusage(total=10**12, used=0, free=fetching.SPARE_BYTES + 500_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(AssetError, match="will not fit the disk.*0.0 GB free.*Nothing on the shelf would fit"):
        open_models.fetch(TINY, source=hub.address)
    assert not hub.asked
    coming = open_models.home() / f"{TINY}.part"
    coming.mkdir()
    (coming / "model.safetensors").write_bytes((hub.folder / "org" / TINY / "model.safetensors").read_bytes()[:900_000])
    assert same(open_models.fetch(TINY, source=hub.address), hub), "what is there already needs no room"


def test_damage_is_found(hub: Hub):
    place = open_models.fetch(TINY, source=hub.address)
    content = (place / "model.safetensors").read_bytes()
    (place / "model.safetensors").write_bytes(content[:-1] + b"x")
    assert open_models.folder(TINY) and open_models.damaged(TINY) == ["model.safetensors"]
    (place / "model.safetensors").write_bytes(content[:-1])
    assert open_models.folder(TINY) is None, "by its size already"
    assert same(open_models.fetch(TINY, source=hub.address), hub)


def test_an_unknown_name_gets_the_list():
    with pytest.raises(AssetError, match="no model 'qwen9' on the shelf.*qwen3-0.6b"):
        open_models.fetch("qwen9")


def test_the_command_line(tmp_path: Path):
    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "helpers.open_models", *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    assert "qwen3-0.6b" in run().stdout
    asked = run("gemma-3-270m-it")
    assert asked.returncode == 1 and "asks for your consent" in asked.stderr
    nowhere = run("qwen3-0.6b", "--source", str(tmp_path))
    assert nowhere.returncode == 1 and "Qwen3-0.6B, 0.60 billion parameters, licence: Apache-2.0" in nowhere.stderr
    assert "cannot be had from" in nowhere.stderr


# What it needs --------------------------------------------------------------------------------------------------------


def test_needs_grow_with_the_model_and_the_recipe():
    for model in REAL:
        needed = sizing.needs(model)
        assert needed.prompt > model.parameters * 8 and needed.quick <= needed.thorough
        assert (needed.quick < needed.thorough) == model.layered, "a model that runs as a whole is trained as a whole"


def test_a_job_that_cannot_fit_is_refused_with_what_would(monkeypatch: pytest.MonkeyPatch):
    assert will_not_fit("smollm2-135m-instruct", "quick") == "" == will_not_fit("a-folder", "quick")
    monkeypatch.setattr(open_models, "memory_of_this_machine", lambda: 5 * 10**9)
    said = will_not_fit("qwen3-4b", "thorough")
    assert re.search(r"qwen3-4b \(thorough\) needs about \d+\.\d GB of memory, this machine has 5.0", said)
    assert "smollm2-360m-instruct" in said and "qwen3-1.7b" not in said


def test_minutes_follow_from_the_rate():
    slow, mixed = {"float32": 200.0, "bfloat16": 200.0}, {"float32": 200.0, "bfloat16": 400.0}

    def minutes(rates: dict = slow, tokens: int = 10**6, **how) -> float:
        return sizing.forecast("qwen3-0.6b", tokens=tokens, epochs=2, rates=rates, **how).minutes

    assert minutes(recipe="thorough") > 1.5 * minutes()
    assert minutes({name: 2 * rate for name, rate in slow.items()}) == pytest.approx(minutes() / 2, rel=0.01)
    assert minutes() / 2 < minutes(mixed) < minutes(), "what is not a product stays as it was"
    assert minutes(tokens=1) * 60 > sizing.START_SECONDS
    assert minutes({"float32": 200.0, "bfloat16": 250.0}) == minutes(), "too small a gain is not taken"
    said = sizing.forecast("qwen3-0.6b", tokens=10_000, epochs=2, rates=slow)
    assert "Qwen3-0.6B, quick: about" in said.sentence and f"{said.memory_gb:.1f} GB" in said.sentence


MEASURED = [  # benchmarks/LOG.md, "Larger open models": GFLOP/s, tokens, passes, tokens learned, seconds of one core
    ("smollm2-135m-instruct", 91.0, 186.0, 1159, 2, 390, 8.8),
    ("smollm2-360m-instruct", 91.0, 186.0, 1159, 2, 390, 20.0),
    ("qwen3-0.6b", 91.0, 186.0, 1159, 2, 390, 33.2),
    ("gemma-3-270m-it", 84.5, 180.9, 1127, 1, 390, 19.3),
    ("lfm2.5-350m", 83.7, 180.0, 580, 1, 199, 12.5),
]


@pytest.mark.parametrize("name, exact, rounded, tokens, epochs, learned, found", MEASURED)
def test_times_are_predicted_within_30_percent_of_what_was_measured(
    name, exact, rounded, tokens, epochs, learned, found
):
    said = sizing.forecast(
        name, tokens=tokens, epochs=epochs, rows=round(tokens / 72), answers=learned / tokens,
        rates={"float32": exact, "bfloat16": rounded},
    )  # fmt: skip
    assert said.minutes * 60 - sizing.START_SECONDS == pytest.approx(found, rel=0.3)
