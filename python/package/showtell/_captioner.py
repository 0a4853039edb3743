"""The captioner."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional, Union, overload

from . import _parts, _showtell
from ._descriptions import Description

StrPath = Union[str, "os.PathLike[str]"]
"""A path."""

if TYPE_CHECKING:
    import numpy
    from PIL.Image import Image as Picture

    Image = Union[StrPath, bytes, bytearray, memoryview, "numpy.typing.NDArray[numpy.uint8]", Picture]

MAX_PIXELS = 50_000_000
"""The default of `max_pixels`."""
BATCH = 8
"""Number of images of a list that are in memory at one time."""
MOST = 100
"""The largest beam, and the most words of a caption."""
DEVICES = ("auto", "cpu", "cuda")
VIEWS = ("original", "flip", "top-left", "top-right", "bottom-left", "bottom-right")


class Running:
    """The calls that are running. The interpreter must not end before them: ONNX Runtime would go away under their feet."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.count = 0
        self.is_over = False

    def __enter__(self) -> None:
        with self.changed:
            if self.is_over and threading.current_thread() is threading.main_thread():
                raise RuntimeError("Captioner: the interpreter is shutting down")
            # A daemon thread, which could not even print an error now: it ends with the process.
            self.changed.wait_for(lambda: not self.is_over)
            self.count += 1

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.count -= 1
            self.changed.notify_all()

    def finish(self) -> None:
        """Wait for the calls that are running, and begin no others."""
        if process != os.getpid():
            # A forked process has the counts of its parent, and none of the threads that would end the calls.
            return
        with self.changed:
            self.is_over = True
            self.changed.wait_for(lambda: self.count == 0)


running = Running()
atexit.register(running.finish)

# The process that started the threads of the networks. A process that is forked from it has none of them.
process: Optional[int] = None


