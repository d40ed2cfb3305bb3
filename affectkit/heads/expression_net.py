"""Module of `expression`."""

from __future__ import annotations

from typing import final

from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.linear_head_net import ClassHead


@final
class ExpressionHead(ClassHead[ExpressionConfig]):
    """Logits of basic expressions, `(B, T, K)` per frame or `(B, K)` per clip."""
