"""Bars of export: `python benchmarks/export.py`; `--presets` or `--speed` for one half.

First table: every preset that is installed, exported with random weights and compared with PyTorch on random input;
what can't be exported is listed with the reason. Bar: largest difference at most 1e-4.

Second table: ResNet-50 and ViT-B of timm on 224 pixels and a small network of each class, random weights, one frame at
a time: PyTorch, onnxruntime, and OpenVINO in float32 and, where the CPU computes in it, bfloat16; as many threads each
(`OMP_NUM_THREADS`, or torch's number). The engines take turns, and the median of the ratios of a turn counts. Bars, for
the two large ones: onnxruntime 1.5 times as fast as PyTorch, OpenVINO in bfloat16 3 times.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from affectkit.errors import AffectkitError
from affectkit.export.comparing import TOLERANCE
from affectkit.export.engines import has_openvino_bfloat16
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
NETWORKS = (
    ("resnet50", 224, True),
    ("vit_base_patch16_224", 224, True),
    ("resnet18", 112, False),
    ("vit_tiny_patch16_224", 112, False),
)
ORT_BAR, OPENVINO_BAR = 1.5, 3.0
TURNS = 9


def main(words: list[str]) -> int:
    """Print both tables; 1 if a bar is missed."""
    warnings.simplefilter("ignore")
    held = []
    with tempfile.TemporaryDirectory() as folder:
        if "--speed" not in words:
            held += [_compare(Path(folder) / "preset.onnx")]
        if "--presets" not in words:
            held += [_race(Path(folder) / "network.onnx")]
    print(f"\nbars: {'held' if all(held) else 'MISSED'}")
    return int(not all(held))


def _compare(path: Path) -> bool:
    print(f"{'preset':34}{'largest difference':>20}{'MB':>9}{'seconds':>9}  note")
    held = True
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
            print(f"{preset.id:34}{'-':>20}{'-':>9}{'-':>9}  {error}")
            continue
        seconds, size = time.perf_counter() - started, path.stat().st_size / 1e6
        difference = facts.differences["random"]
        held &= difference <= TOLERANCE
        print(f"{preset.id:34}{difference:>20.1e}{size:>9.1f}{seconds:>9.1f}  {note}", flush=True)
    return held


def _race(path: Path) -> bool:
    engines = [("onnxruntime", "float32")]
    if importlib.util.find_spec("openvino") is not None:
        engines.append(("openvino", "float32"))
    if has_openvino_bfloat16():
        engines.append(("openvino", "bfloat16"))
    else:
        print("no OpenVINO, or no bfloat16 on this CPU: its bar is not measured")
    threads = torch.get_num_threads()
    print(f"\n{threads} thread{'s' if threads > 1 else ''}; milliseconds per frame, and times as fast as PyTorch")
    header = "".join(f"{' '.join(engine):>24}" for engine in engines)
    print(f"{'network':24}{'PyTorch':>10}{header}{'difference':>12}")
    held = True
    for name, side, has_bars in NETWORKS:
        model = _network(name, side)
        facts = export_onnx(model, path, overwrite=True)
        loaded = [load_onnx(path, engine=engine, precision=precision) for engine, precision in engines]
        frame = torch.rand(1, 1, 3, side, side, generator=torch.Generator().manual_seed(0))
        times = _turns([partial(one.predict, frame) for one in (model, *loaded)])
        own = [
            statistics.median(eager / found for eager, found in zip(times[0], other, strict=True))
            for other in times[1:]
        ]
        cells = "".join(
            f"{1e3 * statistics.median(other):>15.1f} ({ratio:5.2f}x)"
            for other, ratio in zip(times[1:], own, strict=True)
        )
        print(
            f"{name:24}{1e3 * statistics.median(times[0]):>10.1f}{cells}{facts.differences['random']:>12.1e}",
            flush=True,
        )
        if has_bars:
            ratios = dict(zip(engines, own, strict=True))
            held &= ratios["onnxruntime", "float32"] >= ORT_BAR
            held &= ratios.get(("openvino", "bfloat16"), OPENVINO_BAR) >= OPENVINO_BAR
        held &= facts.differences["random"] <= TOLERANCE
    return held


def _network(name: str, side: int) -> Model:
    torch.manual_seed(0)
    return PipelineConfig(
        input=FrameStream(height=side, width=side),
        branches={"face": Branch(features=TimmConfig(model=name))},
        heads={"compound": CompoundExpressionConfig()},
    ).build().eval()  # fmt: skip


def _turns(runs: list[Callable[[], object]]) -> list[list[float]]:
    """Seconds of every run in every turn; in turns, since a busy machine's pace changes."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    for _ in range(TURNS):
        for run, found in zip(runs, times, strict=True):
            # twice: the one before has taken the caches
            run()
            started = time.perf_counter()
            run()
            found.append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
