"""Task head `expression`: one basic expression per frame."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.data.labels import ABAW_8
from affectkit.heads.linear_head import ClassHeadConfig
from affectkit.specs import HeadSpec, lazy


@dataclass(frozen=True, kw_only=True)
class ExpressionConfig(ClassHeadConfig):
    """Which basic expression a frame or clip shows.

    Attributes:
        targets: the classes; by default the eight of ABAW, in their order.
    """

    targets: tuple[str, ...] = ABAW_8


SPEC = HeadSpec(
    name="expression",
    config=ExpressionConfig,
    factory=lazy("affectkit.heads.expression_net:ExpressionHead"),
    summary="Basic expression of a frame or clip, one of K classes.",
)
