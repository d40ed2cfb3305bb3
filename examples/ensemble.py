"""Join two pipelines: scores are averaged over the targets that both know. Run: python examples/ensemble.py"""

from __future__ import annotations

import torch

from affectkit import (
    Branch,
    CompoundFromBasicConfig,
    ConvStemConfig,
    EnsembleConfig,
    ExpressionConfig,
    FrameStream,
    PipelineConfig,
    Sequence,
    WeightedFusionConfig,
)

SEVEN = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")


def member(size: int, targets: tuple[str, ...]) -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=size, width=size),
        branches={"face": Branch(features=ConvStemConfig(dim=16))},
        heads={"expression": ExpressionConfig(targets=targets)},
    )


def main() -> None:
    config = EnsembleConfig(
        members={"small": member(32, SEVEN), "large": member(64, (*SEVEN, "contempt"))},
        fusion=WeightedFusionConfig(weights={"small": 0.25, "large": 0.75}),
        maps={"compound": CompoundFromBasicConfig(source="expression")},
    )
    print(config.trace())
    # The two sizes are two inputs, since they differ.
    print("inputs:", {name: str(stream) for name, stream in config.input_streams().items()})

    torch.manual_seed(0)
    model = config.build()
    batch = {
        name: Sequence.of(torch.rand(1, 2, 3, stream.height, stream.width))
        for name, stream in config.input_streams().items()
        if isinstance(stream, FrameStream)
    }
    predictions = model.predict(batch)
    for name, values in predictions.items():
        print(name, {target: round(value, 3) for target, value in named(model.traced.outputs[name].targets, values)})


def named(targets: tuple[str, ...], values: torch.Tensor) -> list[tuple[str, float]]:
    return list(zip(targets, values[0, 0].tolist(), strict=True))


if __name__ == "__main__":
    main()
