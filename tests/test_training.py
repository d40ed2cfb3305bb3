"""`fit`: what a recipe does, that seeds reproduce, and that an interrupted run goes on as if it had not been."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from affectkit import Branch, ConfigError, FeatureStream, FrameStream, InputError, MicroExpressionConfig, PipelineConfig
from affectkit.errors import DataWarning, MissingDependencyError, UntrainedWarning
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.features.iresnet import IResNetConfig
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.model import Model
from affectkit.motion.flow_maps_net import mirror
from affectkit.recipes import Augmentation, Recipe, read_recipe
from affectkit.sequences import Sequence, Targets
from affectkit.streams import InputStream
from affectkit.training import Examples, fit, lightning_import
from affectkit.training.augmentation import augment
from affectkit.training.balancing import balance

FEATURES = PipelineConfig(
    input=FeatureStream(dim=4, steps=("event",)),
    branches={"stored": Branch()},
    heads={"micro": MicroExpressionConfig(hidden=(8,), dropout=0.2)},
)
FLOW = FrameStream(channels=("u", "v"), unit="pixel", height=8, width=8, steps=("event",))

ROOT = Path(__file__).resolve().parent.parent


def make_examples(count: int = 36, *, subjects: int = 6, seed: int = 0) -> Examples:
    """Three classes that the features tell apart but for noise; every subject has all of them."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    values = torch.nn.functional.one_hot(labels, 4).float() + 0.3 * torch.randn(count, 4, generator=generator)
    return Examples(
        inputs={"clip": Sequence.of(values.unsqueeze(1))},
        targets={"micro": Targets.of(labels)},
        subjects=tuple(f"made/{row // (count // subjects):02}" for row in range(count)),
    )


def state(model: Model) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


QUICK = Recipe(epochs=6, batch_size=8, learning_rate=0.05, augmentation=Augmentation(flip=0.0))


def test_a_model_learns_and_the_seed_says_which() -> None:
    examples = make_examples()
    random = torch.random.get_rng_state()
    model = fit(FEATURES, examples, QUICK, seed=3)
    found = model.predict(dict(examples.inputs))["micro"].argmax(dim=1)
    assert (found == examples.targets["micro"].values).float().mean() > 0.8
    assert not model.training
    assert torch.equal(state(model), state(fit(FEATURES, examples, QUICK, seed=3)))
    assert not torch.equal(state(model), state(fit(FEATURES, examples, QUICK, seed=4)))
    assert torch.equal(torch.random.get_rng_state(), random)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    examples = make_examples()
    whole = fit(FEATURES, examples, QUICK)

    def stop(model: Model, epoch: int) -> None:
        if epoch == 4:
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError, match="the power went"):
        fit(FEATURES, examples, QUICK, folder=tmp_path, after_epoch=stop)
    epochs: list[int] = []
    resumed = fit(
        FEATURES, examples, QUICK, folder=tmp_path, resume=True, after_epoch=lambda model, epoch: epochs.append(epoch)
    )
    assert epochs[-1] == 6
    assert epochs[0] > 1
    assert torch.equal(state(whole), state(resumed))
    logged = (tmp_path / "logs" / "metrics.csv").read_text().splitlines()
    assert logged[0].startswith("epoch,loss")


STOPPED = """
import os, signal, sys
from affectkit.training import fit
from tests.test_training import FEATURES, QUICK, make_examples

signal.signal(signal.SIGINT, signal.default_int_handler)
number, folder = getattr(signal, sys.argv[1]), sys.argv[2] or None
before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
try:
    fit(
        FEATURES, make_examples(), QUICK, folder=folder,
        after_epoch=lambda model, epoch: os.kill(os.getpid(), number) if epoch == 3 else None,
    )
except BaseException as stop:
    # Lightning would leave Ctrl-C ignored
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
    print(type(stop).__name__, *stop.args, *getattr(stop, "__notes__", []), sep="; ")
"""


