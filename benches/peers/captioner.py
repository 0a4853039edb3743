"""Show, Attend and Tell trained with PyTorch, in the style of tutorials; prints captions per second.

Usage: captioner.py HOW FOLDER THREADS [IMAGES] [--device cpu|cuda]

HOW is
  tutorial  a caption is an item: its grid is copied and projected for it, the batch is padded, and
            each step works on the captions that are long enough;
  grouped   an image is an item: its grid is projected once for all its captions, and the words of all
            steps go through the last layer together;
  compiled  like grouped, with torch.compile; the time of compilation is not counted;
  encoder   like tutorial, but a ResNet50 computes each caption's grid from its photo in IMAGES, in
            every epoch.

FOLDER contains captions.json (sizes; for each image its captions as word numbers, start and end among
them) and grids.f16. The network has the sizes and the training of Showtell's show-attend-tell.

Exit status 77: this way cannot be measured on this machine; standard error says why.
"""

import argparse
import json
import os
import random
import shutil
import sys
import sysconfig
import time
from pathlib import Path

import numpy
import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

IMAGES_IN_BATCH = 16
CLIP = 5.0
DROPOUT = 0.5
DOUBLY_STOCHASTIC = 1.0
SKIPPED = 77


class Captioner(nn.Module):
    def __init__(self, channels, vocabulary, annotation, attention, embedding, hidden):
        super().__init__()
        self.annotation = nn.Linear(channels, annotation)
        self.key = nn.Linear(annotation, attention)
        self.query = nn.Linear(hidden, attention)
        self.score = nn.Linear(attention, 1, bias=False)
        self.gate = nn.Linear(hidden, 1)
        self.start_hidden = nn.Linear(annotation, hidden)
        self.start_memory = nn.Linear(annotation, hidden)
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.cell = nn.LSTMCell(embedding + annotation, hidden)
        self.output_hidden = nn.Linear(hidden, embedding, bias=False)
        self.output_context = nn.Linear(annotation, embedding, bias=False)
        self.output = nn.Linear(embedding, vocabulary)

    def cells(self, grids):
        values = self.annotation(grids).relu()
        return values, self.key(values)

    def begin(self, values):
        mean = values.mean(1)
        return self.start_hidden(mean).tanh(), self.start_memory(mean).tanh()

    def attend(self, values, keys, hidden):
        """values: `[rows, cells, annotation]`; hidden: `[rows, hidden]`."""
        scores = self.score((keys + self.query(hidden).unsqueeze(1)).tanh()).squeeze(2)
        weights = scores.softmax(1)
        context = (values * weights.unsqueeze(2)).sum(1)
        return self.gate(hidden).sigmoid() * context, weights

    def attend_grouped(self, values, keys, hidden):
        """values: `[images, cells, annotation]`; hidden: `[images, captions, hidden]`."""
        total = keys.unsqueeze(1) + self.query(hidden).unsqueeze(2)
        weights = self.score(total.tanh()).squeeze(3).softmax(2)
        return self.gate(hidden).sigmoid() * (weights @ values), weights

    def step_grouped(self, values, keys, state, word):
        """word: `[images, captions, embedding]`; returns the state, its hidden part by image, and the attention."""
        hidden = state[0].view(*word.shape[:2], -1)
        context, weights = self.attend_grouped(values, keys, hidden)
        state = self.cell(torch.cat([word, context], 2).flatten(0, 1), state)
        return state, state[0].view(*word.shape[:2], -1), context, weights

    def deep_output(self, embedded, hidden, context):
        return (embedded + self.output_hidden(hidden) + self.output_context(context)).tanh()

    def cross_entropy(self, embedded, hidden, context, targets):
        """Of the next words; embedded: `[words, embedding]`."""
        deep = self.deep_output(embedded, hidden, context)
        return cross_entropy(self.output(dropout(deep, DROPOUT)), targets)

    def compile_parts(self):
        """Compiles what a step and what all words cost. Only the number of words differs between batches: the step has
        fixed shapes, and is called as often as the batch is long. That is faster than a whole batch as one graph: its
        loop would be unrolled, so it would be padded to the longest caption of all batches, or compiled for each length."""
        self.cells = torch.compile(self.cells)
        self.step_grouped = torch.compile(self.step_grouped)
        self.cross_entropy = torch.compile(self.cross_entropy, dynamic=True)


def tutorial_loss(model, grids, captions):
    """grids: `[captions, cells, channels]`; captions: lists of word numbers."""
    order = sorted(range(len(captions)), key=lambda at: -len(captions[at]))
    captions = [torch.tensor(captions[at]) for at in order]
    values, keys = model.cells(grids[order].float())
    hidden, memory = model.begin(values)
    words = pad_sequence(captions, batch_first=True).to(grids.device)
    embedded = dropout(model.embedding(words), DROPOUT)
    lengths = [len(caption) - 1 for caption in captions]
    scores = values.new_zeros(len(captions), lengths[0], model.output.out_features)
    total = values.new_zeros(len(captions), lengths[0], values.shape[1])
    for step in range(lengths[0]):
        count = sum(length > step for length in lengths)
        context, weights = model.attend(values[:count], keys[:count], hidden[:count])
        word = embedded[:count, step]
        hidden, memory = model.cell(torch.cat([word, context], 1), (hidden[:count], memory[:count]))
        deep = model.deep_output(word, hidden, context)
        scores[:count, step] = model.output(dropout(deep, DROPOUT))
        total[:count, step] = weights
    real = (torch.arange(lengths[0]) < torch.tensor(lengths).unsqueeze(1)).to(grids.device)
    loss = cross_entropy(scores[real], words[:, 1:][real])
    return loss + DOUBLY_STOCHASTIC * ((1 - total.sum(1)) ** 2).mean()


