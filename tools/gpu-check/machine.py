"""What the machine has: CUDA devices, libtorch, ONNX Runtime, PyTorch, and the programs."""

import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = ("captions", "encoder", "extract", "train", "caption", "serve")
ENCODER = "efficientnet-lite2.onnx"
MODEL = "showtell"
TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
                  "device": torch.cuda.get_device_name(0) if cuda else None}))
"""


def count_devices():
    """The number of CUDA devices, and why there is none."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0, "the driver's library libcuda.so.1 was not found"
    status = driver.cuInit(0)
    if status != 0:
        return 0, f"cuInit of the driver answers {status}"
    count = ctypes.c_int()
    status = driver.cuDeviceGetCount(ctypes.byref(count))
    return count.value, f"cuDeviceGetCount of the driver answers {status} and {count.value} devices"


def describe_devices():
    """The devices as nvidia-smi names them."""
    fields = "name,driver_version,memory.total"
    try:
        command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
        output = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi: {error}"
    return "; ".join(output.stdout.split("\n")).strip("; ") or f"nvidia-smi: {output.stderr.strip()}"


def describe_cpu():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def has_bf16():
    """Whether the CPU has instructions for bfloat16; without them it takes many times as long."""
    flags = Path("/proc/cpuinfo").read_text().split()
    return "amx_bf16" in flags or "avx512_bf16" in flags


def package(name):
    """The folder of a Python package, which is not imported."""
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def find_libtorch(named):
    candidates = [named, os.environ.get("LIBTORCH"), package("torch")]
    folders = [Path(candidate).resolve() for candidate in candidates if candidate]
    return next((folder for folder in folders if (folder / "lib/libtorch_cpu.so").is_file()), None)


def find_runtimes(named, bundle):
    """ONNX Runtime for the CPU and for CUDA: the paths of the libraries, or `None`."""
    python = package("onnxruntime")
    candidates = [named, os.environ.get("ORT_DYLIB_PATH"), python and python / "capi", bundle / "lib"]
    native = os.environ.get("SHOWTELL_NATIVE")
    candidates.append(native and Path(native) / "onnxruntime/onnxruntime/capi")
    found = []
    for candidate in filter(None, candidates):
        path = Path(candidate).resolve()
        found += [path] if path.is_file() else sorted(path.glob("libonnxruntime.so*"))[:1]
    has_cuda = [path for path in found if (path.parent / "libonnxruntime_providers_cuda.so").is_file()]
    plain = [path for path in found if path not in has_cuda]
    first = lambda paths: next(iter(paths), None)
    return first(plain) or first(has_cuda), first(has_cuda)


def describe_torch(timeout):
    """The versions of PyTorch and what it sees, or why it cannot be imported."""
    command = [sys.executable, "-c", TORCH]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return None, f"importing torch took longer than {timeout:.0f} s"
    if output.returncode:
        return None, output.stderr.strip().splitlines()[-1]
    return json.loads(output.stdout), None


class Machine:
    def __init__(self, options, bundle):
        self.bundle = bundle
        self.is_cpu_only = options.cpu_only
        self.libtorch = find_libtorch(options.libtorch)
        self.runtime, self.runtime_with_cuda = find_runtimes(options.onnxruntime, bundle)
        self.programs = {name: self._program(options.bin, name) for name in PROGRAMS}
        folders = [options.models] if options.models else [bundle / "models", bundle.parent / "models"]
        self.model = self._first(folder / MODEL for folder in folders)
        self.encoder = self._first([options.encoder] if options.encoder else [folder / ENCODER for folder in folders])
        peers = [Path(__file__).resolve().parent / "captioner.py", bundle.parent / "benches/peers/captioner.py"]
        self.captioner = self._first(peers)

    @staticmethod
    def _first(paths):
        return next((Path(path).resolve() for path in paths if path and Path(path).exists()), None)

    def _program(self, named, name):
        folders = [named] if named else [self.bundle / "bin"]
        return self._first(folder / file for folder in folders for file in (name, f"showtell-{name}"))

    @property
    def devices(self):
        """The device of the first column and that of the second one."""
        return ("cpu", "cpu") if self.is_cpu_only else ("cpu", "cuda")

    def environment(self, program, device):
        """The environment of a program: where it finds its libraries, and those of CUDA as Python packages have them."""
        environment = dict(os.environ)
        runtime = self.runtime_with_cuda if device == "cuda" else self.runtime
        if runtime:
            environment["ORT_DYLIB_PATH"] = str(runtime)
        folders = []
        if program == "train" and self.libtorch:
            folders = [self.libtorch / "lib", *sorted(self.libtorch.parent.glob("nvidia/*/lib"))]
        elif runtime:
            packages = [runtime.parent.parent.parent, *([self.libtorch.parent] if self.libtorch else [])]
            folders = [folder for at in packages for folder in sorted(at.glob("nvidia/*/lib"))]
        folders += filter(None, [os.environ.get("LD_LIBRARY_PATH")])
        environment["LD_LIBRARY_PATH"] = ":".join(map(str, folders))
        runtime = self.runtime_with_cuda if device == "cuda" else self.runtime
        if runtime:
            environment["ORT_DYLIB_PATH"] = str(runtime)
        return environment

    def absences(self):
        """What is absent, and what that costs."""
        for name, path in self.programs.items():
            if path is None:
                yield f"program {name}", "the steps that run it; name its folder with --bin"
        if self.model is None:
            yield f"models/{MODEL}", "serving; name the folder of models with --models"
        if self.encoder is None:
            yield ENCODER, "extraction, all of training, and serving; name the file with --encoder"
        if self.libtorch is None:
            yield "libtorch", "training; install the Python package torch, or name its folder with --libtorch"
        elif not self.is_cpu_only and not (self.libtorch / "lib/libtorch_cuda.so").is_file():
            yield f"libtorch_cuda.so in {self.libtorch}", "training on the GPU; this libtorch is built for the CPU"
        if self.runtime is None:
            yield "ONNX Runtime", "extraction and serving; name libonnxruntime.so with --onnxruntime"
        if not self.is_cpu_only and self.runtime_with_cuda is None:
            yield "ONNX Runtime with CUDA", (
                "extraction and serving on the GPU; install the Python package onnxruntime-gpu, or name its folder "
                "(with libonnxruntime_providers_cuda.so) with --onnxruntime"
            )
        if package("torch") is None or package("numpy") is None:
            yield "Python packages torch and numpy", "the comparison with PyTorch"
        if self.captioner is None:
            yield "captioner.py", "the comparison with PyTorch"
        if not self.is_cpu_only and shutil.which("nvidia-smi") is None:
            yield "nvidia-smi", "the names of GPU and driver"