@pytest.mark.parametrize(
    ("number", "raised", "keeps"),
    [
        ("SIGINT", "KeyboardInterrupt", True),
        ("SIGTERM", "SystemExit; 143", True),
        ("SIGINT", "KeyboardInterrupt", False),
    ],
)
def test_a_run_that_is_told_to_stop_says_so(number: str, raised: str, keeps: bool, tmp_path: Path) -> None:
    # in a process of its own: the signal might meet what runs the tests
    words = [sys.executable, "-c", STOPPED, number, str(tmp_path) if keeps else ""]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    where = f"{tmp_path} holds what was trained so far"
    note = f"; {where}; the same command with --resume (in Python resume=True) goes on there"
    assert (done.stdout, done.returncode) == (f"{raised}{note if keeps else ''}\n", 0), done.stderr
    if keeps:
        whole = fit(FEATURES, make_examples(), QUICK)
        assert torch.equal(state(whole), state(fit(FEATURES, make_examples(), QUICK, folder=tmp_path, resume=True)))


def test_an_exit_of_who_watches_a_run_stays_what_it_is() -> None:
    def leave(model: Model, epoch: int) -> None:
        raise SystemExit("enough")

    with pytest.raises(SystemExit, match=r"^enough$"):
        fit(FEATURES, make_examples(), QUICK, after_epoch=leave)


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    fit(FEATURES, make_examples(), replace(QUICK, epochs=1), folder=tmp_path)
    with pytest.raises(InputError) as caught:
        fit(FEATURES, make_examples(), QUICK, folder=tmp_path)
    path = tmp_path / "last.ckpt"
    assert str(caught.value) == f"{path}: is there from an earlier run; resume it, or give another folder"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"examples": make_examples(subjects=4)}, "other examples"),
        ({"recipe": replace(QUICK, learning_rate=0.5)}, "another recipe"),
        ({"config": replace(FEATURES, heads={"micro": MicroExpressionConfig(hidden=(8,))})}, "another config"),
        ({"seed": 1}, "another seed"),
        ({"start": FEATURES.build()}, "another start"),
    ],
    ids=["examples", "recipe", "config", "seed", "start"],
)
def test_a_checkpoint_of_another_run_is_not_gone_on_with(changes: dict[str, Any], what: str, tmp_path: Path) -> None:
    given: dict[str, Any] = {"config": FEATURES, "examples": make_examples(), "recipe": replace(QUICK, epochs=1)}
    fit(**given, folder=tmp_path)
    with pytest.raises(InputError) as caught:
        fit(**(given | changes), folder=tmp_path, resume=True)
    assert str(caught.value) == f"{tmp_path}: holds a run with {what}; give another folder"
    # a run that is made longer is the same one
    fit(**(given | {"recipe": replace(QUICK, epochs=2)}), folder=tmp_path, resume=True)
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError) as caught:
        fit(**given, folder=tmp_path, resume=True)
    path = tmp_path / "last.ckpt"
    assert str(caught.value) == f"{path}: no run.json beside it says of which run it is; give another folder"


def test_checkpoints_that_hold_code_are_not_loaded(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path(tmp_path / "ran").touch, ())  # type: ignore[return-value]

    fit(FEATURES, make_examples(), replace(QUICK, epochs=1), folder=tmp_path)
    torch.save({"state_dict": Evil()}, tmp_path / "last.ckpt")
    with pytest.raises(Exception, match="weights_only"):
        fit(FEATURES, make_examples(), QUICK, folder=tmp_path, resume=True)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_half_precision_trains(clip: float) -> None:
    examples = make_examples()
    model = fit(FEATURES, examples, replace(QUICK, precision="bf16-mixed", gradient_clip=clip))
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    found = model.predict(dict(examples.inputs))["micro"].argmax(dim=1)
    assert (found == examples.targets["micro"].values).float().mean() > 0.8


def test_losses_for_tensorboard(tmp_path: Path) -> None:
    fit(FEATURES, make_examples(), replace(QUICK, epochs=1), folder=tmp_path, logger="tensorboard")
    assert list((tmp_path / "logs").glob("events.out.tfevents.*"))
    with pytest.raises(ConfigError) as caught:
        fit(FEATURES, make_examples(), QUICK, folder=tmp_path / "other", logger="paper")
    assert str(caught.value) == "logger: 'paper' is no logger; write csv or tensorboard"


def test_without_lightning_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError("No module named 'lightning'", name="lightning")

    monkeypatch.setattr(lightning_import, "importlib", SimpleNamespace(import_module=absent))
    with pytest.raises(MissingDependencyError) as caught:
        fit(FEATURES, make_examples(), QUICK)
    assert str(caught.value) == (
        "training: needs 'lightning', which is not installed; run pip install 'affectkit[train]'"
    )