def grouped_loss(model, grids, images):
    """grids: `[images, cells, channels]`; images: their captions."""
    most = max(len(captions) for captions in images)
    longest = max(len(caption) for captions in images for caption in captions)
    words = torch.zeros(len(images), most, longest, dtype=torch.long)
    lengths = torch.zeros(len(images), most, dtype=torch.long)
    for at, captions in enumerate(images):
        for slot, caption in enumerate(captions):
            words[at, slot, : len(caption)] = torch.tensor(caption)
            lengths[at, slot] = len(caption) - 1
    words, lengths = words.to(grids.device), lengths.to(grids.device)
    values, keys = model.cells(grids.float())
    state = model.begin(values)
    state = tuple(part.repeat_interleave(most, 0) for part in state)
    embedded = dropout(model.embedding(words), DROPOUT)
    hiddens, contexts, total = [], [], 0.0
    for step in range(longest - 1):
        state, hidden, context, weights = model.step_grouped(values, keys, state, embedded[:, :, step])
        hiddens.append(hidden)
        contexts.append(context)
        total = total + weights * (lengths > step).unsqueeze(2)
    real = torch.arange(longest - 1, device=grids.device) < lengths.unsqueeze(2)
    hidden, context = torch.stack(hiddens, 2)[real], torch.stack(contexts, 2)[real]
    loss = model.cross_entropy(embedded[:, :, :-1][real], hidden, context, words[:, :, 1:][real])
    return loss + DOUBLY_STOCHASTIC * ((1 - total) ** 2).mean()


class Encoder:
    """Grids of photos by a frozen ResNet50; its weights do not change its speed."""

    def __init__(self, photos, device):
        from torchvision import transforms
        from torchvision.models import resnet50

        self.photos, self.device = photos, device
        self.network = nn.Sequential(*list(resnet50(weights=None).eval().children())[:-2]).to(device)
        self.transform = transforms.Compose(
            [transforms.Resize((224, 224)), transforms.ToTensor(),
             transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
        )

    def __call__(self, images):
        from PIL import Image

        opened = [Image.open(self.photos[at % len(self.photos)]).convert("RGB") for at in images]
        with torch.no_grad():
            batch = torch.stack([self.transform(photo) for photo in opened]).to(self.device)
            return self.network(batch).flatten(2).mT


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=["tutorial", "grouped", "compiled", "encoder"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("threads", type=int)
    parser.add_argument("images", type=Path, nargs="?")
    parser.add_argument("--device", type=torch.device, default="cpu")
    return parser.parse_args()


def clock(device):
    """The time after all work on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def check_compiler():
    """torch.compile translates to C++."""
    compiler = os.environ.get("CXX", "g++")
    header = Path(sysconfig.get_path("include")) / "Python.h"
    missing = [name for name, found in [(compiler, shutil.which(compiler)), (header, header.exists())] if not found]
    if missing:
        print(f"torch.compile: no {missing[0]}: install a C++ compiler and the headers of Python", file=sys.stderr)
        sys.exit(SKIPPED)


def main():
    options = arguments()
    how, folder, device = options.how, options.folder, options.device
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    random.seed(1)
    data = json.loads((folder / "captions.json").read_text())
    images = data["images"]
    raw = numpy.memmap(folder / "grids.f16", numpy.float16, "r")
    grids = raw.reshape(len(images), -1, data["sizes"]["channels"])
    model = Captioner(**data["sizes"]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    read = lambda rows: torch.from_numpy(grids[rows]).to(device)
    if how == "compiled":
        check_compiler()
        model.compile_parts()
    if how in ("grouped", "compiled"):
        items = list(range(len(images)))
        size = IMAGES_IN_BATCH
        loss_of = lambda part: grouped_loss(model, read(part), [images[at] for at in part])
        captions_of = lambda part: sum(len(images[at]) for at in part)
    else:
        items = [(at, caption) for at, captions in enumerate(images) for caption in captions]
        size = IMAGES_IN_BATCH * 5
        grids_of = read
        if how == "encoder":
            grids_of = Encoder(sorted(options.images.iterdir()), device)
            items = items[: 3 * size]
        loss_of = lambda part: tutorial_loss(
            model, grids_of([at for at, _ in part]), [caption for _, caption in part]
        )
        captions_of = len
    random.shuffle(items)
    parts = [items[at : at + size] for at in range(0, len(items), size)]

    def train(parts):
        for part in parts:
            optimizer.zero_grad()
            loss_of(part).backward()
            clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()

    # All shapes are compiled before.
    train(parts if how == "compiled" else parts[:1])
    start = clock(device)
    train(parts)
    print(sum(map(captions_of, parts)) / (clock(device) - start))


if __name__ == "__main__":
    main()
