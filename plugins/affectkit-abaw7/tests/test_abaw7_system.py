"""The ABAW7 system: synthetic labels, flow as a picture, scores, and training from faces to one model."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from affectkit_abaw7.choosing import OPEN, chosen_smoothing
from affectkit_abaw7.cli import main
from affectkit_abaw7.flow_picture import FlowPictureConfig
from affectkit_abaw7.flow_picture_net import FlowPicture
from affectkit_abaw7.plan import Plan, quick, read_plan
from affectkit_abaw7.presets import WEIGHTS, make_published
from affectkit_abaw7.scores import describe_scores, predict_tasks
from affectkit_abaw7.synthetic_labels import SHARES, TASKS, hide_labels, list_frames, make_labels
from affectkit_abaw7.synthetic_videos import CHOICE, INPUT, REPORT, TRAIN, cut_video, render_examples, settings_of
from affectkit_abaw7.system import ENCODERS, make_abaw7, make_heads, make_system
from affectkit_abaw7.training import (
    extract_features,
    join_system,
    mirror,
    thin,
    train_encoders,
    train_system,
    train_tail,
)

from affectkit import Branch, FeatureStream, FrameStream, StreamError, analyze, from_pretrained
from affectkit.data.labels import ABAW_AUS
from affectkit.data.synthetic import BENCH_V1, render_clip
from affectkit.errors import ConfigError, InputError, SyntheticWeightsWarning
from affectkit.protocols.frame_report import score_frames
from affectkit.recipes import Recipe
from affectkit.records import Labels
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples
from affectkit.training.plan_folders import open_folder, read_plan_of
from affectkit.training.smoothing import find_smoothing
from affectkit.video.clips import video_streams


def is_installed() -> bool:
    """Whether its components and presets are found by name."""
    try:
        distribution("affectkit-abaw7")
    except PackageNotFoundError:
        return False
    return True


pytestmark = pytest.mark.skipif(not is_installed(), reason="affectkit-abaw7 is not installed")
FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8)
PLAN = replace(quick(Plan()), encoder=Recipe(epochs=1, batch_size=2), fusion=Recipe(epochs=2, batch_size=2))


def videos(first: int = 0, count: int = 4, steps: int = 6, seed: int = 0) -> Examples:
    """Noise with labels: every second video has no expression, every third frame no units."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.ones(count, steps, dtype=torch.bool)
    mask[0, -2:] = False
    times = torch.arange(steps, dtype=torch.float64).expand(count, steps) / 10
    affect, valid = torch.rand(count, steps, 2, generator=generator) - 0.5, torch.ones(count, steps, dtype=torch.bool)
    classes = torch.randint(0, 8, (count, steps), generator=generator)
    units = (torch.rand(count, steps, 12, generator=generator) < 0.5).float()
    shown = valid.clone()
    shown[1::2] = False
    seen = valid.clone()
    seen[:, ::3] = False
    return Examples(
        inputs={"clip": Sequence(torch.rand(count, steps, 1, 64, 64, generator=generator), mask, times)},
        targets={
            "va": Targets.of(affect, valid),
            "expr": Targets.of(classes, shown),
            "au": Targets.of(units, seen),
        },
        subjects=tuple(f"made/{first + row:02}" for row in range(count)),
        videos=tuple(f"{first + row:02}" for row in range(count)),
        frames=torch.arange(1, steps + 1).expand(count, steps),
    )


def refusal(call: Any, error: type[Exception] = InputError) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def test_frames_are_listed_at_irregular_gaps() -> None:
    frames = list_frames(400, np.random.default_rng(0))
    gaps = np.diff(frames)
    assert frames[0] == 0
    assert set(gaps.tolist()) == {1, 2, 3, 4, 5}
    assert frames[-1] >= 395


