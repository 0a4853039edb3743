"""Scores and tokens, compared with those of the reference scorer."""

import json

import pytest
import showtell
from showtell import score, tokenize


@pytest.fixture(scope="session", params=["human_dev", "shuffled_dev", "truncated_dev"])
def golden(request, shared):
    return json.loads((shared / "metrics" / f"{request.param}.json").read_text())


def test_scores_equal_the_reference(golden):
    images = golden["images"]
    references = {image["id"]: image["references"] for image in images}
    hypotheses = {image["id"]: image["hypothesis"] for image in images}
    scores = score(references, hypotheses, resamples=100)
    for name in scores:
        assert scores[name] == pytest.approx(golden["scores"][name], abs=1e-9), name
        low, high = scores.intervals[name]
        assert low <= scores[name] <= high
    for image, expected in golden["per_image"].items():
        for name, value in expected.items():
            assert scores.per_image[image][name] == pytest.approx(value, abs=1e-6), (image, name)
    in_lists = score(list(references.values()), [[caption] for caption in hypotheses.values()], resamples=10)
    assert in_lists.scores == pytest.approx(scores.scores)
    assert list(scores) == ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"]
    assert f"CIDEr   {100 * scores['CIDEr']:7.2f}" in str(scores)


def test_tokens_equal_the_reference(shared):
    for entry in json.loads((shared / "metrics" / "tokenizer.json").read_text()):
        assert " ".join(tokenize(entry["text"])) == entry["tokens"]


def test_ids_may_be_numbers():
    scores = score({10: ["A dog runs."], 9: ["A cat sits."]}, {9: "a cat sits", 10: ["a dog runs"]})
    assert scores["BLEU-1"] == pytest.approx(1) and set(scores.per_image) == {9, 10}


def test_empty_references_are_reported():
    with pytest.warns(UserWarning, match="references: 1 skipped: empty caption"):
        scores = score({"a": ["A dog.", " "]}, {"a": "a dog"})
    assert scores["BLEU-1"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("references", "hypotheses", "error", "said"),
    [
        ({}, {}, showtell.DataError, "no id in it"),
        ({"a": ["x"]}, {"b": "x"}, showtell.DataError, "missing, but has references: `a`"),
        ({"a": []}, {"a": "x"}, showtell.DataError, "the list is empty: `a`"),
        ({1: ["x"], "1": ["x"]}, {1: "x"}, showtell.DataError, "occurs twice: `1`"),
        ({"a": "x"}, {"a": "x"}, TypeError, "'a': 'x' is not a list of str"),
        ({"a": [1]}, {"a": "x"}, TypeError, "is not a list of str"),
        ({"a": ["x"]}, {"a": ["x", "y"]}, TypeError, "is not a str or a list of one str"),
        ([["x"]], ["x", "y"], showtell.DataError, "2 captions for 1 lists of references"),
        ({"a": ["x"]}, ["x"], TypeError, "two mappings or two sequences"),
        (["x"], "x", TypeError, "a str is not a list"),
        ([["x"]], [" "], showtell.DataError, "empty caption"),
    ],
)
def test_what_cannot_be_scored_is_refused(references, hypotheses, error, said):
    with pytest.raises(error, match=said):
        score(references, hypotheses)


def test_the_bootstrap_follows_its_settings():
    references = [[f"a {word} runs", f"one {word} is here"] for word in ["dog", "cat", "man", "bird"]]
    captions = ["a dog runs", "a cat", "here", "a bird is here"]
    first = score(references, captions, resamples=50, seed=3)
    assert first.intervals == score(references, captions, resamples=50, seed=3).intervals
    assert first.intervals != score(references, captions, resamples=50, seed=4).intervals
    with pytest.raises(ValueError, match="resamples: 0"):
        score(references, captions, resamples=0)
