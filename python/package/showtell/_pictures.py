"""Images of other packages as arrays of RGB."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy

from ._showtell import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

WHITE = 255


def rgb(image: Any, name: str) -> numpy.ndarray[Any, numpy.dtype[numpy.uint8]]:
    """Convert a picture of Pillow, or an array of uint8, to [H, W, 3].

    `name` is for messages. Transparency is blended with white.
    """
    # A picture of Pillow exists only where Pillow was imported.
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        return opaque(numpy.asarray(upright(image)))
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
    return opaque(image[:, :, None] if is_grey else image)


def upright(picture: Image) -> Image:
    """Turn a picture as its EXIF orientation says, and convert it to RGB or RGBA."""
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(picture)
    is_transparent = "transparency" in turned.info or turned.mode in ("LA", "PA", "RGBA", "RGBa", "La")
    return turned.convert("RGBA" if is_transparent else "RGB")


def opaque(pixels: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, numpy.dtype[numpy.uint8]]:
    """Blend [H, W, 4] with white; repeat the grey of [H, W, 1]."""
    channels = pixels.shape[2]
    if channels == 1:
        return numpy.repeat(pixels, 3, axis=2)
    if channels == 3:
        return pixels
    alpha = pixels[:, :, 3:].astype(numpy.uint32)
    blended = pixels[:, :, :3] * alpha + WHITE * (WHITE - alpha)
    return ((blended + WHITE // 2) // WHITE).astype(numpy.uint8)
