"""The preset `micro`: one call from a synthetic clip of a train seed to a named event and its map."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from affectkit.analysis import analyze
from affectkit.data.labels import COMPOUND_11, MICRO_3
from affectkit.data.synthetic import BASIC_UNITS, BENCH_V1, COMPOUND_UNITS, micro_class_of, render_clip
from affectkit.errors import InputError, SyntheticWeightsWarning
from affectkit.presets import recognize_micro
from affectkit.published import from_pretrained
from affectkit.recipes import Recipe
from affectkit.registry import default_registry
from affectkit.results.reading import Results
from affectkit.sequences import Sequence, Targets
from affectkit.training import Examples, fit
from tests.cli_runs import run

EASY = replace(BENCH_V1, seconds=3.0, events=(1, 1), without_event=0.0, micro=1.0, peak=(1.5, 2.0), occluded_clips=0.0)
# A person who blinks, and shows one micro-expression.
SEED = 2
HINT = "use a pipeline that samples events and has a motion front-end, such as micro"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_clip(SEED, EASY, fps=60.0, split="train").write(tmp_path_factory.mktemp("micro") / "clip.mp4")


def recognize(clip: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Results:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    with pytest.warns(SyntheticWeightsWarning) as caught:
        results = analyze(clip, "affectkit/micro", faces="yunet", **options)
    assert [str(item.message) for item in caught] == [
        "weights micro: trained on synthetic faces; scores of real ones are for trying things out"
    ]
    return results


def test_from_video_to_label(clip: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    results = recognize(clip, shared, monkeypatch, maps=tmp_path / "maps")
    (true,) = [event for event in render_clip(SEED, EASY, fps=60.0).truth.events if event.kind != "blink"]
    (event,) = [event for event in results.events if event.kind == "micro-expression"]
    assert event.apex == pytest.approx(true.apex, abs=0.06)
    assert event.label == micro_class_of(str(true.label))
    assert list(event.predictions) == [f"micro.{name}" for name in MICRO_3]
    assert sum(event.predictions.values()) == pytest.approx(1.0, abs=1e-5)
    assert max(event.predictions, key=lambda name: event.predictions[name]) == f"micro.{event.label}"
    (path,) = (tmp_path / "maps").iterdir()
    assert path.name == f"track0-{event.onset:.3f}s.png"
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape == (160, 160, 3)
    assert picture.max() == 255


def test_a_blink_has_no_label(clip: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = recognize(clip, shared, monkeypatch)
    (blink,) = [event for event in results.events if event.kind == "blink"]
    assert (blink.label, blink.predictions, blink.status) == (None, {}, "ok")


def test_on_the_command_line(
    clip: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AFFECTKIT_WEIGHTS", str(shared / "weights"))
    given = ["analyze", str(clip), "--pipeline", "micro", "--faces", "yunet", "--maps", "maps"]
    code, out, _ = run(capsys, *given)
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("  micro-expression ")]
    _, label, probability, *rest = line.split()
    assert label in MICRO_3
    assert 1 / 3 < float(probability) <= 1
    assert rest[:3] == ["of", "face", "0:"]
    assert len(list(Path("maps").iterdir())) == 1
    code, _, err = run(capsys, *given, "--out", "other.csv")
    assert code == 1
    assert err.endswith(
        "error: maps: is not empty; name another folder for the maps, or add --overwrite (in Python overwrite=True)\n"
    )
    assert not Path("other.csv").exists()


def test_maps_of_a_pipeline_that_has_none(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        analyze(clip, "affectkit/motion-events", faces="whole-frame", maps=tmp_path / "maps")
    assert str(caught.value) == f"maps: the pipeline has no motion front-end; {HINT}"
    assert not (tmp_path / "maps").exists()


def test_its_weights_say_what_they_are() -> None:
    (record,) = default_registry().preset("affectkit/micro").spec.published
    assert record.is_synthetic
    assert record.size <= 2_000_000
    assert record.targets == MICRO_3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = from_pretrained("affectkit/micro")
    assert [dict(item)["training_data_terms"] for item in model.provenance] == ["synthetic"]
    assert model.config == recognize_micro()


def test_it_trains_on_keyframes_of_ones_own() -> None:
    """What the front-end shows is learned: a patch that moves up or down in the middle frame."""
    config = recognize_micro()
    noise = torch.rand(8, 1, 160, 160, generator=torch.Generator().manual_seed(0))
    texture = torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2)
    frames = texture.unsqueeze(1).repeat(1, 3, 1, 1, 1)
    for row in range(8):
        by = 1 if row % 2 else -1
        frames[row, 1, :, 40:120, 40:120] = texture[row].roll(by, dims=-2)[:, 40:120, 40:120]
    examples = Examples(
        inputs={"clip": Sequence.of(frames)},
        targets={"micro": Targets.of(torch.tensor([row % 2 for row in range(8)]))},
        subjects=tuple(f"own/{row}" for row in range(8)),
    )
    recipe = Recipe(epochs=15, class_weights="none")
    model = fit(config, examples, recipe)
    assert model.config == config
    assert model.predict(frames)["micro"].argmax(dim=1).tolist() == [row % 2 for row in range(8)]


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        *((name, "negative") for name in ("anger", "disgust", "fear", "sadness", "sadly_angry", "angrily_disgusted")),
        ("happiness", "positive"),
        ("surprise", "surprise"),
        ("happily_surprised", "others"),
        ("fearfully_surprised", "others"),
        ("happily_disgusted", "others"),
    ],
)
def test_the_classes_of_synthetic_expressions(expression: str, name: str) -> None:
    assert micro_class_of(expression) == name


def test_every_synthetic_expression_has_a_class() -> None:
    assert {micro_class_of(name) for name in BASIC_UNITS} == set(MICRO_3)
    # those of two negative ones
    assert sum(micro_class_of(name) == "negative" for name in COMPOUND_UNITS) == 5
    assert set(COMPOUND_UNITS) == set(COMPOUND_11)
