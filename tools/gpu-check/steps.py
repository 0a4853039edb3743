"""The steps of the check. Each adds rows to the table; an error ends its own step alone."""

import concurrent.futures
import csv
import json
import math
import shutil
import statistics
import sys
import time
import tomllib
import urllib.request

from features import Store, distances
from machine import describe_cpu, describe_devices, describe_torch, has_bf16, package

RECIPES = ("adaptive", "show-attend-tell")
START, END, UNKNOWN = 1, 2, 3
# Images of which all cells are compared.
COMPARED_IMAGES = 24
# Images of the comparison with PyTorch.
PEER_IMAGES = 320
CLIENTS = 16
# Products on a GPU are rounded to 10 bits (TF32) where a library chooses so. A cell of the same image differs by less.
MEAN_DISTANCE, LARGEST_DISTANCE = 1e-4, 1e-2
# Relative difference of a mean loss over the same epoch from the same weights, and absolute one of CIDEr after it.
LOSS, CIDER = 0.01, 0.3
SAME_SENTENCES = 0.9


class Absent(Exception):
    """A step cannot run here, for a reason that the first step reports."""


class Failed(Exception):
    """A program failed."""


def machine(check):
    """The machine, and the programs as they start."""
    check.note("CPU", describe_cpu())
    check.note("GPU", "not used" if check.machine.is_cpu_only else describe_devices())
    check.note("Python", sys.version.split()[0])
    if package("torch"):
        torch, problem = describe_torch(min(120, check.left()))
        check.note("PyTorch", problem or ", ".join(f"{name} {value}" for name, value in torch.items()))
        if torch and not check.machine.is_cpu_only:
            check.row("PyTorch sees the GPU", gpu=torch["device"] or "none", passed=torch["device"] is not None)
    check.note("libtorch", check.machine.libtorch)
    check.note("ONNX Runtime", check.machine.runtime)
    check.note("ONNX Runtime with CUDA", check.machine.runtime_with_cuda)
    for name, path in check.machine.programs.items():
        if path is None:
            continue
        try:
            version = check.run(name, ["--version"]).stdout.strip()
        except Failed as error:
            check.row(f"{name} starts", cpu=str(error), passed=False)
            continue
        check.row(f"{name} starts", cpu=version.splitlines()[0], passed=True)
        if name == "train":
            check.found("libtorch")
        elif name == "extract" and "ONNX Runtime: not found" not in version:
            check.found("ONNX Runtime")


