"""Checks Showtell on a machine with a GPU: every program on the CPU and on the GPU, results and speed side by side.

It needs Python 3.11 or newer alone; PyTorch, if it is installed, gives libtorch and a comparison. It uses no network.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import machine
from check import Check


def arguments():
    parser = argparse.ArgumentParser(prog="gpu-check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    scenes = min(1500, 100 * len(os.sched_getaffinity(0)))
    folders = (
        ("bin", "DIR", "folder of the programs [default: bin beside the check]"),
        ("models", "DIR", "folder with the model showtell and its encoder [default: models beside the check]"),
        ("encoder", "FILE", "the encoder [default: efficientnet-lite2.onnx among the models]"),
        ("libtorch", "DIR", "folder with lib/libtorch_cpu.so [default: LIBTORCH, or the Python package torch]"),
        ("onnxruntime", "PATH", "libonnxruntime.so or its folder [default: ORT_DYLIB_PATH, or the Python package]"),
        ("photos", "DIR", "folder of JPEG photos [default: photos beside the check, if it exists]"),
        ("keep", "DIR", "a new folder for stores and runs, which stay there"),
    )
    for name, value, text in folders:
        parser.add_argument(f"--{name}", metavar=value, type=Path, help=text)
    numbers = (
        ("scenes", int, scenes, "drawn scenes for training [default: 100 per core, at most 1500]"),
        ("served", int, 20, "photos to caption over HTTP [default: 20]"),
        ("minutes", float, 9.5, "time for all steps [default: 9.5]"),
    )
    for name, kind, default, text in numbers:
        parser.add_argument(f"--{name}", metavar="N", type=kind, default=default, help=text)
    parser.add_argument("--json", metavar="FILE", type=Path, default=Path("gpu-check.json"), help="results [default: gpu-check.json]")
    parser.add_argument("--cpu-only", action="store_true", help="run all steps twice on the CPU: a test of the check itself")
    return parser.parse_args()


def main():
    options = arguments()
    bundle = Path(__file__).resolve().parent.parent
    if not options.cpu_only:
        count, problem = machine.count_devices()
        if count == 0:
            print(f"no CUDA device: {problem}\n  --cpu-only runs all steps on the CPU.", file=sys.stderr)
            return 2
    options.json = options.json.resolve()
    if options.photos is None and (bundle / "photos").is_dir():
        options.photos = bundle / "photos"
    # Programs run in a folder of their own.
    for name in ("bin", "models", "encoder", "libtorch", "onnxruntime", "photos"):
        value = getattr(options, name)
        setattr(options, name, value and value.resolve())
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        if options.keep:
            folder.mkdir(parents=True)
        check = Check(options, machine.Machine(options, bundle), folder)
        for part, costs in check.absences:
            print(f"absent: {part}: costs {costs}", file=sys.stderr)
        check.run_steps()
        check.print()
    print(f"results: {options.json}")
    return 0 if check.passed() else 1


if __name__ == "__main__":
    sys.exit(main())