def test_classes_are_weighed_so_that_each_counts_the_same() -> None:
    examples = make_examples()
    rare = examples.take([row for row in range(36) if row % 3 or row < 6])
    config = balance(FEATURES, rare)
    assert isinstance(config, PipelineConfig)
    head = config.heads["micro"]
    assert isinstance(head, MicroExpressionConfig)
    assert head.class_weights is not None
    counts = torch.bincount(rare.targets["micro"].values).tolist()
    assert [weight * count for weight, count in zip(head.class_weights, counts, strict=True)] == pytest.approx(
        [len(rare) / 3] * 3
    )
    given = replace(FEATURES, heads={"micro": MicroExpressionConfig(class_weights=(1.0, 2.0, 3.0))})
    assert balance(given, rare).heads == given.heads  # type: ignore[attr-defined]


def test_a_class_that_nobody_shows_is_warned_of() -> None:
    examples = make_examples()
    two = examples.take([row for row in range(36) if row % 3])
    with pytest.warns(DataWarning, match=r"^heads\.micro: no example of 'negative'; it can't be learned$"):
        model = fit(FEATURES, two, QUICK)
    assert model.predict(dict(two.inputs))["micro"].isfinite().all()


def test_frozen_encoders_with_random_weights_are_warned_of() -> None:
    frozen, learns = IResNetConfig(size="small", frozen=True), ConvStemConfig(dim=8)
    config = PipelineConfig(
        input=FrameStream(height=32, width=32, steps=("event",)),
        branches={"a": Branch(features=frozen), "b": Branch(features=frozen), "c": Branch(features=learns)},
        fusion=ConcatFusionConfig(),
        heads={"micro": MicroExpressionConfig()},
    )
    pictures = torch.rand(6, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    examples = replace(make_examples(6), inputs={"clip": Sequence.of(pictures)})
    recipe = replace(QUICK, epochs=1, augmentation=Augmentation(flip=0.0))
    with pytest.warns(UntrainedWarning) as caught:
        fit(config, examples, recipe)
    assert [str(one.message) for one in caught] == [
        "branches.a.features, branches.b.features: frozen, and their weights are random; "
        "start with a model in which they are trained, or write frozen=False"
    ]
    assert caught[0].filename == __file__
    # with a start, and of what learns, nothing is said
    fit(config, examples, recipe, start=config.build())
    fit(replace(config, branches={"c": Branch(features=learns)}, fusion=None), examples, recipe)


def test_rates_by_path() -> None:
    config = PipelineConfig(
        input=FLOW, branches={"flow": Branch(features=ConvStemConfig(dim=8))}, heads={"micro": MicroExpressionConfig()}
    )
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(12, 1, 2, 8, 8, generator=generator)
    examples = Examples(
        inputs={"clip": Sequence.of(values)},
        targets={"micro": Targets.of(torch.arange(12) % 3)},
        subjects=tuple(f"made/{row}" for row in range(12)),
    )
    recipe = Recipe(epochs=1, rates={"branches.flow": 0.0})
    torch.manual_seed(0)
    before = config.build().state_dict()
    after = fit(config, examples, recipe, seed=0).state_dict()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == name.startswith("branches.")
    with pytest.raises(ConfigError) as caught:
        fit(config, examples, Recipe(rates={"branches.flaw": 0.1}))
    assert str(caught.value).startswith("rates.branches.flaw: no such stage; ")


def test_labels_of_a_head_that_is_not_there() -> None:
    examples = make_examples()
    other = replace(examples, targets={"emotion": examples.targets["micro"]})
    with pytest.raises(InputError) as caught:
        fit(FEATURES, other, QUICK)
    assert str(caught.value) == "examples: labels of 'emotion'; the model scores micro: rename one of them"


# Augmentation


def test_a_mirrored_flow_moves_the_other_way() -> None:
    values = torch.rand(2, 1, 3, 4, 6)
    mirrored = mirror(values, ("u", "v", "strain"))
    assert torch.equal(mirrored[:, :, 0], -values[:, :, 0].flip(-1))
    assert torch.equal(mirrored[:, :, 1:], values[:, :, 1:].flip(-1))
    assert torch.equal(mirror(mirrored, ("u", "v", "strain")), values)


@pytest.mark.parametrize(
    "augmentation",
    [Augmentation(flip=1.0), Augmentation(flip=0.0, shift=2), Augmentation(flip=0, gain=0.5), Augmentation(noise=0.1)],
)
def test_augmentation_draws_for_each_clip_and_leaves_the_input(augmentation: Augmentation) -> None:
    one = Sequence.of(torch.rand(8, 2, 2, 8, 8) + 1)
    kept = one.values.clone()
    stream = replace(FLOW, steps=("contraction", "relaxation"))

    def draw(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return augment({"clip": one}, {"clip": stream}, augmentation, generator)["clip"].values

    assert torch.equal(one.values, kept)
    assert torch.equal(draw(1), draw(1))
    if augmentation.flip < 1:
        assert not torch.equal(draw(1), draw(2))
    assert not torch.equal(draw(1), kept)


def test_a_shift_repeats_the_border_and_is_the_same_for_all_steps() -> None:
    ramp = torch.arange(8.0).expand(4, 2, 2, 8, 8).contiguous()
    generator = torch.Generator().manual_seed(0)
    stream = replace(FLOW, steps=("a", "b"))
    batch = {"clip": Sequence.of(ramp)}
    found = augment(batch, {"clip": stream}, Augmentation(flip=0.0, shift=2), generator)["clip"].values
    assert torch.equal(found[:, 0], found[:, 1])
    for clip in found:
        offset = clip[0, 0, 0, 4] - 4
        assert torch.equal(clip[0, 0, 0], (torch.arange(8.0) + offset).clamp(0, 7))


def test_a_shift_moves_each_clip_down_and_across_by_itself() -> None:
    values, most = torch.rand(6, 2, 2, 7, 5), 3
    generator = torch.Generator().manual_seed(4)
    batch, stream = {"clip": Sequence.of(values)}, replace(FLOW, steps=("a", "b"))
    found = augment(batch, {"clip": stream}, Augmentation(flip=0.0, shift=most), generator)["clip"].values
    down, across = torch.randint(-most, most + 1, (2, 6), generator=generator.manual_seed(4)).tolist()
    assert len(set(zip(down, across, strict=True))) > 3
    for clip, kept, y, x in zip(found, values, down, across, strict=True):
        rows, columns = (torch.arange(7) + y).clamp(0, 6), (torch.arange(5) + x).clamp(0, 4)
        assert torch.equal(clip, kept[..., rows, :][..., columns])


def test_pictures_stay_in_range_and_stored_features_as_they_are() -> None:
    picture = FrameStream(height=8, width=8)
    batch = {"face": Sequence.of(torch.ones(4, 1, 3, 8, 8)), "stored": Sequence.of(torch.ones(4, 1, 5))}
    streams: dict[str, InputStream] = {"face": picture, "stored": FeatureStream(dim=5)}
    generator = torch.Generator().manual_seed(0)
    found = augment(batch, streams, Augmentation(gain=0.5, noise=0.1), generator)
    assert found["face"].values.max() <= 1
    assert found["stored"] is batch["stored"]


# Recipes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"epochs": 0}, "epochs: 0 is too few; write 1 or more"),
        ({"batch_size": 0}, "batch_size: 0 is too few; write 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate: 0.0 is no rate; write more than 0"),
        ({"weight_decay": -1.0}, "weight_decay: -1.0 is below 0; write 0 or more"),
        ({"gradient_clip": -1.0}, "gradient_clip: -1.0 is below 0; write 0 or more"),
        ({"rates": {"fusion": -1.0}}, "rates.fusion: -1.0 is no factor; write 0 or more"),
    ],
)
def test_a_wrong_recipe(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Recipe(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"flip": 1.5}, "flip: 1.5 is no share; write 0 to 1"),
        ({"gain": -0.5}, "gain: -0.5 is no share; write 0 to 1"),
        ({"shift": -1}, "shift: -1 is below 0; write 0 or more"),
        ({"noise": -1.0}, "noise: -1.0 is below 0; write 0 or more"),
    ],
)
def test_a_wrong_augmentation(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Augmentation(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_recipes_in_files(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("epochs = 12\n[augmentation]\nshift = 1\n", encoding="utf-8")
    assert read_recipe(path) == Recipe(epochs=12, augmentation=Augmentation(shift=1))
    path.write_text("epoch = 12\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_recipe(path)
    assert str(caught.value) == f"{path}: epoch: 12 is not accepted; write 'last' or 'inner'"
