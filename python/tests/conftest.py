"""Real parts for the tests: an encoder, the shipped model, photos, the programs.

From a checkout `make test` names them. Without SHOWTELL_TEST_ENCODER the installed package must bring all of them.
"""

import os
import subprocess
from pathlib import Path

import pytest
from showtell import Captioner, FeatureStore

ROOT = Path(__file__).resolve().parents[2]
ENCODER = os.environ.get("SHOWTELL_TEST_ENCODER")
COMMAND = os.environ.get("SHOWTELL_TEST_COMMAND", "showtell")
MODEL = ["--model", ROOT / "models" / "showtell", "--encoder", ENCODER] if ENCODER else []


def captioner_of_model(**options):
    if ENCODER:
        return Captioner(ROOT / "models" / "showtell", encoder=ENCODER, **options)
    return Captioner(**options)


def run(*arguments):
    """Run `showtell` and return its standard output."""
    command = [COMMAND, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def captioner():
    return captioner_of_model()


@pytest.fixture(scope="session")
def photos():
    """The samples of the page."""
    return sorted((ROOT / "serve" / "src" / "page" / "samples").glob("*.jpg"))


@pytest.fixture(scope="session")
def shared():
    """Photos, captions and scores that the project may not ship."""
    folder = Path(os.environ.get("SHOWTELL_SHARED", ROOT.parent / "shared"))
    if not folder.exists():
        assert os.environ.get("CI") != "true", f"{folder} is missing"
        pytest.skip(f"{folder} is missing (SHOWTELL_SHARED names it)")
    return folder


@pytest.fixture(scope="session")
def encoder():
    if ENCODER:
        return ENCODER
    from showtell import _parts

    return _parts.model().parent / "efficientnet-lite2.onnx"


@pytest.fixture(scope="session")
def store(photos, encoder, tmp_path_factory):
    """A store of the samples in two views."""
    path = tmp_path_factory.mktemp("store") / "samples.h5"
    run(
        "extract", "--images", photos[0].parent, "--encoder", encoder, "--store", path,
        "--views", "original,flip", "--device", "cpu",
    )  # fmt: skip
    return FeatureStore(path)
