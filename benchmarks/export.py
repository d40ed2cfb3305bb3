"""Bars of export: `python benchmarks/export.py`; `--presets` or `--speed` for one half.

First table: every preset that is installed, exported with random weights and compared with PyTorch on random input,
by every engine that is installed; what can't be exported is listed with the reason. Bar: largest difference at most
1e-4.

Then, per network, a table of speed: the CNN and the ViT of the compound ensemble, in their published sizes (ResNet-50
and ViT-B of timm on 224 pixels) and in those of the preset, random weights, one frame at a time: PyTorch, onnxruntime,
and OpenVINO in float32 and, where the CPU computes in it, bfloat16; as many threads each (`OMP_NUM_THREADS`, or torch's
number). They take turns, and the median of the ratios of a turn counts; its quartiles say what noise is left. With one
thread the CPU's time is measured, in which the turns of other processes are not. Bars, for each: onnxruntime 1.5 times
as fast as PyTorch, OpenVINO in bfloat16 3 times.

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
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from affectkit_compound.system import MEMBERS, SIDE, make_small_member
from torch.utils.flop_counter import FlopCounterMode

from affectkit.errors import AffectkitError
from affectkit.export.comparing import TOLERANCE, largest_difference, random_batches
from affectkit.export.engines import has_openvino_bfloat16, start_engine
from affectkit.export.graph import OPSET
from affectkit.export.onnx_export import export_onnx
from affectkit.export.onnx_model import load_onnx
from affectkit.features.timm_backbone import TimmConfig
from affectkit.heads.compound_expression import CompoundExpressionConfig
from affectkit.model import Model
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.registry import default_registry
from affectkit.streams import FrameStream

# Steps of presets whose encoder goes through them one by one.
STEPS = 32
# timm's, and the ensemble's members by their own names.
NETWORKS = {"resnet50": 224, "vit_base_patch16_224": 224, "resnet": SIDE, "vit": SIDE}
ORT_BAR, OPENVINO_BAR = 1.5, 3.0
TURNS = 9
# Rows and columns of the large product: 2 * 1024**3 operations.
PRODUCT = 1024


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
    engines = [("onnxruntime", "float32")]
    if importlib.util.find_spec("openvino") is not None:
        engines.append(("openvino", "float32"))
    if has_openvino_bfloat16():
        engines.append(("openvino", "bfloat16"))
    else:
        print("no OpenVINO, or no bfloat16 on this CPU: its bar is not measured")
    threads = torch.get_num_threads()
    print(f"\n{threads} thread{'s' if threads > 1 else ''}; {'wall' if threads > 1 else 'CPU'} time, {TURNS} turns")
    products = _products(engines)
    held = True
    for name in [name for name in NETWORKS if name in words] or NETWORKS:
        model, side = _network(name), NETWORKS[name]
        facts = export_onnx(model, path, overwrite=True)
        loaded = [load_onnx(path, engine=engine, precision=precision) for engine, precision in engines]
        frame = torch.rand(1, 1, 3, side, side, generator=torch.Generator().manual_seed(0))
        with FlopCounterMode(display=False) as counter:
            model.predict(frame)
        runs = [partial(one.predict, frame) for one in (model, *loaded)]
        times = _turns([*runs, *products.values()])
        found = dict(zip(("PyTorch", *map(" ".join, engines)), times, strict=False))
        rates = dict(zip(products, times[len(runs) :], strict=True))
        print(f"\n{name}, {side} pixels: {counter.get_total_flops() / 1e9:.2f} GFLOP")
        _print_rates(found, rates, counter.get_total_flops())
        difference = facts.differences["random"]
        print(f"largest difference of onnxruntime: {difference:.1e}", flush=True)
        held &= difference <= TOLERANCE
        for engine, bar in (("onnxruntime float32", ORT_BAR), ("openvino bfloat16", OPENVINO_BAR)):
            if engine in found:
                ratio = _ratios(found["PyTorch"], found[engine])[1]
                print(f"{engine}, bar {bar}: {'held' if ratio >= bar else 'MISSED'}", flush=True)
                held &= ratio >= bar
    return held


def _print_rates(found: dict[str, list[float]], products: dict[str, list[float]], operations: int) -> None:
    """A line per engine, one per product, and the largest ratios."""
    print(f"{'':28}{'ms':>9}{'times PyTorch (quartiles)':>30}{'GFLOP/s':>10}")
    for name, times in found.items():
        low, middle, high = _ratios(found["PyTorch"], times)
        cell = "" if name == "PyTorch" else f"{middle:.2f} ({low:.2f} to {high:.2f})"
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
            ratio, name = max((_ratios(found["PyTorch"], times)[1], name) for name, times in known.items())
            print(f"at the fastest pace in {precision}, that of {name}: {ratio:.2f} times PyTorch")


def _ratios(ours: list[float], others: list[float]) -> list[float]:
    """Quartiles of the ratios of a turn."""
    return statistics.quantiles((one / other for one, other in zip(ours, others, strict=True)), n=4)


def _products(engines: list[tuple[str, str]]) -> dict[str, Callable[[], object]]:
    """One square product by a constant matrix, as a layer has it, by PyTorch and by each engine."""
    from onnx import TensorProto, helper, numpy_helper

    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(PRODUCT, PRODUCT, generator=generator) for _ in range(2))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [PRODUCT, PRODUCT]) for name in ("left", "out")]
    node = helper.make_node("MatMul", ["left", "right"], ["out"])
    graph = helper.make_graph(
        [node], "product", values[:1], values[1:], [numpy_helper.from_array(right.numpy(), "right")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9).SerializeToString()
    runs: dict[str, Callable[[], object]] = {"PyTorch float32": partial(torch.mm, left, right)}
    if has_openvino_bfloat16():
        runs["PyTorch bfloat16"] = partial(torch.mm, left.bfloat16(), right.bfloat16())
    for engine, precision in engines:
        runs[f"{engine} {precision}"] = partial(start_engine(model, engine, precision).run, {"left": left.numpy()})
    return runs


def _network(name: str) -> Model:
    torch.manual_seed(0)
    if name in MEMBERS:
        return make_small_member(name).build().eval()
    side = NETWORKS[name]
    return PipelineConfig(
        input=FrameStream(height=side, width=side),
        branches={"face": Branch(features=TimmConfig(model=name))},
        heads={"compound": CompoundExpressionConfig()},
    ).build().eval()  # fmt: skip


def _turns(runs: list[Callable[[], object]]) -> list[list[float]]:
    """Seconds of every run in every turn; in turns, since a busy machine's pace changes."""
    # with more threads, one that waits for another counts as busy
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(TURNS):
        for run, found in zip(runs, times, strict=True):
            # twice: the one before has taken the caches
            run()
            started = clock()
            run()
            found.append(clock() - started)
    return times


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
