"""The parts that the package brings, and ONNX Runtime, which its environment has."""

import importlib.util
import os
from pathlib import Path
from typing import Optional

from ._showtell import ModelError

PREFIX = Path(__file__).parent / "installed"
"""The programs in `bin` and the model in `share`, laid out as an archive is."""


def model() -> Path:
    """Find the model of the package."""
    folder = PREFIX / "share" / "showtell" / "models" / "showtell"
    if not (folder / "manifest.json").exists():
        raise ModelError(
            f"{folder}: not found: this copy of the package has no model\n"
            "  Install the wheel (make wheel), or name a model: Captioner(model=FOLDER)"
        )
    return folder


def runtime() -> Optional[Path]:
    """Find the library of ONNX Runtime; None where ORT_DYLIB_PATH names one."""
    if os.environ.get("ORT_DYLIB_PATH"):
        return None
    package = importlib.util.find_spec("onnxruntime")
    folders = package.submodule_search_locations if package else None
    for folder in folders or []:
        for library in sorted(Path(folder, "capi").glob("libonnxruntime.so*")):
            return library
    raise ModelError(
        "onnxruntime: not installed, or without libonnxruntime.so\n  Install it: pip install 'onnxruntime>=1.19'"
    )
