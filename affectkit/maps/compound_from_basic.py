"""Score map `compound-from-basic`: compound expressions without compound labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import ScoreMapConfig
from affectkit.data.labels import COMPOUND_7, COMPOUND_BASICS
from affectkit.errors import ConfigError, StreamError, did_you_mean, listed, nearest
from affectkit.specs import ScoreMapSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class CompoundFromBasicConfig(ScoreMapConfig):
    """A compound is as likely as its two basic expressions together, relative to the other compounds.

    Attributes:
        targets: the compounds, of those in `affectkit.data.labels.COMPOUND_BASICS`.
        rule: how a pair's probabilities are combined: their `sum` (the rule of the ABAW entries), `product` or `min`.
            The sum favors pairs with one strong expression, the others want both.
    """

    targets: tuple[str, ...] = COMPOUND_7
    rule: Literal["sum", "product", "min"] = "sum"

    def validate(self) -> None:
        for name in self.targets:
            if name not in COMPOUND_BASICS:
                hint = did_you_mean(name, COMPOUND_BASICS, noun="compounds")
                raise ConfigError(f"{name!r} is no known compound", hint, path="targets")

    @property
    def basics(self) -> tuple[str, ...]:
        """Basic expressions that the compounds are made of, each once."""
        return tuple(dict.fromkeys(basic for name in self.targets for basic in COMPOUND_BASICS[name]))

    def output(self, stream: PredictionStream) -> PredictionStream:
        if stream.problem != "multiclass":
            raise StreamError(f"problem {stream.problem!r} is not accepted", "accepts 'multiclass'")
        missing = [basic for basic in self.basics if basic not in stream.targets]
        if missing:
            # a target that another basic needs is no misspelling of the missing one
            spare = [target for target in stream.targets if target not in self.basics]
            near = {basic: close for basic in missing if (close := nearest(basic, spare))}
            renames = " and ".join(f"{close!r} to {basic!r}" for basic, close in near.items())
            hint = f"rename {renames}" if near else f"targets: {listed(stream.targets)}"
            raise StreamError(f"no scores of {listed(missing)}, which the compounds are made of", hint)
        return PredictionStream(problem="multiclass", resolution=stream.resolution, targets=self.targets)


SPEC = ScoreMapSpec(
    name="compound-from-basic",
    config=CompoundFromBasicConfig,
    factory=lazy("affectkit.maps.compound_from_basic_net:CompoundFromBasic"),
    summary="Zero-shot compound expressions: each pair's basic probabilities, combined and renormalized.",
    example=CompoundFromBasicConfig(source="expression"),
)
