"""The command line: what it prints, what it exits with, and that looking things up costs no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import affectkit
from affectkit.artifact import save
from affectkit.cli import COMMANDS, GROUPS, make_parser
from affectkit.files import write_config
from affectkit.presets import starter
from tests.cli_runs import run, spawn


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
        (["xyzzy"], "affectkit: error: no command 'xyzzy'; commands: 'demo', 'analyze', 'magnify', 'features', "
         "'predict', 'train', 'calibrate', 'evaluate', 'search', 'join' and 11 more"),
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
    assert make_parser().parse_args(["analyze", "x", "--start", "-1"]).start == -1
    assert make_parser().parse_args(["check", "--", "--odd"]).target == "--odd"


@pytest.mark.parametrize("words", [["check", "nowhere.toml"], ["describe", "nowhere.toml"],
                                   ["analyze", "nowhere.mp4", "--pipeline", "starter"]])  # fmt: skip
def test_an_error_in_json(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    code, out, err = run(capsys, *words, "--json")
    kind = "InputError" if words[0] == "analyze" else "ConfigError"
    message = f"{words[1]}: no such file; check the path"
    assert (code, err) == (1, f"error: {message}\n")
    assert json.loads(out) == {"ok": False, "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    "module",
    [*COMMANDS, *(part for group in GROUPS for part in group.COMMANDS)],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_every_command_has_help_and_json(capsys: pytest.CaptureFixture[str], module: Any) -> None:
    words = module.__name__.rpartition(".")[2].split("_")
    code, out, _ = run(capsys, *words, "--help")
    assert code == 0
    assert words[0] in make_parser().format_help()
    if module in GROUPS:
        assert all(part.__name__.rpartition("_")[2] in out for part in module.COMMANDS)
    else:
        assert "--json" in out
        assert "--traceback" in out


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
