"""Feature stores, compared with h5py."""

import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import showtell
from conftest import ROOT
from showtell import FeatureStore


def total_of(store, name):
    assert (store.read([name])[0] == store[name]).all()
    return float(store[name].sum())


def test_a_store_is_a_mapping_of_names_to_grids(store, photos):
    names = [photo.name for photo in photos]
    assert list(store) == list(store.names) == sorted(names) and len(store) == len(names)
    assert store.grid == (7, 7, 1488) and store.views == ["original", "flip"]
    assert store.dtype == "float16" and store.encoder == "efficientnet-lite2.onnx"
    assert len(store.encoder_sha256) == 64 and str(len(names)) in repr(store)
    grids = store[names[0]]
    assert grids.shape == (2, 49, 1488) and grids.dtype == numpy.float32
    assert numpy.isfinite(grids).all() and grids.std() > 0
    batch = store.read(names[:2])
    assert batch.shape == (2, 2, 49, 1488) and (batch[0] == grids).all()
    assert store.read([]).shape == (0, 2, 49, 1488)
    assert names[0] in store and "missing.jpg" not in store
    with pytest.raises(KeyError, match="missing.jpg"):
        store["missing.jpg"]
    with pytest.raises(TypeError, match="names: 'a' is not a list"):
        store.read("a")
    with pytest.raises(KeyError, match="missing.jpg"):
        store.read([names[0], "missing.jpg"])


def test_grids_are_those_that_h5py_reads(store):
    h5py = pytest.importorskip("h5py")
    with h5py.File(store.path) as file:
        rows = {name: index for index, name in enumerate(file["name"].asstr()[:])}
        views = [file[f"grids/{view}"][:] for view in store.views]
    for name in store:
        stacked = numpy.stack([grids[rows[name]] for grids in views]).astype(numpy.float32)
        assert (store[name] == stacked).all()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_read_a_store(store, method):
    names = list(store)
    expected = [total_of(store, name) for name in names]
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.starmap(total_of, [(store, name) for name in names]) == expected
    assert pickle.loads(pickle.dumps(store)).names == store.names


def test_what_is_not_a_store_is_refused(store, tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        FeatureStore(tmp_path / "missing.h5")
    assert raised.value.filename.endswith("missing.h5")
    other = tmp_path / "other.h5"
    other.write_text("text")
    with pytest.raises(showtell.StoreError, match="other.h5"):
        FeatureStore(other)
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(Path(store.path).read_bytes()[:-100_000])
    with pytest.raises(showtell.StoreError, match="damaged.h5"):
        FeatureStore(damaged)


def test_damaged_grids_are_refused(store, tmp_path):
    path = tmp_path / "flipped.h5"
    content = bytearray(Path(store.path).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
    path.write_bytes(content)
    with pytest.raises(showtell.StoreError, match="flipped.h5"):
        FeatureStore(path).read(store.names)


def test_the_example_reads_a_store_with_torch(store):
    pytest.importorskip("torch")
    example = ROOT / "examples" / "dataset.py"
    run = subprocess.run(
        [sys.executable, str(example), str(store.path), "--workers", "2"],
        check=True, capture_output=True, text=True, env=os.environ,
    )  # fmt: skip
    assert f"{len(store)} images" in run.stdout
