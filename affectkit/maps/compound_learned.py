"""Score map `compound-learned`: compound expressions from the scores of the basic ones, by a map that is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.configs import ScoreMapConfig
from affectkit.data.labels import COMPOUND_7
from affectkit.maps.compound_from_basic import check_compounds, compound_stream
from affectkit.specs import ScoreMapSpec, lazy
from affectkit.streams import PredictionStream


@dataclass(frozen=True, kw_only=True)
class CompoundLearnedConfig(ScoreMapConfig):
    """Softmax regression from the log-probabilities of all basic expressions to compounds.

    As it comes, the map is the product rule of `compound-from-basic`.
    `affectkit.training.compound_maps.fit_compound_map` fits it to labeled people.

    Attributes:
        targets: the compounds, of those in `affectkit.data.labels.COMPOUND_BASICS`.
    """

    targets: tuple[str, ...] = COMPOUND_7

    def validate(self) -> None:
        check_compounds(self.targets)

    def output(self, stream: PredictionStream) -> PredictionStream:
        return compound_stream(stream, self.targets)


SPEC = ScoreMapSpec(
    name="compound-learned",
    config=CompoundLearnedConfig,
    factory=lazy("affectkit.maps.compound_learned_net:CompoundLearned"),
    summary="Compound expressions by a fitted linear map of basic log-probabilities; begins as the product rule.",
    example=CompoundLearnedConfig(source="expression"),
)
