"""Eight-bit graphs, and the gate that they have to pass: the decisions on pictures on which nothing was calibrated."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affectkit.errors import ConfigError, InputError, did_you_mean
from affectkit.export.comparing import run
from affectkit.export.engines import Engine, start_engine
from affectkit.export.fitting import fitted
from affectkit.export.graph import Flat, flatten
from affectkit.model import Model
from affectkit.sequences import Batch, Targets
from affectkit.streams import InputStream, PredictionStream


@dataclass(frozen=True, kw_only=True)
class Int8:
    """What eight-bit weights and activations are fitted to and measured on.

    Attributes:
        calibrate: batches from which the ranges of activations are taken.
        held_out: other batches, on which decisions are compared.
        labels: of every held-out batch, targets by output, where they are known: the gate is then about accuracy. An
            output without labels is compared with PyTorch.
        max_drop: by how much the share of right decisions may be below that of the float32 graph, in [0, 1).
    """

    calibrate: tuple[Batch, ...]
    held_out: tuple[Batch, ...]
    labels: tuple[Mapping[str, Targets], ...] = ()
    max_drop: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.max_drop < 1:
            raise ConfigError(f"{self.max_drop!r} is no share", "write 0 or more, below 1", path="max_drop")
        if not self.calibrate or not self.held_out:
            fact = f"{len(self.calibrate)} batches to calibrate on and {len(self.held_out)} held out"
            raise InputError(f"int8: {fact}; give at least one of each")
        if self.labels and len(self.labels) != len(self.held_out):
            fact = f"labels of {len(self.labels)} batches, and {len(self.held_out)} are held out"
            raise InputError(f"int8: {fact}; give those of every batch")
        if self.labels and (first := set(self.labels[0])) != set[str]().union(*self.labels):
            fact = f"labels of {', '.join(sorted(first)) or 'nothing'} in the first batch, and of others later"
            raise InputError(f"int8: {fact}; give the same outputs in every batch, not valid where not known")


def to_int8(
    model: bytes, takes: list[str], streams: Mapping[str, InputStream], batches: Iterable[Batch], steps: int | None
) -> bytes:
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
            named, _, _ = fitted(batch, streams, steps)
            return {name: named[name].contiguous().numpy() for name in takes}

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "int8.onnx"
        # it advises on the root logger, once per call, to preprocess what torch has optimized already
        before = logging.root.manager.disable
        logging.disable(max(before, logging.WARNING))
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
            logging.disable(before)
        return out.read_bytes()


def pass_gate(
    model: Model, exact: bytes, quantized: bytes, takes: list[str], int8: Int8, steps: int | None
) -> dict[str, Any]:
    """Share of right decisions on the held-out batches, of the float32 and of the int8 graph, by output.

    A decision is the most probable class, whether a label's probability is 0.5 or more, or whether a value is on the
    upper half of its range. It is right if it is the label's (`accuracy`) or, without labels, PyTorch's (`agreement`);
    NaN or infinity is never right.

    Raises:
        InputError: int8 loses more than `max_drop` on an output, and the message has both numbers; there is nothing to
            decide for an output; or the labels do not fit the outputs, or are beyond their range.
    """
    flat, outputs = Flat(model).eval(), model.traced.outputs
    labeled = {name for targets in int8.labels for name in targets}
    if unknown := sorted(labeled - set(outputs)):
        raise InputError(f"int8: labels of {unknown[0]!r}; {did_you_mean(unknown[0], outputs, noun='outputs')}")
    engines: Mapping[str, Engine] = {"float32": start_engine(exact), "int8": start_engine(quantized)}
    right = {name: dict.fromkeys(engines, 0) for name in outputs}
    counts = dict.fromkeys(outputs, 0)
    for number, batch in enumerate(int8.held_out):
        mask = next(iter(batch.values())).mask
        with torch.no_grad():
            expected = dict(zip(flat.outputs, flat(*flatten(batch)), strict=True))
        found = {kind: run(engine, model, takes, batch, steps) for kind, engine in engines.items()}
        for name, stream in outputs.items():
            truth = _decisions(expected[name], stream)
            real = mask if stream.resolution == "frame" else mask.any(dim=1)
            counted = real.reshape(real.shape + (1,) * (truth.ndim - real.ndim)).expand_as(truth)
            if name in labeled:
                truth, counted = _labels(name, int8.labels[number][name], stream, counted)
            counts[name] += int(counted.sum())
            for kind in engines:
                values = found[kind][name]
                finite = values.isfinite()
                usable = finite.all(dim=-1) if stream.problem == "multiclass" else finite
                right[name][kind] += int(((_decisions(values, stream) == truth) & usable & counted).sum())
    if empty := [name for name, count in counts.items() if not count]:
        fact = f"no decision of {empty[0]!r} is held out"
        raise InputError(f"int8: {fact}; give batches with real steps, and valid labels where you give labels")
    shares = {name: {kind: right[name][kind] / counts[name] for kind in engines} for name in outputs}
    for name, share in shares.items():
        if share["float32"] - share["int8"] > int8.max_drop:
            what = "is right" if name in labeled else "agrees with PyTorch"
            raise InputError(
                f"export: int8 {what} in {share['int8']:.4f} of {counts[name]} decisions of {name!r}, "
                f"float32 in {share['float32']:.4f}, and a drop of {int8.max_drop:g} is allowed; nothing was written, "
                "calibrate on more pictures, or stay with float32"
            )
    return {
        "max_drop": int8.max_drop,
        "decisions": counts,
        "agreement": {name: share for name, share in shares.items() if name not in labeled},
        "accuracy": {name: share for name, share in shares.items() if name in labeled},
    }


def _decisions(values: Tensor, stream: PredictionStream) -> Tensor:
    """`(B,)` or `(B, T)` classes; else whether values `(B, K)` or `(B, T, K)` are on the upper half."""
    if stream.problem == "multiclass":
        return values.argmax(dim=-1)
    low, high = (0.0, 1.0) if stream.problem == "multilabel" else stream.bounds or (0.0, 0.0)
    return values >= (low + high) / 2


def _labels(name: str, targets: Targets, stream: PredictionStream, real: Tensor) -> tuple[Tensor, Tensor]:
    """Decisions of labels, and which of them count: those that are valid, where the graph's are real."""
    values, valid = targets
    is_shares = stream.problem == "multiclass" and values.is_floating_point()
    # shares of several classes: the largest is what the face shows
    truth = values.argmax(dim=-1) if is_shares else values
    valid = valid.all(dim=-1) if is_shares else valid
    for what, tensor in (("values", truth), ("valid", valid)):
        if tensor.shape != real.shape:
            fact = f"{what} of shape {tuple(tensor.shape)}, and its decisions are {tuple(real.shape)}"
            raise InputError(f"int8: labels of {name!r} have {fact}; give those of the same batch")
    counted = real & valid
    low, high, what = _range(stream, is_shares)
    # written so that NaN is none of them
    wrong = ~((values >= low) & (values <= high)) & (counted.unsqueeze(-1) if is_shares else counted)
    if wrong.any():
        fact = f"{values[wrong][0].item()!r}, and {what} are {low:g} to {high:g}"
        raise InputError(f"int8: labels of {name!r} hold {fact}; what is not labeled has valid=False")
    return (truth if stream.problem == "multiclass" else _decisions(values, stream)), counted


def _range(stream: PredictionStream, is_shares: bool) -> tuple[float, float, str]:
    """Lowest and highest label, and what labels of that kind are called."""
    if is_shares:
        return 0.0, 1.0, "shares"
    if stream.problem == "multiclass":
        return 0, len(stream.targets) - 1, "classes"
    low, high = (0.0, 1.0) if stream.problem == "multilabel" else stream.bounds or (-math.inf, math.inf)
    return low, high, "values"
