"""Train on stored features, with labels that are partly missing. Run: python examples/stored_features.py"""

from __future__ import annotations

import torch

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    FeatureStream,
    PipelineConfig,
    Sequence,
    Targets,
    TransformerConfig,
)


def main() -> None:
    config = PipelineConfig(
        inputs={"cnn": FeatureStream(dim=24), "vit": FeatureStream(dim=16)},
        branches={"cnn": Branch(source="cnn"), "vit": Branch(source="vit")},
        fusion=AffineFusionConfig(dim=32),
        temporal=TransformerConfig(depth=1, heads=4),
        heads={"au": ActionUnitsConfig(targets=("AU1", "AU4", "AU12"))},
    )
    torch.manual_seed(0)
    model = config.build()

    # Clips of 10 and 7 frames in one batch: mask is True where a step is real.
    mask = torch.arange(10) < torch.tensor([[10], [7]])
    cnn, vit = torch.randn(2, 10, 24), torch.randn(2, 10, 16)
    batch = {"cnn": Sequence.of(cnn, mask=mask), "vit": Sequence.of(vit, mask=mask)}
    # What the units depend on here is made up: the first three of the stored features.
    labels = (cnn[..., :3] > 0).float()
    valid = torch.rand(labels.shape) > 0.3  # the rest is not annotated, and never looked at
    targets = {"au": Targets.of(labels, valid)}

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(61):
        _, losses = model(batch, targets=targets)
        loss = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
