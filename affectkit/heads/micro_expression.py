"""Task head `micro-expression`: one class per clip."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.data.labels import MICRO_3
from affectkit.heads.linear_head import ClassHeadConfig
from affectkit.specs import HeadSpec, lazy
from affectkit.streams import Resolution


@dataclass(frozen=True, kw_only=True)
class MicroExpressionConfig(ClassHeadConfig):
    """Which micro-expression a clip shows.

    Attributes:
        targets: the classes; by default those of MEGC 2019.
        resolution: `clip` by default, since a micro-expression is an event and not a state of a frame.
    """

    targets: tuple[str, ...] = MICRO_3
    resolution: Resolution = "clip"


SPEC = HeadSpec(
    name="micro-expression",
    config=MicroExpressionConfig,
    factory=lazy("affectkit.heads.micro_expression_net:MicroExpressionHead"),
    summary="Micro-expression of a clip, one of K classes.",
)
