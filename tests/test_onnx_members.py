"""Exported pipelines as members that a config names: from a pipeline file to scores, to the disk and back."""

from __future__ import annotations

import json
import shutil
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from affectkit.analysis import analyze
from affectkit.artifact import load, save
from affectkit.configs import Frames, Tracking, Windows
from affectkit.ensemble import EnsembleConfig
from affectkit.ensemble_model import Ensemble
from affectkit.errors import AffectkitError
from affectkit.export.onnx_export import export_onnx
from affectkit.export.onnx_file import read_onnx, signed
from affectkit.export.onnx_model import load_onnx
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.files import config_from_data, config_to_data, read_config, write_config
from affectkit.fusion.affine import AffineFusionConfig
from affectkit.graphs import OnnxConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.late.weighted import WeightedFusionConfig
from affectkit.maps.temperature import TemperatureConfig
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.motion.mirror import MirrorConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.published import from_pretrained
from affectkit.registry import default_registry
from affectkit.resolving import resolve_model
from affectkit.sequences import Sequence, Targets
from affectkit.stills import check_still
from affectkit.streams import FrameStream
from affectkit.training import fit
from affectkit.training.calibrating import calibrate
from affectkit.training.examples import Examples
from affectkit.training.labeled_outputs import labeled_outputs
from affectkit.training.scoring import labels_of
from affectkit.training.temperature import calibrate_members
from affectkit.variant_configs import augment_config
from affectkit.variants import average_models, mirrored
from affectkit.weights import sha256
from tests.cli_runs import run, run_json
from tests.clips import write_levels

pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

SIDE = 24
CLASSES = ("neutral", "happiness", "sadness")


def net(dim: int = 8, **changes: Any) -> PipelineConfig:
    given: dict[str, Any] = {
        "input": FrameStream(height=SIDE, width=SIDE),
        "branches": {"face": Branch(features=ConvStemConfig(dim=dim))},
        "heads": {"expr": ExpressionConfig(targets=CLASSES)},
    }
    return PipelineConfig(**{**given, **changes})


def build(config: Any) -> Any:
    torch.manual_seed(0)
    return config.build().eval()


