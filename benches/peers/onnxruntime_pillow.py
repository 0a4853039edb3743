"""The peer by an experienced user of ONNX Runtime in Python: Pillow in a thread pool, batches, a
float16 memmap. Prints the seconds from the first image to the last, start-up excluded."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

folder, encoder, out, batch, threads = sys.argv[1:]
batch, threads = int(batch), int(threads)
mean = np.array([0.485, 0.456, 0.406], np.float32)
std = np.array([0.229, 0.224, 0.225], np.float32)


def load(name):
    with Image.open(os.path.join(folder, name)) as image:
        image = ImageOps.exif_transpose(image).convert("RGB")
        image = image.resize((224, 224), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, np.float32) / 255
    return ((pixels - mean) / std).transpose(2, 0, 1)


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(encoder, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
session.run(None, {name: np.zeros((batch, 3, 224, 224), np.float32)})
names = sorted(os.listdir(folder))
grids = np.memmap(out, np.float16, "w+", shape=(len(names), 49, 2048))

start = time.perf_counter()
with ThreadPoolExecutor(threads) as pool:
    # Two batches ahead, so that memory does not grow with the number of images.
    waiting = [pool.submit(load, one) for one in names[: 3 * batch]]
    for at in range(0, len(names), batch):
        ready, waiting = waiting[:batch], waiting[batch:]
        tensors = np.stack([one.result() for one in ready])
        following = at + 3 * batch
        waiting += [pool.submit(load, one) for one in names[following : following + batch]]
        planes = session.run(None, {name: tensors})[0]
        grids[at : at + len(planes)] = planes.reshape(len(planes), 2048, 49).transpose(0, 2, 1)
grids.flush()
print(time.perf_counter() - start)
