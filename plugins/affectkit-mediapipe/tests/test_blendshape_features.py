"""The extractor with its weights, on cuts of real faces."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("mediapipe", reason="runs in the environment of `make test-mediapipe`")

from affectkit_mediapipe import presets
from affectkit_mediapipe.blendshape_features import MediaPipeBlendshapesConfig
from affectkit_mediapipe.blendshape_features_net import MediaPipeBlendshapes
from affectkit_mediapipe.blendshape_weights import load_state
from affectkit_mediapipe.bundle import BLENDSHAPES, BUNDLE, PROVIDER

from affectkit import FrameStream, Sequence, WeightsError, load_weights
from affectkit.faces.yunet import SPEC as YUNET, YuNetConfig
from affectkit.video.alignment import TEMPLATES, warp
from affectkit.weights import fetch_weights

STREAM = FrameStream(height=256, width=256, alignment="steady")
SMILE = [BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("mouthSmileRight")]


def read(path: Path) -> Any:
    import cv2

    picture: Any = cv2.imread(str(path))
    return np.ascontiguousarray(picture[:, :, ::-1])


def cuts(shared: Path, name: str) -> Tensor:
    """`(N, 3, 256, 256)`, largest face first."""
    picture = read(shared / "media" / name)
    faces = YUNET.factory(YuNetConfig()).detect(picture)
    cut = [warp(picture, TEMPLATES["steady"].similarity(face).then(256, 0j), 256, 256) for face in faces]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2)


@pytest.fixture
def extractor(shared: Path) -> MediaPipeBlendshapes:
    made = MediaPipeBlendshapes(MediaPipeBlendshapesConfig(), STREAM)
    made.load_state_dict(load_state(fetch_weights(BUNDLE, PROVIDER)))
    return made.eval()


def test_without_weights_it_says_how_to_load_them() -> None:
    model = presets.make_au_proxies().build()
    with pytest.raises(WeightsError) as caught:
        model(torch.rand(1, 1, 3, 256, 256))
    assert str(caught.value) == (
        "mediapipe-blendshapes: no weights are loaded; "
        "call affectkit.load_weights(model, path), with its path in the model"
    )


def test_weights_are_loaded_as_those_of_any_component(shared: Path) -> None:
    model = presets.make_au_proxies().build()
    assert load_weights(model, presets.FEATURES_PATH) == BUNDLE
    assert model.provenance[0]["sha256"] == BUNDLE.sha256
    assert model.predict(cuts(shared, "single_face.jpg")[None])["blendshapes"][0, 0, -1] == 1


def test_five_people_smile_one_with_closed_lips(extractor: MediaPipeBlendshapes, shared: Path) -> None:
    five = extractor(Sequence.of(cuts(shared, "multi_face.jpg")[None])).values
    assert five.shape == (1, 5, 52)
    assert five.dtype == torch.float32
    assert 0 <= five.min() < five.max() <= 1
    # the smallest face keeps the lips closed, the others show their teeth
    smiles = five[0][:, SMILE].mean(dim=-1)
    assert smiles[:4].min() > 0.7
    assert 0.2 < smiles[4] < 0.5


def test_frames_without_a_face_are_zeros_and_others_stay(extractor: MediaPipeBlendshapes, shared: Path) -> None:
    (face,) = cuts(shared, "single_face.jpg")
    wall = torch.full_like(face, 0.5)
    clip = Sequence.of(torch.stack([face, wall, face, face])[None], mask=torch.tensor([[True, True, True, False]]))
    found = extractor(clip)
    assert torch.equal(found.mask, clip.mask)
    assert not found.values[0, 1].any()
    assert not found.values[0, 3].any()
    assert torch.equal(found.values[0, 0], found.values[0, 2])
    assert found.values[0, 0].count_nonzero() == 52


def test_the_face_nearest_the_middle_counts(extractor: MediaPipeBlendshapes, shared: Path) -> None:
    smiling, *_, calm = cuts(shared, "multi_face.jpg")
    half = torch.nn.functional.interpolate(torch.stack([calm, smiling]), size=(128, 128), mode="bilinear")
    for middle, other in ((0, 1), (1, 0)):
        picture = torch.full((3, 256, 256), 0.5)
        picture[:, 64:192, 128:] = half[other]
        picture[:, 64:192, 40:168] = half[middle]
        smile = extractor(Sequence.of(picture[None, None])).values[0, 0, SMILE].mean()
        assert (smile > 0.5) == bool(middle)


def test_copies_open_networks_of_their_own(extractor: MediaPipeBlendshapes, shared: Path) -> None:
    clip = Sequence.of(cuts(shared, "single_face.jpg")[None])
    wanted = extractor(clip).values
    for made in (copy.deepcopy(extractor), pickle.loads(pickle.dumps(extractor))):
        assert torch.equal(made(clip).values, wanted)
    # weights that come later are taken
    broken = copy.deepcopy(extractor)
    broken(clip)
    broken.load_state_dict({"bundle": torch.zeros(BUNDLE.size, dtype=torch.uint8)})
    with pytest.raises(WeightsError):
        broken(clip)


def test_what_flows_in_is_not_changed_and_needs_no_float32(extractor: MediaPipeBlendshapes, shared: Path) -> None:
    values = cuts(shared, "single_face.jpg")[None]
    clip = Sequence.of(values.clone().requires_grad_())
    found = extractor(clip).values
    assert torch.equal(clip.values.detach(), values)
    assert not found.requires_grad
    assert (extractor(Sequence.of(values.double())).values - found).abs().max() < 1e-6
    assert (extractor(Sequence.of(values.bfloat16())).values - found).abs().mean() < 0.02
