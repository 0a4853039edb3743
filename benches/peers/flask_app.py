"""The captioning server of tutorials: Flask, PyTorch, torchvision's ResNet50, an attention LSTM.

It keeps the upload in a file, opens that, and runs the networks in the request's own thread. Its weights are random, which costs as much as trained ones; a caption is
read off greedily and has as many words as one of Flickr8k. Prints its address as its first line.
"""

import itertools
import logging
import os

import torch
from captioner import Captioner
from flask import Flask, jsonify, request
from PIL import Image
from torch import nn
from torchvision import models, transforms
from werkzeug.serving import make_server

WORDS = 11
VOCABULARY = 3000
UPLOADS = "uploads"

app = Flask(__name__)
number = itertools.count()
encoder = nn.Sequential(*list(models.resnet50(weights=None).children())[:-2]).eval()
decoder = Captioner(2048, VOCABULARY, 512, 512, 512, 512).eval()
prepare = transforms.Compose([
    transforms.Resize((224, 224)),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])


@torch.no_grad()
def caption(path):
    image = prepare(Image.open(path).convert("RGB")).unsqueeze(0)
    grid = encoder(image).flatten(2).permute(0, 2, 1)
    values, keys = decoder.cells(grid)
    hidden, memory = decoder.begin(values)
    word, words = torch.zeros(1, dtype=torch.long), []
    for _ in range(WORDS):
        embedded = decoder.embedding(word)
        context, _ = decoder.attend(values, keys, hidden)
        hidden, memory = decoder.cell(torch.cat([embedded, context], 1), (hidden, memory))
        word = decoder.output(decoder.deep_output(embedded, hidden, context)).argmax(1)
        words.append(str(word.item()))
    return " ".join(words)


@app.route("/api/caption", methods=["POST"])
def answer():
    path = os.path.join(UPLOADS, f"{next(number)}.jpg")
    with open(path, "wb") as file:
        file.write(request.get_data())
    return jsonify(caption=caption(path))


if __name__ == "__main__":
    os.makedirs(UPLOADS, exist_ok=True)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Like app.run(), but on any free port.
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