class Captioner:
    """Captions photos: an encoder, a decoder and a vocabulary that belong together. Threads may share it.

    Args:
        model: The model folder, as `showtell train` writes it; the model of the package by default.
        encoder: The encoder, if it is neither in the model folder nor in the folder above it.
        device: "auto", "cpu" or "cuda".
        threads: Threads of its own; by default all captioners share one for each core.
        views: Views of a photo whose word probabilities are averaged, such as ["original", "flip"]; those of the model by
            default. The original is always one of them.
        neighbours: The file of a neighbour index, True for that of the model, False for none.
        exact: Multiply 32-bit floats in the search on all processors. By default those with VNNI multiply 8-bit integers, which
            is faster with one view; about one caption in 25 differs.
        max_pixels: The most pixels of a photo. Decoding takes about 6 bytes for each, and the images of a list are decoded by
            one thread for each core.

    Raises:
        ModelError: A part is missing, damaged or of another model, or the device is not available.
        ValueError: A setting is out of its range.
        RuntimeError: This process was forked from one that has a captioner.
    """

    def __init__(
        self,
        model: Optional[StrPath] = None,
        *,
        encoder: Optional[StrPath] = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        threads: Optional[int] = None,
        views: Optional[Sequence[str]] = None,
        neighbours: Union[bool, StrPath] = True,
        exact: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        check_name("device", device, DEVICES)
        if threads is not None:
            check_range("threads", threads, 1, 1024)
        check_range("max_pixels", max_pixels, 1, 2**40)
        if isinstance(views, str):
            raise TypeError(f"views: {views!r} is not a list of names, such as [{views!r}]")
        if views is not None and not views:
            raise ValueError("views: the list is empty; None is for those of the model")
        for view in views or []:
            check_name("views", view, VIEWS)
        check_process()
        index = None if isinstance(neighbours, bool) else os.fspath(neighbours)
        self._folder = Path(_parts.model() if model is None else model)
        self._native = _showtell.NativeCaptioner(
            _parts.runtime(),
            self._folder,
            None if encoder is None else os.fspath(encoder),
            device,
            threads,
            list(views or []),
            index,
            neighbours is not False,
            exact,
            max_pixels,
        )
        problem = self._native.cuda_problem
        if problem is not None:
            warnings.warn(
                f'device="auto": {problem}: the encoder runs on the CPU, which takes longer',
                RuntimeWarning,
                stacklevel=2,
            )

    @overload
    def caption(
        self,
        image: Union[list[Any], tuple[Any, ...]],
        *,
        beam: int = ...,
        n_best: int = ...,
        min_length: int = ...,
        max_length: int = ...,
        no_repeat_ngram: int = ...,
        double_words: bool = ...,
        errors: Literal["raise"] = ...,
    ) -> list[Description]: ...
    @overload
    def caption(
        self,
        image: Union[list[Any], tuple[Any, ...]],
        *,
        beam: int = ...,
        n_best: int = ...,
        min_length: int = ...,
        max_length: int = ...,
        no_repeat_ngram: int = ...,
        double_words: bool = ...,
        errors: Literal["return"],
    ) -> list[Union[Description, Exception]]: ...
    @overload
    def caption(
        self,
        image: Image,
        *,
        beam: int = ...,
        n_best: int = ...,
        min_length: int = ...,
        max_length: int = ...,
        no_repeat_ngram: int = ...,
        double_words: bool = ...,
    ) -> Description: ...
    def caption(
        self,
        image: Any,
        *,
        beam: int = 4,
        n_best: int = 1,
        min_length: int = 1,
        max_length: int = 24,
        no_repeat_ngram: int = 0,
        double_words: bool = True,
        errors: str = "raise",
    ) -> Any:
        """Caption an image, or each image of a list.

        An image is a path (`str` or `os.PathLike`), the bytes of a file, a file that is open for reading bytes, a picture of
        Pillow, or an array of uint8: [H, W, 3] in RGB, [H, W, 4] with alpha, or [H, W] in grey. Images of a list are read eight
        at a time.

        Args:
            image: The image, or a list or tuple of images.
            beam: Captions kept at each step of the search; at least as many as a neighbour index chooses from, which are 10
                with the bundled one.
            n_best: Captions for each image, at most `beam`.
            min_length: The fewest words of a caption.
            max_length: The most words of a caption.
            no_repeat_ngram: Block repeated n-grams of this size; 0 for none.
            double_words: Whether a word may follow itself.
            errors: For a list: "raise" ends at the first image that cannot be used, "return" puts its exception in the place
                of its description.

        Returns:
            The description of the image, or a list with that of each image.

        Raises:
            OSError: A file cannot be read.
            ImageError: An image cannot be used.
            ModelError: A network failed.
            ValueError: A setting is out of its range.
            TypeError: An image is of another type.
        """
        check_process()
        lengths = {"beam": beam, "n_best": n_best, "min_length": min_length, "max_length": max_length}
        for name, value in lengths.items():
            check_range(name, value, 1, MOST)
        check_range("no_repeat_ngram", no_repeat_ngram, 0, MOST)
        check_name("errors", errors, ("raise", "return"))
        if n_best > beam:
            raise ValueError(f"n_best={n_best} needs beam={n_best} or more")
        if min_length >= max_length:
            raise ValueError(f"min_length={min_length} needs max_length={min_length + 1} or more")
        search = (beam, n_best, min_length, max_length, no_repeat_ngram, double_words)
        if not isinstance(image, (list, tuple)):
            if errors != "raise":
                raise ValueError('errors: "return" is for a list of images')
            with running:
                return raised(self._native.describe([("image", image)], *search)[0])
        described: list[Union[Description, Exception]] = []
        for start in range(0, len(image), BATCH):
            batch = image[start : start + BATCH]
            named = [(f"image {start + at}", one) for at, one in enumerate(batch)]
            with running:
                found = self._native.describe(named, *search)
            described.extend(found if errors == "return" else map(raised, found))
        return described

    @property
    def model(self) -> Path:
        """The model folder."""
        return self._folder

    @property
    def views(self) -> list[str]:
        """The views of a photo, the original first."""
        return self._native.views

    @property
    def device(self) -> str:
        """The device of the encoder: "cpu" or "cuda"."""
        return self._native.device

    @property
    def data_licence(self) -> Optional[str]:
        """The licence of the data that the model was trained on, and what it asks for; None if it is not recorded."""
        return self._native.data_licence

    def __repr__(self) -> str:
        return f"Captioner({str(self.model)!r}, device={self.device!r})"


def raised(found: Union[Description, Exception]) -> Description:
    """Return a description, or raise the exception in its place."""
    if isinstance(found, Exception):
        raise found
    return found


def check_process() -> None:
    """Refuse to wait for threads that a fork has left behind."""
    global process
    if process is None:
        process = os.getpid()
    if process != os.getpid():
        raise RuntimeError(
            "Captioner: this process was forked from one that has a captioner, whose threads it lacks\n"
            '  Make captioners in the workers alone, or start them by multiprocessing.get_context("spawn").'
        )


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Refuse a number outside its range."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {value!r} is not a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name}: {value} is not within {least} and {most}")


def check_name(parameter: str, name: object, names: Sequence[str]) -> None:
    """Refuse a value that is not one of a few names."""
    if name not in names:
        quoted = ", ".join(f'"{one}"' for one in names)
        raise ValueError(f"{parameter}: {name!r} is not one of {quoted}")
