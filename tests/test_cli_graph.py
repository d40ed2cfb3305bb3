"""An exported pipeline where a pipeline is asked for: shown, checked, or refused in words."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from affectkit import save
from affectkit.configs import Frames
from affectkit.errors import ArtifactError
from affectkit.export.onnx_export import export_onnx
from affectkit.export.onnx_file import OnnxFacts, read_onnx, signed
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.heads.expression import ExpressionConfig
from affectkit.heads.valence_arousal import ValenceArousalConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.presets import starter
from affectkit.registry import default_registry
from affectkit.streams import FrameStream
from affectkit.training.runs import find_artifact
from tests.cli_runs import run, run_json, spawn

pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("onnxscript", reason="needs the extra export")

REFUSAL = (
    "error: m.onnx: is an exported pipeline, which analyze and predict can run and no command can train, fit or join; "
    "give the pipeline or saved model that it was made of\n"
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: it takes seconds."""
    config = PipelineConfig(
        input=FrameStream(height=24, width=20, alignment="arcface"),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        heads={"expr": ExpressionConfig(), "va": ValenceArousalConfig()},
        sampling=Frames(),
    )
    torch.manual_seed(0)
    model = config.build()
    model.provenance = ({"name": "toy", "sha256": "0" * 64, "license": "MIT", "training_data_terms": "synthetic"},)
    path = tmp_path_factory.mktemp("export") / "m.onnx"
    export_onnx(model, path)
    return path


@pytest.fixture
def graph(exported: Path, here: Path) -> Path:
    return Path(shutil.copy(exported, here / "m.onnx"))


def resign(path: Path, **changes: Any) -> None:
    """Other metadata, with a hash that fits."""
    content, facts = read_onnx(path)
    path.write_bytes(signed(content, dataclasses.replace(facts, **changes)))


def lines_of(text: str) -> list[str]:
    """Lines that are no blank and no rule, with one blank for several."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─")]


def made_by(facts: OnnxFacts) -> str:
    return ", ".join(f"{name} {facts.versions[name]}" for name in ("affectkit", "torch", "opset"))


def test_describe(capsys: pytest.CaptureFixture[str], graph: Path) -> None:
    _, facts = read_onnx(graph)
    code, out, err = run(capsys, "describe", "m.onnx")
    assert (code, err) == (0, "")
    assert lines_of(out) == [
        "m.onnx, exported pipeline",
        "input takes alignment",
        "clip frames [T] r+g+b 24x20 intensity arcface",
        "output problem per targets",
        f"expr multiclass frame {', '.join(facts.outputs['expr']['targets'])}",
        "va regression frame valence, arousal",
        "takes: inputs.clip, mask; any number of clips and steps",
        f"exported by {made_by(facts)}; computes in float32",
        f"float32, largest difference from PyTorch on random input: {facts.differences['random']:.2g}",
        *(f"needs: {item['distribution']} {item['version']}" for item in facts.requires),
        f"file: {graph.stat().st_size:,} bytes, sha256 {hashlib.sha256(graph.read_bytes()).hexdigest()}",
        "from toy: license MIT, training data synthetic, no address",
    ]
    assert "surprise" in facts.outputs["expr"]["targets"]
    resign(graph, steps=7)
    assert "takes: inputs.clip, mask; any number of clips of up to 7 steps" in run(capsys, "describe", "m.onnx")[1]


def test_describe_as_data(capsys: pytest.CaptureFixture[str], graph: Path) -> None:
    content, facts = read_onnx(graph)
    assert run_json(capsys, "describe", "m.onnx") == {
        "kind": "exported pipeline",
        "path": "m.onnx",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **dataclasses.asdict(facts),
    }


def test_describe_loads_neither_torch_nor_an_engine(graph: Path) -> None:
    code = (
        "import sys; from affectkit.cli import main\n"
        "code = main(['describe', 'm.onnx'])\n"
        "heavy = {'torch', 'cv2', 'av', 'onnxruntime', 'openvino', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)"
    )
    done = spawn(code=code, folder=graph.parent)
    assert (done.returncode, done.stderr) == (0, "")


def test_describe_needs_no_plugin_and_check_does(capsys: pytest.CaptureFixture[str], graph: Path) -> None:
    _, facts = read_onnx(graph)
    config = {**facts.config, "temporal": {"use": "my-plugin/mixer"}}
    resign(graph, config=config, requires=[*facts.requires, {"distribution": "my-plugin", "version": "2.0"}])
    code, out, _ = run(capsys, "describe", "m.onnx")
    assert (code, "needs: my-plugin 2.0" in out.splitlines()) == (0, True)
    code, out, err = run(capsys, "check", "m.onnx")
    assert (code, out) == (1, "")
    assert err.startswith("error: m.onnx: ")
    assert "pip install my-plugin" in err


def test_check(capsys: pytest.CaptureFixture[str], graph: Path) -> None:
    _, facts = read_onnx(graph)
    code, out, err = run(capsys, "check", "m.onnx")
    assert (code, err) == (0, "")
    found = lines_of(out)
    assert found[0] == "m.onnx, exported pipeline"
    assert found[-4:] == [
        "output problem per targets",
        f"expr multiclass frame {', '.join(facts.outputs['expr']['targets'])}",
        "va regression frame valence, arousal",
        "ok",
    ]
    data = run_json(capsys, "check", "m.onnx")
    assert (data["ok"], data["kind"]) == (True, "exported pipeline")
    assert data["outputs"]["va"] == {"problem": "regression", "resolution": "frame", "targets": ["valence", "arousal"]}


@pytest.mark.parametrize("command", ["describe", "check"])
def test_what_is_not_whole(capsys: pytest.CaptureFixture[str], graph: Path, command: str) -> None:
    def error() -> str:
        code, out, err = run(capsys, command, "m.onnx")
        assert (code, out) == (1, "")
        return err

    content, facts = read_onnx(graph)
    # within the graph, and within the metadata behind it
    for kept in (0, len(content) // 4, len(content) - 100, len(content) - 1):
        graph.write_bytes(content[:kept])
        assert error() == "error: m.onnx: is no ONNX file, or is damaged; get it again\n"
    changed = facts.outputs | {"va": {**facts.outputs["va"], "targets": []}}
    graph.write_bytes(signed(content, dataclasses.replace(facts, outputs=changed)))
    said = {
        "describe": "its metadata describe an output that can't be (targets: no targets; name at least one)",
        "check": "its metadata say outputs.va.targets is [], and its config makes it ['valence', 'arousal']",
    }
    assert error().startswith(f"error: m.onnx: {said[command]}; export the pipeline again")
    graph.unlink()
    assert error() == "error: m.onnx: no such file; give a file that affectkit export wrote\n"


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "m.onnx", "clips.npz"),
        ("calibrate", "m.onnx", "clips.npz", "--out", "out"),
        ("train", "m.onnx", "clips.npz", "--out", "out"),
        ("join", "m.onnx", "x=starter", "--out", "out"),
    ],
    ids=" ".join,
)
def test_what_it_can_not_do(capsys: pytest.CaptureFixture[str], graph: Path, words: tuple[str, ...]) -> None:
    assert run(capsys, *words) == (1, "", REFUSAL)


def test_it_is_no_model_of_folds(graph: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        find_artifact("{subject}.onnx", "m", 0, default_registry())
    assert f"error: {caught.value}\n" == REFUSAL


def test_a_saved_model_is_a_folder_whatever_it_is_called(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    save(starter().build(), here / "saved.onnx")
    assert run_json(capsys, "check", "saved.onnx")["kind"] == "saved model"
