"""``/v1/embeddings`` through the official client: the vectors that the kit's classifiers use, and refusals."""

from __future__ import annotations

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openai
import pytest
from running_api import Api

from helpers import assets
from helpers.evaluate.baselines.embedding import embed

MODEL = "all-minilm-l6-v2"
TEXTS = ["Where is my parcel 12345?", "Hi", "Der Hund schläft 🙂", "word " * 200, " "] * 9


@pytest.fixture(scope="module")
def client(local_api: Api) -> openai.OpenAI:
    assets.embedder()
    return local_api.client()


def test_vectors_are_those_of_the_classifiers(client: openai.OpenAI):
    usual = openai.OpenAI(api_key=client.api_key, base_url=client.base_url)  # a strict client checks before it unpacks
    found = usual.embeddings.create(model=MODEL, input=TEXTS)  # as base64, unless it is told otherwise
    plain = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
    expected, _ = embed(TEXTS)
    assert [one.index for one in found.data] == list(range(len(TEXTS))) and found.model == MODEL
    assert np.allclose([one.embedding for one in found.data], expected, atol=1e-5)
    assert np.allclose([one.embedding for one in plain.data], expected, atol=1e-5)
    assert np.allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-5)
    one = client.embeddings.create(model=MODEL, input="Hi", dimensions=384, encoding_format="float")
    assert (one.usage.prompt_tokens, one.usage.total_tokens) == (3, 3)  # the word between its two marks
    assert one.data[0].embedding == pytest.approx(list(expected[1]), abs=1e-5)


def test_it_is_listed_and_cannot_chat_be_tuned_or_deleted(client: openai.OpenAI):
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL
    hello = [{"role": "user", "content": "Hi"}]
    with pytest.raises(openai.BadRequestError, match="embeds texts .POST /v1/embeddings."):
        client.chat.completions.create(model=MODEL, messages=hello)
    with pytest.raises(openai.APIStatusError) as refused:
        client.models.delete(MODEL)
    assert refused.value.status_code == 403


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"input": ""}, "at least 1 character"),
        ({"input": []}, "at least 1 item"),
        ({"input": ["a", ""]}, r"input.*1.*at least 1 character"),
        ({"input": [1, 2, 3]}, "tokens of another model"),
        ({"input": [[1, 2], [3]]}, "tokens of another model"),
        ({"input": ["fine", "word " * 400, "x " * 300]}, r"2 of 3 texts are too long, input\[1\] the first"),
        ({"input": "x" * 10_000_000}, "10,000,000 characters"),
        ({"input": ["a"] * 2049}, "at most 2048"),
        ({"dimensions": 128}, "384 dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"input": {"text": "a"}}, "input"),
    ],
)
def test_refusals(client: openai.OpenAI, asked, said):
    with pytest.raises(openai.BadRequestError, match=said):
        client.embeddings.create(**{"model": MODEL, "input": "Hi", **asked})


def test_another_model_does_not_embed(client: openai.OpenAI):
    with pytest.raises(openai.NotFoundError, match=r"smollm2-135m-instruct.*all-minilm-l6-v2. does"):
        client.embeddings.create(model="smollm2-135m-instruct", input="Hi")


def test_a_long_list_holds_up_no_short_one(client: openai.OpenAI):
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(client.embeddings.create, model=MODEL, input=["word " * 200] * 128, encoding_format="float")
        for _ in range(3):
            client.embeddings.create(model=MODEL, input="Hi", encoding_format="float")
        assert not long.done(), "three short ones were answered while the long one was under way"
        assert len(long.result().data) == 128


def test_long_lists_hold_up_no_other_call(client: openai.OpenAI):
    """Forty threads serve files, jobs and models: embeddings wait elsewhere."""
    with ThreadPoolExecutor(64) as pool:
        long = [pool.submit(client.embeddings.create, model=MODEL, input=["word " * 60] * 64, encoding_format="float")
                for _ in range(60)]  # fmt: skip
        began = time.monotonic()
        assert client.models.list().data
        assert time.monotonic() - began < 5 and not all(one.done() for one in long)
        for one in long:
            one.cancel()


def test_damaged_weights_are_named_and_not_downloaded(tmp_path):
    home = tmp_path / "damaged"
    (home / "assets").mkdir(parents=True)
    shutil.copytree(assets.folder() / MODEL, home / "assets" / MODEL)
    with open(home / "assets" / MODEL / "config.json", "a") as file:
        file.write(" ")
    api = Api(tmp_path / "home", wrapper=["env", f"KIT_HOME={home}"]).start()
    try:
        with pytest.raises(openai.InternalServerError, match="or damaged. Fetch them"):
            api.client().embeddings.create(model=MODEL, input="Hi")
    finally:
        api.process.terminate()
        api.process.wait(20)


def test_weights_that_are_not_there_are_named_and_not_downloaded(tmp_path):
    environment = [f"KIT_HOME={tmp_path / 'bare'}"]
    api = Api(tmp_path / "home", wrapper=["env", *environment]).start()
    try:
        client = api.client()
        assert MODEL not in [model.id for model in client.models.list()]
        with pytest.raises(openai.InternalServerError, match="helpers.assets --all"):
            client.embeddings.create(model=MODEL, input="Hi")
        assert not os.path.exists(tmp_path / "bare" / "assets" / MODEL)
    finally:
        api.process.terminate()
        api.process.wait(20)
