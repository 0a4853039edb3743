from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Union, final, overload

import numpy
import numpy.typing
from PIL.Image import Image as _Picture

__all__ = [
    "Caption",
    "Captioner",
    "DataError",
    "Description",
    "Error",
    "FeatureStore",
    "ImageError",
    "ModelError",
    "StoreError",
    "Tag",
    "Word",
    "__version__",
    "score",
    "tokenize",
]

__version__: str

_Path = Union[str, PathLike[str]]
_Image = Union[_Path, bytes, bytearray, memoryview, numpy.typing.NDArray[numpy.uint8], _Picture]
_Floats = numpy.typing.NDArray[numpy.float32]

class Error(Exception): ...
class ImageError(Error): ...
class ModelError(Error): ...
class StoreError(Error): ...
class DataError(Error): ...

@final
class Captioner:
    def __new__(
        cls,
        model: _Path | None = None,
        *,
        encoder: _Path | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        threads: int | None = None,
        views: Sequence[str] | None = None,
        neighbours: bool | _Path = True,
        max_pixels: int = 50_000_000,
    ) -> Captioner: ...
    @overload
    def caption(
        self,
        image: _Image,
        *,
        beam: int = 4,
        n_best: int = 1,
        min_length: int = 1,
        max_length: int = 24,
        errors: Literal["raise", "return"] = "raise",
    ) -> Description: ...
    @overload
    def caption(
        self,
        image: list[Any] | tuple[Any, ...],
        *,
        beam: int = 4,
        n_best: int = 1,
        min_length: int = 1,
        max_length: int = 24,
        errors: Literal["raise"] = "raise",
    ) -> list[Description]: ...
    @overload
    def caption(
        self,
        image: list[Any] | tuple[Any, ...],
        *,
        beam: int = 4,
        n_best: int = 1,
        min_length: int = 1,
        max_length: int = 24,
        errors: Literal["return"],
    ) -> list[Description | Exception]: ...
    @property
    def data_licence(self) -> str | None: ...
    @property
    def device(self) -> str: ...

@final
class Description:
    @property
    def text(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def alt_text(self) -> str: ...
    @property
    def confidence(self) -> float | None: ...
    @property
    def captions(self) -> list[Caption]: ...
    @property
    def tags(self) -> list[Tag] | None: ...
    @property
    def unfamiliar(self) -> bool: ...

@final
class Caption:
    @property
    def text(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    @property
    def alt_text(self) -> str: ...
    @property
    def log_probability(self) -> float: ...
    @property
    def score(self) -> float: ...
    @property
    def finished(self) -> bool: ...
    @property
    def words(self) -> list[Word]: ...

@final
class Word:
    @property
    def text(self) -> str: ...
    @property
    def probability(self) -> float: ...
    @property
    def attention(self) -> _Floats: ...

@final
class Tag:
    @property
    def name(self) -> str: ...
    @property
    def probability(self) -> float: ...

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
    def __contains__(self, name: str, /) -> bool: ...
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