def test_labels_are_hidden_at_the_rates_of_the_real_list() -> None:
    count, shown = 40, []
    labels = {
        "va": Labels(np.zeros((count, 2), np.float32), np.ones((count, 2), np.bool_)),
        "expr": Labels(np.zeros(count, np.int64), np.ones(count, np.bool_)),
        "au": Labels(np.zeros((count, 12), np.float32), np.ones((count, 12), np.bool_)),
    }
    for seed in range(600):
        hidden = hide_labels(labels, np.random.default_rng(seed))
        shown.append(np.stack([hidden["va"].valid[:, 0], hidden["expr"].valid, hidden["au"].valid[:, 0]]))
    found = np.stack(shown)
    assert found.any(axis=1).all()
    # 103,917, 90,645, 103,316 and 52,154 of 142,333 lines
    for share, wanted in zip(
        (*found.mean(axis=(0, 2)), found.all(axis=1).mean()), (0.730, 0.637, 0.726, 0.366), strict=True
    ):
        assert share == pytest.approx(wanted, abs=0.03)
    # in blocks: seldom does a frame differ from the one before
    assert np.diff(found, axis=2).mean() < 0.05


def test_shares_add_up_to_all_and_to_each_task() -> None:
    assert sum(SHARES.values()) == pytest.approx(1.0)
    rates = [sum(share for tasks, share in SHARES.items() if task in tasks) for task in TASKS]
    assert rates == pytest.approx([103_917 / 142_333, 90_645 / 142_333, 103_316 / 142_333], abs=1e-3)


def test_labels_follow_the_truth_and_all_frames_have_all() -> None:
    clip = render_clip(5003, BENCH_V1, fps=30.0)
    at = list_frames(len(clip), np.random.default_rng(0))
    labels = make_labels(clip.truth, at)
    assert set(labels) == set(TASKS)
    assert np.asarray(labels["va"].values)[:, 0] == pytest.approx(clip.truth.valence[at], abs=1e-6)
    happy = [clip.truth.expression[t] == "happiness" for t in at]
    assert ((labels["expr"].values == 4) == np.array(happy)).all()
    inner = clip.truth.au[at][:, clip.truth.aus.index("AU12")] >= 0.25
    assert (labels["au"].values[:, ABAW_AUS.index("AU12")] == inner).all()
    assert all(one.valid.all() for one in labels.values())
    assert not labels["au"].values[:, ABAW_AUS.index("AU24")].any()


def test_people_of_the_three_sets_differ_and_only_train_videos_are_denser() -> None:
    assert not set(TRAIN) & set(CHOICE)
    assert CHOICE.stop == REPORT.start
    assert settings_of(CHOICE[0]) == settings_of(REPORT[0]) == BENCH_V1
    assert replace(settings_of(TRAIN[0]), events=(1, 2), without_event=0.2) == BENCH_V1


