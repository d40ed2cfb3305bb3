"""Bars of export: `python benchmarks/export.py`; `--presets` or `--speed` for one half.

First table: every preset that is installed, exported with random weights and compared with PyTorch on random input,
by every engine that is installed; what can't be exported is listed with the reason. Bar: largest difference at most
1e-4.

Then, per network, a table of speed: the CNN and the ViT of the compound ensemble, in their published sizes (ResNet-50
and ViT-B of timm on 224 pixels) and in those of the preset, random weights, one frame at a time: PyTorch, onnxruntime,
and OpenVINO in float32 and, where the CPU computes in it, bfloat16; as many threads each (`OMP_NUM_THREADS`, or torch's
number), each in a process of its own (`export_racers.py`). They take turns of a tenth of a second or one run, of which
the median run counts; the median of the turns' ratios counts in the end, and its quartiles say what noise is left. With
one thread the CPU's time is measured, in which the turns of other processes are not. Bars, for each: onnxruntime 1.5
times as fast as PyTorch, OpenVINO in bfloat16 3 times.

What could be reached is measured in the same turns: one large product of matrices per engine, about the fastest that
each knows. The fastest pace that anything in float32 had in these turns, a product or the network itself, through that
of PyTorch on the network is the ratio of an engine that computed all of it at that pace; likewise in bfloat16. Names of
networks behind `--speed` leave out the others. Operations are counted by torch, which leaves out the products inside of
attention where it fuses them, about 4 % of ViT-B; the ratio that is printed is too large by as much.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

import torch
from export_racers import NETWORKS, PRODUCT, Lane, Racer, make_frame, make_network
from torch.utils.flop_counter import FlopCounterMode

from affectkit.errors import AffectkitError
from affectkit.export.comparing import TOLERANCE, largest_difference, random_batches
from affectkit.export.engines import has_openvino_bfloat16
from affectkit.export.onnx_export import export_onnx
from affectkit.export.onnx_model import load_onnx
from affectkit.registry import default_registry

# Steps of presets whose encoder goes through them one by one.
STEPS = 32
ORT_BAR, OPENVINO_BAR = 1.5, 3.0
TURNS = 9
TORCH = "PyTorch float32"


def main(words: list[str]) -> int:
    """Print the tables; 1 if a bar is missed."""
    warnings.simplefilter("ignore")
    held = []
    with tempfile.TemporaryDirectory() as folder:
        if "--speed" not in words:
            held += [_compare(Path(folder) / "preset.onnx")]
        if "--presets" not in words:
            held += [_race(Path(folder) / "network.onnx", words)]
    print(f"\nbars: {'held' if all(held) else 'MISSED'}")
    return int(not all(held))


def _compare(path: Path) -> bool:
    engines = [("onnxruntime", "float32")]
    if importlib.util.find_spec("openvino") is not None:
        engines.append(("openvino", "float32"))
    titles = "".join(f"{name:>13}" for name, _ in engines)
    print(f"{'largest difference':42}{titles}{'MB':>9}{'seconds':>9}  note")
    held, missing = True, len(engines) * f"{'-':>13}"
    for preset in default_registry().presets():
        torch.manual_seed(0)
        model, started, note = preset.spec.make().build(), time.perf_counter(), ""
        try:
            try:
                facts = export_onnx(model, path, overwrite=True)
            except AffectkitError as error:
                if "--steps" not in str(error):
                    raise
                note = f"{STEPS} steps"
                facts = export_onnx(model, path, steps=STEPS, overwrite=True)
        except AffectkitError as error:
            # an export that differs is a missed bar; one that is refused beforehand is not
            held &= "differs" not in str(error)
            print(f"{preset.id:42}{missing}{'-':>9}{'-':>9}  {error}")
            continue
        seconds, size = time.perf_counter() - started, path.stat().st_size / 1e6
        # the first is known from the export
        found = [facts.differences["random"]]
        for name, _ in engines[1:]:
            try:
                loaded = load_onnx(path, engine=name)
            except AffectkitError as error:
                found, note = [*found, math.nan], str(error)
                continue
            batches = random_batches(model, facts.steps)
            found.append(largest_difference(model, loaded.engine, facts.takes, batches))
        # NaN is not less
        held &= all(difference <= TOLERANCE for difference in found)
        cells = "".join(f"{difference:>13.1e}" for difference in found)
        print(f"{preset.id:42}{cells}{size:>9.1f}{seconds:>9.1f}  {note}", flush=True)
    return held


def _race(path: Path, words: list[str]) -> bool:
    threads = torch.get_num_threads()
    print(f"\n{threads} thread{'s' if threads > 1 else ''}; {'wall' if threads > 1 else 'CPU'} time, {TURNS} turns")
    lanes = [Lane("PyTorch", "float32"), Lane("onnxruntime", "float32")]
    if importlib.util.find_spec("openvino") is not None:
        lanes.append(Lane("openvino", "float32"))
    if has_openvino_bfloat16():
        lanes += [Lane("openvino", "bfloat16"), Lane("PyTorch", "bfloat16")]
    else:
        print("no OpenVINO, or no bfloat16 on this CPU: its bar is not measured")
    held: dict[str, bool] = {}
    for name in [name for name in NETWORKS if name in words] or NETWORKS:
        model = make_network(name)
        facts = export_onnx(model, path, overwrite=True)
        with FlopCounterMode(display=False) as counter:
            model.predict(make_frame(name))
        found, products = _take_turns(lanes, name, path)
        print(f"\n{name}, {NETWORKS[name]} pixels: {counter.get_total_flops() / 1e9:.2f} GFLOP")
        _print_rates(found, products, counter.get_total_flops())
        difference = facts.differences["random"]
        print(f"largest difference of onnxruntime: {difference:.1e}", flush=True)
        held[name] = difference <= TOLERANCE
        for engine, bar in (("onnxruntime float32", ORT_BAR), ("openvino bfloat16", OPENVINO_BAR)):
            if engine in found:
                ratio = _ratios(found[TORCH], found[engine])[1]
                print(f"{engine}, bar {bar}: {'held' if ratio >= bar else 'MISSED'}", flush=True)
                held[name] &= ratio >= bar
    print("\n" + "\n".join(f"{name}: {'held' if is_held else 'MISSED'}" for name, is_held in held.items()))
    return all(held.values())


def _take_turns(lanes: list[Lane], network: str, path: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of every lane in every turn, on network and product; in turns, since a machine's pace changes."""
    found = {lane.title: list[float]() for lane in lanes if lane != Lane("PyTorch", "bfloat16")}
    products = {lane.title: list[float]() for lane in lanes}
    with ExitStack() as stack:
        racers = {lane.title: stack.enter_context(Racer(lane, network, path)) for lane in lanes}
        for turn in range(1 + TURNS):
            for title, times in found.items():
                times.append(racers[title].run("network"))
            for title, times in products.items():
                times.append(racers[title].run("product"))
            if turn == 0:  # in which engines get ready
                for times in (*found.values(), *products.values()):
                    times.clear()
    return found, products


