"""The command line: what it prints, what it exits with, and that looking things up costs no torch."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import affectkit
from affectkit.artifact import save
from affectkit.cli import COMMANDS, main, make_parser
from affectkit.cli.demo import program_name
from affectkit.cli.field_table import describe_fields, field_docs
from affectkit.cli.interrupts import one_interrupt
from affectkit.errors import ConfigError
from affectkit.files import write_config
from affectkit.presets import starter
from affectkit.results.rows import read_results
from affectkit.temporal.gru import GRUConfig
from affectkit.temporal.transformer import TransformerConfig
from affectkit.testing import CheckResult
from tests.brightness import registry as bright_registry
from tests.clips import write_levels


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def spawn(*words: str, code: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "affectkit", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


# Everything.


def test_version_and_module() -> None:
    done = spawn("--version")
    assert (done.returncode, done.stdout) == (0, f"affectkit {affectkit.__version__}\n")


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, out) == (2, "")
    assert err.startswith("usage: affectkit ")


@pytest.mark.parametrize("words", [["paint"], ["analyze"], ["check"], ["components", "--kin", "temporal"]])
def test_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert "usage: affectkit" in err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["analyze", "x", "--pipelin", "starter"],
         "affectkit analyze: error: no option '--pipelin'; did you mean '--pipeline'?"),
        (["analyze", "x", "--pipelin=starter"],
         "affectkit analyze: error: no option '--pipelin'; did you mean '--pipeline'?"),
        (["check", "x", "--jsn"], "affectkit check: error: no option '--jsn'; did you mean '--json'?"),
        (["check", "x", "-q"],
         "affectkit check: error: no option '-q'; options: '-h', '--help', '--json', '--traceback'"),
        (["check", "x", "y"], "affectkit check: error: unexpected 'y'"),
        (["analyse", "x"], "affectkit: error: no command 'analyse'; did you mean 'analyze'?"),
        (["paint"], "affectkit: error: no command 'paint'; commands: 'demo', 'analyze', 'plugins', 'components', "
         "'describe', 'check'"),
        (["--versio"], "affectkit: error: no option '--versio'; did you mean '--version'?"),
        (["analyze", "x", "--pipeline"], "affectkit analyze: error: argument --pipeline: expected one argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_misspelled_is_named(capsys: pytest.CaptureFixture[str], words: list[str], line: str) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == line
    assert err.startswith(f"usage: {line.partition(':')[0]} ")


def test_negative_numbers_and_what_follows_two_dashes_are_no_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_parser().parse_args(["demo", "--seconds", "-1"]).seconds == -1
    assert make_parser().parse_args(["check", "--", "--odd"]).target == "--odd"


@pytest.mark.parametrize("words", [["check", "nowhere.toml"], ["describe", "nowhere.toml"],
                                   ["analyze", "nowhere.mp4", "--pipeline", "starter"]])  # fmt: skip
def test_an_error_in_json(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = run(capsys, *words, "--json")
    kind = "InputError" if words[0] == "analyze" else "ConfigError"
    message = f"{words[1]}: no such file; check the path"
    assert (code, err) == (1, f"error: {message}\n")
    assert json.loads(out) == {"ok": False, "error": {"type": kind, "message": message}}


@pytest.mark.parametrize("module", COMMANDS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_every_command_has_help_and_json(capsys: pytest.CaptureFixture[str], module: Any) -> None:
    name = module.__name__.rpartition(".")[2]
    code, out, _ = run(capsys, name, "--help")
    assert code == 0
    assert "--json" in out
    assert "--traceback" in out
    assert name in make_parser().format_help()


@pytest.mark.parametrize(
    "words",
    [
        ["plugins"],
        ["components"],
        ["describe", "gru"],
        ["describe", "starter"],
        ["describe", "pipeline.toml"],
        ["describe", "model"],
        ["check", "pipeline.toml"],
        ["check", "starter"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_looking_things_up_never_imports_torch(tmp_path: Path, words: list[str]) -> None:
    write_config(starter(), tmp_path / "pipeline.toml")
    if "model" in words:
        save(starter().build(), tmp_path / "model")
    code = (
        "import sys; from affectkit.cli import main\n"
        f"code = main({words!r})\n"
        "heavy = {'torch', 'cv2', 'av', 'timm', 'torchvision', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)"
    )
    done = spawn(code=code, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_check_above_can_fail() -> None:
    code = "import sys, numpy\nheavy = {'numpy'} & set(sys.modules)\nassert not heavy, heavy"
    assert spawn(code=code).returncode == 1


def test_an_error_is_one_line_and_a_traceback_if_asked_for() -> None:
    done = spawn("check", "nowhere.toml")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nowhere.toml: no such file; check the path\n"
    done = spawn("check", "nowhere.toml", "--traceback")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert done.stderr.endswith("ConfigError: nowhere.toml: no such file; check the path\n")


def test_a_broken_plugin_is_one_line(tmp_path: Path) -> None:
    info = tmp_path / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[affectkit.v1]\nmain = broken_plugin_that_is_not_there\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "affectkit", "plugins", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    reason = "ModuleNotFoundError: No module named 'broken_plugin_that_is_not_there'"
    assert done.returncode == 0
    assert done.stderr == (f"warning: broken-plugin: plugin 'main' failed ({reason}); its components are missing\n")
    reports = {report["provider"]: report for report in json.loads(done.stdout)}
    assert reports["broken-plugin"]["state"] == "failed"
    assert reports["broken-plugin"]["error"] == reason


def test_output_that_nobody_reads_is_no_traceback() -> None:
    command = [sys.executable, "-m", "affectkit", "components", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
    assert (process.returncode, error) == (1, b"")


def test_output_in_an_encoding_without_lines(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    write_config(starter(), tmp_path / "p\u00e9.toml")
    describe = ["describe", "p\u00e9.toml"]
    for words in (["components"], describe, [*describe, "--json"]):
        command = [sys.executable, "-m", "affectkit", *words]
        done = subprocess.run(command, capture_output=True, cwd=tmp_path, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode("ascii")
        if "--json" in words:
            assert json.loads(text)["path"] == "p\u00e9.toml"
        else:
            assert " ---" in text
        assert ("p\\xe9.toml, file" in text) == (words == describe)


# plugins, components


def test_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "plugins")
    assert (code, err) == (0, "")
    assert out.split()[:8] == ["provider", "version", "state", "entry", "point", "components", "pipelines", "seconds"]
    own = next(report for report in run_json(capsys, "plugins") if report["provider"] == "affectkit")
    assert (own["state"], own["version"], own["pipelines"]) == ("ok", affectkit.__version__, ["starter"])
    assert "gru" in own["components"]


def test_components(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "components")
    assert code == 0
    assert "affectkit/gru" in out
    assert "affectkit/starter" in out
    assert all(line == line.rstrip() for line in out.splitlines())
    found = run_json(capsys, "components")
    registry = affectkit.default_registry()
    assert [item["id"] for item in found] == [
        *(component.id for component in registry.components()),
        *(preset.id for preset in registry.presets()),
    ]


def test_components_of_a_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert {item["kind"] for item in run_json(capsys, "components", "--kind", "temporal")} == {"temporal"}
    assert "affectkit/starter" in [item["id"] for item in run_json(capsys, "components", "--kind", "pipeline")]
    code, out, err = run(capsys, "components", "--kind", "temporl")
    assert (code, out) == (1, "")
    assert err == (
        "error: no kind 'temporl'; did you mean 'temporal'? kinds: 'motion', 'features', 'fusion', 'temporal', "
        "'head', 'late-fusion', 'map', 'faces', 'spotter', 'dataset'\n"
    )


# describe


def test_describe_a_component(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "describe", "gru")
    assert code == 0
    lines = out.splitlines()
    assert lines[:3] == [
        f"affectkit/gru {affectkit.__version__}, temporal encoder",
        "Gated recurrent units, in one direction (streams) or both.",
        "in Python: from affectkit import GRUConfig",
    ]
    assert lines[-1] == "citation: Cho et al. 2014, arXiv 1406.1078"
    data = run_json(capsys, "describe", "affectkit/gru")
    assert (data["kind"], data["id"]) == ("temporal", "affectkit/gru")
    assert data["fields"][0] == {
        "name": "dim", "type": "int", "default": "128", "domain": "",
        "doc": "width of the state of one direction.",
    }  # fmt: skip


def test_describe_a_component_with_everything(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import dataclass

    from affectkit.configs import TemporalConfig
    from affectkit.fields import dial
    from affectkit.specs import Requirement, TemporalSpec, Weights
    from affectkit.streams import FeatureStream

    @dataclass(frozen=True, kw_only=True)
    class RichConfig(TemporalConfig):
        """Rich.

        Attributes:
            dim: its width.
            alpha: how much.
        """

        dim: int
        alpha: float = dial(4.0, choices=(1, 2, 4.0))

        def output(self, stream: FeatureStream) -> FeatureStream:
            return stream

    weights = Weights(
        name="small", url="https://example.org/w.safetensors", sha256="0" * 64, size=2_500_000, license="MIT",
        training_data_terms="synthetic", targets=("a", "b"),
    )  # fmt: skip
    spec = TemporalSpec(
        name="rich", config=RichConfig, factory=lambda config, stream: None, summary="Rich.", example=RichConfig(dim=3),  # type: ignore[arg-type,return-value]
        requires=(Requirement(module="numba", install="pip install 'affectkit[fast]'"),), weights=(weights,),
        experimental=True, status=lambda: "sequential scan, numba is not installed",
    )  # fmt: skip
    registry = affectkit.default_registry().with_components(spec)
    monkeypatch.setattr("affectkit.registry.default_registry", lambda: registry)
    code, out, _ = run(capsys, "describe", "rich")
    assert code == 0
    assert out.splitlines()[0] == "local/rich, temporal encoder, experimental"
    assert "required, such as 3" in out
    assert "1, 2, 4.0" in out
    assert "needs: numba (pip install 'affectkit[fast]')" in out
    assert "on this machine: sequential scan, numba is not installed" in out.splitlines()
    for word in ("small", "2.5 MB", "MIT", "synthetic", "a, b", "https://example.org/w.safetensors"):
        assert word in out
    data = run_json(capsys, "describe", "rich")
    assert data["weights"][0]["training_data_terms"] == "synthetic"
    assert data["status"] == "sequential scan, numba is not installed"
    assert data["requires"] == [{"module": "numba", "install": "pip install 'affectkit[fast]'"}]


def test_describe_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "describe", "starter")
    assert code == 0
    assert out.splitlines()[0] == f"affectkit/starter {affectkit.__version__}, pipeline"
    assert out.splitlines()[-1] == "no published weights: it has to be trained first"
    data = run_json(capsys, "describe", "starter")
    assert data["inputs"] == {"clip": "frames [T] r+g+b 64x64 intensity"}
    assert [stage["path"] for stage in data["stages"]][-1] == "heads.affect"
    assert data["outputs"]["affect"] == {
        "problem": "regression", "resolution": "frame", "targets": ["valence", "arousal"],
    }  # fmt: skip


def test_describe_a_file_and_a_saved_model(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_config(starter(), here / "pipeline.toml")
    save(starter().build(), here / "model")
    code, out, _ = run(capsys, "describe", "pipeline.toml")
    assert (code, out.splitlines()[0]) == (0, "pipeline.toml, file")
    code, out, _ = run(capsys, "describe", "model")
    data = run_json(capsys, "describe", "model")
    assert (code, out.splitlines()[0]) == (0, "model, saved model")
    assert out.splitlines()[-3:] == [
        f"saved by affectkit {affectkit.__version__}",
        f"needs: affectkit {affectkit.__version__}",
        f"weights: sha256 {data['weights']['sha256']}",
    ]
    assert data["requires"] == [{"distribution": "affectkit", "version": affectkit.__version__}]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["grru"], "no component or pipeline 'grru'; did you mean 'gru'? names: "),
        (["acme/gru"], "no component or pipeline 'acme/gru'; run pip install acme\n"),
        (
            ["gru", "--kind", "motion"],
            "no motion front-end 'gru'; affectkit/gru is a temporal encoder; motion front-ends ",
        ),
        (["gru", "--kind", "pipeline"], "no pipeline 'gru'; affectkit/gru is a temporal encoder; pipelines at hand: "),
    ],
)
def test_describe_what_is_not_there(capsys: pytest.CaptureFixture[str], words: list[str], text: str) -> None:
    code, out, err = run(capsys, "describe", *words)
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {text}")
    assert err.count("\n") == 1


def test_describe_a_name_of_two_kinds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.specs import PipelineSpec

    registry = affectkit.default_registry().with_pipelines(PipelineSpec(name="gru", config=starter, summary="Gru."))
    monkeypatch.setattr("affectkit.registry.default_registry", lambda: registry)
    code, _, err = run(capsys, "describe", "gru")
    assert (code, err) == (1, "error: 'gru' is the name of 2 kinds; add --kind temporal or pipeline\n")
    assert run_json(capsys, "describe", "gru", "--kind", "pipeline")["id"] == "local/gru"


def test_describe_a_name_of_two_plugins(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.specs import PipelineSpec

    registry = affectkit.default_registry().with_pipelines(PipelineSpec(name="starter", config=starter, summary="S."))
    monkeypatch.setattr("affectkit.registry.default_registry", lambda: registry)
    code, _, err = run(capsys, "describe", "starter")
    assert code == 1
    assert err == (
        "error: pipeline 'starter' is provided by 2 plugins; write one of 'affectkit/starter', 'local/starter'\n"
    )


def test_fields_of_bases_are_documented() -> None:
    docs = field_docs(affectkit.ExpressionConfig)
    assert docs["weight"] == "factor of this head's loss in the sum of losses, at least 0."
    assert docs["targets"] == "the classes; by default the eight of ABAW, in their order."
    assert docs["resolution"].startswith("one score vector per `frame`, or per `clip`")
    assert all(field.doc for field in describe_fields(GRUConfig))


# check


def test_check_a_file(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_config(starter(), here / "pipeline.toml")
    code, out, err = run(capsys, "check", "pipeline.toml")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "ok"
    assert "temporal" in out
    assert run_json(capsys, "check", "pipeline.toml")["ok"] is True


def test_check_a_file_that_does_not_fit(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_config(starter(), here / "pipeline.toml")
    text = (here / "pipeline.toml").read_text()
    (here / "pipeline.toml").write_text(text.replace("affectkit/gru", "affectkit/grou"))
    code, out, err = run(capsys, "check", "pipeline.toml")
    assert (code, out) == (1, "")
    assert err == (
        "error: pipeline.toml: temporal.use: no temporal encoder 'affectkit/grou'; "
        "temporal encoders at hand: 'gru', 'transformer'\n"
    )


def test_check_names_the_file_of_what_does_not_fit(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    bad = replace(starter(), temporal=TransformerConfig(heads=3))
    write_config(bad, here / "bad.toml")
    with pytest.raises(ConfigError) as caught:
        bad.trace()
    for command in ("check", "describe"):
        code, out, err = run(capsys, command, "bad.toml")
        assert (code, out, err) == (1, "", f"error: bad.toml: {caught.value}\n")
    write_levels(here / "clip.mp4", [20])
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "bad.toml")
    assert (code, out, err) == (1, "", f"error: bad.toml: {caught.value}\n")


def test_check_a_saved_model_looks_at_its_weights(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    save(starter().build(), here / "model")
    code, out, _ = run(capsys, "check", "model")
    assert (code, out.splitlines()[-1]) == (0, "ok")
    weights = here / "model" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    code, _, err = run(capsys, "check", "model")
    assert code == 1
    assert err.startswith("error: model/model.safetensors: sha256 is ")


def test_check_a_plugin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    results = [
        CheckResult(component="gru", check="module_builds", status="passed", seconds=0.25),
        CheckResult(component="gru", check="one_step_works", status="skipped", message="not claimed", seconds=0.0),
        CheckResult(component="mean", check="module_builds", status="passed", seconds=0.5),
    ]
    asked: list[str] = []

    def run_checks(distribution: str) -> list[CheckResult]:
        asked.append(distribution)
        return results

    monkeypatch.setattr("affectkit.testing.run_checks", run_checks, raising=False)
    # A folder of that name, such as the sources, does not hide the plugin.
    code, out, _ = run(capsys, "check", "affectkit")
    assert (code, asked) == (0, ["affectkit"])
    assert [line.split() for line in out.splitlines()[3:5]] == [
        ["gru", "1", "0", "1", "0.25"],
        ["mean", "1", "0", "0", "0.50"],
    ]
    assert out.splitlines()[-1] == "ok, 3 checks"
    results.append(
        CheckResult(
            component="mean", check="autocast_works", status="failed", message="mean: autocast_works: no", seconds=0.0
        )
    )
    code, out, _ = run(capsys, "check", "affectkit")
    assert code == 1
    assert out.splitlines()[-2:] == ["mean: autocast_works: no", "1 of 4 checks failed"]
    assert main(["check", "affectkit", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[3]["status"] == "failed"


def test_check_what_is_not_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = affectkit.Registry(
        [p for p in affectkit.default_registry()._plugins if p.report.provider == "affectkit"]
    )
    monkeypatch.setattr("affectkit.registry.default_registry", lambda: registry)
    code, out, err = run(capsys, "check", "startr")
    assert (code, out) == (1, "")
    assert err == (
        "error: no file, preset or plugin 'startr'; did you mean 'starter'? "
        "presets and plugins: 'starter', 'affectkit'\n"
    )


# analyze


def test_analyze(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    save(starter().build(), here / "model")
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["3 rows in clip.mp4.rows.csv", "3 frames from 0.000 to 0.080 s: 3 ok, 0 no_face"]
    assert lines[2].startswith("means: expression.neutral 0.")
    assert lines[2].endswith(" and 4 more")
    assert lines[3:] == ["no face detector: every picture counts as one face (whole-frame)"]
    assert len(read_results("clip.mp4.rows.csv")) == 3


def test_analyze_never_replaces_rows_unasked(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    write_levels(here / "clip.mov", [20, 60])
    save(starter().build(), here / "model")
    for name in ("clip.mp4", "clip.mov"):
        assert run(capsys, "analyze", name, "--pipeline", "model")[0] == 0
    (here / "clip.mp4.rows.csv").write_text("mine")
    code, out, err = run(capsys, "analyze", "clip.mp4", "--pipeline", "model")
    assert (code, out) == (1, "")
    assert err == (
        "error: clip.mp4.rows.csv: already there; add --overwrite (in Python overwrite=True), or name another file\n"
    )
    assert (here / "clip.mp4.rows.csv").read_text() == "mine"
    assert run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--overwrite")[0] == 0
    assert len(read_results("clip.mp4.rows.csv")) == 3


def test_the_summary_of_a_detector_has_no_such_line(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [20, 160])
    save(starter().build(), here / "model")
    names = affectkit.default_registry().with_components(*(item.spec for item in bright_registry().components("faces")))
    monkeypatch.setattr("affectkit.analysis.default_registry", lambda: names)
    code, out, _ = run(capsys, "analyze", "clip.mp4", "--pipeline", "model", "--faces", "bright-faces")
    assert code == 0
    assert out.splitlines()[1] == "2 frames from 0.000 to 0.040 s: 1 ok, 1 no_face"
    assert len(out.splitlines()) == 3


def test_a_mean_that_is_no_number_is_null(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60])
    model = starter().build()
    for parameter in model.heads["affect"].parameters():
        parameter.data.fill_(float("nan"))
    save(model, here / "model")
    means = run_json(capsys, "analyze", "clip.mp4", "--pipeline", "model")["means"]
    assert means["affect.valence"] is None
    assert means["expression.neutral"] > 0


def test_analyze_with_every_option(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    write_config(starter(), here / "pipeline.toml")
    words = ["analyze", "clip.mp4", "--pipeline", "pipeline.toml", "--faces", "whole-frame", "--out", "rows.csv"]
    words += ["--device", "cpu", "--precision", "bfloat16", "--batch-size", "2", "--seed", "7", "--json"]
    code, out, err = run(capsys, *words)
    assert code == 0
    assert err == "warning: the pipeline is untrained: its scores come from random weights (seed 7)\n"
    data = json.loads(out)
    assert (data["path"], data["rows"], data["frames"], data["statuses"]) == ("rows.csv", 3, 3, {"ok": 3, "no_face": 0})
    assert data["detector"] == "affectkit/whole-frame"
    assert set(data["means"]) == set(read_results("rows.csv").columns[9:])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere.mp4", "--pipeline", "starter"], "nowhere.mp4: no such file; check the path"),
        (["clip.mp4", "--pipeline", "starter", "--out", "a/b.csv"], "a/b.csv: no folder 'a'; create it"),
        (["clip.mp4", "--pipeline", "none.toml"], "none.toml: no such file; check the path"),
        (["clip.mp4", "--pipeline", "starter", "--batch-size", "0"], "batch_size: 0 frames; write 1 or more"),
        (
            ["clip.mp4", "--pipeline", "model", "--faces", "whole-fram"],
            "no face detector 'whole-fram'; did you mean 'whole-frame'? face detectors at hand: 'whole-frame'",
        ),
        (["clip.mp4", "--pipeline", "./none"], "./none: no such folder; give a saved model, a preset or a hub id"),
    ],
)
def test_analyze_refuses(capsys: pytest.CaptureFixture[str], here: Path, words: list[str], text: str) -> None:
    write_levels(here / "clip.mp4", [20])
    save(starter().build(), here / "model")
    code, out, err = run(capsys, "analyze", *words)
    assert (code, out, err) == (1, "", f"error: {text}\n")


def test_ctrl_c_says_where_the_rows_are(
    capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    save(starter().build(), here / "model")

    from affectkit.video.scoring import Scorer

    score = Scorer.score
    calls: list[Any] = []

    def stop(*args: Any) -> Any:
        calls.append(args)
        if len(calls) == after:
            raise KeyboardInterrupt
        return score(*args)

    monkeypatch.setattr(Scorer, "score", stop)
    words = ["analyze", "clip.mp4", "--pipeline", "frames", "--batch-size", "1"]
    save(replace(starter(), sampling=affectkit.Frames()).build(), here / "frames")
    after = 3
    code, out, err = run(capsys, *words)
    assert (code, out) == (130, "")
    assert err == "stopped\n2 rows were written before that; they are in clip.mp4.rows.csv.part\n"
    (here / "clip.mp4.rows.csv.part").unlink()
    calls.clear()
    after = 1
    assert run(capsys, *words) == (130, "", "stopped\n")
    assert not (here / "clip.mp4.rows.csv.part").exists()


def test_ctrl_c_again_and_again_is_quiet(here: Path) -> None:
    write_levels(here / "clip.mp4", [20, 60, 100])
    code = """