def clip() -> Sequence:
    values = torch.rand(2, 3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    return Sequence.of(values, mask=torch.tensor([[True, True, False], [True, True, True]]))


def message(call: Callable[[], object]) -> str:
    with pytest.raises(AffectkitError) as caught:
        call()
    return str(caught.value)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of `net()`, made once: it takes seconds."""
    path = tmp_path_factory.mktemp("export") / "cnn.onnx"
    model = build(net())
    model.provenance = ({"name": "toy", "sha256": "0" * 64, "url": "", "license": "MIT", "training_data_terms": "own"},)
    export_onnx(model, path)
    return path


@pytest.fixture
def graph(exported: Path, here: Path) -> Path:
    """A copy of the file, in the folder in which a test runs."""
    return Path(shutil.copy(exported, here / "cnn.onnx"))


def write_ensemble(path: Path, member: str) -> Path:
    """A pipeline file whose only member is what `member` says in TOML."""
    text = 'kind = "ensemble"\n\n[fusion]\nuse = "mean"\n\n[faces]\nuse = "whole-frame"\n\n'
    path.write_text(f'{text}[sampling]\nkind = "frames"\n\n[members.graph]\n{member}')
    return path


def named(path: str, sha: str) -> str:
    return f'kind = "onnx"\npath = "{path}"\nsha256 = "{sha}"\n'


def joined(graph: Path, **changes: Any) -> EnsembleConfig:
    """The graph beside a network, their scores averaged."""
    given: dict[str, Any] = {
        "members": {"graph": OnnxConfig.of(graph), "net": net(6)}, "fusion": MeanFusionConfig(),
        "sampling": Frames(), "faces": WholeFrameConfig(),
    }  # fmt: skip
    return EnsembleConfig(**{**given, **changes})


# From a file, and to the disk.


def test_from_a_pipeline_file_to_a_saved_model_and_back(graph: Path, here: Path) -> None:
    (here / "models").mkdir()
    shutil.move(graph, here / "models" / "cnn.onnx")
    graph = here / "models" / "cnn.onnx"
    write_config(joined(graph), here / "joined.toml")
    written = (here / "joined.toml").read_text()
    assert 'path = "models/cnn.onnx"' in written
    config = read_config("joined.toml")
    assert config == replace(
        joined(graph), members={**joined(graph).members, "graph": OnnxConfig.of("models/cnn.onnx")}
    )
    model = build(config)
    # what PyTorch gives for the same two members
    alone = EnsembleConfig(members={"graph": net(), "net": net(6)}, fusion=MeanFusionConfig())
    members = {"graph": build(net()), "net": model.members["net"]}
    expected = Ensemble(alone, members=members).predict(clip())["expr"]
    found = model.predict(clip())["expr"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    save(model, here / "saved")
    assert sorted(path.name for path in (here / "saved").iterdir()) == [
        "README.md", "members.graph.onnx", "model.safetensors", "pipeline.json",
    ]  # fmt: skip
    # nothing outside of the folder is needed
    shutil.rmtree(here / "models")
    again = load(shutil.move(here / "saved", here / "moved"))
    assert torch.equal(again.predict(clip())["expr"], found)
    data = json.loads((here / "moved" / "pipeline.json").read_text())
    assert data["config"]["members"]["graph"] == {
        "kind": "onnx", "sampling": None, "faces": None, "tracking": data["config"]["tracking"],
        "path": "members.graph.onnx", "sha256": sha256(here / "moved" / "members.graph.onnx"),
        "engine": "onnxruntime", "precision": "float32",
    }  # fmt: skip
    assert [item["name"] for item in again.provenance] == ["toy"]
    card = (here / "moved" / "README.md").read_text()
    assert (
        "## Exported members\n\n- `members.graph`: `members.graph.onnx`, float32, by onnxruntime in float32\n" in card
    )
    # in place of itself, too
    save(again, here / "moved", overwrite=True)
    assert torch.equal(load(here / "moved").predict(clip())["expr"], found)


def test_a_video_and_its_table(graph: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = write_levels(here / "clip.mp4", [20, 90, 160, 230], [0.0, 0.04, 0.08, 0.12])
    write_ensemble(here / "one.toml", named("cnn.onnx", sha256(graph)))
    # no warning of random weights: it has none
    found = analyze(video, "one.toml")
    expected = analyze(video, load_onnx(graph), faces="whole-frame")
    for row, other in zip(found, expected, strict=True):
        assert row.predictions == pytest.approx(other.predictions, abs=1e-5)
    save(build(read_config("one.toml")), here / "saved")
    # wherever the file lies, it is the same pipeline
    infos = [found.info, analyze(video, load("saved")).info]
    assert infos[0] is not None
    assert infos[1] is not None
    assert infos[0].pipeline_hash == infos[1].pipeline_hash
    assert [use.name for use in infos[0].weights] == [use.name for use in infos[1].weights] == ["toy"]
    code, out, _ = run(capsys, "analyze", "clip.mp4", "--pipeline", "one.toml", "--out", "rows.csv")
    assert (code, "4 rows in rows.csv" in out) == (0, True)
    assert run(capsys, "check", "one.toml")[0] == 0
    steps = run_json(capsys, "describe", "./saved")["stages"]
    assert [(step["path"], step["note"]) for step in steps] == [
        ("members.graph.branches.face.features", "in members.graph.onnx, by onnxruntime"),
        ("members.graph.heads.expr", "in members.graph.onnx, by onnxruntime"),
        ("fusion.expr", ""),
    ]


def test_no_engine_is_started_to_trace(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    trace = joined(graph).trace()
    assert trace.outputs["expr"].targets == CLASSES
    with pytest.raises(ImportError):
        import onnxruntime  # noqa: F401


def test_the_hub_gives_its_files_too(graph: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(joined(graph, members={"in": joined(graph, sampling=None, faces=None)}))
    save(model, here / "saved")
    asked: list[str] = []

    def hf_hub_download(repository: str, name: str, *, revision: str | None = None) -> str:
        assert (repository, revision) == ("someone/calm", "v1")
        asked.append(name)
        return str(here / "saved" / name)

    hub = types.ModuleType("huggingface_hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    monkeypatch.setattr(hub, "hf_hub_download", hf_hub_download, raising=False)
    found = from_pretrained("someone/calm", revision="v1")
    assert torch.equal(found.predict(clip())["expr"], model.predict(clip())["expr"])
    assert asked == ["pipeline.json", "model.safetensors", "members.in.members.graph.onnx"]
    path = here / "saved" / "pipeline.json"
    path.write_text(path.read_text().replace("members.in.members.graph.onnx", "../cnn.onnx"))
    assert message(lambda: from_pretrained("someone/calm", revision="v1")) == (
        f"{path}: members.in.members.graph.path: '../cnn.onnx' leaves the folder of the file that names it; "
        "put the .onnx file beside the pipeline file or below, and write its path from there"
        f"; saved with affectkit=={version('affectkit')}"
    )


def test_as_data_and_back(graph: Path) -> None:
    config = joined(graph)
    assert config_from_data(config_to_data(config)) == config
    models = [config.members["graph"].build(), build(net())]
    assert average_models(models).predict(clip())["expr"].shape == (2, 3, 3)


# What is refused when a file is read.


def test_another_file_is_never_run(graph: Path, here: Path) -> None:
    path = write_ensemble(here / "one.toml", named("cnn.onnx", "1" * 64))
    wrong = (
        f"{here / 'cnn.onnx'}: sha256 is {sha256(graph)}, the config says {'1' * 64}; "
        "get the file that is meant, or write the hash of this one if you trust it"
    )
    assert message(lambda: read_config(path)) == wrong
    assert message(lambda: resolve_model(path, device=None, seed=0, registry=default_registry())) == wrong
    # exchanged after it was read
    config = joined(graph)
    assert config.trace().outputs
    right = sha256(graph)
    export_onnx(build(net(4)), graph, overwrite=True)
    assert message(config.build) == (
        f"{graph}: sha256 is {sha256(graph)}, the config says {right}; "
        "get the file that is meant, or write the hash of this one if you trust it"
    )


def test_a_file_that_is_changed_or_gone_is_not_saved(graph: Path, here: Path) -> None:
    model, right = build(joined(graph)), sha256(graph)
    graph.write_bytes(graph.read_bytes() + b"\0")
    assert message(lambda: save(model, here / "saved")) == (
        f"{graph}: sha256 is {sha256(graph)}, the config of members.graph says {right}; "
        "the file was changed since, put the old one back"
    )
    graph.unlink()
    assert message(lambda: save(model, here / "saved")) == (
        f"{graph}: can't be read (No such file or directory); put the file back"
    )
    assert [path.name for path in here.iterdir()] == []


def test_files_of_a_saved_model_go_together(graph: Path, here: Path) -> None:
    save(build(joined(graph)), here / "saved")
    file, config = here / "saved" / "members.graph.onnx", here / "saved" / "pipeline.json"
    right = file.read_bytes()
    export_onnx(build(net(4)), file, overwrite=True)
    assert message(lambda: load("saved")) == (
        f"saved/members.graph.onnx: sha256 is {sha256(file)}, the config says {sha256(graph)}; "
        "get the file that is meant, or write the hash of this one if you trust it"
    )
    # nor does it help to write the hash of the other one
    config.write_text(config.read_text().replace(sha256(graph), sha256(file)))
    assert message(lambda: load("saved")) == (
        "saved/pipeline.json: is not what was saved with these weights; "
        "load the original, set dials in Python and save again"
    )
    config.write_text(config.read_text().replace(sha256(file), sha256(graph)))
    file.unlink()
    assert message(lambda: load("saved")) == (
        "saved/members.graph.onnx: no such file; give a file that affectkit export wrote"
    )
    file.write_bytes(right)
    assert load("saved").predict(clip())["expr"].shape == (2, 3, 3)


@pytest.mark.parametrize("path", ["../cnn.onnx", "a/../../cnn.onnx", "/cnn.onnx", "..\\\\cnn.onnx", "C:/cnn.onnx", ""])
def test_a_path_that_leaves_the_folder(path: str, graph: Path, here: Path) -> None:
    (here / "below").mkdir()
    file = write_ensemble(here / "below" / "one.toml", named(path, sha256(graph)))
    shown = path.replace("\\\\", "\\")
    assert message(lambda: read_config(file)) == (
        f"{file}: members.graph.path: {shown!r} leaves the folder of the file that names it; "
        "put the .onnx file beside the pipeline file or below, and write its path from there"
    )
    assert message(lambda: write_config(joined(graph), here / "below" / "two.toml")) == (
        f"{here / 'below' / 'two.toml'}: members.graph.path: {str(graph)!r} lies outside of its folder; "
        "copy the .onnx file beside the pipeline file or below"
    )


@pytest.mark.parametrize(
    ("member", "said"),
    [
        ('kind = "onnx"\npath = "cnn.onnx"', "one.toml: members.graph: 'sha256' is missing; write sha256 = str"),
        (named("none.onnx", "1" * 64), "none.onnx: no such file; give a file that affectkit export wrote"),
        (
            named("cnn.onnx", "AB"),
            "one.toml: members.graph.sha256: 'AB' is no sha256; "
            "write the 64 lower-case hex digits that affectkit export says",
        ),
        (
            named("cnn.onnx", "1" * 64) + 'precision = "bfloat16"',
            "one.toml: members.graph.precision: onnxruntime computes in float32; "
            "write engine='openvino', which computes in it",
        ),
        (
            named("cnn.onnx", "1" * 64) + 'sampling = { kind = "frames" }',
            "one.toml: members.graph.sampling: has no effect on an exported member; write it in the ensemble",
        ),
        (
            named("cnn.onnx", "1" * 64) + "threads = 2",
            "one.toml: members.graph: unknown key 'threads'; "
            "keys: 'sampling', 'faces', 'tracking', 'path', 'sha256', 'engine', 'precision'",
        ),
    ],
)
def test_what_a_file_says_wrong(member: str, said: str, graph: Path) -> None:
    write_ensemble(Path("one.toml"), member)
    assert message(lambda: read_config("one.toml")) == said


def test_a_config_of_no_file(here: Path) -> None:
    assert message(lambda: OnnxConfig.of("none.onnx")) == (
        "none.onnx: no such file; give a file that affectkit export wrote"
    )
    assert message(lambda: OnnxConfig(path="none.onnx", sha256="1" * 64, tracking=Tracking(max_faces=1))) == (
        "tracking: has no effect on an exported member; write it in the ensemble"
    )


def test_metadata_that_are_not_those_of_the_config(graph: Path) -> None:
    content, facts = read_onnx(graph)
    inputs = {"clip": {**facts.inputs["clip"], "height": SIDE + 2}}
    graph.write_bytes(signed(content, replace(facts, inputs=inputs)))
    assert message(joined(graph, members={"graph": OnnxConfig.of(graph)}).trace) == (
        f"{graph}: its metadata and its config name other inputs; export the pipeline again"
    )
    graph.write_bytes(signed(content, replace(facts, inputs={"clip": {"kind": "frames", "height": 3}})))
    assert message(lambda: OnnxConfig.of(graph).input_streams()) == (
        f"{graph}: its metadata describe an input that can't be (FrameStream.__init__() missing 1 required "
        "keyword-only argument: 'width'); export the pipeline again"
    )
    text = json.loads(json.dumps(facts.config).replace("affectkit/conv-stem", "affectkit-nowhere/stem"))
    graph.write_bytes(signed(content, replace(facts, config=text, requires=[])))
    assert message(joined(graph).trace) == (
        f"members.graph.path: {graph}: branches.face.features.use: no feature extractor 'affectkit-nowhere/stem'; "
        "run pip install affectkit-nowhere"
    )


# What can't be done with such a member.


def test_what_a_member_can_not_do(graph: Path, here: Path) -> None:
    config = joined(graph)
    model = build(config)
    examples = Examples(
        inputs={"clip": Sequence.of(torch.rand(4, 1, 3, SIDE, SIDE))},
        targets={"expr": Targets.of(torch.tensor([[0], [1], [2], [1]]))},
        subjects=("a", "b", "c", "d"),
    )
    fused: dict[str, Any] = {"fusion": AffineFusionConfig(dim=5), "heads": {"expr": ExpressionConfig()}}
    calls: dict[str, Callable[[], object]] = {
        "members.graph: is an exported pipeline, which can't be trained; put the pipeline there that it was made of": (
            lambda: fit(config, examples)
        ),
        "members.graph: is an exported pipeline, to which no map can be added; calibrate the pipeline that it was made "
        "of, then export it": lambda: calibrate_members(model, examples),
        "members.graph: is an exported pipeline, and takes no other front-ends; take the pipeline that it was made "
        "of": (lambda: augment_config(config, {"mirrored": (MirrorConfig(),)})),
        "model: is an exported pipeline, and takes no other front-ends; take the pipeline that it was made of": (
            lambda: mirrored(model.members["graph"])
        ),
        "members.graph: is an exported pipeline, which scores whole clips; stream what it was made of": model.stream,
        "fusion: member 'graph' has no features of its own; fuse scores, or nest a feature-level ensemble": (
            lambda: joined(graph, **fused).trace()
        ),
        "members.graph: is exported, and shares no weights; write tied=False": lambda: joined(graph, tied=True),
        "export: members.graph is an exported pipeline, whose weights lie in its file; take the pipeline that it was "
        "made of": lambda: export_onnx(model, here / "both.onnx"),
        "save: the model is an exported pipeline, whose weights lie in its file; copy that file, or make it a member "
        "that an OnnxConfig names": lambda: save(model.members["graph"], here / "alone"),
        "pipeline: an OnnxConfig is of a member; give the .onnx file, or an ensemble of it": (
            lambda: resolve_model(config.members["graph"], device=None, seed=0, registry=default_registry())
        ),
    }
    for said, call in calls.items():
        assert message(call) == said
    built = model.members["graph"]
    assert message(lambda: resolve_model(built, device=None, seed=0, registry=default_registry())) == list(calls)[-1]
    assert model.members["graph"].dials == ()
    before = model.predict(clip())["expr"]
    model.set_dials({})
    assert model.config == config
    assert torch.equal(model.predict(clip())["expr"], before)
    assert [path.name for path in here.iterdir()] == ["cnn.onnx"]


def refused(config: EnsembleConfig) -> str:
    said = message(lambda: check_still(config, "one.toml", "photo.jpg", default_registry()))
    assert "FrameDifferenceConfig of members.graph.branches.face; " in said
    return said


def test_motion_within_a_graph_is_seen(here: Path) -> None:
    branch = Branch(motion=(FrameDifferenceConfig(),), features=ConvStemConfig(dim=4))
    path = here / "motion.onnx"
    export_onnx(build(net(branches={"face": branch})), path)
    config = joined(path, members={"graph": OnnxConfig.of(path)}, sampling=Windows())
    assert message(replace(config, sampling=Frames()).trace) == (
        "members.graph.branches.face.motion[0]: needs 2 frames, and Frames sampling gives one; sample Windows"
    )
    assert refused(config) == refused(joined(path, members={"graph": net(branches={"face": branch})}, sampling=None))


def test_weights_of_members_can_be_fitted(graph: Path, here: Path) -> None:
    from affectkit.training.late_fusions import fit_late_fusion

    model = build(joined(graph, fusion=WeightedFusionConfig(weights={"graph": 1.0, "net": 1.0})))
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(12, 1, 3, SIDE, SIDE, generator=generator)
    labels = torch.arange(12).remainder(3).unsqueeze(1)
    examples = Examples(
        inputs={"clip": Sequence.of(values)}, targets={"expr": Targets.of(labels)},
        subjects=tuple(map(str, range(12))),
    )  # fmt: skip
    found = fit_late_fusion(model, examples)
    assert sum(found.weights.values()) == pytest.approx(1.0)
    save(model, here / "saved")
    again = load("saved")
    assert isinstance(again, Ensemble)
    assert again.config.fusion == model.config.fusion != WeightedFusionConfig(weights={"graph": 1.0, "net": 1.0})
    assert torch.equal(again.predict(clip())["expr"], model.predict(clip())["expr"])


def test_labels_of_what_a_graph_maps(here: Path) -> None:
    path, config = here / "calibrated.onnx", net(maps={"calibrated": TemperatureConfig(source="expr")})
    export_onnx(build(config), path)
    members = {"graph": OnnxConfig.of(path), "net": config}
    fusion = WeightedFusionConfig(weights={"graph": 1.0, "net": 1.0})
    ensemble = joined(path, members=members, fusion=fusion, outputs=("calibrated",))
    examples = Examples(
        inputs={"clip": Sequence.of(torch.rand(6, 1, 3, SIDE, SIDE))},
        targets={"expr": Targets.of(torch.arange(6).remainder(3).unsqueeze(1))}, subjects=tuple("abcdef"),
    )  # fmt: skip
    assert [one.path for one in calibrate(build(ensemble), examples).fitted] == ["fusion"]
    known = labeled_outputs(ensemble)["calibrated"].known_as
    assert known == labeled_outputs(replace(ensemble, members={"graph": config, "net": config}))["calibrated"].known_as
    other = replace(examples, targets={"va": examples.targets["expr"]})
    assert message(lambda: labels_of(build(ensemble), "calibrated", other)) == (
        "examples: no labels of 'expr'; they have 'va'"
    )


def test_weights_of_which_nothing_but_a_file_is_known(graph: Path, here: Path, capsys: Any) -> None:
    model = build(joined(graph))
    save_file(model.state_dict(), here / "own.safetensors")
    given = resolve_model(
        model.config, device=None, seed=0, registry=default_registry(), weights=here / "own.safetensors"
    )
    # what the graph knows of its weights is not lost for it
    own = {"name": "own.safetensors", "sha256": sha256(here / "own.safetensors")}
    assert given.provenance == (*model.provenance, own)
    save(given, here / "saved")
    said = "license not known, training data"
    card = (here / "saved" / "README.md").read_text()
    assert (
        f"- toy: no address, license MIT, training data: own\n- own.safetensors: no address, {said}: not known" in card
    )
    assert run(capsys, "describe", str(here / "saved"))[1].splitlines()[-2:] == [
        "  from toy: license MIT, training data own, no address",
        f"  from own.safetensors: {said} not known, no address",
    ]
