from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Union, final

import numpy
import numpy.typing

from ._descriptions import Description

__all__ = [
    "DataError",
    "Error",
    "FeatureStore",
    "ImageError",
    "ModelError",
    "NativeCaptioner",
    "StoreError",
    "__version__",
    "score",
    "tokenize",
]

__version__: str

_Path = Union[str, PathLike[str]]
_Floats = numpy.typing.NDArray[numpy.float32]

class Error(Exception): ...
class ImageError(Error): ...
class ModelError(Error): ...
class StoreError(Error): ...
class DataError(Error): ...

@final
class NativeCaptioner:
    def __new__(
        cls,
        runtime: _Path | None,
        model: _Path,
        encoder: _Path | None,
        device: str,
        threads: int | None,
        views: Sequence[str],
        index: _Path | None,
        neighbours: bool,
        exact: bool,
        max_pixels: int,
    ) -> NativeCaptioner: ...
    def describe(
        self,
        images: Sequence[tuple[str, Any]],
        beam: int,
        n_best: int,
        min_length: int,
        max_length: int,
        no_repeat_ngram: int,
        double_words: bool,
    ) -> list[Description | Exception]: ...
    @property
    def data_licence(self) -> str | None: ...
    @property
    def device(self) -> str: ...
    @property
    def cuda_problem(self) -> str | None: ...
    @property
    def views(self) -> list[str]: ...

@final
class FeatureStore:
    def __new__(cls, path: _Path) -> FeatureStore: ...
    @property
    def path(self) -> Path: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def views(self) -> list[str]: ...
    @property
    def grid(self) -> tuple[int, int, int]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def encoder(self) -> str: ...
    @property
    def encoder_sha256(self) -> str: ...
    def read(self, names: Sequence[str]) -> _Floats: ...
    def __getitem__(self, name: str, /) -> _Floats: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    def __reduce__(self) -> tuple[type[FeatureStore], tuple[Path]]: ...

def score(
    references: Sequence[tuple[str, Sequence[str]]],
    hypotheses: Sequence[tuple[str, str]],
    resamples: int,
    seed: int,
) -> tuple[
    list[tuple[str, float]],
    list[tuple[str, list[float]]],
    list[tuple[str, list[tuple[str, float]]]],
    str,
]: ...
def tokenize(caption: str) -> list[str]: ...
