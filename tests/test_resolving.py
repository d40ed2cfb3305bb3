"""What the arguments of `analyze` mean: the pipeline that is run, its detector, and options out of range."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import affectkit
from affectkit import Branch, ExpressionConfig, FeatureStream, PipelineConfig
from affectkit.configs import FaceDetectorConfig
from affectkit.errors import ArtifactError, ConfigError, RegistryError, UntrainedWarning
from affectkit.faces.auto import AutoFacesConfig
from affectkit.faces.given_boxes import GivenBoxesConfig
from affectkit.faces.haar import HaarConfig
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.files import write_config
from affectkit.model import Model
from affectkit.presets import starter
from affectkit.registry import Registry
from affectkit.resolving import check_options, default_pipeline, device_of, resolve_detector, resolve_model
from affectkit.specs import FaceDetectorSpec
from affectkit.weights import sha256
from tests.brightness import BrightFaces
from tests.spotting import registry, spot_bright


def only(*providers: str) -> Registry:
    """A registry of these plugins."""
    installed = affectkit.default_registry()._plugins
    return Registry([plugin for plugin in installed if plugin.report.provider in providers])


def test_what_is_run_where_nothing_is_said() -> None:
    assert default_pipeline(only("affectkit")) == "affectkit/motion-events"
    pytest.importorskip("affectkit_faceapi")
    assert default_pipeline(only("affectkit", "affectkit-faceapi")) == "affectkit-faceapi/expression"


# The model.


def resolve(pipeline: Any, *, device: str | None = None, seed: int = 0, names: Registry | None = None) -> Model:
    return resolve_model(pipeline, device=device, seed=seed, registry=names or affectkit.default_registry())


def refused(message: str, kind: type[Exception], *arguments: Any, **options: Any) -> None:
    with pytest.raises(kind) as caught:
        resolve_model(*arguments, device=None, seed=0, registry=affectkit.default_registry(), **options)
    assert str(caught.value) == message


CONFIG = PipelineConfig(input=FeatureStream(dim=4), branches={"face": Branch()}, heads={"expr": ExpressionConfig()})


def test_weights_of_your_own(tmp_path: Path) -> None:
    """Those of a saved model, whose file says its classes, and anyone's of the same tensors."""
    torch.manual_seed(3)
    trained = CONFIG.build()
    affectkit.save(trained, tmp_path / "saved")
    theirs, written = tmp_path / "saved" / "model.safetensors", tmp_path / "pipeline.toml"
    save_file(dict(trained.state_dict()), tmp_path / "plain.safetensors")
    write_config(CONFIG, written)
    for pipeline, weights in ((CONFIG, theirs), (written, tmp_path / "plain.safetensors"), (str(written), theirs)):
        model = resolve_model(
            pipeline, device=None, seed=0, registry=affectkit.default_registry(), weights=str(weights)
        )
        assert not model.training
        assert all(torch.equal(tensor, trained.state_dict()[name]) for name, tensor in model.state_dict().items())
        assert model.provenance == ({"name": weights.name, "sha256": sha256(weights)},)
    turned = replace(CONFIG, heads={"expr": ExpressionConfig(targets=tuple(reversed(ExpressionConfig().targets)))})
    first, last = ExpressionConfig().targets[0], ExpressionConfig().targets[-1]
    refused(
        f"{theirs}: expr has {first!r} at place 1 of 8, the model {last!r}; "
        "use heads with the same targets in the same order",
        ArtifactError, turned, weights=theirs,
    )  # fmt: skip
    hint = "leave it out, or name a preset or pipeline file"
    saved = tmp_path / "saved"
    refused(f"weights: given with {saved}, which brings its own; {hint}", ConfigError, saved, weights=theirs)
    refused(f"weights: given with a built model, which brings its own; {hint}", ConfigError, trained, weights=theirs)
    lost = tmp_path / "no.safetensors"
    refused(f"weights: {lost}: no such file; check the path", ConfigError, CONFIG, weights=lost)
    refused(
        "weights: a.pth is no .safetensors file; run affectkit weights convert a.pth a.safetensors",
        ConfigError, CONFIG, weights="a.pth",
    )  # fmt: skip
    refused(
        f"pipeline: {theirs} has weights alone; "
        f"name the pipeline that they are of, and add --weights {theirs} (in Python weights=)",
        ConfigError, theirs,
    )  # fmt: skip


def test_weights_beside_an_engine_and_folders_called_as_weights(tmp_path: Path) -> None:
    fact = "engine: 'openvino' beside weights, which PyTorch runs; leave one out"
    refused(fact, ConfigError, CONFIG, weights="a.safetensors", engine="openvino")
    affectkit.save(CONFIG.build(), tmp_path / "best.pt")
    assert list(resolve(tmp_path / "best.pt").traced.outputs) == ["expr"]
    # what others write into a file's header is nothing to us
    state = dict(CONFIG.build().state_dict())
    save_file(state, tmp_path / "theirs.safetensors", metadata={"targets": "q_proj,v_proj"})
    model = resolve_model(
        CONFIG, device=None, seed=0, registry=affectkit.default_registry(), weights=tmp_path / "theirs.safetensors"
    )
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_a_built_model_is_that_model() -> None:
    model = starter().build()
    assert resolve(model) is model
    assert resolve(model, device="cpu") is model
    assert model.provenance == ()


