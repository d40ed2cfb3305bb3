"""`join_encoders`: encoders before a model that was trained on their features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from affectkit import (
    ActionUnitsConfig,
    AffineFusionConfig,
    Branch,
    ConfigError,
    ConvStemConfig,
    ExpressionConfig,
    FeatureStream,
    Frames,
    FrameStream,
    HaarConfig,
    InputError,
    MirrorConfig,
    Model,
    Pipeline,
    PipelineConfig,
    Sequence,
    SmoothConfig,
    ThresholdsConfig,
    TransformerConfig,
    UntrainedWarning,
    ValenceArousalConfig,
    WholeFrameConfig,
    Windows,
    analyze,
    average_models,
    join_encoders,
    load,
    save,
    write_config,
)
from affectkit.cli import main
from affectkit.data.patterns import Pattern, render, write_clip
from affectkit.recipes import Recipe
from affectkit.records import Labels
from affectkit.tracks.extracting import extract_tracks
from affectkit.tracks.extractor import encoder_digest
from affectkit.tracks.predicting import predict_track
from affectkit.tracks.reading import read_track, read_tracks
from affectkit.training import fit
from affectkit.training.segments import FrameLabels, segment_examples

GRAY = FrameStream(height=32, width=32, channels=("gray",))
RGB = FrameStream(height=32, width=32)
TAIL = PipelineConfig(
    inputs={"face": FeatureStream(dim=12), "fau": FeatureStream(dim=8)},
    branches={"face": Branch(source="face"), "fau": Branch(source="fau")},
    fusion=AffineFusionConfig(dim=8, positions="time"),
    temporal=TransformerConfig(dim=16, depth=1, heads=2, positions="none", dropout=0.0),
    heads={"va": ValenceArousalConfig(), "expr": ExpressionConfig(), "au": ActionUnitsConfig()},
    maps={"va_smooth": SmoothConfig(source="va", sigma=4.0, delta=2), "au_present": ThresholdsConfig(source="au")},
)


def build(config: PipelineConfig, seed: int = 0) -> Pipeline:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return config.build().eval()


def make_tail(**fields: Any) -> Pipeline:
    model = build(replace(TAIL, **fields))
    model.get_buffer("maps.au_present.thresholds").uniform_(-1, 1, generator=torch.Generator().manual_seed(3))
    return model


def make_encoder(dim: int = 12, stream: FrameStream = RGB, name: str = "stem", **fields: Any) -> Pipeline:
    branch = Branch(source="face_cut", features=ConvStemConfig(dim=dim), **fields.pop("branch", {}))
    config = PipelineConfig(
        inputs={"face_cut": stream},
        branches={name: branch},
        temporal=TransformerConfig(dim=4, depth=1, heads=1),
        heads={"expression": ExpressionConfig()},
        **fields,
    )
    return build(config, seed=dim)


def clips(stream: FrameStream, seed: int = 1) -> Sequence:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(2, 7, len(stream.channels), stream.height, stream.width, generator=generator)
    # listed frames, the last two of one clip missing
    times = torch.tensor([0, 7, 16, 20, 21, 30, 41], dtype=torch.float64).expand(2, 7) / 30
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, -2:] = False
    return Sequence(values, mask, times)


def features(encoder: Pipeline, frames: Sequence) -> Sequence:
    """What `affectkit features` stores: what the branch says of each frame."""
    (branch,) = (encoder.branches[name] for name in encoder.branches)
    with torch.no_grad():
        for motion in branch.motion:
            frames = motion(frames)
        found: Sequence = branch.features(frames)
    return found


def same(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor], mask: torch.Tensor) -> None:
    assert list(one) == list(other)
    for name, scores in one.items():
        torch.testing.assert_close(scores[mask], other[name][mask], rtol=0, atol=1e-5)


def refusal(call: Any, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_frames_score_as_their_features_do(tmp_path: Path) -> None:
    tail, face, fau = make_tail(), make_encoder(12), make_encoder(8, branch={"motion": (MirrorConfig(),)})
    joined = join_encoders(tail, {"face": face, "fau": fau})
    frames = clips(RGB)
    wanted = tail.predict({"face": features(face, frames), "fau": features(fau, frames)})
    assert list(wanted) == ["va", "expr", "au", "va_smooth", "au_present"]
    same(joined.predict(frames), wanted, frames.mask)
    assert not joined.training
    # both take the same frames: one input, by the encoders' name of it
    assert joined.config.inputs == {"face_cut": RGB}
    assert {name: branch.source for name, branch in joined.config.branches.items()} == {
        "face": "face_cut", "fau": "face_cut",
    }  # fmt: skip
    again = load(save(joined, tmp_path / "whole"))
    same(again.predict(frames), wanted, frames.mask)
    # nothing is shared with the parts
    with torch.no_grad():
        for parameter in (*tail.parameters(), *face.parameters()):
            parameter.zero_()
    same(joined.predict(frames), wanted, frames.mask)


def test_encoders_of_unlike_frames_have_an_input_each() -> None:
    tail, face, fau = make_tail(), make_encoder(12, GRAY), make_encoder(8)
    joined = join_encoders(tail, {"fau": fau, "face": face})
    assert joined.config.inputs == {"face": GRAY, "fau": RGB}
    batch = {"face": clips(GRAY), "fau": clips(RGB)}
    wanted = tail.predict({"face": features(face, batch["face"]), "fau": features(fau, batch["fau"])})
    same(joined.predict(batch), wanted, batch["fau"].mask)


def test_dials_and_what_is_beside_the_stages() -> None:
    tail = make_tail(sampling=Windows(seconds=3.0, hop_seconds=1.0))
    tail.set_dials({"maps.va_smooth.delta": 0})
    encoders: dict[str, Model] = {"face": make_encoder(12, faces=WholeFrameConfig()), "fau": make_encoder(8)}
    encoders["face"].provenance = ({"name": "a", "sha256": "1"},)
    encoders["fau"].provenance = tail.provenance = ({"name": "b", "sha256": "2"},)
    assert refusal(lambda: join_encoders(tail, encoders), ConfigError) == (
        "faces: 'face' has WholeFrameConfig(), 'fau' has auto; say by which faces are found for all of them"
    )
    joined = join_encoders(tail, encoders, faces="whole-frame")
    assert (joined.config.faces, joined.config.sampling) == (WholeFrameConfig(), Windows(seconds=3.0, hop_seconds=1.0))
    assert joined.config.maps["va_smooth"].delta == 0  # type: ignore[attr-defined]
    assert joined.provenance == ({"name": "b", "sha256": "2"}, {"name": "a", "sha256": "1"})
    own = join_encoders(make_tail(faces=HaarConfig()), encoders, sampling=Frames())
    assert (own.config.faces, own.config.sampling) == (HaarConfig(), Frames())
    one = {name: make_encoder(dim, faces=WholeFrameConfig()) for name, dim in (("face", 12), ("fau", 8))}
    assert join_encoders(make_tail(), one).config.faces == WholeFrameConfig()


def test_one_encoder_of_several_branches() -> None:
    both = build(
        PipelineConfig(
            input=RGB,
            branches={"face": Branch(features=ConvStemConfig(dim=12)), "units": Branch(features=ConvStemConfig(dim=8))},
            fusion=AffineFusionConfig(dim=8),
            heads={"expression": ExpressionConfig()},
        )
    )
    tail = make_tail()
    assert refusal(lambda: join_encoders(tail, {"face": both, "fau": both})) == (
        "encoders.fau: has the branches 'face', 'units'; say which by branches={'fau': ...}, or --branch fau=NAME"
    )
    joined = join_encoders(tail, {"face": both, "fau": both}, branches={"fau": "units"})
    frames = clips(RGB)
    said = {"face": both.branches["face"].features(frames), "fau": both.branches["units"].features(frames)}
    same(joined.predict(frames), tail.predict(said), frames.mask)
    assert refusal(lambda: join_encoders(tail, {"face": both, "fau": both}, branches={"fau": "unit"})) == (
        "encoders.fau: no branch 'unit'; did you mean 'units'? branches: 'face', 'units'"
    )


def test_tails_of_folds_are_averaged_behind_their_encoders() -> None:
    encoders = {"face": make_encoder(12), "fau": make_encoder(8)}
    tails = [make_tail(), build(TAIL, seed=5)]
    frames = clips(RGB)
    mean = average_models(tails)
    assert refusal(lambda: join_encoders(mean, encoders)) == (
        "tail: Ensemble is no pipeline of its own; join each member with its encoders, and then the members"
    )
    joined = average_models(join_encoders(tail, encoders) for tail in tails)
    stored = {name: features(encoder, frames) for name, encoder in encoders.items()}
    same(joined.predict(frames), mean.predict(stored), frames.mask)


def test_what_does_not_fit() -> None:
    tail, face, fau = make_tail(), make_encoder(12), make_encoder(8)

    def refused(encoders: Any, model: Model = tail, **options: Any) -> str:
        return refusal(lambda: join_encoders(model, encoders, **options))

    assert refused({"face": face}) == "encoders: none of 'fau'; give one for each input of stored features"
    assert refused({"face": face, "fau": fau, "cnn": fau}) == (
        "encoders: the tail takes no 'cnn'; inputs of stored features: 'face', 'fau'"
    )
    assert refused({"face": face, "fau": fau}, branches={"fa": "stem"}) == (
        "branches: the tail takes no 'fa'; did you mean 'fau'? inputs of stored features: 'face', 'fau'"
    )
    assert refused({"face": fau, "fau": face}) == (
        "encoders.face: branch 'stem' gives features [T] 8, and the tail takes features [T] 12; "
        "give the encoder that its features were computed by"
    )
    assert refused({}, model=face) == "tail: takes no stored features; give the model that was trained on them"
    assert refused({"face": tail, "fau": fau}) == (
        "encoders.face: branch 'face' takes stored features too; give a pipeline that takes frames"
    )
    assert refused({"face": average_models([face]), "fau": fau}) == (
        "encoders.face: Ensemble is no pipeline of its own; give the pipeline of one member"
    )


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A saved tail, a saved encoder, a pipeline file of the other, and a video."""
    save(make_tail(), tmp_path / "tail")
    save(make_encoder(12, faces=WholeFrameConfig()), tmp_path / "encoder")
    write_config(make_encoder(8, faces=WholeFrameConfig()).config, tmp_path / "fau.toml")
    (tmp_path / "videos").mkdir()
    pictures = render(Pattern(motion="rotate", texture=1, size=64), np.linspace(0, 1, 12))
    write_clip(tmp_path / "videos/clip.mp4", pictures, times=[at / 25 for at in range(12)])
    return tmp_path


