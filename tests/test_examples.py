"""Every example runs as it stands, in an empty folder, offline, and without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
# One line of what each prints: what it is there to show.
SHOWS = {
    "analyze_video": "60 rows in rows.csv",
    "ensemble": "inputs: {'small.clip': 'frames [T] r+g+b 32x32 intensity', ",
    "first_pipeline": "raw scores: {'expression': (2, 8), 'affect': (2, 8, 2)}",
    "multi_task": "va 0.98",
    "own_face_detector": "15 rows",
    "plot_timeline": "drawn: timeline.png",
    "process_folder": "2 of 3 videos done; summary in tables/summary.csv",
    "save_and_load": "the same scores: True",
    "stored_features": "step 60: loss 0.",
    "streaming": "refused: temporal: affectkit/transformer can't stream; use a causal stage there",
    "webcam": "camera 63: no ",
}
# A camera that is not there, since a test switches none on.
ARGUMENTS = {"webcam": ["63"]}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONWARNINGS": "error", "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(path), *ARGUMENTS.get(path.stem, [])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert SHOWS[path.stem] in done.stdout


def test_examples_are_short() -> None:
    assert {path.stem for path in EXAMPLES} == set(SHOWS)
    for path in EXAMPLES:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 60, path.name
