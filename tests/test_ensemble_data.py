"""Ensembles on the readers of datasets, in Python and on the command line; heads that a dataset has no labels of."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectkit import (
    Branch,
    CompoundExpressionConfig,
    ConcatFusionConfig,
    EnsembleConfig,
    ExpressionConfig,
    FeatureStream,
    Frames,
    FrameStream,
    InputError,
    MeanFusionConfig,
    MicroExpressionConfig,
    PipelineConfig,
    StackingConfig,
    TemperatureConfig,
    ValenceArousalConfig,
    WeightedFusionConfig,
    load,
    mirrored,
    save,
    write_config,
)
from affectkit.configs import HeadConfig, LateFusionConfig, ModelConfig
from affectkit.data.labels import BASIC_7, COMPOUND_11
from affectkit.datasets import make_tree
from affectkit.ensemble_model import Ensemble
from affectkit.errors import ConfigError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.recipes import Augmentation, Mixing, Recipe
from affectkit.streams import InputStream
from affectkit.training import evaluate, fit
from affectkit.training.evaluation import only_class_head
from affectkit.training.examples import join_examples
from affectkit.training.late_fusions import fit_late_fusion
from affectkit.training.mixing import check_mixing
from affectkit.training.reading import Gathered
from affectkit.training.sources import open_data
from affectkit.training.temperature import calibrate_members
from tests.cli_runs import run, run_json

RECIPE = Recipe(epochs=1, batch_size=4, augmentation=Augmentation(flip=0.0))
COMPOUND = CompoundExpressionConfig(targets=COMPOUND_11)
BASIC = ExpressionConfig(targets=BASIC_7)
quiet = pytest.mark.filterwarnings("ignore:.*no example of.*", "ignore:halves.*", "ignore:members.*temperature.*")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECTKIT_CACHE", str(tmp_path / "cache"))


def member(stream: InputStream, **heads: HeadConfig) -> PipelineConfig:
    branch = Branch(features=None if isinstance(stream, FeatureStream) else ConvStemConfig(dim=8))
    return PipelineConfig(input=stream, branches={"face": branch}, heads=heads, sampling=None)


def pair(**heads: HeadConfig) -> dict[str, PipelineConfig]:
    """Members that see a face in two sizes and two cuts."""
    return {
        "wide": member(FrameStream(height=24, width=24), **heads),
        "small": member(FrameStream(height=16, width=16, alignment="arcface"), **heads),
    }


def scores(**heads: HeadConfig) -> EnsembleConfig:
    return EnsembleConfig(members=pair(**heads), fusion=MeanFusionConfig())


def features(**heads: HeadConfig) -> EnsembleConfig:
    return EnsembleConfig(members=pair(**heads), fusion=ConcatFusionConfig(hidden=(8,)), heads=heads)


def tree(name: str, root: Path) -> str:
    if not (root / name).is_dir():
        make_tree(name, root / name)
    return f"{name}={root / name}"


def open_tree(name: str, root: Path, config: ModelConfig, **options: str) -> Gathered:
    return open_data(tree(name, root), config, faces="whole-frame", **options)  # type: ignore[arg-type]


def test_each_member_gets_its_own_cut_of_the_same_pictures(tmp_path: Path) -> None:
    found = open_tree("raf-db-compound", tmp_path, features(compound=COMPOUND))
    examples = found.examples
    batch, targets = examples.batch(torch.arange(len(examples)))
    assert {name: tuple(one.values.shape[1:]) for name, one in batch.items()} == {
        "wide.clip": (1, 3, 24, 24), "small.clip": (1, 3, 16, 16)
    }  # fmt: skip
    alone = open_tree("raf-db-compound", tmp_path, pair(compound=COMPOUND)["small"]).examples
    assert torch.equal(alone.batch(torch.arange(len(alone)))[0]["clip"].values, batch["small.clip"].values)
    assert torch.equal(alone.targets["compound"].values, targets["compound"].values)
    assert alone.keys == examples.keys


@quiet
def test_with_frozen_members_what_joins_their_features_is_trained_alone(tmp_path: Path) -> None:
    config = features(compound=COMPOUND)
    examples = open_tree("raf-db-compound", tmp_path, config).examples
    start = config.build()
    model = fit(config, examples, replace(RECIPE, rates={"members": 0.0}), start=start)
    before, after = start.state_dict(), model.state_dict()
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"fusion", "heads"}


@quiet
def test_late_fusions_are_fitted_on_a_dataset_and_saved_as_one(tmp_path: Path) -> None:
    members = pair(expression=BASIC)
    for fusion in (WeightedFusionConfig(weights={"wide": 1, "small": 1}), StackingConfig()):
        config = EnsembleConfig(members=members, fusion=fusion)
        examples = open_tree("raf-db", tmp_path, config).examples
        model = config.build().eval()
        found = fit_late_fusion(model, examples)
        assert set(found.weights or {"wide": 0, "small": 0}) == set(members)
        save(model, tmp_path / type(fusion).__name__)
        loaded = load(tmp_path / type(fusion).__name__)
        batch, _ = examples.batch(torch.arange(2))
        assert torch.equal(loaded.predict(batch)["expression"], model.predict(batch)["expression"])


@quiet
def test_calibrated_members_take_the_labels_of_what_they_calibrate(tmp_path: Path) -> None:
    config = scores(expression=BASIC, compound=COMPOUND)
    examples = open_tree("raf-db", tmp_path, config, unlabeled="leave").examples
    calibrated, found = calibrate_members(config.build().eval(), examples, outputs=("expression",))
    assert {name: set(one) for name, one in found.items()} == {"expression": {"wide", "small"}}
    mapped = {
        name: replace(one, maps={"expression_calibrated": TemperatureConfig(source="expression")})
        for name, one in pair(expression=BASIC, compound=COMPOUND).items()
    }
    joined = EnsembleConfig(members=mapped, fusion=MeanFusionConfig(), outputs=("expression_calibrated", "compound"))
    assert calibrated.config == joined
    with pytest.raises(InputError) as caught:
        calibrate_members(calibrated, examples, outputs=("expression",))
    assert str(caught.value) == (
        "outputs: 'expression' is not joined; did you mean 'expression_calibrated'? joined: 'expression_calibrated', "
        "'compound'"
    )
    again = open_tree("raf-db", tmp_path, joined, unlabeled="leave").examples
    assert torch.equal(again.targets["expression_calibrated"].values, examples.targets["expression"].values)


def test_nested_and_mirrored_ensembles_take_pictures(tmp_path: Path) -> None:
    config = mirrored(features(compound=COMPOUND).build()).config
    examples = open_tree("raf-db-compound", tmp_path, config).examples
    batch, _ = examples.batch(torch.arange(2))
    assert set(batch) == {"wide.clip", "small.clip"}
    assert config.build().eval().predict(batch)["compound"].shape == (2, 1, 11)
    assert only_class_head(replace(config, agreement=True), examples) == "compound"
    still = pair(compound=COMPOUND)["small"]
    moving = replace(still, branches={"face": replace(still.branches["face"], motion=(FrameDifferenceConfig(),))})
    members: dict[str, PipelineConfig | EnsembleConfig] = {"inner": scores(compound=COMPOUND), "moving": moving}
    with pytest.raises(InputError) as caught:
        open_tree("raf-db-compound", tmp_path, EnsembleConfig(members=members, fusion=MeanFusionConfig()))
    assert str(caught.value) == (
        "members.moving.branches.face: has motion, which a single picture has not; train it on clips"
    )


@quiet
def test_a_mirror_alone_is_trained_on_pictures(tmp_path: Path) -> None:
    config = mirrored(pair(expression=BASIC)["wide"].build()).config.members["mirrored"]
    examples = open_tree("raf-db", tmp_path, config).examples
    found = evaluate(config, examples, RECIPE, protocol="official")
    assert len(found.predictions.columns["truth"]) == 3


def test_keyframes_of_clips_for_members_of_two_sizes(tmp_path: Path) -> None:
    micro = MicroExpressionConfig()
    steps = ("onset", "apex", "offset")
    members = {
        name: member(FrameStream(height=side, width=side, steps=steps), micro=micro)
        for name, side in (("wide", 24), ("small", 16))
    }
    config = EnsembleConfig(members=members, fusion=MeanFusionConfig())
    found = open_tree("casme2", tmp_path, config).examples
    assert {name: tuple(one.values.shape[1:]) for name, one in found.inputs.items()} == {
        "wide.clip": (3, 3, 24, 24), "small.clip": (3, 3, 16, 16)
    }  # fmt: skip
    assert set(found.targets) == {"micro"}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (FrameStream(height=16, width=16), "single pictures"),
        (FrameStream(height=16, width=16, steps=("onset", "apex")), "the keyframes 'onset', 'apex'"),
        (FeatureStream(dim=4), "stored features"),
    ],
)
def test_members_of_different_kinds_are_refused(tmp_path: Path, other: InputStream, said: str) -> None:
    steps = ("onset", "apex", "offset")
    micro = MicroExpressionConfig(resolution="clip")
    members = {"a": member(FrameStream(height=24, width=24, steps=steps), micro=micro), "b": member(other, micro=micro)}
    config = EnsembleConfig(members=members, fusion=MeanFusionConfig())
    with pytest.raises(InputError) as caught:
        open_tree("casme2", tmp_path, config)
    assert str(caught.value) == (
        f"inputs: 'a.clip' takes the keyframes 'onset', 'apex', 'offset', and 'b.clip' {said}, "
        "which no dataset gives together; join members of one kind, or give a file of examples"
    )


def test_two_heads_and_labels_of_one(tmp_path: Path) -> None:
    heads = {"expression": BASIC, "compound": COMPOUND}
    known = {"raf-db": ("compound", "expression"), "raf-db-compound": ("expression", "compound")}
    for name, (lacking, labeled) in known.items():
        for config, group in (
            (pair(**heads)["wide"], "heads"),
            (features(**heads), "heads"),
            (scores(**heads), "fusion"),
        ):
            with pytest.raises(InputError) as caught:
                open_tree(name, tmp_path, config)
            assert str(caught.value) == (
                f"{group}.{lacking}: no labels of it; the dataset has '{labeled}'; give it the name of its labels, "
                "or leave it untrained by unlabeled='leave' (--unlabeled-heads leave)"
            )
            found = open_tree(name, tmp_path, config, unlabeled="leave")
            assert set(found.examples.targets) == {labeled}
            assert [str(issue) for issue in found.issues if issue.level == "warning"] == [
                f"{group}.{lacking}: no labels of it; "
                "it is neither trained nor scored, though what is before it may change"
            ]


def test_segments_without_labels_of_a_head(tmp_path: Path) -> None:
    make_tree("s-aff-wild2", tmp_path / "labels", pictures=False)
    (tmp_path / "features").mkdir()
    np.savez(tmp_path / "features/video9.npz", values=np.ones((3, 4), np.float32), frames=np.array([3, 10, 14]))
    path = tmp_path / "data.toml"
    path.write_text(
        'root = "labels"\nuse = "s-aff-wild2"\n[tracks]\nclip = "features"\n[segments]\nlength = 3\nfps = 30.0\n'
    )
    two = member(FeatureStream(dim=4), va=ValenceArousalConfig(), compound=COMPOUND)
    found = open_data(str(path), two, unlabeled="leave")
    assert set(found.examples.targets) == {"va"}
    said = "heads.compound: no labels of it; it is neither trained nor scored, though what is before it may change"
    assert said in [str(issue) for issue in found.issues]


def test_two_heads_of_clips(tmp_path: Path) -> None:
    stream = FrameStream(height=16, width=16, steps=("onset", "apex", "offset"))
    two = member(stream, emotion=MicroExpressionConfig(), expression=BASIC)
    with pytest.raises(InputError) as caught:
        open_tree("casme2", tmp_path, two)
    assert str(caught.value) == (
        "heads.expression: no labels of it; the dataset has 'emotion'; give it the name of its labels, "
        "or leave it untrained by unlabeled='leave' (--unlabeled-heads leave)"
    )
    found = open_tree("casme2", tmp_path, two, unlabeled="leave")
    assert set(found.examples.targets) == {"emotion"}
    said = "heads.expression: no labels of it; it is neither trained nor scored, though what is before it may change"
    assert said in [str(issue) for issue in found.issues]


@quiet
def test_a_head_that_is_left_stays_as_it_is(tmp_path: Path) -> None:
    config = pair(expression=BASIC, compound=COMPOUND)["wide"]
    examples = open_tree("raf-db", tmp_path, config, unlabeled="leave").examples
    start = config.build()
    model = fit(config, examples, RECIPE, start=start)
    before, after = start.state_dict(), model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("heads.compound.")} <= same
    assert not {name for name in before if name.startswith("heads.expression.")} & same


@quiet
def test_two_datasets_train_two_heads(tmp_path: Path) -> None:
    config = pair(expression=BASIC, compound=COMPOUND)["wide"]
    parts = [open_tree(name, tmp_path, config, unlabeled="leave").examples for name in ("raf-db", "raf-db-compound")]
    both = join_examples(parts, partial=True)
    assert both.targets["expression"].valid.flatten().tolist() == [True] * 7 + [False] * 7
    assert both.targets["compound"].valid.flatten().tolist() == [False] * 7 + [True] * 7
    for name, part in zip(("expression", "compound"), parts, strict=True):
        labels = both.targets[name]
        assert torch.equal(labels.values[labels.valid], part.targets[name].values.flatten())
    start = config.build()
    model = fit(config, both, RECIPE, start=start)
    before, after = start.state_dict(), model.state_dict()
    for name in ("heads.expression.linear.weight", "heads.compound.linear.weight"):
        assert not torch.equal(before[name], after[name])


@quiet
def test_joined_scores_are_sampled_by_class(tmp_path: Path) -> None:
    config = scores(expression=BASIC)
    fit(config, open_tree("raf-db", tmp_path, config).examples, replace(RECIPE, sampling="balanced"))


@pytest.mark.parametrize(
    "fusion",
    [MeanFusionConfig(), WeightedFusionConfig(weights={"wide": 1.0, "small": 2.0}), StackingConfig()],
)
def test_joined_scores_are_not_mixed(fusion: LateFusionConfig) -> None:
    model = replace(scores(expression=BASIC), fusion=fusion).build()
    for mixing in (Mixing(how="blend"), Mixing(how="box")):
        with pytest.raises(ConfigError) as caught:
            check_mixing(mixing, model)
        assert str(caught.value) == (
            "mixing: 'expression' is joined from members' scores, and the loss of these takes no shares of classes for "
            "labels; leave it out, or train the members by themselves and join them"
        )


def test_what_is_joined_by_features_is_mixed() -> None:
    check_mixing(Mixing(how="blend"), features(expression=BASIC).build())


@quiet
def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heads = {"expression": BASIC, "compound": COMPOUND}
    write_config(replace(features(**heads), sampling=Frames()), tmp_path / "feat.toml")
    data = tree("raf-db-compound", tmp_path)
    options: tuple[object, ...] = ("--faces", "whole-frame", "--epochs", "1", "--workers", "1")
    code, _, err = run(capsys, "train", tmp_path / "feat.toml", data, *options, "--out", tmp_path / "model")
    assert code == 1
    assert err == (
        "error: heads.expression: no labels of it; the dataset has 'compound'; give it the name of its labels, "
        "or leave it untrained by unlabeled='leave' (--unlabeled-heads leave)\n"
    )
    options += ("--unlabeled-heads", "leave")
    code, out, _ = run(capsys, "train", tmp_path / "feat.toml", data, *options, "--out", tmp_path / "model")
    assert code == 0
    assert "heads.expression" in out
    assert isinstance(load(tmp_path / "model"), Ensemble)
    options += ("--start", tmp_path / "model")
    again = run_json(capsys, "train", tmp_path / "model", data, *options, "--out", tmp_path / "further")
    assert again["clips"] == 7
    code, _, err = run(
        capsys, "train", tmp_path / "model", data, *options[:-1], tmp_path / "no", "--out", tmp_path / "x"
    )
    assert (code, err) == (
        1,
        f"error: {tmp_path / 'no'}: no pipeline.json; a saved model holds pipeline.json and model.safetensors\n",
    )
    options = options[:-2]
    # the file and the saved model name the same config but for the weights of classes; both are trained anew
    for pipeline in ("feat.toml", "model"):
        found = run_json(capsys, "evaluate", tmp_path / pipeline, data, *options)
        assert found["samples"] == 2
    kept = run_json(capsys, "evaluate", tmp_path / "model", data, *options, "--artifacts", tmp_path / "model")
    again = run_json(capsys, "evaluate", tmp_path / "model", data, *options, "--artifacts", tmp_path / "model")
    assert json.dumps(kept) == json.dumps(again)