import atexit, os, signal, sys, warnings
from affectkit import analysis, cli

def press(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)

def stop(*args, **options):
    try:
        press()
    finally:
        press()

atexit.register(press)
analysis.analyze = stop
leave = warnings.catch_warnings.__exit__
warnings.catch_warnings.__exit__ = lambda *args: (press(), leave(*args))[1]
sys.exit(cli.main(["analyze", "clip.mp4", "--pipeline", "starter"]))
"""
    done = spawn(code=code, folder=here)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_ctrl_c_is_as_before_after_a_command_that_was_not_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    assert before is signal.default_int_handler
    assert run(capsys, "plugins")[0] == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_is_left_to_who_handles_it() -> None:
    own = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with one_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, own)


def test_a_late_second_ctrl_c_ends_the_program_at_once(here: Path) -> None:
    code = """
import os, signal, time
from affectkit.cli import interrupts

interrupts._PATIENCE = 0.01
with interrupts.one_interrupt():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
        print("still here")
"""
    done = spawn(code=code)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_bar_is_for_terminals(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from affectkit.cli.analyze import _progress_bar

    with _progress_bar("clip.mp4") as progress:
        assert progress is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with _progress_bar("[clip].mp4") as progress:
        assert progress is not None
        progress(1, 3)
        progress(4, 3)
        progress(5, None)


# demo


@pytest.mark.slow
def test_demo(here: Path) -> None:
    done = spawn("demo", folder=here)
    assert (done.returncode, done.stderr) == (0, "")
    assert "NOT faces" in done.stdout
    folder = here / "demo-output"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".affectkit-demo", "clip.mp4", "model", "pipeline.toml", "rows.csv",
    ]  # fmt: skip
    assert len(read_results(folder / "rows.csv")) == 72
    assert spawn("check", "demo-output/pipeline.toml", folder=here).returncode == 0
    assert spawn("analyze", "demo-output/clip.mp4", "--pipeline", "demo-output/model", folder=here).returncode == 0


def test_demo_in_short(capsys: pytest.CaptureFixture[str], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affectkit.cli.demo_task.TRAIN_TEXTURES", range(6))
    monkeypatch.setattr("affectkit.cli.demo_task.TEST_TEXTURES", range(10_000, 10_006))
    monkeypatch.setattr("affectkit.cli.demo._STEPS", 2)
    save(starter().build(), here / "out" / "model")
    code, out, err = run(capsys, "demo", "--out", "out")
    assert (code, out) == (1, "")
    assert err == "error: out: holds files that are not the demo's; choose another with --out, or --overwrite\n"
    assert [path.name for path in (here / "out").iterdir()] == ["model"]
    run_json(capsys, "demo", "--out", "out", "--overwrite")
    # Over what an earlier run has left.
    data = run_json(capsys, "demo", "--out", "out")
    assert (data["steps"], data["clips"], data["rows"]) == (2, 6, 72)
    assert 0 <= data["majority"] <= 1
    assert "2 steps" in (here / "out" / "model" / "README.md").read_text()
    assert run_json(capsys, "describe", "out/model")["outputs"]["pattern"]["targets"] == [
        "expand",
        "contract",
        "rotate",
    ]


def test_training_stops_when_its_time_is_over() -> None:
    from affectkit.cli import demo_task

    model = demo_task.make_pipeline().build()
    clips = demo_task.make_clips(range(2))
    assert demo_task.fit(model, clips, seconds=0.0, steps=5, report=lambda step, loss: None) == 0
    assert not model.training


def test_demo_into_a_file(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    (here / "taken").touch()
    code, _, err = run(capsys, "demo", "--out", "taken")
    assert (code, err) == (1, "error: taken: can't be made a folder (File exists); choose another with --out\n")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_a_demo_without_time(capsys: pytest.CaptureFixture[str], here: Path, seconds: str) -> None:
    code, out, err = run(capsys, "demo", "--seconds", seconds)
    assert (code, out) == (1, "")
    assert err == f"error: seconds: {float(seconds)!r} is not accepted; write a number above 0\n"
    assert list(here.iterdir()) == []


def test_the_program_is_named_as_the_shell_finds_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert program_name() == "affectkit"
    monkeypatch.setattr("shutil.which", lambda name: None)
    (here / "a b").mkdir()
    script = here / "a b" / "affectkit"
    script.touch()
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program_name() == f"'{script}'"
    monkeypatch.setattr(sys, "argv", [str(here / "__main__.py")])
    assert program_name() == f"{shlex.quote(sys.executable)} -m affectkit"
