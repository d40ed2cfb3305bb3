"""What training need not compute again: motion front-ends that no training changes run once, over all examples.

The tail of a pipeline is what comes after them. It takes their maps by the name of the branch, is what learns, and its
weights are those of the whole pipeline but for the front-ends', which have none that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from affectkit.configs import ModelConfig
from affectkit.dials import find_dials
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import ConfigError, InputError, is_below, join
from affectkit.model import Model
from affectkit.motion.apply import apply_motion
from affectkit.motion.lengths import check_lengths
from affectkit.pipeline import PipelineConfig
from affectkit.recipes import Recipe
from affectkit.registry import Registry
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream
from affectkit.training.examples import Examples

# Clips whose motion is computed at once.
_AT_ONCE = 16


def cut_tail(
    config: ModelConfig,
    examples: Examples,
    *,
    turned: Iterable[str] = (),
    weights: Mapping[str, Tensor] | None = None,
    cache: str | Path | bool = False,
    registry: Registry | None = None,
) -> tuple[ModelConfig, Examples]:
    """The tail of a pipeline, and the examples as it takes them; both as they are where nothing can be cut off.

    Arguments:
        config: of the whole model.
        examples: as it takes them.
        turned: dials that will be turned. If one of them is of a front-end that doesn't learn, nothing is cut off.
        weights: state dict of the whole model, from which front-ends have theirs.
        cache: where maps of front-ends without weights are kept and found again; True for the default folder.
        registry: where components are looked up.

    Raises:
        InputError: a front-end has weights that no training makes, and they are not among `weights`; or the examples
            are single pictures or labeled frames, which show no motion; or a clip is shorter than the filter of a
            front-end.
    """
    if examples.pictures is not None:
        if any(part.context > 1 for branch in getattr(config, "branches", {}).values() for part in branch.motion):
            fact = "single pictures, which have" if examples.are_pictures else "labeled frames, which show"
            raise InputError(f"examples: {fact} no motion; train branches with motion on clips")
        # a mirror and the like; what they make of pictures on the disk would have to be in memory
        return config, examples
    _check_clips(config, examples.inputs)
    if not isinstance(config, PipelineConfig) or not any(_fixed(config).values()) or turns_fixed(config, turned):
        return config, examples
    trace = config.trace(registry=registry)
    inputs: dict[str, Any] = {}
    branches = {}
    for name, count in _fixed(config).items():
        branch = config.branches[name]
        last = f"branches.{name}.motion[{count - 1}]"
        inputs[name] = trace[last].output if count else config.inputs[branch.source]
        branches[name] = replace(branch, source=name, motion=branch.motion[count:])
    model = config.build(registry=registry).eval()
    _load_fixed(model, config, weights)
    maps: dict[str, Sequence] = {}
    for name, branch in config.branches.items():
        one, count = examples.inputs[branch.source], _fixed(config)[name]
        modules = list(model.branches[name].motion)[:count]
        if count and not any(module.state_dict() for module in modules):
            stream = config.inputs[branch.source]
            assert isinstance(stream, FrameStream)  # a branch on stored features has no motion
            maps[name] = apply_motion(branch.motion[:count], one, stream, cache=cache, registry=registry)
        else:
            maps[name] = _mapped(one, modules)
    # Without the spotter: events are sampled before the motion of their frames is known.
    tail = replace(config, inputs=inputs, branches=branches, sampling=None)
    return tail, replace(examples, inputs=maps)


def _check_clips(config: ModelConfig, inputs: Mapping[str, Sequence], path: str = "") -> None:
    """Refuse clips that are shorter than the filter of a front-end, of a member's too."""
    if isinstance(config, EnsembleConfig):
        for member, routes in config.routes().items():
            own = {name: inputs[given] for name, given in routes.items() if given in inputs}
            _check_clips(config.members[member], own, join(path, "members", member))
    elif isinstance(config, PipelineConfig):
        for name, branch in config.branches.items():
            if branch.motion and branch.source in inputs:
                check_lengths(branch.motion, inputs[branch.source], join(path, "branches", name))


def join_tail(
    config: ModelConfig,
    tail: Model,
    *,
    weights: Mapping[str, Tensor] | None = None,
    registry: Registry | None = None,
) -> Model:
    """The whole pipeline with the tail's weights, in evaluation mode; a model that is whole as it is.

    `weights` is the state dict that `cut_tail` was given.
    """
    if not isinstance(config, PipelineConfig) or not any(_fixed(config).values()):
        return tail
    branches = cast(PipelineConfig, tail.config).branches
    if all(len(branches[name].motion) == len(branch.motion) for name, branch in config.branches.items()):
        return tail
    heads = getattr(tail.config, "heads", config.heads)
    # The heads as they were trained: they hold the weights of the classes.
    model = replace(config, heads=heads).build(registry=registry)
    _load_fixed(model, config, weights)
    counts = _fixed(config)
    state: dict[str, Tensor] = {}
    for key, tensor in tail.state_dict().items():
        parts = key.split(".")
        if parts[0] == "branches" and parts[2] == "motion":
            parts[3] = str(int(parts[3]) + counts[parts[1]])
        state[".".join(parts)] = tensor
    model.load_state_dict(model.state_dict() | state)
    return model.eval()


