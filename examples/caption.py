#!/usr/bin/env python3
"""Captions photos with a model trained by Showtell, on onnxruntime, numpy and Pillow alone.

Usage: caption.py MODEL_FOLDER ENCODER.onnx PHOTO...
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

START, END, UNSAID = 1, 2, [0, 1, 3]
BEAM, LONGEST, LENGTH_EXPONENT = 4, 24, 0.7


def tensor(path, how):
    """The photo as the encoder's input, `[1, 3, H, W]`."""
    photo = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    height, width = how["size"]
    if how["resize"] == "crop":
        factor = 256 / 224 * max(height / photo.height, width / photo.width)
        inner = [int(side * factor + 1e-6) for side in photo.size]
        photo = photo.resize(inner, Image.Resampling.BILINEAR)
        left, top = (inner[0] - width) // 2, (inner[1] - height) // 2
        photo = photo.crop((left, top, left + width, top + height))
    else:
        photo = photo.resize((width, height), Image.Resampling.BILINEAR)
    pixels = (np.asarray(photo, np.float32) / 255 - np.float32(how["mean"])) / np.float32(how["std"])
    return pixels.transpose(2, 0, 1)[None]


def search(init, step, grid):
    """Beam search: the words of the best caption."""
    names = [output.name for output in init.get_outputs()]
    held = dict(zip(names, init.run(None, {"grid": grid})))
    cells = {name: value for name, value in held.items() if name.startswith("cells.")}
    states = {name: value for name, value in held.items() if name.startswith("state.")}
    outputs = [output.name for output in step.get_outputs()]
    live, slots, finished = [([], 0.0)], BEAM, []
    for length in range(1, LONGEST + 1):
        last = [words[-1] if words else START for words, _ in live]
        found = step.run(None, {"word": np.array([last], np.int64), **cells, **states})
        found = dict(zip(outputs, found))
        totals = found["log_probabilities"][0] + np.float32([total for _, total in live])[:, None]
        totals[:, UNSAID + [END] * (length == 1)] = -np.inf
        before, live, parents = live, [], []
        for slot in range(slots):  # takes the best continuation left of its own caption and those before it
            row, word = np.unravel_index(np.argmax(totals[: slot + 1]), totals.shape)
            words, total = before[row][0], totals[row, word]
            totals[row, word] = -np.inf
            if word == END:
                finished.append((total / length**LENGTH_EXPONENT, words))
            else:
                live.append((words + [word], total))
                parents.append(row)
        states = {name: found["next." + name][:, parents] for name in states}
        slots, could_come = len(live), [total / LONGEST**LENGTH_EXPONENT for _, total in live]
        if not live or (finished and max(finished)[0] >= max(could_come)):
            break
    cut_off = [(total / length**LENGTH_EXPONENT, words) for words, total in live]
    return max(finished or cut_off, key=lambda caption: caption[0])[1]


def main(folder, encoder, *photos):
    folder = Path(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    words = json.loads((folder / manifest["vocabulary"]["file"]).read_text())["words"]
    graphs = [encoder] + [folder / manifest[part]["file"] for part in ("decoder_init", "decoder_step")]
    encoder, init, step = [onnxruntime.InferenceSession(str(graph)) for graph in graphs]
    for photo in photos:
        grid = encoder.run(None, {encoder.get_inputs()[0].name: tensor(photo, manifest["preprocess"])})[0]
        grid = grid.reshape(1, grid.shape[1], -1).transpose(0, 2, 1)
        print(photo, " ".join(words[word] for word in search(init, step, grid)), sep="\t")


main(*sys.argv[1:])
