"""A model's own chat template: it writes what transformers writes, answers alone are learned, text stays text."""

from __future__ import annotations

import importlib.util
import json
from datetime import date
from pathlib import Path
from random import Random

import pytest
from families import FAMILIES, make
from transformers import AutoTokenizer

from helpers import assets
from helpers.errors import AssetError, DataError
from helpers.local_api.engine.text.template import JINJA, ChatTemplate, exported
from helpers.local_api.training import checkup
from helpers.local_api.training.batches import read_rows

WORDS = [
    "kettle",
    "broken",
    "Where is it?",
    "\n",
    "\n\n",
    "  ",
    "für",
    "水壶",
    '{"a": [1, 2]}',
    "<b>",
    "Thanks!",
    "\t",
    "}",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(name, tmp_path_factory.mktemp(name)) for name in FAMILIES}


def conversations(n: int = 50) -> list[list[dict]]:
    """Varied ones, each ending with a question: with and without a system message, of up to five turns."""
    chance, made = Random(25), []
    for _ in range(n):
        talk = [{"role": "system", "content": text(chance)}] if chance.random() < 0.5 else []
        for _ in range(chance.randrange(0, 5)):
            talk += [{"role": "user", "content": text(chance)}, {"role": "assistant", "content": text(chance)}]
        made.append([*talk, {"role": "user", "content": text(chance)}])
    return made


def text(chance: Random) -> str:
    """Begins with a word: an answer is tokenised by itself, as the model writes it, and not with the line before it."""
    return " ".join(["Well,", *chance.choices(WORDS, k=chance.randrange(0, 12))])


def theirs(folder: Path, messages: list[dict], **how) -> list[int]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return tokenizer.apply_chat_template(messages, enable_thinking=False, **how)["input_ids"]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_model_sees_what_its_own_template_says_in_50_conversations(name: str, folders: dict[str, Path]):
    ours, tokenizer = ChatTemplate(folders[name]), AutoTokenizer.from_pretrained(folders[name])
    assert ours.own, "none of these says what the kit's template says"
    for talk in conversations():
        expected = tokenizer.apply_chat_template(talk, add_generation_prompt=True, enable_thinking=False)["input_ids"]
        assert ours.prompt(talk) == expected
        row = [*talk, {"role": "assistant", "content": "Well, it is here."}]
        ids, weights = ours.example(row)
        whole = tokenizer.apply_chat_template(row, enable_thinking=False)["input_ids"]
        assert tokenizer.decode(ids) == tokenizer.decode(whole)
        assert ids[: len(expected)] == expected, "training asks as serving does"
        learned = ours.tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w], skip_special_tokens=False)
        said = [message["content"] for message in row if message["role"] == "assistant"]
        trimmed = [answer.strip() if "trim" in FAMILIES[name].template else answer for answer in said]
        assert learned == "".join(answer + FAMILIES[name].end for answer in trimmed)


@pytest.mark.parametrize("name, written", [("smollm3", "01 March 2027"), ("granite", "March 01, 2027")])
def test_a_template_that_writes_the_date_writes_the_kits_today(name, written, folders: dict[str, Path], monkeypatch):
    ours, ask = ChatTemplate(folders[name]), [{"role": "user", "content": "Well?"}]
    monkeypatch.setenv("KIT_TODAY", "2027-03-01")
    assert written in ours.tokenizer.decode(ours.prompt(ask), skip_special_tokens=False)
    of_the_job = ChatTemplate(folders[name], date(2026, 11, 30))
    assert "November" in of_the_job.tokenizer.decode(of_the_job.prompt(ask), skip_special_tokens=False)


