"""Images of other packages as arrays of RGB."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy

from ._showtell import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE = 255
"""The largest value of 8 bits."""
FULL = 65_535
"""The largest value of 16 bits."""


def rgb(
    image: Any, name: str, max_pixels: int
) -> numpy.ndarray[Any, numpy.dtype[numpy.uint8]]:
    """Convert a picture of Pillow, or an array of uint8, to [H, W, 3].

    `name` is for messages. Transparency is blended with white. Sizes are checked before anything is copied.
    """
    # A picture of Pillow exists only where Pillow was imported.
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        check_size(image.height, image.width, name, max_pixels)
        return opaque(pixels_of(image, name))
    if not isinstance(image, numpy.ndarray):
        kind = type(image).__name__
        raise TypeError(
            f"{name}: {kind} is not a path, bytes, an open file, a picture of Pillow or a NumPy array\n"
            "  Give several images as a list."
        )
    is_grey = image.ndim == 2
    if not is_grey and (image.ndim != 3 or image.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"{name}: the array is {list(image.shape)}, not [H, W, 3], [H, W, 4] or [H, W]"
        )
    if image.dtype != numpy.uint8:
        raise ImageError(
            f"{name}: the array is of {image.dtype}, not uint8\n"
            "  For values from 0 to 1: (255 * array).round().astype(numpy.uint8)"
        )
    check_size(image.shape[0], image.shape[1], name, max_pixels)
    return opaque(image[:, :, None] if is_grey else image)


def check_size(height: int, width: int, name: str, max_pixels: int) -> None:
    """Refuse an image of too many pixels."""
    if height * width > max_pixels:
        raise ImageError(
            f"{name}: {width}×{height} pixels are more than max_pixels={max_pixels}\n"
            "  Give Captioner a larger max_pixels."
        )


def pixels_of(picture: Image, name: str) -> numpy.ndarray[Any, Any]:
    """Turn a picture as its EXIF orientation says, and convert it to RGB, RGBA or grey."""
    from PIL import ImageOps

    if picture.mode in ("I", "F"):
        raise ImageError(
            f"{name}: pixels of mode {picture.mode} have no known range\n  Convert the picture to RGB or L."
        )
    try:
        turned = ImageOps.exif_transpose(picture)
        if turned.mode.startswith("I;16"):
            # Pillow itself would clip the values.
            wide = numpy.asarray(turned).astype(numpy.uint32)
            return ((wide * WHITE + FULL // 2) // FULL).astype(numpy.uint8)[:, :, None]
        has_alpha = "transparency" in turned.info or turned.mode in ("LA", "PA", "RGBA", "RGBa")
        return numpy.asarray(turned.convert("RGBA" if has_alpha else "RGB"))
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: {error}") from error


def opaque(pixels: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, numpy.dtype[numpy.uint8]]:
    """Blend [H, W, 4] with white; repeat the grey of [H, W, 1]."""
    channels = pixels.shape[2]
    if channels == 1:
        return numpy.repeat(pixels, 3, axis=2)
    if channels == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(numpy.uint16)
    blended = pixels[:, :, :3] * alpha + WHITE * (WHITE - alpha)
    return ((blended + WHITE // 2) // WHITE).astype(numpy.uint8)
