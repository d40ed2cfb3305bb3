"""How fast the selective scan is on this CPU, in one run: `python benchmarks/selective_scan.py [--long] [--quick]`.

Peers: the loop that mamba-ssm ships as its reference, which makes exp(delta A) of all steps and takes slices of it (its
backward pass makes a gradient of full size for each slice); and two that need torch only, torch's own
`associative_scan`, not compiled, and, if it is installed (`pip install --no-deps mambapy`), mambapy's parallel scan.
The floor is a loop in C++ that does what no kernel can do without: per state and step one exp and 4 multiply-adds, per
step a softplus and a SiLU; and for the backward pass the states once more, kept in the nearest cache for 8 steps, and 8
multiply-adds that read them in reverse. It touches no tensor.

All take turns. Times are the least, of the CPU's time on one thread, and of the clock's on two. Errors are those of the
result and of all eight gradients against `selective_scan_ref` in float64, relative to the largest value of each.

Bars, in times the loop (forward; forward and backward) and in times the floor: native 35, 170 and 2.3; numba 20, 80 and
4.5; torch 3.5 and 13. Native and numba 20 times the faster of the two peers, forward and backward. Errors 1e-5 and
1e-4. The first call of a new process 10 s where nothing was kept, and 1 s where it was. `--long` adds L = 3136, where
the loop's backward pass takes minutes; `--quick` takes few turns.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import torch
from scan_floor import build_floor
from scan_peers import find_peers, loop
from torch import Tensor

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
COLD_SECONDS, WARM_SECONDS = 10.0, 1.0
# One round of everything takes about that long without the loop's backward pass; slow ones are repeated less.
PATIENCE_SECONDS = {"quick": 0.5, "full": 4.0}


def main() -> int:
    """Print a table per size and number of threads; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="also L = 3136, where the loop takes minutes")
    parser.add_argument("--quick", action="store_true", help="few turns")
    options = parser.parse_args()
    print(describe_scan())
    paths = [path for path in PATHS[1:] if _is_usable(path)]
    print(f"paths: {', '.join(paths)}; peers: {', '.join(find_peers())}")
    floor = build_floor()
    print("floor:", "built" if floor else "no compiler, so no floor")
    held = [_check_errors(name, scan) for name, scan in find_peers().items()]
    held += [_check_errors(path) for path in paths]
    held += [_check_first_call(path) for path in paths]
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
    for name, scan in find_peers().items():
        add(name, scan)
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
        f"{'':12}{'forward, ms':>12}{'x loop':>9}{'x floor':>9}{'both, ms':>12}{'x loop':>9}{'x floor':>9}{'x peer':>8}"
    )
    held = []
    for name in dict.fromkeys(name for name, _ in times):
        cells, bars = [], BARS.get(name, (0.0, 0.0, float("inf")))
        for kind, bar in zip(("forward", "both"), bars, strict=False):
            over_loop = times["loop", kind] / times[name, kind]
            over_floor = times[name, kind] / times["floor", kind] if ("floor", kind) in times else float("nan")
            cells.append(f"{times[name, kind] * 1000:12.3f}{over_loop:9.1f}{over_floor:9.2f}")
            held += [over_loop >= bar, not over_floor > bars[2]]
        over_peer = min(times[peer, "both"] for peer in find_peers()) / times[name, "both"]
        if name in ("native", "numba"):
            held.append(over_peer >= OVER_PEER)
        print(f"{name:12}{''.join(cells)}{over_peer:8.1f}{'' if all(held) else '  MISSED so far'}")
    return all(held)


def _check_errors(path: str, peer: Callable[..., Tensor] | None = None) -> bool:
    inputs = [one.requires_grad_() for one in _make(2, 200, 197, 16)]
    doubles = [one.detach().double().requires_grad_() for one in inputs]
    weight = torch.randn(2, 200, 197, generator=torch.Generator().manual_seed(1))
    found = _scan(inputs, path) if peer is None else peer(*inputs)
    exact = _scan(doubles, None, selective_scan_ref)
    error = _error(found.detach(), exact.detach())
    gradients = (torch.autograd.grad(y, of, weight.to(y)) for y, of in ((found, inputs), (exact, doubles)))
    worst = max(_error(one, other) for one, other in zip(*gradients, strict=True))
    print(f"{path}: error {error:.1e}, of gradients {worst:.1e}")
    return error <= FORWARD_ERROR and worst <= GRADIENT_ERROR


FIRST_CALL = """
import sys, time, torch
from affectkit.ops.selective_scan import selective_scan
shapes = (1, 4, 4), (1, 4, 4), (4, 2), (1, 2, 4), (1, 2, 4)
u, delta, A, B, C = (torch.ones(shape, requires_grad=True) for shape in shapes)
torch.zeros(9).sum()
began = time.perf_counter()
y = selective_scan(u, delta, A, B, C, path=sys.argv[1])
middle = time.perf_counter()
y.sum().backward()
print(middle - began, time.perf_counter() - middle)
"""


def _check_first_call(path: str) -> bool:
    """In new processes, with a folder for what is kept that is empty at first."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"AFFECTKIT_CACHE": folder, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", FIRST_CALL, path]
        outputs = [
            subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | places).stdout
            for _ in range(2)
        ]
    (cold, cold_back), (warm, warm_back) = (map(float, output.split()) for output in outputs)
    print(
        f"{path}: first call {cold:.2f} s, first backward pass {cold_back:.2f} s; "
        f"with what they kept {warm:.2f} and {warm_back:.2f} s"
    )
    return cold < COLD_SECONDS and warm < WARM_SECONDS


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


def _is_usable(path: str) -> bool:
    try:
        _scan(_make(1, 4, 4, 16), path)
    except ImportError as error:
        print(error)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
