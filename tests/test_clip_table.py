"""Reader of one's own clips: folders and videos, and every way in which a row can be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.clip_table import ClipTableConfig
from affectkit.errors import ConfigError, InputError
from affectkit.records import VideoSource
from tests.datasets import as_read, issue_lines, scan, valid_labels

HEADER = "path,subject,onset,apex,offset,fps,label,remark"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_tree("clip-table", tmp_path / "own", pictures=False).root
    # nothing opens it
    (root / "talk.mp4").touch()
    return root


def read(root: Path, *rows: str, **fields: Any) -> Any:
    (root / "clips.csv").write_text("\n".join([HEADER, *rows]))
    return scan("clip-table", root, **fields)


def test_frames(root: Path) -> None:
    index = scan("clip-table", root)
    assert issue_lines(index) == []
    assert valid_labels(index) == {"ann/first@15": 2, "ann/first@3": 0, "bob/only": 1}
    assert index.samples[2].raw == {
        "path": "bob/only", "subject": "bob", "onset": "", "apex": "", "offset": "", "fps": "30", "label": "positive",
        "remark": "all of it",
    }  # fmt: skip
    assert scan("clip-table", root, prefix="lab").samples[0].subject == "lab/ann"
    assert scan("clip-table", root, shows="expression").samples[0].events[0].kind == "expression"


def test_a_video_is_in_seconds(root: Path) -> None:
    (clip,) = read(root, "talk.mp4,ann,1.5,1.7,2,,surprise,")
    assert clip.source == VideoSource(path=root / "talk.mp4", start=1.5, stop=2.0)
    (event,) = clip.events
    assert (event.onset, event.apex, event.offset, event.onset_frame) == (1.5, 1.7, 2.0, None)
    (clip,) = read(root, "talk.mp4,ann,1,,2,,surprise,", apex="middle")
    assert (clip.events[0].apex, clip.events[0].apex_source) == (1.5, "middle")
    (clip,) = read(root, f"{root / 'talk.mp4'},ann,,,,,surprise,")
    assert (clip.source, clip.events) == (VideoSource(path=root / "talk.mp4"), ())


def test_rates_and_classes_of_the_config(root: Path) -> None:
    index = read(root, "ann/first,ann,,5,,,Joy,", "bob/only,bob,,,,,blink,", fps=50, classes=("joy", "fear"),
                 ignored=("Blink",))  # fmt: skip
    assert valid_labels(index) == {"ann/first": 0}
    assert as_read(index.samples[0]).events == ((1, 5, 25, "Joy"),)
    assert index.samples[0].source.fps == 50.0
    assert issue_lines(index) == [
        "info: clips.csv: 1 clip in no class of joy, fear (blink 1): samples without a valid label"
    ]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (",ann,,,,60,surprise,", "error: clips.csv row 2: no path; write one"),
        ("ann/first,,,,,60,surprise,", "error: clips.csv row 2: no subject; write one"),
        ("ann/first,ann,3,,,60,surprise,",
         "error: clips.csv row 2: onset is '3' and offset ''; write both, or none for all that is there"),
        ("ann/first,ann,,,,,surprise,",
         "error: clips.csv row 2: fps is ''; write frames per second, above 0, or say fps="),
        ("ann/first,ann,,,,0,surprise,",
         "error: clips.csv row 2: fps is '0'; write frames per second, above 0, or say fps="),
        ("ann/second,ann,,,,60,surprise,",
         "error: clips.csv row 2: no folder of frames, and no video, 'ann/second'; unpack it, or remove the row"),
        ("ann/first,ann,,,,60,joy,",
         "warning: clips.csv row 2: label 'joy' is unknown, so it is not valid; known: negative, positive, surprise"),
        ("talk.mp4,ann,x,,2,,surprise,",
         "error: clips.csv row 2: onset is 'x'; write seconds, from 0, for a video"),
        ("talk.mp4,ann,1,-1,2,,surprise,",
         "error: clips.csv row 2: apex is '-1'; write seconds, from 0, for a video"),
        ("talk.mp4,ann,3,,2.5,,surprise,",
         "error: clips.csv row 2: offset 2.5 s is before onset 3 s; mend the row"),
        ("talk.mp4,ann,1,3,2,,surprise,",
         "warning: clips.csv row 2: apex 3 s is outside 1 to 2 s; it counts as missing"),
    ],
)  # fmt: skip
def test_a_row_that_is_odd(root: Path, row: str, line: str) -> None:
    index = read(root, row)
    assert issue_lines(index) == [line]
    assert len(index) == line.startswith("warning")


def test_a_clip_twice(root: Path) -> None:
    index = read(root, "talk.mp4,ann,,,,,surprise,", "talk.mp4,ann,,,,,negative,")
    assert issue_lines(index) == [
        "error: clips.csv row 3: clip talk.mp4 is in clips.csv row 2 already; keep one of them"
    ]


def test_no_table(root: Path) -> None:
    (root / "clips.csv").write_text("path,subject\na,b\n")
    with pytest.raises(InputError) as caught:
        scan("clip-table", root)
    assert str(caught.value) == (f"{root / 'clips.csv'} row 1: no column 'label'; rename it, or give another table")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prefix": "a/b"}, "prefix: 'a/b' is no word; write one such as 'clips'"),
        ({"classes": ()}, "classes: no classes; write the labels in order"),
        ({"classes": ("a", " A")}, "classes: 'a' is empty or there twice; write each label once"),
        ({"classes": ("a",), "ignored": ("",)}, "classes: '' is empty or there twice; write each label once"),
        ({"fps": 0.0}, "fps: 0.0 is no rate; write more than 0"),
    ],
)
def test_configs_that_can_not_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ClipTableConfig(**fields)
    assert str(caught.value) == message
