"""Which kernels compute a selective scan, and why.

| path | computes | needs |
|---|---|---|
| `mamba-ssm` | on CUDA | the extra `affectkit[mamba]` |
| `native` | on the CPU, in float32 | a C++ compiler, once |
| `numba` | on the CPU, in float32 | the extra `affectkit[fast]` |
| `torch` | everywhere, in float64 too | nothing |

The first of these that can is taken.
"""

from __future__ import annotations

import functools
import os
from importlib import import_module
from importlib.util import find_spec

import torch

from affectkit.errors import InputError, MissingDependencyError, did_you_mean
from affectkit.ops import scan_mamba_ssm, scan_native

PATHS = ("mamba-ssm", "native", "numba", "torch")
# names a path for all scans on the CPU in float32
VARIABLE = "AFFECTKIT_SCAN"


# of constants only, and compilers can't look into files and environments
@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def choose_path(asked: str | None, device: str, dtype: str, states: int, only_torch: bool) -> str:
    """The path that computes a scan.

    Arguments:
        asked: a path that the caller insists on.
        device: of the tensors, as text: `cuda:0`.
        dtype: in which the scan is computed: `float32`, `float64`.
        states: N.
        only_torch: whether mamba-ssm's kernels can't give what is wanted.

    Raises:
        InputError: there is no path of that name, or it does not compute this.
        MissingDependencyError: it needs what is not here.
    """
    kind = torch.device(device).type
    if asked is None:
        if kind == "cuda":
            is_theirs = dtype == "float32" and not _limit(states, only_torch)
            return "mamba-ssm" if is_theirs and not scan_mamba_ssm.explain_absence(torch.device(device)) else "torch"
        return _choose_on_cpu() if kind == "cpu" and dtype == "float32" else "torch"
    _check_name(asked, "path", PATHS)
    if asked == "torch":
        return asked
    right = "cuda" if asked == "mamba-ssm" else "cpu"
    if kind != right or dtype != "float32":
        raise InputError(
            f"path: {asked!r} computes on {right} in float32, not on {kind} in {dtype}; give path='torch', or none"
        )
    if asked == "mamba-ssm" and (limit := _limit(states, only_torch)):
        raise InputError(f"path: {asked!r} {limit}; give path='torch', or none")
    missing = scan_mamba_ssm.explain_absence(torch.device(device)) if right == "cuda" else _explain_absence(asked)
    if missing:
        raise MissingDependencyError(f"path: {asked!r} can't be used: {missing}; give path='torch', or none")
    return asked


def describe_paths() -> str:
    """One line: the path of scans in float32 on this machine's CPU, on its GPU if it has one, and why."""
    line = _describe_on_cpu()
    if not torch.cuda.is_available():
        return line
    missing = scan_mamba_ssm.explain_absence(torch.device("cuda", torch.cuda.current_device()))
    return f"on CUDA {f'torch: {missing}' if missing else 'mamba-ssm: its kernels'}; on the CPU {line}"


def _limit(states: int, only_torch: bool) -> str:
    """What mamba-ssm's kernels can't do of this; empty if they can do all."""
    if only_torch:
        return "scans no empty input, and its last state has no gradient"
    most = scan_mamba_ssm.MOST_STATES
    return f"has room for {most} states, not {states}" if states > most else ""


def _choose_on_cpu(build: bool = True) -> str:
    """The path; without `build`, a compiler is trusted to work until it has been tried."""
    if asked := os.environ.get(VARIABLE):
        _check_name(asked, VARIABLE, PATHS[1:])
        if missing := _explain_absence(asked, build):
            raise MissingDependencyError(f"{VARIABLE}: {asked!r} can't be used: {missing}; name another, or unset it")
        return asked
    return next((path for path in ("native", "numba") if not _explain_absence(path, build)), "torch")


def _describe_on_cpu() -> str:
    path = _choose_on_cpu(build=False)
    if os.environ.get(VARIABLE):
        return f"{path}: {VARIABLE} names it"
    if path == "native":
        # a compiler that can't build it is found out by the first scan alone
        otherwise = "" if scan_native.is_built() else f"; where that fails, {'torch' if _try_numba() else 'numba'}"
        return f"native: {scan_native.describe_native()}{otherwise}"
    missing = (_explain_absence(better, build=False) for better in ("native", "numba")[: 1 + (path == "torch")])
    return f"{path}: {', and '.join(missing)}"


def _explain_absence(path: str, build: bool = True) -> str:
    if path == "native":
        return scan_native.explain_absence(build)
    return "" if path == "torch" else _try_numba()


@functools.cache
def _try_numba() -> str:
    if find_spec("numba") is None:
        return "numba is not installed (pip install 'affectkit[fast]')"
    try:
        import_module("affectkit.ops.scan_numba")
    # a numba whose insides are others, or that has no place for its cache
    except Exception as error:
        return f"numba is installed, but fails ({type(error).__name__}: {error})"
    return ""


def _check_name(name: str, where: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise InputError(f"{where}: no path is called {name!r}; {did_you_mean(name, names, noun='paths')}")
