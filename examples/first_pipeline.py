"""Compose a pipeline, see how its stages fit, build it, and score a batch. Run: python examples/first_pipeline.py"""

from __future__ import annotations

import torch

from affectkit import (
    Branch,
    ConcatFusionConfig,
    ConvStemConfig,
    ExpressionConfig,
    FrameStream,
    GRUConfig,
    OpticalFlowConfig,
    PipelineConfig,
    Sequence,
    ValenceArousalConfig,
)


def main() -> None:
    config = PipelineConfig(
        input=FrameStream(height=64, width=64),
        branches={
            "face": Branch(features=ConvStemConfig(dim=32)),
            "motion": Branch(motion=(OpticalFlowConfig(),), features=ConvStemConfig(dim=16)),
        },
        fusion=ConcatFusionConfig(dim=48, hidden=()),
        temporal=GRUConfig(dim=32),
        heads={"expression": ExpressionConfig(resolution="clip"), "affect": ValenceArousalConfig()},
    )
    # No torch up to here: widths are threaded through, and a misfit would be named with its path.
    print(config.trace())

    torch.manual_seed(0)
    model = config.build()
    batch = Sequence.of(torch.rand(2, 8, 3, 64, 64), fps=25.0)  # two clips of eight frames
    scores = model(batch)
    print("raw scores:", {name: tuple(value.shape) for name, value in scores.items()})

    predictions = model.predict(batch)
    targets = model.traced.outputs["expression"].targets
    for target, probability in zip(targets, predictions["expression"][0].tolist(), strict=True):
        print(f"  {target:<10} {probability:.3f}")
    print("untrained, so these come from random weights")


if __name__ == "__main__":
    main()
