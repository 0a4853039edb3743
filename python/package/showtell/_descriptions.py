"""Results: the description of a photo, its captions and their words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

import numpy


@dataclass(frozen=True)
class Word:
    """A word of a caption."""

    text: str
    """The word."""
    probability: float
    """Its probability after the words before it."""
    attention: numpy.ndarray[Any, numpy.dtype[numpy.float32]] = field(repr=False, compare=False)
    """The attention of the network, `[h, w]`: a weight for each cell of the grid; they sum to one."""


@dataclass(frozen=True)
class Tag:
    """A class that a photo probably shows, by the classifier that the encoder was made of."""

    name: str
    """Its name."""
    probability: float
    """Its probability by the classifier, which is not calibrated."""


@dataclass(frozen=True)
class Caption:
    """A caption with its probability."""

    text: str
    """The words, joined by spaces."""
    sentence: str = field(repr=False)
    """The caption as a sentence: with a capital letter and a full stop."""
    alt_text: str = field(repr=False)
    """The caption as an alt text: at most 125 characters, neutral words for people, and no "photo of"."""
    log_probability: float
    """The natural logarithm of the caption's probability."""
    score: float
    """The number by which captions are ordered; the greater, the better."""
    finished: bool = field(repr=False)
    """Whether the network ended it; else it was truncated at the maximum length."""
    words: tuple[Word, ...] = field(repr=False)
    """The words, with probability and attention."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Description:
    """What the model says of a photo. `str` of it is the best caption."""

    captions: tuple[Caption, ...] = field(repr=False)
    """The captions, the best first; never empty."""
    tags: Optional[tuple[Tag, ...]]
    """The probable classes by the classifier that the encoder was made of; None if it has none."""
    confidence: Optional[float]
    """The calibrated probability that the best caption is right; None for settings that the model was not calibrated for."""
    unfamiliar: bool
    """Whether the photo is unlike all training images. Only a neighbour index of all training images can tell; the bundled
    one has those of COCO alone, so that it is False there."""

    @property
    def text(self) -> str:
        """The best caption: its words, joined by spaces."""
        return self.captions[0].text

    @property
    def sentence(self) -> str:
        """The best caption as a sentence: with a capital letter and a full stop."""
        return self.captions[0].sentence

    @property
    def alt_text(self) -> str:
        """The best caption as an alt text: at most 125 characters, neutral words for people, and no "photo of"."""
        return self.captions[0].alt_text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        confidence = "" if self.confidence is None else f", confidence={self.confidence:.2f}"
        return f"Description({self.text!r}{confidence})"
