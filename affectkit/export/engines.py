"""What runs a graph on the CPU: onnxruntime, or OpenVINO where that is installed; with as many threads as torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from affectkit.errors import ConfigError, MissingDependencyError, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EngineName = Literal["onnxruntime", "openvino"]
EnginePrecision = Literal["float32", "bfloat16"]
ENGINES: tuple[EngineName, ...] = ("onnxruntime", "openvino")


class Engine(Protocol):
    """A graph that is ready to run.

    Attributes:
        name: of the engine, with its version and the precision where that is not float32.
        takes, gives: names of the graph's inputs and outputs.
    """

    name: str
    takes: frozenset[str]
    gives: frozenset[str]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Outputs by name, for all inputs by name."""


def start_engine(model: bytes, name: str = "onnxruntime", precision: str = "float32") -> Engine:
    """Make a serialized ONNX model ready to run.

    Raises:
        ConfigError: no such engine, or it can't compute in that precision here.
        MissingDependencyError: it is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"no engine {name!r}", did_you_mean(name, ENGINES, noun="engines"), path="engine")
    if precision not in ("float32", "bfloat16"):
        raise ConfigError(f"{precision!r} is not accepted", "write 'float32' or 'bfloat16'", path="precision")
    if name == "openvino":
        return _OpenVINO(model, precision)
    if precision != "float32":
        hint = "write engine='openvino' (--engine openvino), which computes in it"
        raise ConfigError("onnxruntime computes in float32", hint, path="precision")
    return _OnnxRuntime(model)


class _OnnxRuntime:
    def __init__(self, model: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.takes = frozenset(value.name for value in self._session.get_inputs())
        self.gives = frozenset(self._outputs)
        self.name = f"onnxruntime {onnxruntime.__version__}"

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))


class _OpenVINO:
    def __init__(self, model: bytes, precision: str) -> None:
        try:
            import openvino
        except ImportError as error:
            raise MissingDependencyError(
                "openvino: not installed; run pip install 'affectkit[openvino]', or leave the engine out"
            ) from error
        core = openvino.Core()
        # asked of OpenVINO itself: without these instructions it would compute in float32 and not say so
        if precision == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            fact = "this CPU has no instructions for bfloat16"
            raise ConfigError(fact, "write 'float32'", path="precision")
        hints = {
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        read = core.read_model(model)
        # compiling adds the names of what it finds to be the same
        takes, gives = ([value.any_name for value in values] for values in (read.inputs, read.outputs))
        self._request = core.compile_model(read, "CPU", hints).create_infer_request()
        self._tensor = openvino.Tensor
        self._outputs = gives
        self.takes, self.gives = frozenset(takes), frozenset(gives)
        version = openvino.__version__.partition("-")[0]
        self.name = f"openvino {version}" + (" bfloat16" if precision == "bfloat16" else "")

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        # a small network takes little longer than calling the compiled model with arrays does
        for name, array in feeds.items():
            self._request.set_tensor(name, self._tensor(array, shared_memory=True))
        self._request.infer(share_outputs=True)
        # copies: the arrays are the engine's own, which the next run fills anew
        return {name: self._request.get_output_tensor(i).data.copy() for i, name in enumerate(self._outputs)}


def has_openvino_bfloat16() -> bool:
    """Whether OpenVINO is installed and computes in bfloat16 on this CPU."""
    try:
        import openvino
    except ImportError:
        return False
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
