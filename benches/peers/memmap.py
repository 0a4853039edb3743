"""The peer of the reader: random batches of 32 rows of the same array through numpy's memmap.
Prints the seconds of each round over `batches` batches."""

import sys
import time

import h5py
import numpy as np

store, batches, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with h5py.File(store) as file:
    dataset = file["segments/00000/grids/original"]
    offset, shape = dataset.id.get_offset(), dataset.shape
grids = np.memmap(store, np.float16, "r", offset=offset, shape=shape)
random = np.random.default_rng(1)
for _ in range(rounds + 1):
    rows = random.integers(0, shape[0], (batches, 32))
    start = time.perf_counter()
    for batch in rows:
        grids[batch]
    print(time.perf_counter() - start)
