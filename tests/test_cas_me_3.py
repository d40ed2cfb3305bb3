"""Reader of CAS(ME)^3: two tables that disagree, videos with gaps, part C."""

from __future__ import annotations

from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.cas_me_3 import CasMeCubedConfig
from affectkit.datasets.trees.cas_me_3_tree import EMOTIONS, PART_C, TIMES
from affectkit.errors import ConfigError, InputError
from affectkit.records import FramesSource
from tests.datasets import as_read, issue_lines, scan, valid_labels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("cas-me-3", tmp_path / "CASME3", pictures=False).root


def test_the_oddities_of_the_tree(root: Path) -> None:
    index = scan("cas-me-3", root)
    assert issue_lines(index) == [
        f"warning: {EMOTIONS} row 6: not in the table of times; its own count",
        f"info: {EMOTIONS} row 3: apex 15 is the onset: no motion lies between them",
        f"warning: {EMOTIONS} row 5: 1 of 7 frames not on disk: 0; take the nearest, or unpack again",
        f"warning: {EMOTIONS} row 6: 3 of 29 frames not on disk: 12, 13, 30; take the nearest, or unpack again",
        f"info: {EMOTIONS}: 1 clip in no class of negative, positive, surprise (others 1): "
        "samples without a valid label",
    ]
    assert valid_labels(index) == {"001/a/15": 1, "001/a/3": 0, "003/j/0": 2, "003/j/10": 0}
    assert len(valid_labels(scan("cas-me-3", root, classes="four"))) == 5
    assert valid_labels(scan("cas-me-3", root, classes="seven")) == {
        "001/a/15": 6, "001/a/22": 2, "001/a/3": 0, "003/j/0": 1, "003/j/10": 3,
    }  # fmt: skip
    first = next(one for one in index if one.key == "003/j/0")
    assert isinstance(first.source, FramesSource)
    # seconds count from the first frame that is there, so the lost onset lies before 0
    assert (first.source.frames[0][0], first.events[0].onset) == (1, -1 / 30)
    assert "J" in first.source.frames[0][1].parts


def test_clips_of_the_release(root: Path) -> None:
    index = scan("cas-me-3", root, frames="clips")
    assert [as_read(one) for one in index] == [as_read(one) for one in scan("cas-me-3", root)]


def test_one_table_alone(root: Path) -> None:
    (root / TIMES).unlink()
    lines = issue_lines(scan("cas-me-3", root))
    assert lines[0] == (f"info: {EMOTIONS}: no table of times beside it: its own count; put CAS(ME)3_part_A_v2 there")
    assert f"warning: {EMOTIONS} row 4: offset is 0; the apex, 25, stands in for it" in lines
    with pytest.raises(InputError) as caught:
        scan("cas-me-3", root, unit="video")
    assert str(caught.value) == (
        f"{root}: no table 'CAS(ME)3_part_A_v2.xls' or 'CAS(ME)3_part_A_v2.xlsx'; put it there, or say joint="
    )


def test_an_event_without_emotion(root: Path) -> None:
    rows = "Subject,Filename,Onset,Apex,Offset,AU,emotion\nspNO.1,a,3,8,11,4,disgust\nx,a,1,2,3,4,sad\n"
    (root / "few.csv").write_text(rows)
    lines = issue_lines(scan("cas-me-3", root, table="few.csv"))
    assert lines[:2] == [
        "error: few.csv row 3: 'x', 'a' names no video; mend the row",
        f"warning: {TIMES} row 3: not in the table of emotions, so its label is not valid",
    ]


def test_videos(root: Path) -> None:
    index = scan("cas-me-3", root, unit="video")
    assert [(one.key, len(one.events), dict(one.targets)) for one in index] == [("001/a", 4, {}), ("003/j", 1, {})]
    events = index.samples[0].events
    assert [(one.kind, one.onset_frame, one.label) for one in events] == [
        ("micro-expression", 3, "disgust"), ("micro-expression", 15, "happy"), ("micro-expression", 22, "Others"),
        ("macro-expression", 29, None),
    ]  # fmt: skip
    assert index.samples[0].raw["Onset"] == "3\n15\n22\n29"
    assert issue_lines(index) == [
        "warning: 001/a: 3 of 40 frames not on disk; take the nearest, or unpack again",
        "warning: 003/j: 3 of 40 frames not on disk; take the nearest, or unpack again",
        f"warning: {TIMES} row 5: 0 to 6 is not within the frames 1 to 40 on disk; check the row",
    ]
    (root / EMOTIONS).unlink()
    lines = issue_lines(scan("cas-me-3", root, unit="video"))
    assert lines[0] == (f"info: {TIMES}: no table of emotions beside it, so events have no labels; put it there")


def test_part_c(root: Path) -> None:
    index = scan("cas-me-3", root, part="C")
    assert issue_lines(index) == []
    assert [(one.key, one.subject) for one in index] == [("c01/1", "cas-me-3/c01"), ("c01/2", "cas-me-3/c01")]
    assert [as_read(one).events for one in index] == [((4, None, 12, "negative"),), ((20, None, 31, "surprise"),)]
    assert scan("cas-me-3", root, part="C", apex="middle").samples[0].events[0].apex_frame == 8
    (root / "c.csv").write_text("sub,count,onset,offset,emotion\n1,1,4,12,negative\nx,2,1,2,others\n")
    lines = issue_lines(scan("cas-me-3", root, part="C", table="c.csv"))
    assert lines == [
        "error: c.csv row 3: 'x', '2' names no clip of part C; mend the row",
        "info: c.csv: 1 folder of clips in no row: c01/2; add rows, or remove them",
    ]
    assert PART_C.startswith("CAS(ME)3_part_C_ME")


def test_folders_that_are_odd(root: Path) -> None:
    for folder in (
        "data/spNO.1/A/color",
        "data/people/a/color",
        "frame/spNO.1_A_3",
        "ME_C/1/1/color",
        "ME_C/x/1/color",
    ):
        (root / folder).mkdir(parents=True)
    stray = "its path names no subject or clip; rename it, or take it away"
    assert issue_lines(scan("cas-me-3", root))[:2] == [
        f"warning: people/a/color: {stray}",
        "warning: spNO.1/a/color: is a second folder of 001/a; spNO.1/A/color counts",
    ]
    assert issue_lines(scan("cas-me-3", root, frames="clips"))[0] == (
        "warning: spNO.1_a_3: is a second folder of 001/a/3; spNO.1_A_3 counts"
    )
    assert issue_lines(scan("cas-me-3", root, part="C"))[:2] == [
        "warning: 1/1/color: is a second folder of c01/1; 01/1/color counts",
        f"warning: x/1/color: {stray}",
    ]


def test_configs_that_can_not_be() -> None:
    with pytest.raises(ConfigError) as caught:
        CasMeCubedConfig(part="C", classes="seven")
    assert str(caught.value) == "classes: 'seven' are not annotated in part C; write 'three' or 'four'"
    with pytest.raises(ConfigError) as caught:
        CasMeCubedConfig(part="C", unit="video")
    assert str(caught.value) == "unit: 'video' with clips; write part='A' and frames='long'"