def _print_rates(found: dict[str, list[float]], products: dict[str, list[float]], operations: int) -> None:
    """A line per engine, one per product, and the largest ratios."""
    print(f"{'':28}{'ms':>9}{'times PyTorch (quartiles)':>30}{'GFLOP/s':>10}")
    for name, times in found.items():
        low, middle, high = _ratios(found[TORCH], times)
        cell = "" if name == TORCH else f"{middle:.2f} ({low:.2f} to {high:.2f})"
        seconds = statistics.median(times)
        print(f"{name:28}{1e3 * seconds:>9.1f}{cell:>30}{operations / seconds / 1e9:>10.0f}")
    size = 2 * PRODUCT**3
    for name, times in products.items():
        seconds = statistics.median(times)
        print(f"{'product, ' + name:28}{1e3 * seconds:>9.1f}{'':>30}{size / seconds / 1e9:>10.0f}")
    # what the network would take at the pace of each product
    paced = {f"product, {name}": [one * operations / size for one in times] for name, times in products.items()}
    for precision in ("float32", "bfloat16"):
        known = {name: times for name, times in (found | paced).items() if name.endswith(precision)}
        if known:
            ratio, name = max((_ratios(found[TORCH], times)[1], name) for name, times in known.items())
            print(f"at the fastest pace in {precision}, that of {name}: {ratio:.2f} times PyTorch")


def _ratios(ours: list[float], others: list[float]) -> list[float]:
    """Quartiles of the ratios of a turn."""
    return statistics.quantiles((one / other for one, other in zip(ours, others, strict=True)), n=4)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
