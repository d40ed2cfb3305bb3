"""`affectkit data`: check and make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from affectkit.datasets.trees.making import TREES
from tests.cli_runs import run, run_json

TABLE = "CASME2-coding-20140508.xlsx"


@pytest.fixture
def root(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    code, out, err = run(capsys, "data", "make", "casme2", tmp_path / "x")
    assert (code, err) == (0, "")
    assert out == f"synthetic casme2 in {tmp_path / 'x'}: 7 samples of 4 subjects, with 4 issues to find\n"
    return tmp_path / "x"


@pytest.mark.parametrize("name", TREES)
def test_every_dataset_is_made_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    made = run_json(capsys, "data", "make", name, tmp_path / "x")
    code, out, _ = run(capsys, "data", "check", tmp_path / "x", "--dataset", name, "--json")
    found = json.loads(out)
    counts = {row["what"]: row["found"] for row in found["counts"]}
    assert counts["samples"] == made["samples"]
    assert counts["subjects"] == made["subjects"]
    assert sorted(f"{issue['level']} {issue['where']}" for issue in found["issues"]) == made["issues"]
    # the list of the composite names a clip that is not there
    assert code == (name == "megc2019")


def test_make_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "data", "make", "casme2", tmp_path / "x", "--more", 3)
    assert (found["samples"], found["subjects"], len(found["issues"])) == (10, 6, 4)


def test_counts_beside_the_published_ones(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "data", "check", root)
    assert (code, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == f"casme2 in {root}"
    assert "samples 7 255 -248" in lines
    assert "subjects 4 26 -22" in lines
    assert "labeled fear 1 2 -1" in lines
    assert "of class negative 2 90 -88" in lines
    assert "published: CASME2-coding-20140508.xlsx" in lines
    assert "ApexFrame 7" in lines
    assert lines[-5:] == [
        "issues: 0 errors, 1 warning, 3 infos",
        f"warning: {TABLE} row 2: 1 of 41 frames not on disk: 60; take the nearest, or unpack again",
        f"info: {TABLE} row 4: apex is '/', no frame number; it counts as missing",
        f"info: {TABLE} row 6: apex 100 is the onset: no motion lies between them",
        f"info: {TABLE}: 3 clips in no class of negative, positive, surprise (fear 1, others 1, sadness 1): "
        "samples without a valid label",
    ]


def test_errors_come_first_and_fail(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(root / "CASME2_RAW_selected/sub17")
    code, out, _ = run(capsys, "data", "check", root, "--dataset", "casme2")
    assert code == 1
    assert "issues: 2 errors, 1 warning, 3 infos\n" in out
    assert out.splitlines()[-6].startswith(f"  error: {TABLE} row 7: no folder of clip 17/EP01_13")


def test_many_issues_are_grouped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "x"
    run(capsys, "data", "make", "casme2", root, "--more", 30)
    for folder in sorted((root / "CASME2_RAW_selected").iterdir()):
        shutil.rmtree(folder)
    code, out, _ = run(capsys, "data", "check", root)
    lines = out.splitlines()
    assert code == 1
    assert lines[-4] == "issues: 37 errors, 0 warnings, 0 infos"
    assert lines[-3].startswith(f"  error: {TABLE} row 2: no folder of clip 01/EP02_01f")
    assert lines[-2:] == ["    and 36 like it", "37 issues in 1 group; --all shows each"]
    _, out, _ = run(capsys, "data", "check", root, "--all")
    assert sum(line.startswith("  error: ") for line in out.splitlines()) == 37


def test_fields_of_the_config(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("data", "check", root, "--set", "classes=five", "--set", 'frames="raw"')
    found = run_json(capsys, *words)
    counts = {row["what"]: (row["found"], row["published"]) for row in found["counts"]}
    assert counts["of class others"] == (1, 99)
    assert found["levels"] == {"error": 0, "warning": 0, "info": 3}
    assert found["fields"]["Subject"] == 7
    assert found["issues"][0]["sample"] == "04/EP12_01f"
    code, _, err = run(capsys, "data", "check", root, "--set", "frames")
    assert (code, err) == (1, "error: --set: 'frames' is no field with a value; write FIELD=VALUE\n")
    _, _, err = run(capsys, "data", "check", root, "--set", "frame=raw")
    assert err == (
        "error: Casme2Config: unknown key 'frame'; did you mean 'frames'? keys: 'table', 'apex', 'target', 'dropped', "
        "'frames', 'classes'\n"
    )


def test_a_folder_that_is_no_dataset(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "data", "check", tmp_path)
    assert code == 1
    assert err.startswith(f"error: {tmp_path}: no sign of a known dataset; looked for ")
    assert "'CASME2-coding-*.xlsx' 'CASME2_label_*.xls' 'CASME2-coding-*.csv' (casme2)" in err
    assert err.endswith("; say which it is with --dataset\n")
    _, _, err = run(capsys, "data", "check", tmp_path / "y")
    assert err == f"error: {tmp_path / 'y'}: no such folder; give the folder that holds the dataset\n"
