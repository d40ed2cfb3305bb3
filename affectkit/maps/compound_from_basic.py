"""Score map `compound-from-basic`: compound expressions without compound labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from affectkit.configs import ScoreMapConfig
from affectkit.data.labels import COMPOUND_7, COMPOUND_BASICS
from affectkit.errors import ConfigError, StreamError, did_you_mean, listed, nearest
from affectkit.specs import ScoreMapSpec, lazy
from affectkit.streams import PredictionStream

# Of public code to AVCER (arXiv 2403.12687): ElenaRyumina/AVCER, `src/data`.
AVCER_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"anger": 5.0, "disgust": 6.0, "fear": 5.0, "happiness": 6.0, "sadness": 4.0, "surprise": 2.0}
)
# Approximate frequencies of C-EXPR-DB as one team of the 7th ABAW challenge used them: sb-ai-lab/EmotiEffLib,
# `ABAW7/cexpr.ipynb`. How they were counted is not known.
C_EXPR_PRIOR: Mapping[str, float] = MappingProxyType(
    dict(zip(COMPOUND_7, (0.160, 0.276, 0.119, 0.118, 0.117, 0.112, 0.098), strict=True))
)


@dataclass(frozen=True, kw_only=True)
class CompoundFromBasicConfig(ScoreMapConfig):
    """A compound is as likely as its two basic expressions together, relative to the other compounds.

    Attributes:
        targets: the compounds, of those in `affectkit.data.labels.COMPOUND_BASICS`.
        rule: how a pair's probabilities p and q are combined: their `sum` (the rule of the ABAW entries), `product`,
            `min`, `geometric` mean or `harmonic` mean. The sum favors pairs with one strong expression, the others want
            both.
        weights: of the basic expressions in the `sum`, above 0, such as `AVCER_WEIGHTS`; normalized within each pair,
            `(v_p p + v_q q) / (v_p + v_q)`. Empty for equal ones.
        threshold: a basic expression counts only if its probability is above this, in [0, 1); 1/7 in AVCER. A pair is
            kept if the `sum` has one such expression, any other rule both. Where no pair is kept, the frame is scored
            as if there were no threshold.
        prior: how frequent each compound is, above 0, such as `C_EXPR_PRIOR`; a factor of its probability. Their ratios
            count. Empty for equal ones.
    """

    targets: tuple[str, ...] = COMPOUND_7
    rule: Literal["sum", "product", "min", "geometric", "harmonic"] = "sum"
    weights: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.0
    prior: Mapping[str, float] = field(default_factory=dict)

    def validate(self) -> None:
        check_compounds(self.targets)
        if self.weights and self.rule != "sum":
            fact = f"weights have no effect on rule {self.rule!r}"
            raise ConfigError(fact, "leave them out, or take rule='sum'", path="weights")
        _check_factors(self.weights, basics_of(self.targets), "weights")
        if not 0 <= self.threshold < 1:
            fact = f"{self.threshold!r} is no threshold of probabilities"
            raise ConfigError(fact, "write 0 to less than 1", path="threshold")
        if self.threshold >= 0.5 and self.rule != "sum":
            # of two probabilities, one is at most 0.5
            fact = f"no pair is ever above {self.threshold!r} with both, as rule {self.rule!r} wants it"
            raise ConfigError(fact, "write less than 0.5, or take rule='sum'", path="threshold")
        _check_factors(self.prior, self.targets, "prior")

    @property
    def basics(self) -> tuple[str, ...]:
        """Basic expressions that the compounds are made of, each once."""
        return basics_of(self.targets)

    def output(self, stream: PredictionStream) -> PredictionStream:
        return compound_stream(stream, self.targets)


def basics_of(targets: Iterable[str]) -> tuple[str, ...]:
    """Basic expressions that known compounds are made of, each once."""
    return tuple(dict.fromkeys(basic for name in targets for basic in COMPOUND_BASICS[name]))


def check_compounds(targets: Iterable[str]) -> None:
    """Raise ConfigError unless all are known compounds."""
    for name in targets:
        if name not in COMPOUND_BASICS:
            hint = did_you_mean(name, COMPOUND_BASICS, noun="compounds")
            raise ConfigError(f"{name!r} is no known compound", hint, path="targets")


def compound_stream(stream: PredictionStream, targets: tuple[str, ...]) -> PredictionStream:
    """Classes `targets` in place of the basic ones of `stream`; a StreamError where it lacks some that they need."""
    if stream.problem != "multiclass":
        raise StreamError(f"problem {stream.problem!r} is not accepted", "accepts 'multiclass'")
    basics = basics_of(targets)
    missing = [basic for basic in basics if basic not in stream.targets]
    if missing:
        # a target that another basic needs is no misspelling of the missing one
        spare = [target for target in stream.targets if target not in basics]
        near = {basic: close for basic in missing if (close := nearest(basic, spare))}
        renames = " and ".join(f"{close!r} to {basic!r}" for basic, close in near.items())
        hint = f"rename {renames}" if near else f"targets: {listed(stream.targets)}"
        raise StreamError(f"no scores of {listed(missing)}, which the compounds are made of", hint)
    return PredictionStream(problem="multiclass", resolution=stream.resolution, targets=targets)


def _check_factors(factors: Mapping[str, float], names: tuple[str, ...], path: str) -> None:
    """All of `names` above 0 and nothing else, or none."""
    for name, factor in factors.items():
        if name not in names:
            hint = did_you_mean(name, names, noun="names")
            raise ConfigError(f"{name!r} is in none of the targets", hint, path=path)
        if not factor > 0:
            raise ConfigError(f"{factor!r} is not above 0", "write more than 0", path=f"{path}.{name}")
    if factors and (missing := [name for name in names if name not in factors]):
        raise ConfigError(f"nothing for {listed(missing)}", "give one for each, or none at all", path=path)


SPEC = ScoreMapSpec(
    name="compound-from-basic",
    config=CompoundFromBasicConfig,
    factory=lazy("affectkit.maps.compound_from_basic_net:CompoundFromBasic"),
    summary="Zero-shot compound expressions: each pair's basic probabilities, combined and renormalized.",
    example=CompoundFromBasicConfig(source="expression"),
)