@pytest.mark.parametrize("form", ["config", "toml", "json", "preset", "id"])
def test_a_pipeline_without_weights_gets_random_ones_and_says_so(tmp_path: Path, form: str) -> None:
    given: Any = starter()
    if form in ("toml", "json"):
        given = tmp_path / f"p.{form}"
        write_config(starter(), given)
    elif form in ("preset", "id"):
        given = "starter" if form == "preset" else "affectkit/starter"
    with pytest.warns(UntrainedWarning) as caught:
        model, other = resolve(given, seed=3), resolve(given, seed=4)
    assert [str(item.message) for item in caught] == [
        f"the pipeline is untrained: its scores come from random weights (seed {seed})" for seed in (3, 4)
    ]
    assert model.provenance == ({"name": "random"},)
    assert not model.training
    with pytest.warns(UntrainedWarning):
        again = resolve(starter(), seed=3)
    one, two, three = (list(item.parameters()) for item in (model, again, other))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, three, strict=True))


def test_a_spotter_alone_has_nothing_to_train() -> None:
    model = resolve(spot_bright(), names=registry())
    assert model.provenance == ()


def test_where_a_model_is() -> None:
    assert device_of(starter().build()) == "cpu"
    assert device_of(spot_bright().build(registry=registry())) == "cpu"


def test_no_such_pipeline() -> None:
    with pytest.raises(RegistryError) as caught:
        resolve("no-such", names=only("affectkit"))
    assert str(caught.value) == "no pipeline 'no-such'; pipelines at hand: 'micro', 'motion-events', 'starter'"


# The detector.


@pytest.mark.parametrize(
    ("faces", "own", "expected"),
    [
        (None, None, AutoFacesConfig()),
        (None, HaarConfig(), HaarConfig()),
        ("whole-frame", HaarConfig(), WholeFrameConfig()),
        ("affectkit/haar", None, HaarConfig()),
        (WholeFrameConfig(), HaarConfig(), WholeFrameConfig()),
        ("boxes of/clip.csv", None, GivenBoxesConfig(path="boxes of/clip.csv")),
    ],
)
def test_the_detector(
    faces: FaceDetectorConfig | str | None, own: FaceDetectorConfig | None, expected: FaceDetectorConfig
) -> None:
    config = replace(starter(), faces=own)
    assert resolve_detector(faces, config, affectkit.default_registry()) == expected


def test_no_such_detector() -> None:
    with pytest.raises(RegistryError) as caught:
        resolve_detector("yunett", starter(), only("affectkit"))
    assert str(caught.value) == (
        "no face detector 'yunett'; did you mean 'yunet'? face detectors at hand: 'aligned', 'auto', "
        "'given-boxes', 'haar', 'whole-frame', 'yunet'"
    )


def test_a_detector_that_needs_more_than_its_name() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Needy(FaceDetectorConfig):
        """Needs a folder.

        Attributes:
            folder: of what it needs.
        """

        folder: str

    names = only("affectkit").with_components(
        FaceDetectorSpec(name="needy", config=Needy, factory=BrightFaces, summary="Needy.", example=Needy(folder="x"))
    )
    for name, fact in (
        ("affectkit/given-boxes", "neither of box and path; give one of them"),
        ("local/needy", "Needy.__init__() missing 1 required keyword-only argument: 'folder'"),
    ):
        with pytest.raises(ConfigError) as caught:
            resolve_detector(name, starter(), names)
        text = str(caught.value).replace(f"{Needy.__qualname__}.__init__", "Needy.__init__")
        assert text == (
            f"faces: {name} needs more than its name ({fact}); write its config into the pipeline's file, or name a "
            ".csv of boxes"
        )


# Options.


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"precision": "float16"}, "precision: 'float16' is not accepted; write 'float32' or 'bfloat16'"),
        ({"batch_size": 0}, "batch_size: 0 frames; write 1 or more"),
        ({"seed": -1}, "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"),
        ({"seed": 2**63}, f"seed: {2**63} is not accepted; write a whole number from 0 to 2**63 - 1"),
        ({"fps": 0.0}, "fps: 0.0 is not a frame rate; write frames per second, or leave it out"),
        ({"fps": float("inf")}, "fps: inf is not a frame rate; write frames per second, or leave it out"),
        ({"fps": float("nan")}, "fps: nan is not a frame rate; write frames per second, or leave it out"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], text: str) -> None:
    given: dict[str, Any] = {"precision": "float32", "batch_size": 1, "seed": 0, "fps": None}
    check_options(**given)
    check_options(**(given | {"precision": "bfloat16", "seed": 2**63 - 1, "fps": 0.5}))
    with pytest.raises(ConfigError) as caught:
        check_options(**(given | options))
    assert str(caught.value) == text
