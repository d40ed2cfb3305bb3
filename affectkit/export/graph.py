"""From a built model to an ONNX program: recorded by `torch.export`, converted by `torch.onnx`.

The graph takes `inputs.NAME` (values), `mask` and `times`, one clock for all inputs; and gives each output decoded, by
its name, and raw, as `scores.NAME`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx.experimental.symbolic_shapes import is_concrete_int

from affectkit.errors import InputError, MissingDependencyError
from affectkit.export.converting import convert, instead
from affectkit.model import Model
from affectkit.sequences import Batch, Sequence
from affectkit.streams import FrameStream, InputStream

OPSET = 18
# Not 1, which the recorder takes for a constant; and apart, so that no number stands for the other.
_CLIPS, _STEPS = 3, 5
# Far from the example's, and prime: what holds of this many clips or steps too, holds of any number.
_MANY = 4099
_LARGEST = 2**31 - 2**20
_MODULES = ("onnx", "onnxscript")
_FLOATS = (torch.float32, torch.float64)


class Flat(nn.Module):
    """A model that takes and gives tensors by position, as a graph does.

    Attributes:
        inputs: names of the tensors that it takes.
        outputs: names of those that it gives.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        self._names = tuple(model.config.input_streams())
        self.inputs = (*(f"inputs.{name}" for name in self._names), "mask", "times")
        targets = tuple(model.traced.outputs)
        self.outputs = (*targets, *(f"scores.{name}" for name in targets))
        self.watch: Watch | None = None

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Tensors in the order of `inputs` to tensors in the order of `outputs`."""
        *values, mask, times = tensors
        if self.watch is not None:
            sizes = {"clips": mask.shape[0], "steps": mask.shape[1]}
            # a number of steps that was given is a plain one from the start
            self.watch.sizes = {name: size for name, size in sizes.items() if isinstance(size, torch.SymInt)}
        batch = {name: Sequence(value, mask, times) for name, value in zip(self._names, values, strict=True)}
        scores = self.model(batch)
        return (*(self.model.decode(name, raw) for name, raw in scores.items()), *scores.values())


class Watch:
    """Knows which stage runs while a graph is recorded, and which one first fixed a size that should stay free.

    Attributes:
        sizes: the symbols of the sizes that should stay free.
        running: paths of the stages that were entered and not left.
        fixed: the stage that fixed a size, by the size's name.
    """

    def __init__(self) -> None:
        self.sizes: dict[str, Any] = {}
        self.running: list[str] = []
        self.fixed: dict[str, str] = {}

    @contextlib.contextmanager
    def of(self, model: Model) -> Iterator[None]:
        """Watch the stages of a model."""
        hooks = []
        for path, stage in model.stages().items():
            hooks.append(stage.register_forward_pre_hook(lambda *_, path=path: self.running.append(path)))
            hooks.append(stage.register_forward_hook(lambda *_, path=path: self._leave(path)))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _leave(self, path: str) -> None:
        for name, size in self.sizes.items():
            if name not in self.fixed and (is_concrete_int(size) or self._is_bound(name)):
                self.fixed[name] = path
        self.running.pop()

    def _is_bound(self, name: str) -> bool:
        """Whether the recorder took for granted what is wrong at another size, as `clips * steps == 15`.

        Of that it says nothing, unlike of a size that has become a number.
        """
        shapes = self.sizes[name].node.shape_env
        free = {key: size for key, size in self.sizes.items() if not is_concrete_int(size)}
        values = {
            shapes.replace(size.node.expr): _MANY if key == name else size.node.hint for key, size in free.items()
        }
        return any(shapes.replace(guard.expr).subs(values) == False for guard in shapes.guards)  # noqa: E712


def check_packages() -> None:
    """Raise MissingDependencyError unless what writes ONNX files is installed."""
    import importlib.util

    for name in _MODULES:
        if importlib.util.find_spec(name) is None:
            raise MissingDependencyError(
                f"export: needs {name!r}, which is not installed; run pip install 'affectkit[export]'"
            )


def check_exportable(model: Model) -> None:
    """Raise InputError for a model of which no graph can be made, as far as that is known beforehand."""
    if not model.traced.outputs:
        raise InputError("export: the pipeline has no heads; a spotter alone has nothing that ONNX could hold")
    streams = model.config.input_streams()
    clocks = {name: clock_of(stream) for name, stream in streams.items()}
    (first, clock), *others = clocks.items()
    for name, other in others:
        if other != clock:
            fact = f"inputs {first!r} and {name!r} have different clocks ({clock} and {other})"
            raise InputError(
                f"export: {fact}; a file has one mask and one list of times, export the members one by one"
            )
    for name, tensor in model.state_dict().items():
        if tensor.device.type != "cpu" or (tensor.is_floating_point() and tensor.dtype not in _FLOATS):
            fact = f"{name} is {str(tensor.dtype).removeprefix('torch.')} on {tensor.device}"
            raise InputError(f"export: {fact}; call model.float().cpu() first")
    if (size := sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())) > _LARGEST:
        fact = f"weights of {size:,} bytes, and one file holds {_LARGEST:,}"
        raise InputError(f"export: {fact}; export the members of an ensemble one by one, or a smaller network")


def clock_of(stream: InputStream) -> str:
    """What inputs on one clock have in common, in words."""
    steps = ", ".join(stream.steps) or "any steps"
    return steps if isinstance(stream, FrameStream) or stream.stride == 1 else f"{steps}, stride {stream.stride}"


def fixed_steps(streams: Mapping[str, InputStream]) -> int | None:
    """How many steps every clip has; None where any number will do."""
    return len(next(iter(streams.values())).steps) or None


def random_batch(model: Model, clips: int, steps: int, generator: torch.Generator, *, padded: bool = False) -> Batch:
    """Random values of a model's inputs, in their range; with `padded`, some clips end before the others."""
    streams = model.config.input_streams()
    steps = fixed_steps(streams) or steps
    mask = torch.ones(clips, steps, dtype=torch.bool)
    if padded:
        for clip in range(1, clips):
            mask[clip, max(steps - clip, 1) :] = False
    times = (torch.arange(steps, dtype=torch.float64) / 25).repeat(clips, 1)
    batch = {}
    for name, stream in streams.items():
        if isinstance(stream, FrameStream):
            shape: tuple[int, ...] = (clips, steps, len(stream.channels), stream.height, stream.width)
            values = torch.rand(shape, generator=generator)
            # displacements have a sign
            values = values if stream.unit == "intensity" else 2 * values - 1
        else:
            values = torch.randn((clips, steps, stream.dim), generator=generator)
        batch[name] = Sequence(values, mask, times)
    return batch


