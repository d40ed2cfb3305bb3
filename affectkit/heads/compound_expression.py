"""Task head `compound-expression`: one pair of basic expressions per frame."""

from __future__ import annotations

from dataclasses import dataclass

from affectkit.data.labels import COMPOUND_7
from affectkit.heads.linear_head import ClassHeadConfig
from affectkit.specs import HeadSpec, lazy


@dataclass(frozen=True, kw_only=True)
class CompoundExpressionConfig(ClassHeadConfig):
    """Which compound expression a frame or clip shows.

    Attributes:
        targets: the classes; by default the seven of C-EXPR-DB, in their order.
    """

    targets: tuple[str, ...] = COMPOUND_7


SPEC = HeadSpec(
    name="compound-expression",
    config=CompoundExpressionConfig,
    factory=lazy("affectkit.heads.compound_expression_net:CompoundExpressionHead"),
    summary="Compound expression of a frame or clip, one of K classes.",
)
