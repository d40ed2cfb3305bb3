"""Tied members: variants of one pipeline that share its weights, and do something else to the input first. No torch.

Of two members, every stage is tied but for the front-ends with which a branch of one of them begins alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from affectkit.configs import ModelConfig
from affectkit.dials import at_path
from affectkit.errors import ConfigError, join
from affectkit.pipeline import PipelineConfig
from affectkit.tracing import Trace

_PIPELINE_FIELDS: tuple[str, ...] = ("inputs", "fusion", "temporal", "heads", "maps")
_ENSEMBLE_FIELDS: tuple[str, ...] = (
    "fusion", "heads", "outputs", "targets", "fill", "maps", "on_nan", "agreement", "tied",
)  # fmt: skip


def check_tied(members: Mapping[str, ModelConfig]) -> None:
    """Raise ConfigError at the first difference between the first member and another that no front-end is."""
    first, *others = members
    for name in others:
        path = _difference(members[first], members[name])
        if path is not None:
            fact = f"{name!r} is tied to {first!r} and differs in it"
            hint = "let tied members differ in the front-ends that come first alone, or write tied=False"
            raise ConfigError(fact, hint, path=join("members", name, path))


def check_tied_streams(traces: Mapping[str, Trace], members: Mapping[str, ModelConfig]) -> None:
    """Raise ConfigError where a front-end of a variant changes what a tied stage is given."""
    first, *others = members
    for name in others:
        for here, there in tied_stages(members[first], members[name]):
            # a late fusion has a step per output, and joins what the steps before it were checked for
            if here.endswith("fusion"):
                continue
            one, other = traces[first][here].inputs, traces[name][there].inputs
            if one != other:
                fact = f"is tied to that of {first!r} and gets {', '.join(map(str, other.values()))}"
                hint = f"use front-ends that leave {', '.join(map(str, one.values()))}"
                raise ConfigError(fact, hint, path=join("members", name, there))


def tied_stages(first: Any, other: Any) -> Iterator[tuple[str, str]]:
    """Paths of the stages that two tied configs share, in the one and in the other."""
    if isinstance(first, PipelineConfig):
        for name, branch in first.branches.items():
            path, theirs = f"branches.{name}", other.branches[name].motion
            for back in range(min(len(branch.motion), len(theirs)), 0, -1):
                yield f"{path}.motion[{len(branch.motion) - back}]", f"{path}.motion[{len(theirs) - back}]"
            if branch.features is not None:
                yield f"{path}.features", f"{path}.features"
        alone = [name for name in ("fusion", "temporal") if getattr(first, name) is not None]
    else:
        for name, member in first.members.items():
            for here, there in tied_stages(member, other.members[name]):
                yield join("members", name, here), join("members", name, there)
        alone = ["fusion"]
    for path in (*alone, *(f"{group}.{name}" for group in ("heads", "maps") for name in getattr(first, group))):
        yield path, path


def leading_stages(first: Any, other: Any) -> dict[str, list[list[str]]] | None:
    """By input, paths of the front-ends with which each branch of `other` that sees it begins, and `first` does not.

    None if a branch of `first` begins with more than that of `other`, or two branches of one input begin unlike.
    """
    found: dict[str, list[list[str]]] = {}
    if isinstance(first, PipelineConfig):
        for name, branch in first.branches.items():
            more = len(other.branches[name].motion) - len(branch.motion)
            if more < 0:
                return None
            found.setdefault(branch.source, []).append([f"branches.{name}.motion[{at}]" for at in range(more)])
    else:
        routes = first.routes()
        for name, member in first.members.items():
            inner = leading_stages(member, other.members[name])
            if inner is None:
                return None
            for given, each in inner.items():
                paths = [[join("members", name, path) for path in one] for one in each]
                found.setdefault(routes[name][given], []).extend(paths)
    for one, *others in found.values():
        mine = [at_path(other, path) for path in one]
        if any([at_path(other, path) for path in each] != mine for each in others):
            return None
    return found


def _difference(first: Any, other: Any) -> str | None:
    """Path of the first thing in which two configs may not differ when they are tied; "" for the whole."""
    if type(first) is not type(other):
        return ""
    if isinstance(first, PipelineConfig):
        if list(first.branches) != list(other.branches):
            return "branches"
        for name, branch in first.branches.items():
            if branch.source != other.branches[name].source:
                return f"branches.{name}.source"
            if (branch.features is None) != (other.branches[name].features is None):
                return f"branches.{name}.features"
        fields = _PIPELINE_FIELDS
    else:
        if list(first.members) != list(other.members):
            return "members"
        for name, member in first.members.items():
            path = _difference(member, other.members[name])
            if path is not None:
                return join("members", name, path)
        fields = _ENSEMBLE_FIELDS
    for field in fields:
        if getattr(first, field) != getattr(other, field):
            return field
    pairs = tied_stages(first, other)
    return next((there for here, there in pairs if at_path(first, here) != at_path(other, there)), None)