def draw(check):
    """Draws the scenes that the other steps use."""
    dev = max(10, check.options.scenes // 8)
    counts = ["--train", str(check.options.scenes), "--dev", str(dev), "--test", "0"]
    check.run("captions", ["scenes", "--out", str(check.scenes), *counts])
    check.row("scenes drawn", cpu=f"{check.options.scenes} + {dev}", passed=True)


def extract(check):
    """Encodes scenes and photos on both devices, and compares the grids."""
    sets = {"scenes": check.scenes / "Images"}
    if check.photos:
        sets["photos"] = check.options.photos
    for name, images in sets.items():
        stores, speeds = [None, None], [None, None]
        for side, device in enumerate(check.machine.devices):
            store = check.folder / f"{name}-{side}.h5"
            flags = ["--images", str(images), "--encoder", str(check.encoder()), "--store", str(store)]
            try:
                check.require_runtime(device)
                ran = check.run("extract", [*flags, "--device", device], device)
                check.run("extract", ["verify", str(store)])
            except (Absent, Failed) as error:
                check.problem(f"extract {name}, {check.columns[side]}", error)
                continue
            speeds[side], stores[side] = summary(ran.stderr)["images_per_second"], store
        check.compare_speed(f"{name}, images/s", *speeds)
        if None in stores:
            continue
        first, second = map(Store, stores)
        check.row(f"{name}, images", len(first.rows), len(second.rows), passed=first.rows.keys() == second.rows.keys())
        found = distances(first, second, COMPARED_IMAGES)
        mean, largest = statistics.fmean(found), max(found)
        check.row(f"{name}, cosine distance, mean", difference=mean, limit=MEAN_DISTANCE, passed=mean <= MEAN_DISTANCE)
        check.row(f"{name}, …, largest", difference=largest, limit=LARGEST_DISTANCE, passed=largest <= LARGEST_DISTANCE)


def summary(stderr):
    """The summary among the JSON documents of `extract`."""
    for line in stderr.splitlines():
        if line.startswith('{"event":"summary"'):
            return json.loads(line)["summary"]
    raise Failed("extract printed no summary")


def train(check):
    """Trains both recipes. A first epoch on the CPU makes weights, from which both devices go on with the same batches."""
    for recipe in RECIPES:
        start = check.run_folder(recipe, "start")
        flags = ["--recipe", recipe, "--precision", "f32", "--min-count", "2", "--epochs", "1"]
        check.fit(start, "cpu", flags)
        epochs = [None, None]
        for side, device in enumerate(check.machine.devices):
            run = check.run_folder(recipe, side)
            shutil.copytree(start, run)
            try:
                # The first epoch on a GPU includes its start; the last one is timed.
                check.fit(run, device, ["--resume", "--epochs", "3" if device == "cuda" else "2"])
            except (Absent, Failed) as error:
                check.problem(f"{recipe}, {check.columns[side]}", error)
                continue
            epochs[side] = check.metrics(run)
        last = [metrics[-1] if metrics else {} for metrics in epochs]
        check.compare_speed(f"{recipe}, captions/s, f32", *(epoch.get("captions_per_second") for epoch in last))
        check.compare_speed(f"{recipe}, validation, s", *(epoch.get("evaluate_seconds") for epoch in last))
        if None in epochs:
            continue
        first, second = (metrics[1] for metrics in epochs)
        check.compare(f"{recipe}, loss of epoch 2", first["cross_entropy"], second["cross_entropy"], LOSS)
        check.compare(f"{recipe}, dev loss", first["dev_cross_entropy"], second["dev_cross_entropy"], LOSS)
        check.compare_cider(f"{recipe}, dev CIDEr", first, second)
    train_bf16(check)


def train_bf16(check):
    """Trains both recipes on the second device with factors of 16 bits; compared with the CPU in 32 bits."""
    device = check.machine.devices[1]
    if device == "cpu" and not has_bf16():
        check.problem("bf16", Absent("the CPU has no instructions for bfloat16"))
        return
    for recipe in RECIPES:
        start, run = check.run_folder(recipe, 0), check.run_folder(recipe, "bf16")
        flags = ["--recipe", recipe, "--precision", "bf16", "--min-count", "2", "--epochs", "2"]
        try:
            check.fit(run, device, flags)
            first, second = check.metrics(start)[1], check.metrics(run)[1]
        except (Absent, Failed, OSError) as error:
            check.problem(f"{recipe}, bf16", error)
            continue
        # Fresh weights differ between devices.
        check.compare(f"{recipe}, loss of epoch 2, bf16", first["cross_entropy"], second["cross_entropy"], 10 * LOSS)
        check.compare_speed(f"{recipe}, captions/s, f32 and bf16", *(epoch["captions_per_second"] for epoch in (first, second)))


def refine(check):
    """Refines the network that the CPU trained, for one epoch."""
    start = check.run_folder("adaptive", "0")
    if not (start / "checkpoints/best.safetensors").is_file():
        raise Absent("no run to refine")
    epochs = [None, None]
    for side, device in enumerate(check.machine.devices):
        run = check.run_folder("refined", side)
        flags = ["refine", "--from", str(start), "--run", str(run), "--epochs", "1", "--device", device]
        try:
            check.require_libtorch(device)
            check.run("train", flags, device)
        except (Absent, Failed) as error:
            check.problem(f"refine, {check.columns[side]}", error)
            continue
        epochs[side] = check.metrics(run)[-1]
    check.compare_speed("captions/s", *(epoch and epoch["captions_per_second"] for epoch in epochs))
    if None not in epochs:
        first, second = epochs
        difference = abs(first["reward"] - second["reward"])
        check.row("reward", first["reward"], second["reward"], difference, CIDER, difference <= CIDER)
        check.compare_cider("dev CIDEr", first, second)


def serve(check):
    """Captions photos over HTTP, one after the other and at once."""
    if check.machine.model is None:
        raise Absent("no models/showtell")
    photos = (check.photos + sorted(check.scenes.glob("Images/*")))[: check.options.served]
    if not photos:
        raise Absent("no photos")
    sentences, alone, together = [None, None], [None, None], [None, None]
    for side, device in enumerate(check.machine.devices):
        flags = ["--model", str(check.machine.model), "--encoder", str(check.encoder()), "--device", device]
        limits = ["--port", "0", "--cache", "0", "--deadline", "120", "--log", "warn"]
        try:
            check.require_runtime(device)
            with check.start("serve", [*flags, *limits], device) as address:
                answers = [caption(address, photo, check.left()) for photo in photos[:2] + photos][2:]
                with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                    answer = lambda photo: caption(address, photo, check.left())
                    # Once without a clock: a GPU prepares itself for each size of batches.
                    list(pool.map(answer, photos))
                    start = time.perf_counter()
                    list(pool.map(answer, photos))
                    together[side] = len(photos) / (time.perf_counter() - start)
        except (Absent, Failed, OSError) as error:
            check.problem(f"serve, {check.columns[side]}", error)
            continue
        sentences[side] = [sentence for sentence, _ in answers]
        alone[side] = 1000 * statistics.median(seconds for _, seconds in answers)
    check.compare_speed("ms per photo", *alone)
    check.compare_speed(f"photos/s, {CLIENTS} clients", *together)
    if None not in sentences:
        same = sum(map(str.__eq__, *sentences))
        enough = math.floor(SAME_SENTENCES * len(photos))
        check.row("same sentences", len(photos), same, len(photos) - same, len(photos) - enough, same >= enough)


def caption(address, photo, timeout):
    """The sentence of a photo, and the seconds of its request."""
    start = time.perf_counter()
    request = urllib.request.Request(f"{address}api/caption", data=photo.read_bytes(), method="POST")
    with urllib.request.urlopen(request, timeout=max(1, timeout)) as answer:
        sentence = json.load(answer)["sentence"]
    return sentence, time.perf_counter() - start


def pytorch(check):
    """Trains the network of show-attend-tell with PyTorch on the same grids and captions."""
    if check.machine.captioner is None or package("torch") is None or package("numpy") is None:
        raise Absent("no PyTorch")
    inputs = check.folder / "peer"
    write_for_peer(check, inputs)
    own = check.speeds.get("show-attend-tell, captions/s, f32", (None, None))
    source = check.machine.captioner.read_text()
    for how in (how for how in ("tutorial", "grouped", "compiled") if f"  {how}  " in source):
        speeds = [None, None]
        for side, device in enumerate(check.machine.devices):
            command = [sys.executable, str(check.machine.captioner), how, str(inputs), str(check.threads), "--device", device]
            try:
                speeds[side] = float(check.execute(command).stdout)
            except (Absent, Failed) as error:
                check.problem(f"PyTorch {how}, {check.columns[side]}", error)
        check.compare_speed(f"PyTorch {how}, captions/s", *speeds)
        ratios = [one / other if one and other else None for one, other in zip(own, speeds)]
        if any(ratios):
            check.row(f"Showtell ÷ PyTorch {how}", *ratios)


def write_for_peer(check, folder):
    """Writes what captioner.py reads, from a store and a run: grids.f16 and captions.json."""
    run, store = check.run_folder("show-attend-tell", "start"), check.store()
    if not (run / "vocabulary.json").is_file():
        raise Absent("no run of show-attend-tell")
    store = Store(store)
    words = json.loads((run / "vocabulary.json").read_text())["words"]
    numbers = {word: number for number, word in enumerate(words)}
    sizes = tomllib.loads((run / "config.toml").read_text())["network"]
    sizes.pop("heads")
    with (check.scenes / "captions.txt").open(newline="") as file:
        _, *rows = csv.reader(file)
    texts = "".join(f"{text}\n" for _, text in rows)
    tokens = check.run("captions", ["tokenize"], stdin=texts).stdout.splitlines()
    names = (check.scenes / "Flickr_8k.trainImages.txt").read_text().split()[:PEER_IMAGES]
    captions = {name: [] for name in names}
    for (name, _), text in zip(rows, tokens, strict=True):
        if name in captions:
            captions[name].append([START, *(numbers.get(word, UNKNOWN) for word in text.split()), END])
    folder.mkdir()
    (folder / "grids.f16").write_bytes(b"".join(map(store.grid_bytes, names)))
    (folder / "captions.json").write_text(json.dumps({"sizes": sizes, "images": list(captions.values())}))


# Each step with its share of the time. Time that a step leaves over goes to those after it.
STEPS = (
    ("machine", machine, 8),
    ("scenes", draw, 4),
    ("extraction", extract, 20),
    ("training", train, 34),
    ("refining", refine, 12),
    ("serving", serve, 12),
    ("PyTorch", pytorch, 10),
)