def test_from_features_to_a_video(parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError) as caught:
        analyze(parts / "videos/clip.mp4", parts / "tail")
    assert str(caught.value) == (
        "inputs.face: takes stored features, and a video gives frames; put their encoders before the model "
        "(affectkit join), or call it on them"
    )
    # a pipeline file has the random weights that `features` has given it
    models = {"face": parts / "encoder", "fau": parts / "fau.toml"}
    with pytest.warns(UntrainedWarning):
        tracks = {
            name: read_track(extract_tracks(parts / "videos", model, parts / "features" / name).paths["clip"])
            for name, model in models.items()
        }
    (wanted,) = predict_track(load(parts / "tail"), tracks, segment=12, overlap=0)
    words = [str(parts / "tail"), *(f"{name}={model}" for name, model in models.items()), "--out", str(parts / "whole")]
    assert main(["join", *words, "--window", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"not checked: {parts / 'tail'} doesn't say which encoder computed its features 'face', 'fau'",
        f"{parts / 'whole'}: takes face_cut, frames [T] r+g+b 32x32 intensity",
        f"run it on a video: affectkit analyze VIDEO --pipeline {parts / 'whole'}",
    ]
    assert load(parts / "whole").config.sampling == Windows(seconds=2.0, hop_seconds=1.0)
    rows = analyze(parts / "videos/clip.mp4", parts / "whole")
    assert [row.frame for row in rows] == list(range(12))
    for name in ("va_smooth.valence", "expr.neutral", "au_present.AU1"):
        output, _, target = name.partition(".")
        column = load(parts / "tail").traced.outputs[output].targets.index(target)
        found = [row.predictions[name] for row in rows]
        np.testing.assert_allclose(found, wanted.scores[output][:, column], atol=1e-5)
    assert main(["join", *words]) == 1
    assert capsys.readouterr().err == (
        f"error: {parts / 'whole'}: is there already; give another folder, or add --overwrite\n"
    )
    assert main(["join", *words, "--overwrite", "--faces", "haar"]) == 0
    assert load(parts / "whole").config.faces == HaarConfig()


def test_a_tail_knows_the_encoder_of_its_features(parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # one input is of this package's files, the other of somebody else's
    stored = read_tracks(extract_tracks(parts / "videos", parts / "encoder", parts / "features").paths["clip"].parent)
    own = encoder_digest(make_encoder(12), "stem")
    assert stored["clip"].encoder == own
    # a header of other tools' says nothing of ours
    save_file({"values": np.zeros((3, 2), np.float32)}, parts / "other.safetensors", {"encoder": "resnet50"})
    assert read_track(parts / "other.safetensors", fps=25).encoder == ""
    foreign = {"clip": replace(stored["clip"], values=stored["clip"].values[:, :8], encoder="")}
    values = np.zeros((12, 2), np.float32)
    labels = [FrameLabels(video="clip", frames=np.arange(1, 13), targets={"va": Labels(values, values == 0)})]
    examples = segment_examples({"face": stored, "fau": foreign}, labels, 6).examples
    assert examples.encoders == examples.take([1]).encoders == {"face": own}
    config = replace(TAIL, heads={"va": ValenceArousalConfig()}, maps={})
    save(fit(config, examples, Recipe(epochs=1)), parts / "known")
    assert load(parts / "known").encoders == {"face": own}
    assert f"- `face`: features [T] 12, computed by the encoder {own[:12]}\n" in (parts / "known/README.md").read_text()
    assert main(["describe", str(parts / "known")]) == 0
    assert f"features 'face': computed by the encoder {own[:12]}" in capsys.readouterr().out.splitlines()
    words = ["join", str(parts / "known"), f"face={parts / 'encoder'}", f"fau={parts / 'fau.toml'}"]
    assert main([*words, "--out", str(parts / "joined")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == (
        f"not checked: {parts / 'known'} doesn't say which encoder computed its features 'fau'"
    )
    # the whole takes frames, so there is nothing to remember
    assert load(parts / "joined").encoders == {}
    other = build(make_encoder(12).config, seed=5)
    assert refusal(lambda: join_encoders(load(parts / "known"), {"face": other, "fau": make_encoder(8)})) == (
        f"encoders.face: branch 'stem' is encoder {encoder_digest(other, 'stem')[:12]}, and the tail learned from "
        f"features of {own[:12]}; give the encoder that its features were computed by"
    )
    assert encoder_digest(make_encoder(12, GRAY), "stem") != own


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["face"], "INPUT=MODEL: 'face' names no input; write one such as face=NAME for each input"),
        (["face=a", "face=b"], "INPUT=MODEL: input 'face' is given twice; write one such as face=NAME for each input"),
        (["face=a", "--branch", "=x"], "--branch: '=x' names no input; write one such as face=NAME for each input"),
        (["face=a", "--hop", "1"], "--hop: given without --window; add it, or leave this out"),
    ],
)
def test_words_that_are_wrong(parts: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert main(["join", str(parts / "tail"), *words, "--out", str(parts / "whole")]) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
