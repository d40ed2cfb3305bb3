"""How fast the selective scan is on this CPU, in one run: `python benchmarks/selective_scan.py [--long] [--quick]`.

Peers: the loop that mamba-ssm ships as its reference, which makes exp(delta A) of all steps and takes slices of it (its
backward pass makes a gradient of full size for each slice); and mambapy's parallel scan, which needs torch only, if it
is installed (`pip install --no-deps mambapy`). The floor is a loop in C++ that does what no kernel can do without: per
state and step one exp and 4 multiply-adds, per step a softplus and a SiLU; and for the backward pass the states once
more, kept in the nearest cache for 8 steps, and 8 multiply-adds that read them in reverse. It touches no tensor.

All take turns. Times are the least, of the CPU's time on one thread, and of the clock's on two. Errors are those of the
result and of all eight gradients against `selective_scan_ref` in float64, relative to the largest value of each.

Bars, in times the loop (forward; forward and backward) and in times the floor: native 35, 170 and 2.3; numba 20, 80 and
4.5; torch 3.5 and 13. Native and numba 20 times mambapy, forward and backward. Errors 1e-5 and 1e-4. `--long` adds
L = 3136, where the loop's backward pass takes minutes; `--quick` takes few turns.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from affectkit.ops import scan_native
from affectkit.ops.scan_paths import PATHS
from affectkit.ops.selective_scan import describe_scan, selective_scan
from affectkit.ops.selective_scan_ref import selective_scan_ref

SIZES, LONG = ((1, 192, 196, 16), (8, 192, 196, 16), (1, 384, 784, 16)), (1, 192, 3136, 16)
BARS: dict[str, tuple[float, float, float]] = {
    "native": (35.0, 170.0, 2.3),
    "numba": (20.0, 80.0, 4.5),
    "torch": (3.5, 13.0, float("inf")),
}
OVER_PEER, FORWARD_ERROR, GRADIENT_ERROR = 20.0, 1e-5, 1e-4
# One round of everything takes about that long without the loop's backward pass; slow ones are repeated less.
PATIENCE_SECONDS = {"quick": 0.5, "full": 4.0}

FLOOR = r"""
#include <cstdint>
#ifdef __AVX512F__
#include <immintrin.h>
constexpr int W = 16;
#else
constexpr int W = 8;
#endif
typedef float V __attribute__((vector_size(4 * W)));
typedef int32_t I __attribute__((vector_size(4 * W)));
#define INLINE static inline __attribute__((always_inline))
INLINE V exponential(V t) {
#ifdef __AVX512F__
  V r = (V)_mm512_roundscale_ps((__m512)t, 8), f = t - r;
#else
  V r = t + 12582912.0f, f = t - (r - 12582912.0f);
#endif
  V p = ((((f * 1.33e-3f + 9.67e-3f) * f + 5.55e-2f) * f + 0.2402f) * f + 0.6931f) * f + 1.0f;
#ifdef __AVX512F__
  return (V)_mm512_scalef_ps((__m512)p, (__m512)r);
#else
  return p * (V)((I)r + 127 << 23);
#endif
}
INLINE V inverse(V x) {
#ifdef __AVX512F__
  V r = (V)_mm512_rcp14_ps((__m512)x);
  return r * (2.0f - x * r);
#else
  return 1.0f / x;
#endif
}
INLINE V softplus(V x) {
  V w = exponential(-x), s = w * inverse(w + 2.0f), q = s * s;
  return x + ((((q * 0.14f + 0.14f) * q + 0.2f) * q + 0.333f) * q + 1.0f) * s;
}
// `steps` of W channels with 16 states
extern "C" float forward(int64_t steps, const float *values) {
  V A[16], x[16] = {}, sum = {}, v = V{} + values[0];
  for (int n = 0; n < 16; n++) A[n] = V{} - values[n + 1];
  for (int64_t t = 0; t < steps; t++) {
    v = v * 0.999f + 1e-4f;
    V dt = softplus(v), enters = dt * v, y = {};
#pragma GCC unroll 16
    for (int n = 0; n < 16; n++) {
      x[n] = exponential(dt * A[n]) * x[n] + enters * values[n];
      y += x[n] * values[n + 16];
    }
    sum += y * v * inverse(1.0f + exponential(v));
  }
  return sum[0];
}
extern "C" float backward(int64_t steps, const float *values) {
  V A[16], x[9][16] = {}, a[8][16], g[16] = {}, dA[16] = {}, dB[8][16] = {}, dC[8][16] = {}, sum = {};
  V v = V{} + values[0], dt[8], us[8], dy[8];
  for (int n = 0; n < 16; n++) A[n] = V{} - values[n + 1];
  for (int64_t begin = 0; begin < steps; begin += 8) {
    for (int t = 0; t < 8; t++) {
      us[t] = v = v * 0.999f + 1e-4f;
      dt[t] = softplus(v);
      dy[t] = v * inverse(1.0f + exponential(v));
#pragma GCC unroll 16
      for (int n = 0; n < 16; n++) {
        a[t][n] = exponential(dt[t] * A[n]);
        x[t + 1][n] = a[t][n] * x[t][n] + dt[t] * us[t] * values[n];
      }
    }
    for (int t = 7; t >= 0; t--) {
      V through_A = {}, through_B = {};
#pragma GCC unroll 16
      for (int n = 0; n < 16; n++) {
        V gradient = dy[t] * values[n + 16] + g[n];
        dC[t][n] += dy[t] * x[t + 1][n];
        dB[t][n] += gradient * (dt[t] * us[t]);
        through_B += gradient * values[n];
        g[n] = a[t][n] * gradient;
        V h = g[n] * x[t][n];
        through_A += h * A[n];
        dA[n] += h * dt[t];
      }
      sum += through_A + through_B;
    }
    for (int n = 0; n < 16; n++) x[0][n] = x[8][n];
  }
  for (int n = 0; n < 16; n++) sum += dA[n];
  for (int t = 0; t < 8; t++)
    for (int n = 0; n < 16; n++) sum += dB[t][n] + dC[t][n];
  return sum[0];
}
extern "C" int width() { return W; }
"""


def main() -> int:
    """Print a table per size and number of threads; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="also L = 3136, where the loop takes minutes")
    parser.add_argument("--quick", action="store_true", help="few turns")
    options = parser.parse_args()
    print(describe_scan())
    paths = [path for path in PATHS[1:] if _is_usable(path)]
    print(f"paths: {', '.join(paths)}; mambapy: {'yes' if _has_mambapy() else 'not installed, not compared'}")
    floor = _build_floor()
    print("floor:", "built" if floor else "no compiler, so no floor")
    held = [_check_errors(path) for path in paths]
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for size in (*SIZES, LONG) if options.long else SIZES:
            held.append(_table(size, threads, paths, floor, PATIENCE_SECONDS["quick" if options.quick else "full"]))
    print(f"\nbars {'held' if all(held) else 'MISSED'}")
    return int(not all(held))


