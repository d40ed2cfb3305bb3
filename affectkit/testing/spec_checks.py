"""Checks of what a component advertises: its spec, its config and its factory. None of them needs a built module."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from affectkit.codec import decode, encode
from affectkit.dials import find_dials, turn
from affectkit.errors import ConfigError, listed
from affectkit.specs import Lazy
from affectkit.testing.candidates import STREAM_CLASSES
from affectkit.testing.checks import ALL, Check, check
from affectkit.testing.results import CheckFailed
from affectkit.testing.subjects import Subject

STREAMED = tuple(kind for kind in ALL if kind in STREAM_CLASSES)
LONGEST_SUMMARY = 120


@check(*ALL, cause="a paragraph in place of a summary; listings show one line per component")
def summary_is_one_line(subject: Subject) -> None:
    summary = subject.spec.summary
    if len(summary.splitlines()) != 1 or summary != summary.strip():
        raise CheckFailed(f"the summary is {summary!r}")
    if len(summary) > LONGEST_SUMMARY:
        raise CheckFailed(f"the summary has {len(summary)} characters; a listing has room for {LONGEST_SUMMARY}")


@check(*ALL, cause="a field that was added later; write it under `Attributes:` of the config's docstring")
def fields_are_documented(subject: Subject) -> None:
    documented = {name for base in subject.spec.config.__mro__ for name in documented_fields(base)}
    missing = [item.name for item in dataclasses.fields(subject.spec.config) if item.name not in documented]
    if missing:
        raise CheckFailed(f"{subject.spec.config.__name__} says nothing of {listed(missing)}")


@check(*ALL, cause="an example outside the domain, or a rule of validate() that a dial's domain ignores")
def dials_stay_in_their_domains(subject: Subject) -> None:
    for dial in find_dials(subject.config):
        if dial.value not in dial.domain:
            raise CheckFailed(f"dial {dial.path!r} is {dial.value!r}, its domain is {dial.domain}")
        for value in dial.domain.choices or (dial.domain.low, dial.domain.high):
            try:
                turn(subject.config, {dial.path: value})
            except ConfigError as error:
                raise CheckFailed(f"dial {dial.path!r} can't be {value!r} ({error})") from error


@check(
    *ALL, cause="a validate() that changes a field each time it runs; what is normalized stays as it is when read again"
)
def example_round_trips(subject: Subject) -> None:
    data = json.dumps(encode(subject.config, subject.registry), allow_nan=False)
    again = decode(subject.spec.config, json.loads(data), subject.registry)
    if again != subject.config:
        raise CheckFailed(f"{subject.config!r} comes back from JSON as {again!r}")


@check(*STREAMED, cause="output() that fails on a stream that it should refuse with a StreamError")
def a_stream_is_accepted(subject: Subject) -> None:
    assert subject.stream is not None


@check(*STREAMED, cause="a counter or cache on the config or its class, or a mapping that is changed in place")
def output_is_pure(subject: Subject) -> None:
    stream = copy.deepcopy(subject.stream)
    config = encode(subject.config, subject.registry)
    first = copy.deepcopy(subject.output_of(subject.config, stream))
    second = subject.output_of(subject.config, stream)
    if first != second:
        raise CheckFailed(f"output() said {first}, and then {second}")
    if encode(subject.config, subject.registry) != config:
        raise CheckFailed("output() changed the config")
    if stream != subject.stream or (isinstance(stream, dict) and list(stream) != list(subject.stream)):
        raise CheckFailed("output() changed its input")


@check(
    *ALL,
    cause="the package is imported by the config; import it where the module is built",
    claimed=lambda subject: bool(subject.spec.requires),
)
def missing_dependency_is_explained(subject: Subject) -> None:
    # That building says so is the core's part: it asks every requirement before it calls the factory.
    for requirement in subject.spec.requires:
        if not all(part.isidentifier() for part in requirement.module.split(".")):
            cause = "the name of a distribution; write what is imported"
            raise CheckFailed(f"requires module {requirement.module!r}, which no import can name", cause)
        if "install" not in requirement.install:
            fact = f"the remedy for a missing {requirement.module!r} is {requirement.install!r}"
            raise CheckFailed(fact, "no command; write install=\"pip install 'distribution[extra]'\"")
        stream = subject.stream
        with _hidden(requirement.module):
            if subject.takes_stream:
                try:
                    subject.output_of(subject.config, stream)
                except ImportError as error:
                    raise CheckFailed(f"without {requirement.module!r}, output() fails: {error}") from error


@check(*ALL, cause="a typing error in lazy('module:Class'), or settings at the top of the module's file")
def factory_resolves(subject: Subject) -> None:
    factory: Any = subject.spec.factory
    if not isinstance(factory, Lazy):
        return
    before = (torch.get_default_dtype(), torch.is_grad_enabled())
    try:
        resolved = factory.resolve()
    except (ImportError, AttributeError) as error:
        missing = {requirement.module.partition(".")[0] for requirement in subject.spec.requires}
        if isinstance(error, ImportError) and (error.name or "").partition(".")[0] in missing:
            return  # an optional package that is not installed here; building says so
        raise CheckFailed(f"{factory.target!r} can't be imported ({error})") from error
    dtype, is_grad_enabled = torch.get_default_dtype(), torch.is_grad_enabled()
    torch.set_default_dtype(before[0])
    torch.set_grad_enabled(before[1])
    if dtype != before[0]:
        raise CheckFailed(f"importing {factory.target!r} sets torch's default dtype to {dtype}")
    if is_grad_enabled != before[1]:
        raise CheckFailed(f"importing {factory.target!r} sets torch's grad mode to {is_grad_enabled}")
    if not callable(resolved):
        raise CheckFailed(f"{factory.target!r} is {type(resolved).__name__}, which can't be called")


def documented_fields(cls: type) -> list[str]:
    """Names under `Attributes:` of a class's own docstring; `onset, apex: ...` documents two."""
    _, _, section = inspect.cleandoc(vars(cls).get("__doc__") or "").partition("Attributes:\n")
    indent = section[: len(section) - len(section.lstrip(" "))]
    names: list[str] = []
    for line in section.splitlines():
        if line.strip() and not line.startswith(indent):
            break
        if found := re.match(rf"{indent}(\w[\w, ]*?)(?: \(.*\))?:", line):
            names += [name.strip() for name in found[1].split(",")]
    return names


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Within the block, importing the top-level package of `module` fails."""
    name = module.partition(".")[0]
    own = {key: value for key, value in sys.modules.items() if key == name or key.startswith(f"{name}.")}
    for key in own:
        del sys.modules[key]
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for key in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[key]
        sys.modules.update(own)


CHECKS: tuple[Check, ...] = (
    summary_is_one_line,
    fields_are_documented,
    dials_stay_in_their_domains,
    example_round_trips,
    a_stream_is_accepted,
    output_is_pure,
    missing_dependency_is_explained,
    factory_resolves,
)