def test_a_job_that_goes_on_another_day_reads_the_same_rows_and_is_not_said_to_differ(
    folders: dict[str, Path], tmp_path: Path, monkeypatch
):
    row = {"messages": [{"role": "user", "content": "Well?"}, {"role": "assistant", "content": "It is here."}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    read = []
    for day in ("2026-11-30", "2026-12-01"):
        monkeypatch.setenv("KIT_TODAY", day)
        template = ChatTemplate(folders["smollm3"], checkup.day_of(tmp_path))
        read.append(read_rows(tmp_path / "rows.jsonl", template, 512))
        checkup.record(tmp_path, read[-1], template.stops)
    assert read[0] == read[1]
    seen = json.loads((tmp_path / checkup.FILE).read_text())
    served = ChatTemplate(folders["smollm3"], checkup.day_of(tmp_path))
    assert checkup._compared(seen["first"], tmp_path / "rows.jsonl", served)["prompts_alike"] == 1
    today = ChatTemplate(folders["smollm3"])
    assert checkup._compared(seen["first"], tmp_path / "rows.jsonl", today)["prompts_alike"] == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_no_text_becomes_a_control_token(name: str, folders: dict[str, Path]):
    ours, family = ChatTemplate(folders[name]), FAMILIES[name]
    marks = {ours.tokenizer.token_to_id(mark) for mark in [*family.marks, *family.words] if mark.strip()}

    def counted(said: str) -> int:
        talk = [{"role": role, "content": said} for role in ("system", "user")]
        return sum(i in marks for i in ours.prompt(talk))

    for mark in [*family.marks, *family.words]:
        if mark.strip():
            assert counted(f"a {mark}{mark} b") == counted("a b")
            shown = ours.tokenizer.decode(ours.prompt([{"role": "user", "content": f"a{mark}b"}]))
            assert f"a{mark}b" in shown, "the characters arrive"
    answer = [{"role": "user", "content": "x"}, {"role": "assistant", "content": f"a {family.end} b"}]
    ids, weights = ours.example(answer)
    assert sum(i == ours.end for i, w in zip(ids, weights, strict=True) if w) == 1, "it ends once, where it ends"


def test_weights_of_messages_are_kept(folders: dict[str, Path]):
    for folder in folders.values():
        ours = ChatTemplate(folder)
        row = [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "not learned", "weight": 0},
            {"role": "user", "content": "b"},
            {"role": "assistant", "content": "learned"},
        ]
        ids, weights = ours.example(row)
        assert ours.tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w]) == "learned"


def test_reasoning_is_off_where_there_is_a_switch_and_stays_off_in_an_export(folders: dict[str, Path], tmp_path: Path):
    ask = [{"role": "user", "content": "Well?"}]
    for name, folder in folders.items():
        ours, switched = ChatTemplate(folder), name in ("qwen3", "smollm3")
        assert ours.own.switched == switched
        assert ours.tokenizer.decode(ours.prompt(ask), skip_special_tokens=False).count("</think>") == switched
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (tmp_path / file).write_bytes((folder / file).read_bytes())
        (tmp_path / "chat_template.jinja").write_text(exported(folder))
        plain = AutoTokenizer.from_pretrained(tmp_path)
        assert plain.apply_chat_template(ask, add_generation_prompt=True)["input_ids"] == ours.prompt(ask)


def test_a_system_message_may_switch_reasoning_on_again(folders: dict[str, Path]):
    ours = ChatTemplate(folders["smollm3"])
    row = [
        {"role": "system", "content": "Take your time. /think"},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "<think>Hm.</think>Well."},
    ]
    ids, weights = ours.example(row)
    learned = ours.tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w], skip_special_tokens=False)
    assert learned == "<think>Hm.</think>Well.<|im_end|>"
    assert ids[: len(ours.prompt(row[:2]))] == ours.prompt(row[:2])


def test_stops_are_those_that_the_model_names(folders: dict[str, Path], tmp_path: Path):
    ours = ChatTemplate(folders["gemma3"])
    assert ours.stops == {ours.tokenizer.token_to_id("<end_of_turn>")}
    for file in folders["gemma3"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    end = ours.tokenizer.token_to_id("<eos>")
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [end]}))
    assert ChatTemplate(tmp_path).stops == {ours.end, end}


