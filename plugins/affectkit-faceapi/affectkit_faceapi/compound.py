"""Preset `compound-zero-shot`: compounds of the expressions that the network of face-api.js sees, by a rule.

No weights of its own, and no compound label was ever looked at: the sum of two probabilities is the rule that entries
to the ABAW challenges published (YenanLiu/ABAW7th among them). Whether it suits this network was not measured.
"""

from __future__ import annotations

from dataclasses import replace

from affectkit import CompoundFromBasicConfig, PipelineConfig, PipelineSpec
from affectkit_faceapi import expression


def make_compound() -> PipelineConfig:
    """The preset's config: that of `expression`, and the seven compounds of C-EXPR-DB."""
    return replace(expression.make_expression(), maps={"compound": CompoundFromBasicConfig(source="expression")})


PRESET = PipelineSpec(
    name="compound-zero-shot",
    config=make_compound,
    summary="Seven compound expressions of every frame, from the basic ones of face-api.js by a rule; never trained.",
    weights=expression.PRESET.weights,
    loader=expression.PRESET.loader,
    citation=expression.PRESET.citation,
)