@pytest.mark.slow
def test_a_video_is_rendered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.conftest import SHARED

    if not SHARED.is_dir():
        pytest.skip("YuNet's weights are not shipped with the project")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    stream = FrameStream(height=64, width=64, channels=("gray",), alignment="steady")
    told: list[tuple[int, int]] = []
    people = CHOICE[:2]
    found = render_examples(people, stream, folder=tmp_path, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert found.subjects == ("synthetic/05000", "synthetic/05001")
    assert found.inputs["clip"].values.shape[2:] == (1, 64, 64)
    times = found.inputs["clip"].times[0][found.inputs["clip"].mask[0]]
    assert found.frames is not None
    torch.testing.assert_close(times, (found.frames[0][: len(times)] - 1) / 30.0, rtol=0, atol=1e-3, check_dtype=False)
    monkeypatch.setattr("affectkit_abaw7.synthetic_videos.render_clip", None)
    again = cut_video(CHOICE[0], stream=stream, folder=tmp_path)
    assert (again["cuts"].float() / 255 == found.inputs["clip"].values[0, : len(times)]).all()


def test_flow_becomes_a_picture_that_is_gray_at_rest() -> None:
    module = FlowPicture(FlowPictureConfig(gain=2.0), FLOW)
    flow = torch.zeros(1, 3, 2, 8, 8)
    flow[0, 1, 0], flow[0, 1, 1] = 0.3, -0.4
    pictures = module(Sequence.of(flow)).values
    assert pictures.shape == (1, 3, 3, 8, 8)
    torch.testing.assert_close(pictures[0, 0], torch.full((3, 8, 8), 0.5))
    wanted = 0.5 + 0.5 * torch.tanh(2.0 * torch.tensor([0.3, -0.4, 0.5]))
    torch.testing.assert_close(pictures[0, 1], wanted[:, None, None].expand(3, 8, 8))
    pictures.sum().backward()
    assert module.log_gain.grad is not None
    assert bool(module.log_gain.grad.isfinite().all())


def test_what_a_flow_picture_is_not_made_of() -> None:
    assert (
        refusal(lambda: FlowPictureConfig(gain=0.0), ConfigError) == "gain: 0.0 is no gain; write more than 0 per pixel"
    )
    assert refusal(lambda: FlowPictureConfig().output(FrameStream(height=8, width=8)), StreamError) == (
        "channels ('r', 'g', 'b') are not accepted; accepts ('u', 'v')"
    )


def test_units_are_scored_with_their_cuts() -> None:
    config = replace(
        make_system(("cnn",), smoothing=OPEN),
        inputs={"cnn": FeatureStream(dim=4)},
        branches={"cnn": Branch(source="cnn")},
    )
    model = replace(config, sampling=None).build().eval()
    examples = videos()
    features = Sequence(torch.randn(4, 6, 4), examples.inputs["clip"].mask, examples.inputs["clip"].times)
    examples = replace(examples, inputs={"cnn": features})
    before = predict_tasks(model, examples)
    model.get_buffer("maps.au_present.thresholds").fill_(100.0)
    after = predict_tasks(model, examples)
    assert tuple(after.outputs) == ("va", "expr", "au")
    assert (before.outputs["au"].scores > 0.01).any()
    assert (after.outputs["au"].scores < 0.01).all()
    assert describe_scores(model, examples).startswith("va ")
    assert ", P " in describe_scores(model, examples)


class Fixed(torch.nn.Module):
    """Scores that are given, in the place of a trained head."""

    def __init__(self, head: Any, scores: torch.Tensor) -> None:
        super().__init__()
        self.config, self.scores, self.predict = head.config, scores, head.predict

    def forward(self, inputs: Sequence) -> torch.Tensor:
        return self.scores


OUTPUTS = {"va": 2, "expr": 8, "au": 12, "va_smooth": 2, "expr_smooth": 8, "au_present": 12}


def test_the_preset_scores_a_video_out_of_the_box(tmp_path: Path) -> None:
    """The weights that are shipped fit the config, and the table says what they were trained on."""
    frames = islice(render_clip(CHOICE[0], BENCH_V1, fps=30.0).frames(), 20)
    with pytest.warns(SyntheticWeightsWarning):
        found = analyze(
            frames=frames, times=[n / 30 for n in range(20)], pipeline="affectkit-abaw7/abaw7", faces="whole-frame",
            out=tmp_path / "rows.csv",
        )  # fmt: skip
    assert found.info is not None
    assert found.info.caution == "weights trained on synthetic faces only"
    assert [one.sha256 for one in found.info.weights] == [WEIGHTS.sha256]
    assert {name: len(targets) for name, targets in outputs_of(found.targets).items()} == OUTPUTS
    rows = list(found)
    assert len(rows) == 20
    assert all(len(row.predictions) == sum(OUTPUTS.values()) for row in rows)
    # what is shown changes, and so do its scores
    assert len({row.predictions["va.valence"] for row in rows}) > 10


def outputs_of(columns: tuple[str, ...]) -> dict[str, list[str]]:
    """Targets by output, of columns `output.target`."""
    found: dict[str, list[str]] = {}
    for column in columns:
        output, _, target = column.partition(".")
        found.setdefault(output, []).append(target)
    return found


@pytest.mark.slow
def test_the_preset_has_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve people say little of how good it is; a tensor that is lost or mixed up would show."""
    from tests.conftest import SHARED

    if not SHARED.is_dir():
        pytest.skip("YuNet's weights are not shipped with the project")
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(SHARED / "weights"))
    model = from_pretrained("affectkit-abaw7/abaw7")
    examples = render_examples(CHOICE[:12], video_streams(model.config.input_streams())[INPUT], folder=tmp_path)
    scores = score_frames(predict_tasks(model, examples))
    assert scores["va"] > 0.7
    assert scores["expr"] > 0.3
    assert scores["au"] > 0.3


def test_smoothing_is_chosen_where_it_helps() -> None:
    config = replace(
        make_system(("cnn",), ("va", "expr"), smoothing=OPEN),
        inputs={"cnn": FeatureStream(dim=4)},
        branches={"cnn": Branch(source="cnn")},
        sampling=None,
    )
    model = config.build().eval()
    slow = (0.3 * torch.linspace(-3, 3, 40).sin()).expand(4, 40)
    noise = 0.15 * torch.randn(4, 40, generator=torch.Generator().manual_seed(0))
    # classes that change from frame to frame are not smoothed
    classes = torch.arange(40).expand(4, 40) % 8
    model.heads._modules["va"] = Fixed(model.heads["va"], torch.stack([slow + noise, slow - noise], dim=-1))
    model.heads._modules["expr"] = Fixed(model.heads["expr"], 9.0 * torch.eye(8)[classes])
    examples = Examples(
        inputs={"cnn": Sequence.of(torch.zeros(4, 40, 4), fps=25.0)},
        targets={"va": Targets.of(torch.stack([slow, slow], dim=-1)), "expr": Targets.of(classes)},
        subjects=tuple(f"made/{row}" for row in range(4)),
        videos=tuple(f"{row}" for row in range(4)),
        frames=torch.arange(40).expand(4, 40),
    )
    found = find_smoothing(model, examples)
    assert found["maps.va_smooth.delta"] >= 2
    assert found["maps.expr_smooth.delta"] == 0
    assert not chosen_smoothing(model)
    model.set_dials(found)
    assert tuple(chosen_smoothing(model)) == ("va",)


def test_presets_score_every_frame_in_three_tasks() -> None:
    outputs = {name: stream.resolution for name, stream in make_abaw7().trace().outputs.items()}
    assert outputs == dict.fromkeys(("va", "expr", "au", "va_smooth", "expr_smooth", "au_present"), "frame")
    widths = [
        str(make_published().trace()[f"branches.{name}.features"].output) for name in ("resnet18", "poster2", "fau")
    ]
    assert widths == ["features [T] 512", "features [T] 768", "features [T] 512"]
    alone = make_system(("cnn",), ("expr",), smoothing=OPEN)
    assert alone.fusion is None
    assert tuple(alone.maps) == ("expr_smooth",)


def test_flow_is_computed_once_for_all_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.motion.optical_flow_net import OpticalFlow

    model = make_abaw7().build().eval()
    seen: list[int] = []
    forward = OpticalFlow.forward

    def count(self: OpticalFlow, inputs: Sequence) -> Sequence:
        seen.append(1)
        return forward(self, inputs)

    monkeypatch.setattr(OpticalFlow, "forward", count)
    batch = videos(count=1).inputs["clip"]
    together = model.features(batch).values
    assert len(seen) == 1
    parts = {name: make_system((name,), smoothing={}).build().eval() for name in ENCODERS}
    for name, part in parts.items():
        part.branches[name].load_state_dict(model.branches[name].state_dict())
    with torch.no_grad():
        encoded = {name: part.branches[name] for name, part in parts.items()}
        each = {}
        for name, branch in encoded.items():
            sequence = batch
            for motion in branch.motion:
                sequence = motion(sequence)
            each[name] = branch.features(sequence)
        assert model.fusion is not None
        assert model.temporal is not None
        torch.testing.assert_close(together, model.temporal(model.fusion(each)).values, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_from_faces_to_one_model_that_is_as_its_parts(tmp_path: Path) -> None:
    train, choice = videos(0, 4), videos(10, 3, seed=1)
    told: list[str] = []
    model = train_system(train, choice, PLAN, folder=tmp_path, say=told.append)
    assert told[-1].startswith("system on choice people, who chose: va ")
    encoders = train_encoders(train, PLAN, folder=tmp_path, say=told.append)
    features = extract_features(encoders, choice)
    tail = train_tail(extract_features(encoders, train), replace(PLAN, mirrored=False))
    whole = join_system(encoders, tail)
    found = predict_tasks(whole, choice)
    assert whole.config == make_system(tuple(ENCODERS), smoothing=chosen_smoothing(tail))
    for name, one in predict_tasks(tail, features).outputs.items():
        np.testing.assert_allclose(found.outputs[name].scores, one.scores, rtol=0, atol=1e-5)
    assert bool(model.state_dict()["maps.au_present.thresholds"].any())
    # what is done is not done again
    again: list[str] = []
    train_system(train, choice, PLAN, folder=tmp_path, say=again.append)
    assert not [line for line in again if line.startswith(("encoder ", "features "))]


@pytest.mark.filterwarnings("ignore::affectkit.errors.DataWarning")
def test_thresholds_are_chosen_by_other_people(tmp_path: Path) -> None:
    assert refusal(lambda: train_system(videos(), videos(), PLAN, folder=tmp_path)) == (
        "choice: 'made/00' is in the training set too; choose by other people"
    )


def test_a_mirror_turns_frames_and_keeps_labels() -> None:
    examples = videos(count=1)
    seen = mirror(examples)
    assert torch.equal(seen.inputs["clip"].values, examples.inputs["clip"].values.flip(-1))
    assert torch.equal(seen.targets["au"].values, examples.targets["au"].values)
    assert seen.keys == ("00000-mirrored",)


def test_encoders_see_every_second_frame_from_the_first_on() -> None:
    examples = videos(steps=7)
    seen = thin(examples, 2)
    assert examples.frames is not None
    assert seen.frames is not None
    assert torch.equal(seen.frames, examples.frames[:, [0, 2, 4, 6]])
    before, after = examples.inputs["clip"], seen.inputs["clip"]
    for name in ("values", "mask", "times"):
        assert torch.equal(getattr(after, name), getattr(before, name)[:, [0, 2, 4, 6]])
    assert torch.equal(seen.targets["expr"].valid, examples.targets["expr"].valid[:, [0, 2, 4, 6]])
    assert thin(examples, 1).inputs["clip"].values.shape == examples.inputs["clip"].values.shape


def test_an_encoder_has_epochs_of_its_own() -> None:
    plan = replace(Plan(), epochs={"fau": 3}, encoder=Recipe(epochs=5))
    assert {name: plan.recipe(name).epochs for name in ENCODERS} == {"cnn": 5, "poster2": 5, "fau": 3}
    assert {quick(plan).recipe(name).epochs for name in ENCODERS} == {1}


def test_units_weigh_more_behind_the_fusion_than_in_an_encoder() -> None:
    assert {name: head.weight for name, head in make_abaw7().heads.items()} == {"va": 1.0, "expr": 1.0, "au": 10.0}
    assert {head.weight for head in make_heads().values()} == {1.0}


def test_a_plan_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("train_videos = 12\nseed = 3\n[fusion]\nepochs = 5\n")
    plan = read_plan(path)
    assert (plan.train_videos, plan.seed, plan.fusion.epochs, plan.encoder) == (12, 3, 5, Plan().encoder)
    open_folder(tmp_path / "run", plan)
    open_folder(tmp_path / "run", plan)
    assert read_plan_of(tmp_path / "run", Plan) == plan
    folder = tmp_path / "run"
    assert refusal(lambda: open_folder(folder, Plan())) == (
        f"{folder}: holds a run of another plan; give another folder, or --plan {folder / 'plan.json'}"
    )
    assert refusal(lambda: Plan(choice_videos=0), ConfigError) == "choice_videos: 0 videos; write 1 to 5000"
    assert refusal(lambda: Plan(seed=-1), ConfigError) == (
        "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"
    )
    assert refusal(lambda: Plan(every=0), ConfigError) == (
        "every: 0 is no step; write 1 for all frames, 2 for every second"
    )
    assert refusal(lambda: Plan(epochs={"vit": 2}), ConfigError) == (
        "epochs: no encoder 'vit'; encoders: 'cnn', 'poster2', 'fau'"
    )
    assert refusal(lambda: Plan(epochs={"fau": 0}), ConfigError) == (
        "epochs.fau: 0 is no number of epochs; write 1 or more"
    )


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("train_videos = 0\n")
    assert main(["train", "--out", str(tmp_path / "run"), "--plan", str(path)]) == 1
    assert capsys.readouterr().err == f"error: {path}: train_videos: 0 videos; write 1 to 5000\n"
    assert main(["train", "--out", str(tmp_path / "run"), "--workers", "0"]) == 1
    assert capsys.readouterr().err == "error: --workers: 0 processes; write 1 or more\n"
