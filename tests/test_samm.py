"""Reader of SAMM."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.action_units import parse_aus
from affectkit.errors import InputError
from affectkit.records import FramesSource
from tests.datasets import as_read, issue_lines, scan, valid_labels

TABLE = "SAMM_Micro_FACS_Codes_v2.xlsx"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("samm", tmp_path / "SAMM", pictures=False).root


def test_the_oddities_of_the_tree(root: Path) -> None:
    index = scan("samm", root)
    assert issue_lines(index) == [
        f"warning: {TABLE} row 19: apex 399 is outside 400 to 440; it counts as missing",
        f"info: {TABLE}: 1 clip in no class of negative, positive, surprise (other 1): samples without a valid label",
    ]
    first = index.samples[0]
    assert (first.key, first.subject) == ("006_1_10", "samm/006")
    assert isinstance(first.source, FramesSource)
    assert first.source.frames[0][1].name == "006_0990.jpg"
    assert (first.source.fps, first.raw["Duration"], first.raw["Micro"]) == (200.0, "31", "Micro - 1/2")
    assert [one.number for one in parse_aus(index.samples[-1].raw["Action Units"])] == [6, 12, 15]
    assert valid_labels(index) == {"006_1_10": 1, "006_1_2": 0, "011_1_1": 0, "011_5_3": 2, "028_4_2": 0}


def test_cropped_frames_and_a_header_in_the_first_row(root: Path) -> None:
    usual = [as_read(sample) for sample in scan("samm", root)]
    cropped = scan("samm", root, frames="cropped", table="copies/SAMM.xlsx")
    assert [as_read(sample) for sample in cropped] == usual
    assert cropped.issues[0].where == "SAMM.xlsx row 6"
    assert isinstance(cropped.samples[0].source, FramesSource)
    assert "SAMM_CROP" in str(cropped.samples[0].source.frames[0][1])
    shutil.rmtree(root / "SAMM_CROP")
    with pytest.raises(InputError) as caught:
        scan("samm", root, frames="cropped")
    assert str(caught.value) == f"{root}: no folder 'SAMM_CROP'; unpack it there, or say other frames="


def test_classes(root: Path) -> None:
    assert len(valid_labels(scan("samm", root, classes="annotated"))) == 6
    assert valid_labels(scan("samm", root, classes="five")) == {
        "006_1_10": 2, "006_1_2": 0, "011_1_1": 1, "011_5_3": 4, "028_4_1": 3,
    }  # fmt: skip


def test_the_subject_is_the_one_of_the_clip(root: Path) -> None:
    text = "Subject,Filename,Onset,Apex,Offset,Emotion\n7,006_1_2,5562,5575,5592,Anger\n6,006_1_10,990,,1020,Anger\n"
    (root / "codes.csv").write_text(text)
    index = scan("samm", root, table="codes.csv")
    assert [sample.subject for sample in index] == ["samm/006"]
    assert issue_lines(index)[:2] == [
        "error: codes.csv row 2: '7', '006_1_2' names no clip of samm; mend the row",
        "info: codes.csv: 5 folders of clips in no row: 006_1_2, 011_1_1, 011_5_3, 028_4_1, 028_4_2; "
        "add rows, or remove them",
    ]
    # nobody wrote an apex
    assert issue_lines(index)[2:] == ["info: codes.csv row 3: apex is '', no frame number; it counts as missing"]
