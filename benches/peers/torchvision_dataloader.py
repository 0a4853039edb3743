"""The peer of most tutorials: torchvision's ResNet50 without its last two layers, a DataLoader
with workers. Weights do not change the time, so none are fetched. Prints the seconds from the first
image to the last, start-up excluded."""

import os
import sys
import time

import numpy as np
import torch
import torchvision
from PIL import Image
from torchvision import transforms

folder, out, batch, threads = sys.argv[1:]
batch, threads = int(batch), int(threads)


class Images(torch.utils.data.Dataset):
    def __init__(self):
        self.names = sorted(os.listdir(folder))
        self.transform = transforms.Compose([
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ])

    def __len__(self):
        return len(self.names)

    def __getitem__(self, at):
        with Image.open(os.path.join(folder, self.names[at])) as image:
            return self.transform(image.convert("RGB"))


torch.set_num_threads(threads)
resnet = torchvision.models.resnet50(weights=None).eval()
encoder = torch.nn.Sequential(*list(resnet.children())[:-2])
images = Images()
loader = torch.utils.data.DataLoader(images, batch_size=batch, num_workers=threads)
grids = np.memmap(out, np.float16, "w+", shape=(len(images), 49, 2048))
with torch.inference_mode():
    encoder(torch.zeros(batch, 3, 224, 224))
    start = time.perf_counter()
    at = 0
    for tensors in loader:
        planes = encoder(tensors)
        grids[at : at + len(planes)] = planes.flatten(2).transpose(1, 2).numpy()
        at += len(planes)
    grids.flush()
    print(time.perf_counter() - start)
