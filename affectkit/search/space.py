"""`SearchSpace`: what a search may change, what it aims at, and how long it goes on, as data.

[dials]
"branches.flow.motion[0].alpha" = [1, 2, 4, 8, 16]
"branches.flow.features.ratios[0]" = "all"

[objectives]
score = "UF1"
cost = "flops"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from affectkit.codec import encode
from affectkit.configs import Config
from affectkit.errors import ConfigError
from affectkit.files import errors_in_file, read_data
from affectkit.registry import Registry, default_registry

Value = bool | int | float | str


@dataclass(frozen=True, kw_only=True)
class Range(Config):
    """Numbers from `low` to `high`, both included; whole ones where the dial is set to a whole one.

    Attributes:
        low: the least.
        high: the most, above `low`.
    """

    low: float
    high: float

    def validate(self) -> None:
        if not self.low < self.high:
            raise ConfigError(f"{self.low!r} to {self.high!r} is no range", "write low < high")


@dataclass(frozen=True, kw_only=True)
class Objectives(Config):
    """What a search aims at.

    Attributes:
        score: is maximized. Of classes of clips or single pictures `UF1`, `UAR` or `accuracy`. Of frames of videos the
            name of an output, which means the mean CCC of its values, the macro F1 of its classes or the mean F1 of its
            units; or `P`, the sum of the three. All are pooled.
        cost: is minimized beside it: `latency` or `flops`; `none` for the score alone.
    """

    score: str = "UF1"
    cost: Literal["none", "latency", "flops"] = "none"


@dataclass(frozen=True, kw_only=True)
class Limits(Config):
    """What a candidate may cost; one that costs more is rejected before it is evaluated.

    Attributes:
        latency_ms: milliseconds per batch, measured as `Timing` says; None for no limit.
        flops: floating-point operations per example, see `count_flops`; None for no limit.
    """

    latency_ms: float | None = None
    flops: float | None = None

    def validate(self) -> None:
        for name in ("latency_ms", "flops"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{value!r} is no limit", "write more than 0", path=name)


@dataclass(frozen=True, kw_only=True)
class Evolution(Config):
    """How candidates come about: NSGA-II with uniform crossover.

    Attributes:
        population: candidates per generation, at least 2.
        generations: how many, the first of random candidates.
        seed: of all that is drawn, 0 to 2**32 - 1.
        mutation: probability that a value of a child is drawn anew.
    """

    population: int = 20
    generations: int = 10
    seed: int = 0
    mutation: float = 0.1

    def validate(self) -> None:
        if self.population < 2:
            raise ConfigError(f"{self.population!r} can't have children", "write 2 or more", path="population")
        if self.generations < 1:
            raise ConfigError(f"{self.generations!r} is too few", "write 1 or more", path="generations")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"{self.seed!r} is no seed", "write 0 to 2**32 - 1", path="seed")
        if not 0 <= self.mutation <= 1:
            raise ConfigError(f"{self.mutation!r} is no probability", "write 0 to 1", path="mutation")


@dataclass(frozen=True, kw_only=True)
class Timing(Config):
    """How latency is measured: the median of several runs of one batch.

    Attributes:
        batch_size: examples in it.
        threads: of torch, on the CPU.
        repeats: runs that count, after 3 that don't.
    """

    batch_size: int = 1
    threads: int = 1
    repeats: int = 20

    def validate(self) -> None:
        for name in ("batch_size", "threads", "repeats"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{getattr(self, name)!r} is too few", "write 1 or more", path=name)


@dataclass(frozen=True, kw_only=True)
class SearchSpace(Config):
    """What is searched, for what, and how.

    One without dials and fields is written where somebody else says what they are, as a plan of phases does. It can't
    be searched.

    Attributes:
        dials: by path the values to try: `all` for the dial's own domain, some of it, or a range of it.
        fields: the same for fields that are no dials, as values; none of them may need other weights.
        objectives: what is aimed at.
        limits: what a candidate may cost.
        search: population, generations, seed.
        timing: how latency is measured.
    """

    dials: Mapping[str, Literal["all"] | Range | tuple[Value, ...]] = field(default_factory=dict)
    fields: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    objectives: Objectives = field(default_factory=Objectives)
    limits: Limits = field(default_factory=Limits)
    search: Evolution = field(default_factory=Evolution)
    timing: Timing = field(default_factory=Timing)

    def validate(self) -> None:
        for table in ("dials", "fields"):
            for path, values in getattr(self, table).items():
                if isinstance(values, tuple):
                    _check_values(values, f"{table}.{path}")

    @property
    def needs_latency(self) -> bool:
        """Whether candidates are timed."""
        return self.objectives.cost == "latency" or self.limits.latency_ms is not None

    @property
    def needs_flops(self) -> bool:
        """Whether operations are counted."""
        return self.objectives.cost == "flops" or self.limits.flops is not None


def read_space(path: str | Path, *, registry: Registry | None = None) -> SearchSpace:
    """The search space in a `.toml` or `.json` file.

    Raises:
        ConfigError: not readable, empty, or something in it is wrong; names file, path and remedy.
    """
    space = read_data(SearchSpace, path, registry=registry)
    with errors_in_file(path):
        check_not_empty(space)
    return space


def check_not_empty(space: SearchSpace) -> None:
    """Raise ConfigError where a space names no dial and no field."""
    if not space.dials and not space.fields:
        raise ConfigError("nothing to search", "write values to try under dials or fields")


def space_to_data(space: SearchSpace, *, registry: Registry | None = None) -> Any:
    """Plain data, as it stands in a file."""
    return encode(space, registry if registry is not None else default_registry())


def _check_values(values: tuple[Value, ...], path: str) -> None:
    if not values:
        raise ConfigError("no values", "write those to try", path=path)
    for value in values:
        # 1 == 1.0 == True: a candidate would be two
        if values.count(value) > 1:
            raise ConfigError(f"{value!r} is there twice", "write each value once", path=path)
