"""Captions, compared with those of the program."""

import dataclasses
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy
import pytest
import showtell
from conftest import MODEL, captioner_of_model, run
from PIL import Image

PHOTOS = 50


def test_captions_are_those_of_the_program(captioner, shared):
    listed = shared / "flickr8k" / "Flickr_8k.devImages.txt"
    names = listed.read_text().split()[:PHOTOS]
    paths = [shared / "flickr8k" / "Images" / name for name in names]
    printed = run("caption", "--json", "--n-best", "2", "--tags", *MODEL, *paths)
    expected = {}
    for line in printed.splitlines():
        photo = json.loads(line)
        expected[Path(photo["file"]).name] = photo
    described = captioner.caption(paths, n_best=2)
    assert len(described) == len(expected) == PHOTOS
    for name, description in zip(names, described):
        photo = expected[name]
        assert [caption.text for caption in description.captions] == [
            caption["text"] for caption in photo["captions"]
        ]
        assert description.sentence == photo["sentence"]
        assert description.confidence == pytest.approx(photo["confidence"], abs=1e-3)
        assert [tag.name for tag in description.tags] == [tag["name"] for tag in photo["tags"]]
        for caption, other in zip(description.captions, photo["captions"]):
            assert caption.log_probability == pytest.approx(other["log_probability"], abs=1e-3)


def test_an_image_may_be_given_in_any_form(captioner, photos):
    path = photos[0]
    expected = captioner.caption(path).text
    picture = Image.open(path)
    file = path.read_bytes()
    forms = [str(path), file, bytearray(file), memoryview(file), picture, picture.convert("RGBA")]
    pixels = numpy.asarray(picture)
    forms += [pixels, pixels[::-1][::-1], numpy.dstack([pixels, numpy.full(pixels.shape[:2], 255, "uint8")])]
    for form in forms:
        assert captioner.caption(form).text == expected, type(form)
    assert [description.text for description in captioner.caption(tuple(forms))] == [expected] * len(forms)
    assert captioner.caption([]) == []


def test_pictures_are_read_as_files_are(captioner, photos, tmp_path):
    """Turned, transparent, grey and palette pictures of Pillow give the captions of their files."""
    with Image.open(photos[0]) as picture:
        small = picture.convert("RGB").resize((320, 240))
    turned = Image.Exif()
    turned[0x0112] = 6
    alpha = Image.linear_gradient("L").resize(small.size)
    transparent = small.copy()
    transparent.putalpha(alpha)
    grey = small.convert("LA")
    saved = [
        (small, "turned.png", {"exif": turned}),
        (transparent, "transparent.png", {}),
        (grey, "grey.png", {}),
        (small.convert("L"), "l.png", {}),
        (small.quantize(16), "palette.png", {}),
        (small.quantize(16), "hole.png", {"transparency": 0}),
    ]
    for picture, name, options in saved:
        path = tmp_path / name
        picture.save(path, **options)
        file = captioner.caption(path).captions[0]
        opened = captioner.caption(Image.open(path)).captions[0]
        assert opened.text == file.text, name
        assert opened.log_probability == pytest.approx(file.log_probability, abs=0.05), name


def test_a_description_says_what_the_program_says(captioner, photos):
    description = captioner.caption(photos[0], beam=6, n_best=3)
    assert len(description.captions) == 3
    best = description.captions[0]
    assert str(description) == description.text == best.text == " ".join(word.text for word in best.words)
    assert description.sentence[0].isupper() and description.sentence.endswith(".")
    assert len(description.alt_text) <= 125
    assert [caption.score for caption in description.captions] == sorted(
        (caption.score for caption in description.captions), reverse=True
    )
    for word in best.words:
        assert 0 < word.probability <= 1
        assert word.attention.shape == (7, 7) and word.attention.dtype == numpy.float32
        assert word.attention.sum() == pytest.approx(1, abs=1e-4)
    assert best.finished and best.log_probability < 0
    assert best.text in repr(description) and best.text in repr(best)
    assert len(captioner.caption(photos[0], max_length=3).captions[0].words) <= 3
    # The model was calibrated for its own search.
    assert 0 < captioner.caption(photos[0]).confidence < 1
    assert captioner.caption(photos[0], beam=50).confidence is None


@pytest.mark.parametrize(
    ("image", "error", "said"),
    [
        (b"", showtell.ImageError, "image: not an image"),
        (b"GIF89a", showtell.ImageError, "image: "),
        (numpy.zeros((4, 4), numpy.float32), showtell.ImageError, "float32, not uint8"),
        (numpy.zeros((4, 4, 2), numpy.uint8), showtell.ImageError, r"\[4, 4, 2\], not \[H, W, 3\]"),
        (numpy.zeros((4, 0, 3), numpy.uint8), showtell.ImageError, "no pixels"),
        (numpy.zeros(4, numpy.uint8), showtell.ImageError, r"\[4\], not"),
        (7, TypeError, "int is not a path"),
        (None, TypeError, "NoneType is not a path"),
        ({"a.jpg"}, TypeError, "set is not a path"),
    ],
)
def test_what_is_not_an_image_is_refused(captioner, image, error, said):
    with pytest.raises(error, match=said):
        captioner.caption(image)