def flatten(batch: Batch) -> tuple[Tensor, ...]:
    """A batch on one clock as `Flat` takes it."""
    first = next(iter(batch.values()))
    return (*(sequence.values for sequence in batch.values()), first.mask, first.times)


def record(model: Model, *, steps: int | None) -> tuple[bytes, list[str]]:
    """The serialized ONNX model, and the names of its inputs; those that nothing depends on are left out.

    Arguments:
        model: in evaluation mode.
        steps: how many steps the graph takes; None for any number.

    Raises:
        InputError: what a stage computes depends on values, or fixes a size; the message names it.
    """
    flat, watch = Flat(model).eval(), Watch()
    flat.watch = watch
    example = flatten(random_batch(model, _CLIPS, steps or _STEPS, torch.Generator().manual_seed(0)))
    is_free = steps is None and fixed_steps(model.config.input_streams()) is None
    dynamic = torch.export.Dim.DYNAMIC
    axes = {0: dynamic, 1: dynamic} if is_free else {0: dynamic}
    # What torch prints of a graph that it gives up is pages long; the message below says which stage it was.
    quiet = (contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()))
    with quiet[0], quiet[1], warnings.catch_warnings(), torch.no_grad(), watch.of(model):
        warnings.simplefilter("ignore")
        try:
            recorded = torch.export.export(flat, example, dynamic_shapes=(tuple(axes for _ in example),), strict=False)
        except InputError:
            raise
        # whatever a stage's own code raises on tensors without values
        except Exception as error:
            raise _refusal(watch, model, error) from error
        if watch.fixed:
            raise _refusal(watch, model, None)
        flat.watch = None
        program = convert(recorded, model, flat.inputs, flat.outputs, OPSET)
    graph = program.model.graph
    _drop_unused(graph)
    _share_weights(graph)
    _name_sizes(graph, is_free)
    return program.model_proto.SerializeToString(deterministic=True), [str(value.name) for value in graph.inputs]


def _drop_unused(graph: Any) -> None:
    """Leave out inputs on which nothing depends; the size of `times` is that of `mask`, and is asked there."""
    by_name = {value.name: value for value in graph.inputs}
    for use in list(by_name["times"].uses()):
        if use.node.op_type == "Shape":
            use.node.replace_input_with(use.idx, by_name["mask"])
    for value in by_name.values():
        if not value.uses():
            graph.inputs.remove(value)


def _share_weights(graph: Any) -> None:
    """Hold equal weights once, as of tied members: the recorder writes them down wherever they are used."""
    seen: dict[object, Any] = {}
    given_out = {id(value) for value in graph.outputs}
    for value in tuple(graph.initializers.values()):
        tensor = value.const_value
        key = (tensor.dtype, tuple(tensor.shape), hashlib.sha256(tensor.tobytes()).digest())
        first = seen.setdefault(key, value)
        if first is value or id(value) in given_out:
            continue
        for use in list(value.uses()):
            use.node.replace_input_with(use.idx, first)
        del graph.initializers[value.name]


def _name_sizes(graph: Any, is_free: bool) -> None:
    """`clips` and `steps` in place of the recorder's own symbols, in the descriptions of inputs."""
    import onnx_ir

    for value in graph.inputs:
        sizes = list(value.shape)
        sizes[0] = "clips"
        if is_free:
            sizes[1] = "steps"
        value.shape = onnx_ir.Shape(sizes)


def _refusal(watch: Watch, model: Model, error: Exception | None) -> InputError:
    if "clips" in watch.fixed:
        path, why = watch.fixed["clips"], "goes through the clips of a batch one by one"
    elif "steps" in watch.fixed:
        path = watch.fixed["steps"]
        return InputError(
            f"export: {path} goes through the steps one by one, so a graph has to have a number of them; "
            "give steps=N (--steps N), to which shorter clips are padded"
        )
    elif watch.running:
        path, why = watch.running[-1], f"decides by values what it computes ({type(error).__name__})"
    else:
        path, why = type(model).__name__, f"can't be recorded ({type(error).__name__})"
    return InputError(f"export: {path} {why}, which a graph can't; {instead(path)}")
