"""Module of `micro-expression`."""

from __future__ import annotations

from typing import final

from affectkit.heads.linear_head_net import ClassHead
from affectkit.heads.micro_expression import MicroExpressionConfig


@final
class MicroExpressionHead(ClassHead[MicroExpressionConfig]):
    """Logits of micro-expressions, `(B, K)` per clip or `(B, T, K)` per frame."""
