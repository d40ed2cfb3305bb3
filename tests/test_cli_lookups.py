"""Commands that look things up or check them: plugins, components, describe, check."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import affectkit
from affectkit.artifact import save
from affectkit.cli import main
from affectkit.cli.field_table import describe_fields, field_docs
from affectkit.errors import ConfigError
from affectkit.files import write_config
from affectkit.presets import starter
from affectkit.temporal.gru import GRUConfig
from affectkit.temporal.transformer import TransformerConfig
from affectkit.testing import CheckResult
from tests.cli_runs import run, run_json
from tests.clips import write_levels


def test_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "plugins")
    assert (code, err) == (0, "")
    assert out.split()[:8] == ["provider", "version", "state", "entry", "point", "components", "pipelines", "seconds"]
    own = next(report for report in run_json(capsys, "plugins") if report["provider"] == "affectkit")
    assert (own["state"], own["version"], own["pipelines"]) == (
        "ok",
        affectkit.__version__,
        ["starter", "motion-events", "micro"],
    )
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
    code, out, _ = run(capsys, "describe", "affectkit/motion-events", "--kind", "pipeline")
    assert code == 0
    assert out.splitlines()[-1] == "nothing to train, no weights"
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
        "temporal encoders at hand: 'gru', 'sparse-mamba', 'transformer'\n"
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
        "presets and plugins: 'micro', 'motion-events', 'starter', 'affectkit'\n"
    )


# analyze
