#!/usr/bin/env python3
"""A feature store as a data set of PyTorch, read by several workers.

Usage: dataset.py STORE.h5 [--workers N] [--batch N]
"""

import argparse
import random

import torch
from showtell import FeatureStore
from torch.utils.data import DataLoader, Dataset


class GridDataset(Dataset):
    """The grids of each image in one view, drawn at random: float32 [cells, channels], with the name of the image.

    Workers share the store: it has no lock, and a pickled copy opens the same path again.
    """

    def __init__(self, path):
        self.store = FeatureStore(path)

    def __len__(self):
        return len(self.store)

    def __getitem__(self, index):
        name = self.store.names[index]
        views = self.store[name]
        return torch.from_numpy(views[random.randrange(len(views))]), name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    batches = DataLoader(
        GridDataset(options.store), options.batch, shuffle=True, num_workers=options.workers
    )
    images, total = 0, 0.0
    for grids, names in batches:
        images += len(names)
        total += grids.mean().item() * len(names)
    print(f"{images} images, mean of all values {total / images:.4f}")


if __name__ == "__main__":
    main()
