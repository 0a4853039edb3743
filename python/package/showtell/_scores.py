"""Scores of captions."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from . import _showtell

Id = Union[str, int]

MOST_RESAMPLES = 10_000


@dataclass(frozen=True)
class Scores(Mapping[str, float]):
    """Scores by name: BLEU-1 to BLEU-4 and ROUGE-L from 0 to 1, and CIDEr (CIDEr-D) from 0 to 10.

    `str` of it is a table of the scores times 100, as papers print them.

    Attributes:
        scores: The scores of the set.
        intervals: The 95 % interval of each score, by the bootstrap over images.
        per_image: The scores of each image, by its id.
    """

    scores: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_image: dict[Id, dict[str, float]] = field(repr=False)

    def __getitem__(self, name: str) -> float:
        return self.scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __str__(self) -> str:
        rows = []
        for name, value in self.scores.items():
            low, high = self.intervals[name]
            rows.append(f"{name:8}{100 * value:7.2f}  ({100 * low:.2f} to {100 * high:.2f})")
        return "\n".join(rows)


def score(
    references: Mapping[Any, Sequence[str]] | Sequence[Sequence[str]],
    hypotheses: Mapping[Any, str | Sequence[str]] | Sequence[str | Sequence[str]],
    *,
    resamples: int = 1000,
    seed: int = 1,
) -> Scores:
    """Score captions against references, equal to pycocoevalcap 1.2 and without Java.

    Args:
        references: The reference captions of each image by its id, or in a list.
        hypotheses: The caption of each image (or a list with it alone, as for pycocoevalcap), with the same ids or in the
            same order.
        resamples: Bootstrap resamples for the intervals.
        seed: The random seed of the resamples.

    Returns:
        The scores of the set and of each image, with intervals.

    Raises:
        DataError: The ids differ, an image has no reference, or more than one caption in a hundred is empty.
    """
    if isinstance(references, Mapping) != isinstance(hypotheses, Mapping):
        raise TypeError("references and hypotheses: give two mappings or two sequences")
    if not 1 <= resamples <= MOST_RESAMPLES:
        raise ValueError(f"resamples: {resamples} is not within 1 and {MOST_RESAMPLES}")
    if not isinstance(references, Mapping) and len(references) != len(hypotheses):
        raise _showtell.DataError(
            f"hypotheses: {len(hypotheses)} captions for {len(references)} lists of references\n  Give one caption of each image."
        )
    wanted = by_id(references)
    given = by_id(hypotheses)
    scores, intervals, images, skipped = _showtell.score(
        [(name, several(key, captions)) for name, key, captions in wanted],
        [(name, one(key, caption)) for name, key, caption in given],
        resamples,
        seed,
    )
    if skipped:
        warnings.warn(f"references: {skipped}", stacklevel=2)
    keys = {name: key for name, key, _ in given}
    return Scores(
        dict(scores),
        {name: (low, high) for name, (low, high) in intervals},
        {keys[name]: dict(scores) for name, scores in images},
    )


def by_id(captions: Mapping[Id, Any] | Sequence[Any]) -> list[tuple[str, Id, Any]]:
    """List the entries of a mapping or a sequence: the name of the id in messages, the id, the entry."""
    entries: Iterable[tuple[Id, Any]]
    if isinstance(captions, Mapping):
        entries = captions.items()
    elif isinstance(captions, str):
        raise TypeError("references and hypotheses: a str is not a list of captions")
    else:
        entries = enumerate(captions)
    return [(unicodedata.normalize("NFC", str(key)), key, entry) for key, entry in entries]


def one(key: Id, caption: Any) -> str:
    """Take a caption, or the only caption of a list."""
    if isinstance(caption, str):
        return caption
    if isinstance(caption, Sequence) and len(caption) == 1 and isinstance(caption[0], str):
        return caption[0]
    raise TypeError(f"hypotheses: {key!r}: {caption!r:.80} is not a str or a list of one str")


def several(key: Id, captions: Any) -> list[str]:
    """Take the captions of a list."""
    is_list = isinstance(captions, Sequence) and not isinstance(captions, str)
    if not is_list or not all(isinstance(caption, str) for caption in captions):
        raise TypeError(f"references: {key!r}: {captions!r:.80} is not a list of str")
    return list(captions)