def test_files_have_the_errors_of_files(captioner, tmp_path):
    missing = tmp_path / "missing.jpg"
    with pytest.raises(FileNotFoundError) as raised:
        captioner.caption(missing)
    assert raised.value.filename == str(missing)
    with pytest.raises(IsADirectoryError):
        captioner.caption(tmp_path)
    text = tmp_path / "text.jpg"
    text.write_text("text")
    with pytest.raises(showtell.ImageError, match="text.jpg: not an image"):
        captioner.caption(text)
    large = tmp_path / "large.png"
    Image.new("L", (300, 200)).save(large)
    with pytest.raises(showtell.ImageError, match="300×200 pixels are more than max_pixels=1000"):
        captioner_of_model(max_pixels=1000).caption([large])


def test_sizes_are_checked_before_anything_is_copied(captioner, tmp_path):
    huge = numpy.broadcast_to(numpy.uint8(7), (10**6, 10**6, 3))
    with pytest.raises(showtell.ImageError, match="1000000×1000000 pixels are more than max_pixels"):
        captioner.caption(huge)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in [fifo, "/dev/zero"]:
        with pytest.raises(showtell.ImageError, match="not a regular file"):
            captioner.caption(path)
    long = tmp_path / "long.jpg"
    with long.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(showtell.ImageError, match="1000000000 bytes are more than 16 for each"):
        captioner.caption(long)


def test_wide_pixels_of_pillow_are_scaled_or_refused(captioner, photos, tmp_path):
    with Image.open(photos[0]) as picture:
        grey = picture.convert("L")
    wide = Image.fromarray(numpy.asarray(grey).astype(numpy.uint16) * 257)
    expected = captioner.caption(grey).captions[0].log_probability
    assert captioner.caption(wide).captions[0].log_probability == pytest.approx(expected, abs=1e-3)
    for mode in ["I", "F"]:
        with pytest.raises(showtell.ImageError, match=f"image 1: pixels of mode {mode}"):
            captioner.caption([grey, grey.convert(mode)])


