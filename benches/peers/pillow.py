"""Decodes and resizes photos with Pillow; writes the pixels, photo after photo."""

import os
import sys

from PIL import Image, ImageOps

folder, out = sys.argv[1:]
with open(out, "wb") as file:
    for name in sorted(os.listdir(folder)):
        with Image.open(os.path.join(folder, name)) as image:
            image = ImageOps.exif_transpose(image).convert("RGB")
            file.write(image.resize((224, 224), Image.Resampling.BILINEAR).tobytes())
