"""The selective scan's C++ kernel: built by the machine's compiler into the user's cache folder, and called by ctypes.

It is built at its first use, once, in a few seconds. Its file is named by a hash of the source, the compiler, the flags
and the processor, since it is made for that one, and by a hash of its bytes. It is written under a temporary name and
renamed, so that processes that build at once don't disturb each other. A file that can't be loaded is built anew. Where
anything fails, for whatever reason, `explain_absence` says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from affectkit.ops.scan_cache import find_kept, keep, open_folder
from affectkit.ops.scan_team import compiled
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


class NativeTiles:
    """`TileKernels` of a library that was built from the source."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self.width, self.steps = self._library.scan_width(), self._library.scan_steps()
        self.forward = compiled(("scan_forward", self._library))
        self.backward = compiled(("scan_backward", self._library))


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
    return (_load() if build or _load.cache_info().currsize else _try(build=False))[1]


def describe_native() -> str:
    """What it is made by, and whether that was done."""
    made = "built" if is_built() else "to be built at the first scan"
    return f"C++, {made} by {_written(find_compiler())}"


def is_built() -> bool:
    """Whether there is one; builds nothing."""
    return (_load() if _load.cache_info().currsize else _try(build=False))[0] is not None


@functools.cache
def _load() -> tuple[NativeTiles | None, str]:
    return _try(build=True)


def _try(build: bool) -> tuple[NativeTiles | None, str]:
    """The kernel, or why there is none; without `build`, no reason is given for one that was only never built."""
    try:
        compiler = find_compiler()
    except ValueError as error:
        return None, f"CXX={os.environ.get('CXX', '')!r} is no command ({error})"
    if compiler is None:
        return None, _no_compiler()
    try:
        folder, name = cache_folder() / "kernels", _library_name(compiler)
        for path in find_kept(folder, name):
            # whole, but made for a library of the system that is no longer there
            with contextlib.suppress(OSError, AttributeError):
                return NativeTiles(path), ""
        return (NativeTiles(_build(compiler, folder, name)) if build else None), ""
    except subprocess.TimeoutExpired:
        return None, f"{_written(compiler)} did not build it in {_PATIENCE_SECONDS} s"
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or [f"exit status {error.returncode}"]
        return None, f"{_written(compiler)} can't build it ({said[0]})"
    # no home, a cache folder that can't be written, from which nothing may be executed: there are other paths
    except Exception as error:
        return None, f"the built kernel can't be kept or loaded ({error})"


def _build(compiler: tuple[str, ...], folder: Path, name: str) -> Path:
    _log.info("building the selective scan's kernel, once, into %s", folder)
    open_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as scratch:
        made = Path(scratch) / "scan.so"
        command = [*compiler, *FLAGS, str(SOURCE), "-o", str(made)]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE_SECONDS)
        return keep(made, folder, name)


def _library_name(compiler: tuple[str, ...]) -> str:
    """How the names of libraries for this machine begin."""
    parts = (SOURCE.read_text(), *compiler, *FLAGS, platform.machine(), _processor())
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return f"selective-scan-{key}"


def find_compiler() -> tuple[str, ...] | None:
    """The C++ compiler that builds the kernel: the path and arguments of `CXX`, or the first of `COMPILERS` there is.

    Raises:
        ValueError: a quotation in `CXX` has no end.
    """
    # what it makes on Windows needs libraries that are not on every path
    if os.name == "nt":
        return None
    asked = shlex.split(os.environ.get("CXX", ""))
    commands = [asked] if asked else [[name] for name in COMPILERS]
    return next(((found, *rest) for name, *rest in commands if (found := shutil.which(name))), None)


def _written(compiler: tuple[str, ...] | None) -> str:
    return shlex.join(compiler or ())


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