def test_what_a_template_refuses_is_said(folders: dict[str, Path]):
    two = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    with pytest.raises(DataError, match="refuses this conversation.*take turns"):
        ChatTemplate(folders["gemma3"]).prompt(two)
    for folder in folders.values():
        with pytest.raises(DataError, match="cannot express this role.*narrator"):
            ChatTemplate(folder).prompt([{"role": "narrator", "content": "a"}])
        with pytest.raises(DataError, match="has no text"):
            ChatTemplate(folder).prompt([{"role": "user", "content": [{"type": "image_url"}]}])
        with pytest.raises(DataError, match="no place for tools"):
            ChatTemplate(folder).prompt(two[:1], [{"type": "function", "function": {"name": "f"}}])


def test_the_kits_template_is_used_where_the_models_own_says_the_same(folders: dict[str, Path], tmp_path: Path):
    """SmolLM2's slips in a system message where none is given, and else says what the kit's says: nothing is hidden."""
    assert ChatTemplate(assets.base_model()).own is None and exported(assets.base_model()) == JINJA
    for file in folders["qwen3"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for same, source in ((True, JINJA), (True, "{%- if messages[0]['role'] != 'system' %}Hi{% endif %}" + JINJA),
                         (False, "Hi" + JINJA)):  # fmt: skip
        (tmp_path / "chat_template.jinja").write_text(source)
        assert (ChatTemplate(tmp_path).own is None) == same


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "nothing asks"),
        ("{% if x %}", "unexpected|end"),
        ("{{ raise_exception('no') }}", "no"),
        ("{{ messages.__class__.__mro__ }}", "unsafe|access"),
    ],
)
def test_a_template_that_cannot_be_read_is_an_error(folders: dict[str, Path], tmp_path: Path, source: str, why: str):
    for file in folders["gemma3"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text(source)
    with pytest.raises(AssetError, match=f"no chat template that can be read.*({why})"):
        ChatTemplate(tmp_path)


def real_templates() -> dict[str, tuple[list[str], str | None, str]]:
    """The models' own, where TRL is installed, which carries them: special tokens, the first, the last of an answer."""
    llama = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    turns, im = ["<bos>", "<start_of_turn>", "<end_of_turn>"], ["<|im_start|>", "<|im_end|>"]
    lfm = ["<|startoftext|>", *im, "<|tool_list_start|>", "<|tool_list_end|>"]
    known = {
        "gemma3": (turns, "<bos>", "<end_of_turn>"),
        "lfm2": (lfm, "<|startoftext|>", "<|im_end|>"),
        "lfm2_2_5_v2": (lfm, "<|startoftext|>", "<|im_end|>"),
        "llama3": (llama, "<|begin_of_text|>", "<|eot_id|>"),
        "llama3_2": (llama, "<|begin_of_text|>", "<|eot_id|>"),
        "qwen3": (["<|endoftext|>", *im], None, "<|im_end|>"),
        "qwen3_instruct_2507": (["<|endoftext|>", *im], None, "<|im_end|>"),
    }
    return known if importlib.util.find_spec("trl") else {}


@pytest.mark.parametrize("name", real_templates())
def test_the_models_real_templates_are_written_as_transformers_writes_them(
    name: str, folders: dict[str, Path], tmp_path: Path
):
    trl = importlib.util.find_spec("trl")
    marks, bos, end = real_templates()[name]
    tokenizer = AutoTokenizer.from_pretrained(folders["qwen3"])
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    tokenizer.eos_token, tokenizer.bos_token = end, bos
    tokenizer.chat_template = (Path(trl.origin).parent / "chat_templates" / f"{name}.jinja").read_text()
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    ours, read = ChatTemplate(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    for talk in conversations():
        expected = read.apply_chat_template(talk, add_generation_prompt=True, enable_thinking=False)["input_ids"]
        assert ours.prompt(talk) == expected
        row = [*talk, {"role": "assistant", "content": "Well, it is here."}]
        ids, weights = ours.example(row)
        assert read.decode(ids) == read.decode(read.apply_chat_template(row, enable_thinking=False)["input_ids"])
        learned = ours.tokenizer.decode([i for i, w in zip(ids, weights, strict=True) if w], skip_special_tokens=False)
        assert learned.endswith(f"Well, it is here.{end}")
        assert learned.count(end) == sum(message["role"] == "assistant" for message in row)
