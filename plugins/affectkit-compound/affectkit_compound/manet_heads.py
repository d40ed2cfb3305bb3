"""Task head `manet-heads`: the two classifiers of MA-Net, one for each half of its feature.

With l and g the logits that the local and the global half give, b the local share, y the label, as in the public code:

    prediction = softmax(b l + (1 - b) g)
    loss = b CE(l, y) + (1 - b) CE(g, y)

Both follow from the scores `s = b log softmax(l) + (1 - b) log softmax(g)`: the prediction is `softmax(s)`, the loss is
`-s_y`. So the scores are those of the public code less a number per face, which no probability depends on.
"""

from __future__ import annotations

from dataclasses import dataclass

from affectkit import ConfigError, FeatureStream, HeadSpec, PredictionStream, StreamError, lazy
from affectkit.data.labels import BASIC_7
from affectkit.heads.linear_head import ClassHeadConfig


@dataclass(frozen=True, kw_only=True)
class MANetHeadsConfig(ClassHeadConfig):
    """Which class a frame or clip shows, by one classifier for the first half of the feature and one for the second.

    Hidden layers, dropout and pooling are those of each classifier; as published there are none.

    Attributes:
        targets: the classes; by default the seven basic ones.
        local_share: b, of the first half's classifier in prediction and loss, in [0, 1].
    """

    targets: tuple[str, ...] = BASIC_7
    local_share: float = 0.6

    def validate(self) -> None:
        super().validate()
        if not 0 <= self.local_share <= 1:
            raise ConfigError(f"{self.local_share!r} is no share", "write 0 to 1", path="local_share")

    def output(self, stream: FeatureStream) -> PredictionStream:
        if stream.dim % 2:
            raise StreamError(f"width {stream.dim} has no halves", "put the head behind manet alone")
        return super().output(stream)


SPEC = HeadSpec(
    name="manet-heads",
    config=MANetHeadsConfig,
    factory=lazy("affectkit_compound.manet_heads_net:MANetHeads"),
    summary="One of K classes, by a classifier for the local and one for the global half of MA-Net's feature.",
    citation="Zhao et al. 2021, IEEE Transactions on Image Processing 30, 6544-6556",
)
