"""Networks and engines for `export.py --speed`: an engine has a process of its own.

In one process the threads of one engine, which go on looking for work for a while, are in the way of the next one's.
Here only one engine runs at a time, and it answers when its threads have come to rest.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

import torch
from affectkit_compound.system import MEMBERS, SIDE, make_small_member

from affectkit.export.engines import start_engine
from affectkit.export.graph import OPSET
from affectkit.export.onnx_model import load_onnx
from affectkit.features.timm_backbone import TimmConfig
from affectkit.heads.compound_expression import CompoundExpressionConfig
from affectkit.model import Model
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.streams import FrameStream

# timm's, and the ensemble's members by their own names.
NETWORKS = {"resnet50": 224, "vit_base_patch16_224": 224, "resnet": SIDE, "vit": SIDE}
# Rows and columns of the large product: 2 * 1024**3 operations.
PRODUCT = 1024
# Seconds of one turn: small networks run often in them, the largest once.
TURN = 0.1
# An engine has come to rest if it computes for less than a tenth of such an interval.
INTERVAL, INTERVALS = 0.02, 100
Task = Literal["network", "product"]


class Lane(NamedTuple):
    """An engine and what it computes in."""

    engine: str
    precision: str

    @property
    def title(self) -> str:
        return " ".join(self)


class Racer:
    """One lane in a process of its own; a context manager.

    Arguments:
        lane: PyTorch in float32 runs network and product; in bfloat16 the product alone.
        network: of `NETWORKS`.
        path: of the network's graph, for engines other than PyTorch.
    """

    def __init__(self, lane: Lane, network: str, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        arguments = (theirs, lane, network, path, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        # so that the end of the process is seen here
        theirs.close()

    def __enter__(self) -> Racer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ours.close()
        self._process.join()

    def run(self, task: Task) -> float:
        """Seconds of one run, the median of a turn.

        Raises:
            EOFError: the process has failed; its traceback is printed.
        """
        self._ours.send(task)
        return float(self._ours.recv())


def make_network(name: str) -> Model:
    """Random weights, the same in each process."""
    torch.manual_seed(0)
    if name in MEMBERS:
        return make_small_member(name).build().eval()
    side = NETWORKS[name]
    return PipelineConfig(
        input=FrameStream(height=side, width=side),
        branches={"face": Branch(features=TimmConfig(model=name))},
        heads={"compound": CompoundExpressionConfig()},
    ).build().eval()  # fmt: skip


def make_frame(name: str) -> torch.Tensor:
    """One frame, `(1, 1, 3, H, W)`."""
    side = NETWORKS[name]
    return torch.rand(1, 1, 3, side, side, generator=torch.Generator().manual_seed(0))


def _serve(connection: Connection, lane: Lane, network: str, path: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    runs = {"product": _product(lane)}
    if lane.engine != "PyTorch":
        runs["network"] = partial(
            load_onnx(path, engine=lane.engine, precision=lane.precision).predict, make_frame(network)
        )
    elif lane.precision == "float32":
        runs["network"] = partial(make_network(network).predict, make_frame(network))
    # with more threads, one that waits for another counts as busy
    clock = time.process_time if threads == 1 else time.perf_counter
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_take_turn(runs[task], clock))


def _take_turn(run: Callable[[], object], clock: Callable[[], float]) -> float:
    # once before: the engine before this one has taken the caches
    run()
    times, ends = list[float](), time.perf_counter() + TURN
    while not times or time.perf_counter() < ends:
        started = clock()
        run()
        times.append(clock() - started)
    _rest()
    return statistics.median(times)


def _rest() -> None:
    for _ in range(INTERVALS):
        started = time.process_time()
        time.sleep(INTERVAL)
        if time.process_time() - started < INTERVAL / 10:
            return
    raise RuntimeError(f"still computing after {INTERVALS * INTERVAL:.0f} s")


def _product(lane: Lane) -> Callable[[], object]:
    """A square product by a constant matrix, as a layer has it."""
    from onnx import TensorProto, helper, numpy_helper

    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(PRODUCT, PRODUCT, generator=generator) for _ in range(2))
    if lane.engine == "PyTorch":
        kind = getattr(torch, lane.precision)
        return partial(torch.mm, left.to(kind), right.to(kind))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [PRODUCT, PRODUCT]) for name in ("left", "out")]
    node = helper.make_node("MatMul", ["left", "right"], ["out"])
    constant = numpy_helper.from_array(right.numpy(), "right")
    graph = helper.make_graph([node], "product", values[:1], values[1:], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    engine = start_engine(model.SerializeToString(), lane.engine, lane.precision)
    return partial(engine.run, {"left": left.numpy()})