def cut_state(config: ModelConfig, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the tail among those of the whole pipeline, by the names that they have there."""
    counts = _fixed(config) if isinstance(config, PipelineConfig) else {}
    found = {}
    for key, tensor in state.items():
        parts = key.split(".")
        if parts[0] == "branches" and parts[2] == "motion" and counts.get(parts[1]):
            place = int(parts[3]) - counts[parts[1]]
            if place < 0:
                continue
            parts[3] = str(place)
        found[".".join(parts)] = tensor
    return found


def turns_fixed(config: ModelConfig, paths: Iterable[str]) -> bool:
    """Whether a dial at one of these paths, or below it, is of a front-end that would be computed once."""
    if not isinstance(config, PipelineConfig):
        return False
    dials = (
        dial.path
        for name, count in _fixed(config).items()
        for i, part in enumerate(config.branches[name].motion[:count])
        for dial in find_dials(part, f"branches.{name}.motion[{i}]")
    )
    chosen = tuple(paths)
    return any(is_below(dial, path) for dial in dials for path in chosen)


def cut_recipe(config: ModelConfig, recipe: Recipe) -> Recipe:
    """The recipe, with paths as the tail has them.

    Raises:
        ConfigError: it says how something learns that is computed once before training.
    """
    return replace(
        recipe,
        rates={cut_path(config, path, f"rates.{path}"): factor for path, factor in recipe.rates.items()},
        random_dials=tuple(cut_path(config, path, f"random_dials[{i}]") for i, path in enumerate(recipe.random_dials)),
    )


def cut_model(
    model: Model, examples: Examples, *, turned: Iterable[str] = (), cache: str | Path | bool = False
) -> tuple[Model, Examples]:
    """As `cut_tail`, of a built model: its tail with its weights, in evaluation mode."""
    state = model.state_dict()
    tail, mapped = cut_tail(model.config, examples, turned=turned, weights=state, cache=cache, registry=model.registry)
    if tail is model.config:
        return model, examples
    built = cast(PipelineConfig, tail).build(registry=model.registry)
    built.load_state_dict(cut_state(model.config, state))
    return built.eval(), mapped


def cut_path(config: ModelConfig, path: str, where: str) -> str:
    """A config path of the whole pipeline, as the tail has it; `where` is what an error names.

    Raises:
        ConfigError: it leads to what is computed once before training.
    """
    if not isinstance(config, PipelineConfig):
        return path
    for name, count in _fixed(config).items():
        for i in range(len(config.branches[name].motion)):
            stage = f"branches.{name}.motion[{i}]"
            if not is_below(path, stage):
                continue
            if i < count:
                fact = f"{stage} does not learn, and is computed once before training"
                raise ConfigError(fact, "leave its path out", path=where)
            return f"branches.{name}.motion[{i - count}]" + path.removeprefix(stage)
    return path


def _fixed(config: PipelineConfig) -> dict[str, int]:
    """How many front-ends of each branch come before the first that learns."""
    return {
        name: len(list(takewhile(lambda part: part.is_frozen, branch.motion)))
        for name, branch in config.branches.items()
    }


def _load_fixed(model: Any, config: PipelineConfig, weights: Mapping[str, Tensor] | None) -> None:
    """Give the front-ends that don't learn their weights: a new model's are random, and another's each time."""
    for name, count in _fixed(config).items():
        for i, module in enumerate(list(model.branches[name].motion)[:count]):
            if weights is None and any(True for _ in module.parameters()):
                raise InputError(
                    f"branches.{name}.motion[{i}]: has weights that training doesn't make; "
                    "start with a model that has them loaded"
                )
            if weights is not None:
                key = f"branches.{name}.motion.{i}."
                module.load_state_dict({n.removeprefix(key): t for n, t in weights.items() if n.startswith(key)})


def _mapped(one: Sequence, modules: list[nn.Module]) -> Sequence:
    """As `apply_motion`, for front-ends with weights, which a cache can't tell by their configs."""
    if not modules:
        return one
    found: list[Sequence] = []
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(one.values)), _AT_ONCE):
            part = Sequence(one.values[rows], one.mask[rows], one.times[rows])
            for module in modules:
                part = module(part)
            found.append(part)
    return Sequence(
        torch.cat([part.values for part in found]),
        torch.cat([part.mask for part in found]),
        torch.cat([part.times for part in found]),
    )
