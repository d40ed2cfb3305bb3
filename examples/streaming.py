"""Score frame by frame, with a causal pipeline, and get what the whole clip gives. Run: python examples/streaming.py"""

from __future__ import annotations

import torch

from affectkit import (
    Branch,
    ConvStemConfig,
    FrameStream,
    GRUConfig,
    InputError,
    PipelineConfig,
    Sequence,
    TemporalConfig,
    TransformerConfig,
    ValenceArousalConfig,
)


def pipeline(temporal: TemporalConfig) -> PipelineConfig:
    return PipelineConfig(
        input=FrameStream(height=32, width=32),
        branches={"face": Branch(features=ConvStemConfig(dim=16))},
        temporal=temporal,
        heads={"affect": ValenceArousalConfig()},
    )


def main() -> None:
    torch.manual_seed(0)
    model = pipeline(GRUConfig(dim=16)).build().eval()
    clip = Sequence.of(torch.rand(1, 6, 3, 32, 32), fps=25.0)
    with torch.no_grad():
        whole = model(clip)["affect"]
        session = model.stream()
        for t in range(6):
            scores = session.step(clip.step(t))["affect"]
            valence, arousal = model.decode("affect", scores)[0, 0].tolist()
            difference = float((scores[:, 0] - whole[:, t]).abs().max())
            print(
                f"frame {t}: valence {valence:+.3f}, arousal {arousal:+.3f}, off the whole clip's by {difference:.1e}"
            )

    # An encoder that looks ahead can't stream, and says so.
    try:
        pipeline(TransformerConfig(depth=1)).build().stream()
    except InputError as error:
        print("refused:", error)


if __name__ == "__main__":
    main()