def _table(size: tuple[int, ...], threads: int, paths: list[str], floor: Any, patience: float) -> bool:
    clock = time.thread_time if threads == 1 else time.perf_counter
    still, learning = _make(*size), [one.requires_grad_() for one in _make(*size)]
    weight = torch.randn(size[:3], generator=torch.Generator().manual_seed(1))
    runs: dict[tuple[str, str], Callable[[], object]] = {}

    def add(name: str, scan: Callable[..., Any]) -> None:
        runs[name, "forward"] = lambda: scan(*still)
        runs[name, "both"] = lambda: torch.autograd.grad(scan(*learning), learning, weight)

    add("loop", loop)
    if _has_mambapy():
        add("mambapy", parallel)
    for path in paths:
        add(path, lambda *inputs, path=path: _scan(list(inputs), path))
    if floor:
        steps = size[0] * size[1] * size[2] // floor.width()
        values = (ctypes.c_float * 32)(*(0.1 + 0.01 * i for i in range(32)))
        runs["floor", "forward"] = lambda: floor.forward(steps, values)
        runs["floor", "both"] = lambda: (floor.forward(steps, values), floor.backward(steps, values))
    times = _take_turns(runs, clock, patience)
    if floor and threads > 1:
        times |= {("floor", kind): times["floor", kind] / threads for kind in ("forward", "both")}
    return _print(size, threads, times)


def _take_turns(
    runs: dict[tuple[str, str], Callable[[], object]], clock: Callable[[], float], patience: float
) -> dict[tuple[str, str], float]:
    """The least time of each; what is slow gets fewer turns, and at least one."""
    least, spent = dict.fromkeys(runs, float("inf")), dict.fromkeys(runs, 0.0)
    for name, run in runs.items():
        if name != ("loop", "both"):
            run()
    for _ in range(20):
        for name, run in runs.items():
            # several in a row, since what took its turn before has emptied the caches
            for _ in range(5):
                if spent[name] < patience:
                    begun = clock()
                    run()
                    took = clock() - begun
                    least[name], spent[name] = min(least[name], took), spent[name] + took
    return least


