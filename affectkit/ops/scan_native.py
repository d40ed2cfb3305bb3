"""The selective scan's C++ kernel: built by the machine's compiler into the user's cache folder, and called by ctypes.

It is built at its first use, once, in a few seconds. Its file is named by a hash of the source, the compiler, the flags
and the processor, since it is made for that one. It is written under a temporary name and renamed, so that processes
that build at once don't disturb each other. Where that fails, for whatever reason, `explain_absence` says why.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from torch import Tensor

from affectkit.ops.scan_inputs import ScanGradients, ScanInputs, Scanned
from affectkit.weights import cache_folder

SOURCE = Path(__file__).with_name("scan_native.cpp")
COMPILERS = ("c++", "g++", "clang++")
# ARM compilers know `-mcpu` as what `-march` and `-mtune` are elsewhere.
_TARGET = "-mcpu=native" if platform.machine().lower() in ("arm64", "aarch64") else "-march=native"
FLAGS: tuple[str, ...] = (
    "-std=c++17",
    "-O3",
    _TARGET,
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-w",
)
FLAGS += ("-shared", "-fPIC")
_PATIENCE_SECONDS = 120
_log = logging.getLogger(__name__)

_POINTERS = (
    "u", "delta", "A", "B", "C", "D", "z", "delta_bias",
    "out", "last", "checkpoints", "d_out", "d_last",
    "d_u", "d_delta", "d_A", "d_B", "d_C", "d_D", "d_z", "d_bias",
)  # fmt: skip
_NUMBERS = ("batch", "groups", "per_group", "states", "length", "softplus")


class _Arguments(ctypes.Structure):
    """`struct Arguments` of the source."""

    _fields_ = [(name, ctypes.c_void_p) for name in _POINTERS] + [(name, ctypes.c_int64) for name in _NUMBERS]


class NativeTiles:
    """`TileKernels` of a library that was built from the source."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self.width, self.steps = self._library.scan_width(), self._library.scan_steps()
        for function in (self._library.scan_forward, self._library.scan_backward):
            function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64], None

    def forward(self, inputs: ScanInputs, into: Scanned, first: int, stop: int) -> None:
        kept = into.checkpoints if into.checkpoints.numel() else None
        arguments = _pack(inputs, (into.out, into.last, kept, *(None,) * 10))
        self._library.scan_forward(ctypes.addressof(arguments), first, stop)

    def backward(
        self, inputs: ScanInputs, checkpoints: Tensor, d_out: Tensor, d_last: Tensor | None, into: ScanGradients,
        first: int, stop: int,
    ) -> None:  # fmt: skip
        arguments = _pack(inputs, (None, None, checkpoints, d_out, d_last, *into))
        self._library.scan_backward(ctypes.addressof(arguments), first, stop)


def load_native() -> NativeTiles:
    """The kernel, built if it never was.

    Raises:
        OSError: it can't be built or loaded here; `explain_absence` says why.
    """
    kernel, reason = _load()
    if kernel is None:
        raise OSError(reason)
    return kernel


def explain_absence(build: bool = True) -> str:
    """Why the kernel can't be used; empty if it can, or, without `build`, if it is not yet built and may well be."""
    if not build and _load.cache_info().currsize == 0:
        return "" if _library_path() else _no_compiler()
    return _load()[1]


def describe_native() -> str:
    """What it is made by, and whether that was done."""
    path = _library_path()
    return f"C++, {'built' if path and path.exists() else 'to be built at the first scan'} by {find_compiler()}"


@functools.cache
def _load() -> tuple[NativeTiles | None, str]:
    if (path := _library_path()) is None:
        return None, _no_compiler()
    try:
        if not path.exists():
            _build(path)
        return NativeTiles(path), ""
    except subprocess.TimeoutExpired:
        return None, f"{find_compiler()} did not build it in {_PATIENCE_SECONDS} s"
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"exit status {error.returncode}"]
        return None, f"{find_compiler()} can't build it ({said[0]})"
    # a cache folder that can't be written, or from which nothing may be executed
    except (OSError, AttributeError) as error:
        return None, f"the built kernel can't be kept or loaded ({error})"


def _build(path: Path) -> None:
    _log.info("building the selective scan's kernel, once, into %s", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as folder:
        made = Path(folder) / path.name
        command = [str(find_compiler()), *FLAGS, str(SOURCE), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE_SECONDS)
        os.replace(made, path)


def _library_path() -> Path | None:
    """Where the library for this machine lies once it is built; None without a compiler."""
    if (compiler := find_compiler()) is None:
        return None
    parts = (SOURCE.read_text(), compiler, *FLAGS, platform.machine(), _processor())
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return cache_folder() / "kernels" / f"selective-scan-{key}.so"


def find_compiler() -> str | None:
    """Path of the C++ compiler that builds the kernel: `CXX`, or the first of `COMPILERS` that is there."""
    # what it makes on Windows needs libraries that are not on every path
    if os.name == "nt":
        return None
    names = (os.environ["CXX"],) if os.environ.get("CXX") else COMPILERS
    return next((found for name in names if (found := shutil.which(name))), None)


def _no_compiler() -> str:
    asked = os.environ.get("CXX")
    return f"no C++ compiler ({f'CXX={asked}' if asked else ', '.join(COMPILERS)}) is found"


def _processor() -> str:
    """Its name and what it can do: two machines may share a home folder."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(
        sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    )


def _pack(inputs: ScanInputs, others: tuple[Tensor | None, ...]) -> _Arguments:
    *tensors, softplus = inputs
    pointers = (None if one is None else one.data_ptr() for one in (*tensors, *others))
    return _Arguments(*pointers, *inputs.sizes, int(softplus))
