"""Eight-bit graphs, and the gate that they have to pass: the decisions on pictures on which nothing was calibrated."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affectkit.errors import ConfigError, InputError
from affectkit.export.comparing import run
from affectkit.export.engines import Engine, start_engine
from affectkit.export.graph import Flat, flatten
from affectkit.model import Model
from affectkit.sequences import Batch
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class Int8:
    """What eight-bit weights and activations are fitted to and measured on.

    Attributes:
        calibrate: batches from which the ranges of activations are taken.
        held_out: other batches, on which decisions are compared.
        max_drop: share of decisions that may change, in [0, 1).
    """

    calibrate: tuple[Batch, ...]
    held_out: tuple[Batch, ...]
    max_drop: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop < 1:
            raise ConfigError(f"{self.max_drop!r} is no share", "write 0 or more, below 1", path="max_drop")
        if not self.calibrate or not self.held_out:
            fact = f"{len(self.calibrate)} batches to calibrate on and {len(self.held_out)} held out"
            raise InputError(f"int8: {fact}; give at least one of each")


def to_int8(model: bytes, takes: list[str], flat: Flat, batches: Iterable[Batch]) -> bytes:
    """The graph with convolutions and products of matrices in int8, by the ranges that they have on `batches`."""
    import onnx
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(batches)

        def get_next(self) -> Any:
            batch = next(self._left, None)
            if batch is None:
                return None
            named = dict(zip(flat.inputs, flatten(batch), strict=True))
            return {name: named[name].contiguous().numpy() for name in takes}

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "int8.onnx"
        # it advises on the root logger, once per call, to preprocess what torch has optimized already
        logging.disable(logging.WARNING)
        try:
            quantization.quantize_static(
                onnx.load_model_from_string(model),
                str(out),
                Reader(),
                quant_format=quantization.QuantFormat.QDQ,
                per_channel=True,
                op_types_to_quantize=["Conv", "Gemm", "MatMul"],
            )
        finally:
            logging.disable(logging.NOTSET)
        return out.read_bytes()


def pass_gate(model: Model, exact: bytes, quantized: bytes, takes: list[str], int8: Int8) -> dict[str, Any]:
    """Share of decisions on the held-out batches that are PyTorch's, of the float32 and of the int8 graph, by output.

    A decision is the most probable class, whether a label's probability is 0.5 or more, or whether a value is on the
    upper half of its range.

    Raises:
        InputError: more than `max_drop` of an output's decisions change; the message has both numbers.
    """
    flat = Flat(model).eval()
    engines: Mapping[str, Engine] = {"float32": start_engine(exact), "int8": start_engine(quantized)}
    same = {name: dict.fromkeys(engines, 0) for name in model.traced.outputs}
    counts = dict.fromkeys(model.traced.outputs, 0)
    for batch in int8.held_out:
        tensors = flatten(batch)
        mask = next(iter(batch.values())).mask
        with torch.no_grad():
            expected = dict(zip(flat.outputs, flat(*tensors), strict=True))
        for engine_name, engine in engines.items():
            found = run(engine, flat, takes, tensors)
            for name, stream in model.traced.outputs.items():
                equal = _decisions(found[name], stream, mask) == _decisions(expected[name], stream, mask)
                same[name][engine_name] += int(equal.sum())
                counts[name] += equal.numel() if engine_name == "int8" else 0
    shares = {name: {kind: same[name][kind] / counts[name] for kind in engines} for name in counts if counts[name]}
    for name, share in shares.items():
        drop = share["float32"] - share["int8"]
        # written so that NaN is refused
        if not drop <= int8.max_drop:
            raise InputError(
                f"export: int8 agrees with PyTorch in {share['int8']:.4f} of {counts[name]} decisions of {name!r}, "
                f"float32 in {share['float32']:.4f}, and a drop of {int8.max_drop:g} is allowed; nothing was written, "
                "calibrate on more pictures, or stay with float32"
            )
    return {"max_drop": int8.max_drop, "decisions": counts, "agreement": shares}


def _decisions(values: Tensor, stream: PredictionStream, mask: Tensor) -> Tensor:
    real = values[mask] if stream.resolution == "frame" else values
    if stream.problem == "multiclass":
        return real.argmax(dim=-1)
    low, high = (0.0, 1.0) if stream.problem == "multilabel" else stream.bounds or (0.0, 0.0)
    return real >= (low + high) / 2
