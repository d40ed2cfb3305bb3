"""The head that hands blendshapes on, and says where there was no face."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from affectkit_mediapipe.blendshape_head import SPEC, TARGETS, BlendshapesConfig
from affectkit_mediapipe.bundle import BLENDSHAPES

from affectkit import ConfigError, FeatureStream, Sequence, StreamError, Targets
from affectkit.errors import listed
from affectkit.testing import parametrize_with_checks

STREAM = FeatureStream(dim=52)


@parametrize_with_checks(specs=[SPEC], streams={"blendshapes": STREAM})
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_there_are_52_names_each_once() -> None:
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == STREAM.dim
    assert TARGETS[:-1] == BLENDSHAPES
    assert TARGETS[-1] == "found"


def test_scores_are_the_features_and_found_says_where_there_were_any() -> None:
    features = torch.rand(1, 3, 52, generator=torch.Generator().manual_seed(0))
    features[0, 1] = 0
    head = SPEC.factory(BlendshapesConfig(), STREAM)
    scores = head(Sequence.of(features))
    assert torch.equal(scores[..., :52], features)
    assert scores[0, :, 52].tolist() == [1, 0, 1]
    some = SPEC.factory(BlendshapesConfig(targets=("found", "jawOpen")), STREAM)
    assert torch.equal(some(Sequence.of(features))[..., 1], features[..., BLENDSHAPES.index("jawOpen")])


def test_its_loss_is_the_squared_error() -> None:
    head = SPEC.factory(BlendshapesConfig(targets=("jawOpen", "found")), STREAM)
    scores = torch.tensor([[[0.25, 1.0]]])
    targets = Targets(torch.tensor([[[0.75, 0.0]]]), torch.tensor([[[True, False]]]))
    assert head.loss(scores, targets, torch.ones(1, 1, dtype=torch.bool)).item() == 0.25


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError) as unknown:
        BlendshapesConfig(targets=("jawOpened",))
    assert str(unknown.value) == (
        f"targets: 'jawOpened' is no blendshape; did you mean 'jawOpen'? targets: {listed(TARGETS)}"
    )
    with pytest.raises(StreamError) as width:
        BlendshapesConfig().output(FeatureStream(dim=51))
    assert str(width.value) == "width 51 is not accepted; accepts 52, one per blendshape"
