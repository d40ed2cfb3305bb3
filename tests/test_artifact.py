"""Saved models: bit-equal when they come back, and refused, with the reason, when anything about them is not right."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

import affectkit
from affectkit.artifact import load, save
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError, RegistryError
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.stacking import StackingConfig
from affectkit.maps.compound_from_basic import CompoundFromBasicConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.plugins import Plugin, PluginReport
from affectkit.registry import Registry, default_registry
from affectkit.streams import FeatureStream
from affectkit.temporal.gru import GRUConfig
from affectkit.tensor_files import load_state
from tests import make_golden
from tests.artifacts import build, edit, equal, features, frames, full, refusal, sign, stored
from tests.toys_torch import (
    REGISTRY,
    SPECS,
)

NESTED = EnsembleConfig(
    members={
        "pair": EnsembleConfig(members={"a": full(), "b": full()}, fusion=MeanFusionConfig(), outputs=("expr",)),
        "alone": full(),
    },
    fusion=StackingConfig(),
    outputs=("expr",),
    maps={"compound": CompoundFromBasicConfig(source="expr")},
)
FUSED = EnsembleConfig(
    members={"a": full(), "b": full()}, fusion=AffineFusionConfig(dim=3), heads={"expr": ExpressionConfig()}
)


@pytest.mark.parametrize("config", [full(), NESTED, FUSED], ids=["pipeline", "nested", "fused"])
def test_what_is_loaded_is_bit_equal(config: PipelineConfig | EnsembleConfig, tmp_path: Path) -> None:
    model = build(config)
    again = load(save(model, tmp_path / "deep" / "model"), registry=REGISTRY)
    assert type(again) is type(model)
    assert again.config == config
    assert not again.training
    assert equal(model, again, frames())
    assert sorted(path.name for path in (tmp_path / "deep" / "model").iterdir()) == [
        "README.md",
        "model.safetensors",
        "pipeline.json",
    ]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["model"]
    assert {oct(path.stat().st_mode & 0o444) for path in (tmp_path / "deep" / "model").iterdir()} == {"0o444"}


def test_tied_parameters_stay_tied(saved: Path) -> None:
    model = build(stored())
    again = load(saved, registry=REGISTRY)
    assert equal(model, again, features())
    parameters = dict(again.stages()["temporal"].named_parameters(remove_duplicate=False))
    assert parameters["first.weight"] is parameters["second.weight"]
    with safe_open(saved / "model.safetensors", framework="pt") as file:
        assert "temporal.second.weight" not in file.keys()  # noqa: SIM118
        assert json.loads(file.metadata()["tied"]) == {"temporal.second.weight": "temporal.first.weight"}


def test_precision_comes_back(tmp_path: Path) -> None:
    model = build(stored()).to(torch.bfloat16)
    again = load(save(model, tmp_path / "model"), registry=REGISTRY)
    assert {parameter.dtype for parameter in again.parameters()} == {torch.bfloat16}
    assert equal(model, again, features().bfloat16())


def test_the_order_of_branches_is_saved_and_sealed(tmp_path: Path) -> None:
    config = PipelineConfig(
        inputs={"b": FeatureStream(dim=4), "a": FeatureStream(dim=4)},
        branches={"b": Branch(source="b"), "a": Branch(source="a")},
        fusion=AffineFusionConfig(dim=2),
        heads={"va": ValenceArousalConfig()},
    )
    folder = save(build(config), tmp_path / "model")
    again = load(folder, registry=REGISTRY)
    assert list(again.config.branches) == ["b", "a"]  # type: ignore[attr-defined]
    data = json.loads((folder / "pipeline.json").read_text())["config"]
    edit(folder, config=data | {"branches": dict(reversed(data["branches"].items()))})
    assert refusal(lambda: load(folder, registry=REGISTRY)).startswith(f"{folder}/pipeline.json: is not what")


def test_a_folder_is_replaced_only_if_asked_and_if_it_is_a_saved_model(saved: Path, tmp_path: Path) -> None:
    other = build(stored(heads={"expr": ExpressionConfig()}))
    assert refusal(lambda: save(other, saved)) == f"{saved}: already there; pass overwrite=True to replace it"
    assert list(load(saved, registry=REGISTRY).traced.outputs) == ["va"]
    save(other, saved, overwrite=True)
    assert list(load(saved, registry=REGISTRY).traced.outputs) == ["expr"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "photos").mkdir()
    (tmp_path / "file").touch()
    for name in ("photos", "file"):
        assert refusal(lambda name=name: save(other, tmp_path / name, overwrite=True)) == (  # type: ignore[misc]
            f"{tmp_path / name}: holds no pipeline.json, so it is no saved model; choose another folder"
        )


@pytest.mark.parametrize("at", ["artifact.model_card", "tensor_files.save_file", "artifact.sha256"])
def test_an_interrupted_save_leaves_what_was_there(
    at: str, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    monkeypatch.setattr(f"affectkit.{at}", stop)
    for folder, overwrite in ((tmp_path / "new", False), (saved, True)):
        with pytest.raises(KeyboardInterrupt):
            save(build(stored()), folder, overwrite=overwrite)
        assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_a_replacement_that_fails_puts_the_old_model_back(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == saved and path.parent == tmp_path:
            raise OSError("disk is gone")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="disk is gone"):
        save(build(stored()), saved, overwrite=True)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", ["pipeline.json", "model.safetensors"])
def test_a_missing_file(name: str, saved: Path) -> None:
    (saved / name).unlink()
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{saved}: no {name}; a saved model holds pipeline.json and model.safetensors"
    )


def reason(path: Path) -> str:
    with pytest.raises(SafetensorError) as caught, safe_open(path, framework="pt"):
        pass
    return str(caught.value)


def test_truncated_weights(saved: Path) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    wanted = f"{path}: can't be read ({reason(path)}); the file is damaged, get it again"
    assert refusal(lambda: load(saved, registry=REGISTRY)) == wanted
    assert refusal(lambda: load_state(build(stored()), path)) == wanted


class Danger:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def test_a_pickle_is_never_opened(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved / "model.safetensors"
    for content in (pickle.dumps(Danger()), b""):
        path.write_bytes(content)
        edit(saved, weights={"sha256": hashlib.sha256(content).hexdigest(), "provenance": []})
        assert refusal(lambda: load(saved, registry=REGISTRY)) == (
            f"{path}: can't be read ({reason(path)}); the file is damaged, get it again"
        )
    torch.save({"weight": torch.zeros(1)}, path)
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{path}: can't be read ({reason(path)}); the file is damaged, get it again"
    )
    assert capsys.readouterr().out == ""


def test_an_edited_config(saved: Path) -> None:
    data = json.loads((saved / "pipeline.json").read_text())["config"]
    data["heads"]["va"]["mse_weight"] = 0.5
    edit(saved, config=data)
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{saved}/pipeline.json: is not what was saved with these weights; "
        "load the original, set dials in Python and save again"
    )


@pytest.mark.parametrize("part", ["provenance", "requires"])
def test_edited_provenance_and_requirements(saved: Path, part: str) -> None:
    data = json.loads((saved / "pipeline.json").read_text())
    if part == "provenance":
        edit(saved, weights=data["weights"] | {"provenance": [{"name": "mine", "license": "MIT"}]})
    else:
        edit(saved, requires=[])
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{saved}/pipeline.json: is not what was saved with these weights; "
        "load the original, set dials in Python and save again"
    )


def test_an_edited_hash_and_exchanged_weights(saved: Path, tmp_path: Path) -> None:
    weights = saved / "model.safetensors"
    own = hashlib.sha256(weights.read_bytes()).hexdigest()
    changed = "one of the two files was changed or exchanged, get the saved model again"
    edit(saved, weights={"sha256": "0" * 64, "provenance": []})
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{weights}: sha256 is {own}, pipeline.json says {'0' * 64}; {changed}"
    )
    other = save(build(stored(heads={"va": ValenceArousalConfig(mse_weight=0.5)})), tmp_path / "other")
    shutil.copy(other / "model.safetensors", weights)
    theirs = hashlib.sha256(weights.read_bytes()).hexdigest()
    edit(saved, weights={"sha256": own, "provenance": []})
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{weights}: sha256 is {theirs}, pipeline.json says {own}; {changed}"
    )
    edit(saved, weights={"sha256": theirs, "provenance": []})
    assert refusal(lambda: load(saved, registry=REGISTRY)) == (
        f"{saved}/pipeline.json: is not what was saved with these weights; "
        "load the original, set dials in Python and save again"
    )


def test_a_pipeline_file_that_is_not_one(saved: Path) -> None:
    path = saved / "pipeline.json"
    good = path.read_text()

    def message(text: str | bytes) -> str:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return refusal(lambda: load(saved, registry=REGISTRY))

    assert message("{") == (
        f"{path}: not JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1)); mend the line"
    )
    assert message("[]") == f"{path}: holds list; write an object"
    assert message(b"\xff") == (
        f"{path}: can't be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "the file is damaged, get it again"
    )
    assert message(good.replace('"format": 1', '"format": 2')) == (
        f"{path}: format 2; this affectkit reads up to 1: update it"
    )
    assert message("{}") == f"{path}: format None; this affectkit reads up to 1: update it"
    for broken in ('{"format": 1}', '{"format": 1, "config": {}, "weights": {}}', '{"format": 1, "weights": {}}'):
        assert message(broken) == f"{path}: 'config' or 'weights' is missing; save the model again"


SAVED_WITH = f"; saved with affectkit=={affectkit.__version__}"


def test_a_config_that_no_longer_holds(saved: Path) -> None:
    data = json.loads((saved / "pipeline.json").read_text())["config"]
    data["heads"]["va"]["mse_weights"] = 0.5
    edit(saved, config=data)
    sign(saved)
    message = refusal(lambda: load(saved, registry=REGISTRY))
    assert message == (
        f"{saved}/pipeline.json: heads.va: unknown key 'mse_weights'; did you mean 'mse_weight'? keys: 'weight', "
        f"'targets', 'resolution', 'pooling', 'hidden', 'dropout', 'bounds', 'mse_weight'{SAVED_WITH}"
    )


def test_a_missing_plugin_says_what_to_install(tmp_path: Path) -> None:
    report = PluginReport(provider="affectkit-toy", version="1.2.0", entry_point="toy", state="ok")
    plugins = default_registry()._plugins
    registry = Registry([*plugins, Plugin(report=report, components=SPECS)])
    version = default_registry().reports[0].version
    folder = save(build(stored(), registry), tmp_path / "model")
    data = json.loads((folder / "pipeline.json").read_text())
    assert data["requires"] == [
        {"distribution": "affectkit", "version": version},
        {"distribution": "affectkit-toy", "version": "1.2.0"},
    ]
    assert equal(build(stored(), registry), load(folder, registry=registry), features())
    message = refusal(lambda: load(folder, registry=Registry(plugins)), RegistryError)
    assert message == (
        f"{folder}/pipeline.json: temporal.use: no temporal encoder 'affectkit-toy/tied'; run pip install affectkit-toy"
        f"; saved with affectkit=={version}, affectkit-toy==1.2.0"
    )


def test_keys_that_do_not_fit_are_grouped_by_stage(tmp_path: Path) -> None:
    model = build(stored(temporal=GRUConfig(dim=4)))
    path = tmp_path / "weights.safetensors"
    state = model.state_dict()
    del state["temporal.gru.weight_ih_l0"], state["temporal.gru.bias_ih_l0"], state["heads.va.linear.bias"]
    state |= {"heads.va.extra": torch.zeros(1), "optimizer.step": torch.zeros(1)}
    state["heads.va.linear.weight"] = torch.zeros(3, 4)
    save_file(state, path)
    assert refusal(lambda: load_state(model, path)) == (
        f"{path}: does not fit the model: missing heads.va: 'linear.bias'; "
        "missing temporal: 'gru.bias_ih_l0', 'gru.weight_ih_l0'; unexpected heads.va: 'extra'; "
        "unexpected keys: 'optimizer.step'; heads.va.linear.weight is (3, 4), the model's is (2, 4)"
    )


def test_weights_of_a_training_that_diverged_are_refused(tmp_path: Path) -> None:
    model: Any = build(stored())
    folder = save(model, tmp_path / "model")
    path = folder / "model.safetensors"
    # infinity is no damage: masks are made of it
    state = model.state_dict() | {"heads.va.linear.bias": torch.tensor([float("inf"), 0.0])}
    save_file({key: tensor.clone() for key, tensor in state.items()}, tmp_path / "masked.safetensors")
    load_state(build(stored()), tmp_path / "masked.safetensors")
    with torch.no_grad():
        model.heads["va"].linear.weight[0, 1:3] = float("nan")
    save_file({key: tensor.clone() for key, tensor in model.state_dict().items()}, tmp_path / "bare.safetensors")
    save(model, folder, overwrite=True)
    count = model.heads["va"].linear.weight.numel()
    fact = f"holds NaN, in 2 of {count} numbers of heads.va.linear.weight"
    hint = "take weights from before the training diverged"
    assert refusal(lambda: load(folder, registry=REGISTRY)) == f"{path}: {fact}; {hint}"
    bare = tmp_path / "bare.safetensors"
    assert refusal(lambda: load_state(build(stored()), bare)) == f"{bare}: {fact}; {hint}"


def test_the_model_card_says_what_is_in_it(tmp_path: Path) -> None:
    model = build(full())
    card = (save(model, tmp_path / "model", notes="Trained on nothing.") / "README.md").read_text()
    assert card.startswith("# Model card\n\nSaved by affectkit ")
    assert f"{sum(p.numel() for p in model.parameters()):,} parameters." in card
    assert "## Inputs\n\n- `clip`: frames [T] r+g+b 16x16 intensity\n" in card
    assert "- `va`: regression per frame: valence, arousal\n" in card
    assert "- `branches.flow.motion[1]`: toys/magnifier\n" in card
    assert "- `temporal`: toys/tied\n" in card
    assert "- `branches.x`: stored features\n" in (save(build(stored()), tmp_path / "x") / "README.md").read_text()
    assert "## Published weights in it\n\n- none recorded\n" in card
    assert "## Training and results\n\nTrained on nothing.\n" in card
    assert "## What the scores do not mean\n" in card
    bare = (save(model, tmp_path / "bare") / "README.md").read_text()
    assert "## Training and results\n\nNot recorded: `save(notes=...)` would say it.\n" in bare


def test_the_model_card_of_an_ensemble_says_which_classes_are_lost(tmp_path: Path) -> None:
    members = {
        name: replace(stored(), heads={"out": ExpressionConfig(targets=targets)})
        for name, targets in (("one", ("a", "b")), ("two", ("b", "c", "a")))
    }
    ensemble = EnsembleConfig(members=members, fusion=MeanFusionConfig())
    card = (save(build(ensemble), tmp_path / "model") / "README.md").read_text()
    assert "- `fusion.out`: affectkit/mean, without 'c' of two\n" in card


def golden_outputs(folder: Path) -> None:
    tensors = load_file(make_golden.FOLDER / make_golden.EXPECTED)
    model = load(folder)
    with torch.no_grad():
        scores = model(make_golden.batch(tensors))
    outputs = {name.removeprefix("out."): tensor for name, tensor in tensors.items() if name.startswith("out.")}
    assert set(scores) == set(outputs)
    for name, wanted in outputs.items():
        # equal where it was made; another machine may differ in the last bits
        torch.testing.assert_close(scores[name], wanted, atol=1e-6, rtol=1e-6)


def test_a_model_of_format_1_keeps_loading() -> None:
    assert make_golden.FOLDER.name == "golden-format-1"
    golden_outputs(make_golden.FOLDER)
    assert load(make_golden.FOLDER).config == make_golden.config()


def test_a_field_that_was_added_later_does_not_break_old_files(tmp_path: Path) -> None:
    """A file from before a field was there does not hold it, and its hashes are right: the default counts."""
    folder = tmp_path / "old"
    shutil.copytree(make_golden.FOLDER, folder)
    data = json.loads((folder / "pipeline.json").read_text())["config"]
    del data["temporal"]["bidirectional"], data["heads"]["va"]["mse_weight"], data["tracking"], data["fusion"]["mode"]
    edit(folder, config=data)
    sign(folder)
    golden_outputs(folder)


def test_a_config_is_no_model(tmp_path: Path) -> None:
    config: Any = stored()
    with pytest.raises(InputError) as caught:
        save(config, tmp_path / "model")
    assert str(caught.value) == ("save: PipelineConfig is no built model; call build(), or write_config(config, path)")
