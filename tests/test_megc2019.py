"""Reader of the composite of MEGC 2019, on a synthetic tree; and the official list, where it is."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.casme2 import Casme2Config
from affectkit.datasets.megc2019 import Megc2019Config
from affectkit.datasets.megc2019_reader import read_list
from affectkit.datasets.notes import Notes
from affectkit.datasets.smic import SmicConfig
from affectkit.datasets.trees.megc2019_tree import BROKEN, LINES, LIST
from affectkit.errors import ConfigError, InputError
from affectkit.protocols.splits import check_disjoint, leave_one_database_out, leave_one_out
from tests.datasets import issue_lines, scan, valid_labels


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("megc2019", tmp_path / "megc", pictures=False).root


def list_lines(root: Path, **fields: object) -> list[str]:
    """What is said of the list itself."""
    return [line for line in issue_lines(scan("megc2019", root, **fields)) if "combined" in line]


def test_the_composite(root: Path) -> None:
    index = scan("megc2019", root)
    assert Counter(sample.dataset for sample in index) == {"casme2": 3, "samm": 5, "smic": 4}
    assert valid_labels(index)["17/EP01_13"] == 0
    assert {"casme2/01", "samm/006", "smic/03"} <= set(index.subjects)
    assert list_lines(root) == [
        f"error: {LIST} line {len(LINES)}: no clip 26/EP18_50 among those of casme2; unpack it, or complete its table",
        f"info: {LIST}: 4 clips of casme2 not in the list, which leaves them out",
        f"info: {LIST}: 1 clip of samm not in the list, which leaves them out",
    ]


def test_splits_of_the_composite(root: Path) -> None:
    index = scan("megc2019", root)
    subjects = [sample.subject for sample in index]
    folds = leave_one_out(subjects)
    assert len(folds) == len(index.subjects) == 7
    databases = leave_one_database_out([sample.dataset for sample in index], subjects)
    for fold in (*folds, *databases):
        check_disjoint(fold, subjects)


def test_a_damaged_list(root: Path) -> None:
    broken = [
        f"error: {BROKEN} line {line}: ',,,' is no 'dataset,subject,clip,class'; take the official list"
        for line in (3, len(LINES) + 1)
    ]
    (root / LIST).unlink()
    assert list_lines(root, table=BROKEN)[:2] == broken
    (root / "other.csv").write_text("a,b\n")
    with pytest.raises(InputError) as caught:
        scan("megc2019", root, table="other.csv")
    assert str(caught.value) == (
        f"{root / 'other.csv'}: no line 'dataset,subject,clip,class'; give the official combined_3class_gt.csv"
    )


def test_lists_that_disagree(root: Path) -> None:
    (root / LIST).write_text("samm,7,006_1_2,1\nsmic,s1,s1_ne_01,2\nsmic,s01,s01_ne_01,2\ncasme3,1,x,1\nsamm,6,6,x\n")
    index = scan("megc2019", root)
    assert [line for line in issue_lines(index) if LIST in line] == [
        f"error: {LIST} line 4: 'casme3,1,x,1' is no 'dataset,subject,clip,class'; take the official list",
        f"error: {LIST} line 5: 'samm,6,6,x' is no 'dataset,subject,clip,class'; take the official list",
        f"warning: {LIST} line 1: subject samm/007, which is samm/006 on disk; the one on disk counts",
        f"warning: {LIST} line 1: class positive, which is negative by its own annotation; the list counts",
        f"warning: {LIST} line 2: class surprise, which is negative by its own annotation; the list counts",
        f"error: {LIST} line 3: clip s01_ne_01 of smic is in {LIST} line 2 already; keep one of them",
        f"info: {LIST}: 5 clips of samm not in the list, which leaves them out",
        f"info: {LIST}: 3 clips of smic not in the list, which leaves them out",
    ]
    assert valid_labels(index) == {"006_1_2": 1, "s01_ne_01": 2}


def test_a_clip_that_its_dataset_explains_is_one_issue(root: Path) -> None:
    before = len(scan("megc2019", root).issues)
    shutil.rmtree(root / "CASME2/CASME2_RAW_selected/sub17/EP01_13")
    assert len(scan("megc2019", root).issues) == before + 1


def test_configs(root: Path) -> None:
    config = {"casme2": Casme2Config(frames="cropped", classes="five"), "target": "micro"}
    index = scan("megc2019", root, **config)
    assert len(valid_labels(index, "micro")) == 12
    with pytest.raises(ConfigError) as caught:
        Megc2019Config(smic=SmicConfig(part="VIS"))
    assert str(caught.value) == "smic.part: 'VIS' is not in the composite; write 'HS'"
    with pytest.raises(ConfigError) as caught:
        Megc2019Config(target="")
    assert str(caught.value) == "target: '' names no head; write one, such as 'emotion'"


def test_the_official_list(shared: Path) -> None:
    path = shared / "data" / "megc2019_combined_3class_gt.csv"
    if not path.is_file():
        pytest.skip(f"no {path}: the list is not shipped with the project")
    notes = Notes()
    clips = read_list(path, notes)
    assert notes.issues == []
    published = Megc2019Config().published
    assert len(clips) == published.samples == 442
    assert len({clip.subject for clip in clips}) == published.subjects == 68
    assert len({(clip.dataset, clip.key) for clip in clips}) == 442
    assert tuple(Counter(clip.label for clip in clips)[label] for label in range(3)) == (250, 109, 83)
    assert list(published.classes.values()) == [250, 109, 83]
    own = {name: Counter(clip.label for clip in clips if clip.dataset == name) for name in ("casme2", "smic", "samm")}
    assert own == {"casme2": {0: 88, 1: 32, 2: 25}, "smic": {0: 70, 1: 51, 2: 43}, "samm": {0: 92, 1: 26, 2: 15}}
    assert Counter(clip.subject.partition("/")[0] for clip in {one.subject: one for one in clips}.values()) == {
        "casme2": 24, "smic": 16, "samm": 28,
    }  # fmt: skip


def test_the_official_list_damaged(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / "megc2019_combined_3class_gt.csv"
    if not path.is_file():
        pytest.skip(f"no {path}: the list is not shipped with the project")
    lines = path.read_text().splitlines()
    damaged = tmp_path / "combined_3class_gt-2.csv"
    damaged.write_text("\r\n".join([*lines[:100], ",,,", ",,,", *lines[101:]]))
    notes = Notes()
    assert len(read_list(damaged, notes)) == 441
    assert [str(issue) for issue in notes.issues] == [
        f"{damaged.name} line {line}: ',,,' is no 'dataset,subject,clip,class'; take the official list"
        for line in (101, 102)
    ]