def _print(size: tuple[int, ...], threads: int, times: dict[tuple[str, str], float]) -> bool:
    print(f"\n(B, D, L, N) = {size}, {threads} thread{'s' * (threads > 1)}")
    print(
        f"{'':9}{'forward, ms':>12}{'x loop':>9}{'x floor':>9}{'both, ms':>12}{'x loop':>9}{'x floor':>9}{'x peer':>8}"
    )
    held = []
    for name in dict.fromkeys(name for name, _ in times):
        cells, bars = [], BARS.get(name, (0.0, 0.0, float("inf")))
        for kind, bar in zip(("forward", "both"), bars, strict=False):
            over_loop = times["loop", kind] / times[name, kind]
            over_floor = times[name, kind] / times["floor", kind] if ("floor", kind) in times else float("nan")
            cells.append(f"{times[name, kind] * 1000:12.3f}{over_loop:9.1f}{over_floor:9.2f}")
            held += [over_loop >= bar, not over_floor > bars[2]]
        over_peer = times.get(("mambapy", "both"), float("nan")) / times[name, "both"]
        if name in ("native", "numba"):
            held.append(not over_peer < OVER_PEER)
        print(f"{name:9}{''.join(cells)}{over_peer:8.1f}{'' if all(held) else '  MISSED so far'}")
    return all(held)


def _check_errors(path: str) -> bool:
    inputs = [one.requires_grad_() for one in _make(2, 200, 197, 16)]
    doubles = [one.detach().double().requires_grad_() for one in inputs]
    weight = torch.randn(2, 200, 197, generator=torch.Generator().manual_seed(1))
    found, exact = _scan(inputs, path), _scan(doubles, None, selective_scan_ref)
    error = _error(found.detach(), exact.detach())
    gradients = (torch.autograd.grad(y, of, weight.to(y)) for y, of in ((found, inputs), (exact, doubles)))
    worst = max(_error(one, other) for one, other in zip(*gradients, strict=True))
    print(f"{path}: error {error:.1e}, of gradients {worst:.1e}")
    return error <= FORWARD_ERROR and worst <= GRADIENT_ERROR


def _scan(inputs: list[Tensor], path: str | None, scan: Callable[..., Any] = selective_scan) -> Tensor:
    found: Tensor = scan(*inputs, delta_softplus=True, **({"path": path} if path else {}))
    return found


def _error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).abs().max() / exact.abs().max())


def _make(batch: int, channels: int, length: int, states: int) -> list[Tensor]:
    """What a Mamba layer gives its scan, drawn at random."""
    make = torch.Generator().manual_seed(0)
    u, delta, z = torch.randn(3, batch, channels, length, generator=make)
    b, c = torch.randn(2, batch, states, length, generator=make)
    a = -torch.arange(1.0, states + 1).repeat(channels, 1)
    skip, bias = torch.randn(2, channels, generator=make)
    return [u, delta * 0.5, a, b, c, skip, z, bias * 0.5 - 2]


def loop(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, delta_bias: Tensor) -> Tensor:
    """The scan as mamba-ssm's reference computes it: decays of all steps at once, then a slice per step."""
    delta = functional.softplus(delta + delta_bias[:, None])
    deltaA = torch.exp(torch.einsum("bdl,dn->bdln", delta, A))
    deltaB_u = torch.einsum("bdl,bnl,bdl->bdln", delta, B, u)
    x = u.new_zeros(u.shape[0], u.shape[1], A.shape[1])
    ys = []
    for i in range(u.shape[2]):
        x = deltaA[:, :, i] * x + deltaB_u[:, :, i]
        ys.append(torch.einsum("bdn,bn->bd", x, C[:, :, i]))
    return (torch.stack(ys, dim=2) + u * D[:, None]) * functional.silu(z)


def parallel(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor, z: Tensor, delta_bias: Tensor
) -> Tensor:
    """The scan by mambapy's `pscan`, set up as its Mamba block does."""
    from mambapy.pscan import pscan

    delta = functional.softplus(delta + delta_bias[:, None]).transpose(1, 2)
    inputs = (delta * u.transpose(1, 2))[..., None] * B.transpose(1, 2)[:, :, None]
    x = pscan(torch.exp(delta[..., None] * A), inputs)
    y: Tensor = (x @ C.transpose(1, 2)[..., None])[..., 0].transpose(1, 2)
    return (y + D[:, None] * u) * functional.silu(z)


def _is_usable(path: str) -> bool:
    try:
        began = time.perf_counter()
        _scan(_make(1, 4, 4, 16), path)
        print(f"{path}: first call after {time.perf_counter() - began:.1f} s")
    except ImportError as error:
        print(error)
        return False
    return True


def _has_mambapy() -> bool:
    return importlib.util.find_spec("mambapy") is not None


def _build_floor() -> Any:
    if (compiler := scan_native.find_compiler()) is None:
        return None
    folder = Path(tempfile.mkdtemp())
    (folder / "floor.cpp").write_text(FLOOR)
    command = [*compiler, *scan_native.FLAGS, str(folder / "floor.cpp"), "-o", str(folder / "floor.so")]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(folder / "floor.so"))
    for function in (library.forward, library.backward):
        function.argtypes, function.restype = [ctypes.c_int64, ctypes.c_void_p], ctypes.c_float
    return library


if __name__ == "__main__":
    sys.exit(main())
