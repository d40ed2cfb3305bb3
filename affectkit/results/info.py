"""Where a table comes from: what was run, on what, with which weights. Written into the file, so it stays with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Any

from affectkit.errors import InputError
from affectkit.specs import Weights

# Readers refuse what is newer; what is older keeps loading.
SCHEMA = 1
Option = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class WeightsUse:
    """Weights that a run used.

    Attributes:
        name: as published; `random` for untrained ones.
        sha256: of the file, 64 hex digits; empty where there is none.
        license: of the weights.
        training_data_terms: terms of the data they were trained on; `synthetic` for generated faces.
        is_random: whether they are untrained.
    """

    name: str
    sha256: str = ""
    license: str = ""
    training_data_terms: str = ""
    is_random: bool = False

    @property
    def is_synthetic(self) -> bool:
        """Whether they were trained on synthetic data only."""
        return self.training_data_terms == "synthetic"

    @classmethod
    def of(cls, weights: Weights) -> WeightsUse:
        """What a table keeps of published weights."""
        return cls(
            name=weights.name,
            sha256=weights.sha256,
            license=weights.license,
            training_data_terms=weights.training_data_terms,
        )


RANDOM_WEIGHTS = WeightsUse(name="random", is_random=True)


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """What made a table.

    Attributes:
        source: name of the video.
        source_size: of that file, bytes; None where it is no file.
        pipeline: id, file or class of the pipeline.
        pipeline_hash: sha256 of its config, as `pipeline_hash` gives it.
        detector: id of the face detector.
        seed: of random weights; None where nothing is random.
        weights: that were used; empty where the pipeline has none.
        options: of the run: rate, device, precision and others.
        complete: whether the whole video was analyzed.
        notes: what a reader should know, one line each.
        schema: version of this layout.
        affectkit: version of affectkit.
    """

    source: str = ""
    source_size: int | None = None
    pipeline: str = ""
    pipeline_hash: str = ""
    detector: str = ""
    seed: int | None = None
    weights: tuple[WeightsUse, ...] = ()
    options: Mapping[str, Option] = field(default_factory=dict)
    complete: bool = True
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
    affectkit: str = field(default_factory=lambda: version("affectkit"))

    @property
    def caution(self) -> str:
        """One line where the weights are random or know synthetic faces only; else empty."""
        if any(weights.is_random for weights in self.weights):
            return "untrained: scores come from random weights"
        if any(weights.is_synthetic for weights in self.weights):
            return "weights trained on synthetic faces only"
        return ""

    def to_data(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self) | {"options": dict(self.options)}

    @classmethod
    def from_data(cls, data: object, path: str) -> RunInfo:
        """What `to_data` gave; `path` begins the errors.

        Raises:
            InputError: a newer layout, or something else altogether.
        """
        found = data.get("schema") if isinstance(data, Mapping) else None
        if isinstance(found, int) and found > SCHEMA:
            raise InputError(f"{path}: has schema {found}, and this affectkit reads up to {SCHEMA}; update affectkit")
        try:
            values = {item.name: data[item.name] for item in fields(cls)}  # type: ignore[index]  # a TypeError says so
            weights = tuple(WeightsUse(**item) for item in values["weights"])
            return cls(**values | {"weights": weights, "notes": tuple(values["notes"])})
        except (TypeError, KeyError, AttributeError):
            raise InputError(f"{path}: what it says about its run can't be read; analyze the video again") from None

    def differences(self, other: RunInfo) -> list[str]:
        """Names of the fields in which two infos tell of different runs."""
        ignored = ("complete", "notes")
        mine, others = self.to_data(), other.to_data()
        return [name for name in mine if name not in ignored and mine[name] != others[name]]


def pipeline_hash(data: Mapping[str, Any]) -> str:
    """The sha256 of a config as plain data, whatever the order of its keys; 64 hex digits."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