def test_an_interruption_is_not_a_flaw_of_an_image(captioner, photos):
    class Interrupted:
        def __fspath__(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        captioner.caption([photos[0], Interrupted()], errors="return")


def test_the_interpreter_ends_while_a_thread_captions(photos):
    made = f"Captioner({str(MODEL[1])!r}, encoder={MODEL[3]!r})" if MODEL else "Captioner()"
    script = (
        "import threading, time\n"
        "from showtell import Captioner\n"
        f"captioner = {made}\n"
        f"work = lambda: captioner.caption([{str(photos[0])!r}] * 200)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "time.sleep(0.5)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_forked_process_does_not_wait_for_calls_of_its_parent():
    script = (
        "import os, threading\n"
        "from showtell import _captioner\n"
        "_captioner.check_process()\n"
        "begun, over = threading.Event(), threading.Event()\n"
        "def work():\n"
        "    with _captioner.running:\n"
        "        begun.set()\n"
        "        over.wait()\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "begun.wait()\n"
        "if os.fork() != 0:\n"
        "    status = os.wait()[1]\n"
        "    over.set()\n"
        "    raise SystemExit(status)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_a_list_with_a_bad_image_is_not_lost(captioner, photos):
    images = [photos[0], b"no image", "missing.jpg", *photos[1:], 7]
    found = captioner.caption(images, errors="return")
    assert [type(one).__name__ for one in found] == [
        "Description", "ImageError", "FileNotFoundError", *["Description"] * (len(photos) - 1), "TypeError",
    ]  # fmt: skip
    assert str(found[1]) == "image 1: not an image"
    assert found[0].text == captioner.caption(photos[0]).text
    with pytest.raises(showtell.ImageError, match="image 1"):
        captioner.caption(images)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beam": 0}, "beam: 0 is not within 1 and 100"),
        ({"beam": 2, "n_best": 3}, "n_best=3 needs beam=3"),
        ({"min_length": 5, "max_length": 5}, "min_length=5 needs max_length=6"),
        ({"beam": -1}, "beam: -1 is not within 1 and 100"),
        ({"errors": "ignore"}, """errors: 'ignore' is not one of "raise", "return\""""),
        ({"errors": "return"}, 'errors: "return" is for a list'),
    ],
)
def test_wrong_settings_are_refused(captioner, photos, settings, said):
    with pytest.raises(ValueError, match=said):
        captioner.caption(photos[0], **settings)


def test_wrong_models_are_refused(captioner, tmp_path):
    with pytest.raises(showtell.ModelError, match="no model in this folder"):
        showtell.Captioner(tmp_path)
    with pytest.raises(ValueError, match="device: 'tpu' is not one of"):
        captioner_of_model(device="tpu")
    with pytest.raises(ValueError, match="views: 'up' is not one of"):
        captioner_of_model(views=["up"])
    with pytest.raises(ValueError, match="threads: 0"):
        captioner_of_model(threads=0)
    with pytest.raises(TypeError, match="views: 'flip' is not a list"):
        captioner_of_model(views="flip")
    with pytest.raises(TypeError, match="max_pixels: 1.5 is not a whole number"):
        captioner_of_model(max_pixels=1.5)
    with pytest.raises(FileNotFoundError):
        captioner_of_model(neighbours=tmp_path / "missing.idx")
    if captioner.device == "cpu":
        with pytest.raises(showtell.ModelError, match='device="cuda"'):
            captioner_of_model(device="cuda")


def test_options_of_a_captioner(photos):
    with_views = captioner_of_model(views=["original", "flip"], neighbours=False, threads=1, device="cpu")
    assert with_views.device == "cpu" and with_views.views == ["original", "flip"]
    assert with_views.model.name == "showtell" and "cpu" in repr(with_views)
    assert "Flickr8k" in with_views.data_licence
    assert with_views.caption(photos[0]).confidence is None


def test_other_threads_run_while_photos_are_captioned(captioner, photos):
    """Captioning releases Python's lock: another thread counts meanwhile."""
    done = threading.Event()
    counts = []

    def count():
        while not done.is_set():
            counts.append(time.monotonic())
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    start = time.monotonic()
    captioner.caption(list(photos) * 4)
    end = time.monotonic()
    done.set()
    counter.join()
    assert sum(start < at < end for at in counts) > 10


def test_threads_may_share_a_captioner(captioner, photos):
    expected = [captioner.caption(photo).text for photo in photos]
    found = [None] * len(photos)

    def caption(at):
        found[at] = captioner.caption(photos[at]).text

    threads = [threading.Thread(target=caption, args=[at]) for at in range(len(photos))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


# The captioner that a forked process has from its parent.
CHILD = []


def caption_of_child(photo):
    try:
        return CHILD[0].caption(photo).text
    except RuntimeError as error:
        return str(error)


def test_a_forked_process_is_refused_instead_of_waiting(captioner, photos):
    pool = multiprocessing.get_context("fork").Pool(1, initializer=lambda: CHILD.append(captioner))
    with pool:
        assert "spawn" in pool.apply_async(caption_of_child, [photos[0]]).get(timeout=60)


def test_onnxruntime_of_python_works_in_the_same_process(captioner, photos, encoder):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(encoder), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    tensor = numpy.zeros([1, *entry.shape[1:]], numpy.float32)
    assert numpy.isfinite(session.run(None, {entry.name: tensor})[0]).all()
    assert captioner.caption(photos[0]).text


def test_the_command_says_its_version():
    printed = run("--version")
    assert showtell.__version__ in printed and "ONNX Runtime" in printed


def test_pillow_is_not_needed(photos, encoder):
    """Only a caller with pictures of Pillow needs it."""
    script = (
        "import sys; sys.modules['PIL'] = None\n"
        "import showtell, pathlib\n"
        "assert showtell.tokenize('A dog.') == ['a', 'dog']\n"
        "try: showtell._pictures.rgb(7, 'it', 1)\n"
        "except TypeError: pass\n"
    )
    script = script.replace("import showtell,", "import showtell._pictures, showtell,")
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ)


def test_open_files_are_read(captioner, photos):
    expected = captioner.caption(photos[0]).text
    assert captioner.caption(io.BytesIO(photos[0].read_bytes())).text == expected
    with photos[0].open("rb") as file:
        assert captioner.caption(file).text == expected
    with pytest.raises(TypeError):
        captioner.caption(io.StringIO("text"))
    with pytest.raises(TypeError, match="Give several images as a list"):
        captioner.caption(iter(photos))


def test_descriptions_are_values(captioner, photos):
    """They are compared, printed, and sent to other processes."""
    description = captioner.caption(photos[0], n_best=2)
    assert description == captioner.caption(photos[0], n_best=2)
    copy = pickle.loads(pickle.dumps(description))
    assert copy == description and copy.captions[0].words[0].attention.shape == (7, 7)
    assert dataclasses.asdict(description)["captions"][0]["text"] == description.text
