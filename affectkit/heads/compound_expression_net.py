"""Module of `compound-expression`."""

from __future__ import annotations

from typing import final

from affectkit.heads.compound_expression import CompoundExpressionConfig
from affectkit.heads.linear_head_net import ClassHead


@final
class CompoundExpressionHead(ClassHead[CompoundExpressionConfig]):
    """Logits of compound expressions, `(B, T, K)` per frame or `(B, K)` per clip."""
