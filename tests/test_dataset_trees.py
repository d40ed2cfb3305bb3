"""Every reader finds in its synthetic tree what the tree's writer says, whatever the order of the disk."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from affectkit import default_registry
from affectkit.configs import DatasetConfig
from affectkit.datasets import make_tree
from affectkit.datasets.base import AnnotatedConfig, PublishedConfig
from affectkit.datasets.casme import CasmeConfig
from affectkit.datasets.guessing import guess_dataset
from affectkit.datasets.smic import SmicConfig
from affectkit.datasets.trees.making import TREES
from affectkit.datasets.trees.writing import Tree
from affectkit.errors import InputError, MissingDependencyError
from affectkit.protocols.splits import check_disjoint, leave_one_out
from affectkit.records import ArraySource, FramesSource, Index, Sample
from tests.datasets import as_read, issue_places, scan

NAMES = sorted(TREES)
SPECS = {one.spec.name: one.spec for one in default_registry().components("dataset")}


def class_names(name: str) -> tuple[str, ...]:
    """Of the default config; empty where samples have events, or no classes."""
    return getattr(SPECS[name].config(), "class_names", ())


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(name: str, tmp_path: Path) -> Tree:
    return make_tree(name, tmp_path / "tree", pictures=False)


def test_a_right_reader_finds_what_was_written(name: str, tree: Tree) -> None:
    index = scan(name, tree.root)
    # trees of events say no labels: those are the events' words
    names = class_names(name) if any(sample.labels for sample in tree.samples) else None
    assert tuple(as_read(sample, names) for sample in index) == tree.samples
    assert issue_places(index) == tree.issues


def test_seconds_count_from_the_first_frame(name: str, tree: Tree) -> None:
    for sample in scan(name, tree.root):
        if not sample.events:
            continue
        assert isinstance(sample.source, FramesSource)
        first, fps = sample.source.frames[0][0], sample.source.fps
        assert fps is not None
        for event in sample.events:
            assert event.onset_frame is not None
            assert event.onset == (event.onset_frame - first) / fps
            assert (event.apex is None) == (event.apex_frame is None) == (event.apex_source == "missing")


def test_paths_are_those_of_files(name: str, tree: Tree) -> None:
    for sample in scan(name, tree.root):
        assert all(path.is_file() for path in files(sample))


def comparable(index: Index) -> list[Any]:
    """Everything of an index that can be compared as it is."""
    return [
        index.issues,
        *((one.key, one.source, one.events, one.raw, one.issues, str(one.targets)) for one in index),
    ]


class Shuffled:
    """`os.scandir` in another order."""

    def __init__(self, entries: Iterator[os.DirEntry[str]]) -> None:
        self._entries = list(entries)
        random.Random(1).shuffle(self._entries)

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        return iter(self._entries)

    def __exit__(self, *why: object) -> None:
        pass


def test_the_order_of_the_disk_changes_nothing(name: str, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = comparable(scan(name, tree.root))
    listdir: Callable[..., list[str]] = os.listdir
    scandir: Callable[..., Any] = os.scandir
    monkeypatch.setattr(os, "listdir", lambda path: listdir(path)[::-1])
    monkeypatch.setattr(os, "scandir", lambda path: Shuffled(scandir(path)))
    assert comparable(scan(name, tree.root)) == usual


def files(sample: Sample) -> list[Path]:
    """Where a sample's pixels are."""
    source = sample.source
    return [path for _, path in source.frames] if isinstance(source, FramesSource) else [source.path]


def place(sample: Sample) -> Path:
    """The folder of a clip, or the file of a picture, a video or an array."""
    return files(sample)[0].parent if isinstance(sample.source, FramesSource) else files(sample)[0]


def test_what_is_not_there_is_one_issue(name: str, tree: Tree) -> None:
    before = scan(name, tree.root)
    sample = before.samples[-1]
    folder = place(sample)
    shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
    after = scan(name, tree.root)
    lost = [one for one in before if one.key not in {other.key for other in after}]
    new = [(issue.level, issue.sample) for issue in after.issues if issue not in before.issues]
    if isinstance(sample.source, ArraySource):
        # one array of all pictures, which can be made again
        assert (lost, new) == ([], [("warning", None)])
        return
    # a folder of CAS(ME)^3 is a video, with several events
    assert lost == [one for one in before if place(one) == folder]
    # where folders alone say what there is, nobody knows that one is missing; and dead addresses are counted
    counted: dict[str, list[tuple[str, str | None]]] = {"smic": [], "emotionet": [("warning", None)]}
    assert new == counted.get(name, [("error", one.key) for one in lost])


def test_no_subject_is_in_both_halves(name: str, tree: Tree) -> None:
    subjects = [sample.subject for sample in scan(name, tree.root)]
    if len(set(subjects)) < 2:
        pytest.skip("one subject")
    for fold in leave_one_out(subjects):
        check_disjoint(fold, subjects)
        assert {subjects[at] for at in fold.test} == {fold.name}


def test_the_dataset_is_known_by_its_folder(name: str, tree: Tree) -> None:
    configs = {one: SPECS[one].config for one in SPECS}
    # the table of SAMM, or that of FER2013, which lies there too, may be what is meant
    if both := {"samm-lv": "samm and samm-lv", "fer-plus": "fer-plus and fer2013"}.get(name):
        with pytest.raises(InputError) as caught:
            guess_dataset(tree.root, configs)
        assert str(caught.value) == f"{tree.root}: signs of {both}; say which it is with --dataset"
    else:
        assert guess_dataset(tree.root, configs) == name


def test_a_folder_that_is_no_dataset(tmp_path: Path) -> None:
    configs: dict[str, Any] = {"casme": CasmeConfig, "smic": SmicConfig, "own": DatasetConfig}
    with pytest.raises(InputError) as caught:
        guess_dataset(tmp_path, configs)
    assert str(caught.value) == (
        f"{tmp_path}: no sign of a known dataset; looked for 'casme.xlsx' 'casme.xls' 'casme.csv' (casme), "
        "'SMIC_all_*' 'SMIC-E*' 'SMIC*annotation*' 'HS' 'VIS' 'NIR' (smic); say which it is with --dataset"
    )
    with pytest.raises(InputError) as caught:
        guess_dataset(tmp_path / "x", configs)
    assert str(caught.value) == f"{tmp_path / 'x'}: no such folder; give the folder that holds the dataset"


def test_every_published_dataset_has_a_tree() -> None:
    known = {
        one.spec.name
        for one in default_registry().components("dataset")
        if one.provider == "affectkit" and issubclass(one.spec.config, PublishedConfig)
    }
    assert known == set(NAMES)


def test_the_apex_policy(name: str, tree: Tree) -> None:
    annotated = issubclass(default_registry().component("dataset", name).spec.config, AnnotatedConfig)
    for sample in scan(name, tree.root, **({"apex": "middle"} if annotated else {})):
        for event in sample.events:
            if annotated:
                assert event.apex_source in ("annotated", "middle")
            if event.apex_source == "middle":
                assert event.onset_frame is not None
                assert event.offset_frame is not None
                assert event.apex_frame == event.onset_frame + (event.offset_frame - event.onset_frame) // 2


def test_frames_are_pictures_by_default(tmp_path: Path) -> None:
    one, two = (make_tree("casme2", tmp_path / name, seed=3) for name in "ab")
    assert one.samples == two.samples
    files = [sorted(path for path in tree.root.rglob("*.jpg")) for tree in (one, two)]
    assert len(files[0]) == len(files[1]) > 100
    assert files[0][0].read_bytes() == files[1][0].read_bytes()
    picture = cv2.imread(str(files[0][0]))
    assert picture is not None
    assert picture.shape == (10, 8, 3)


def test_trees_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal(name: str, root: Path, **options: Any) -> str:
        with pytest.raises(InputError) as caught:
            make_tree(name, root, **options)
        return str(caught.value)

    assert refusal("casme2", tmp_path, more=-1) == (
        "more: -1 clips of casme2; give 0, or a positive number for 'casme2'"
    )
    (tmp_path / "file").touch()
    message = f"{tmp_path}: is there already and not an empty folder; give a new one"
    assert refusal("casme2", tmp_path) == message
    shown = ", ".join(map(repr, TREES[:10]))
    assert refusal("casme5", tmp_path) == (
        f"casme5: no synthetic tree of that name; did you mean 'casme'? trees: {shown} and {len(TREES) - 10} more"
    )
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingDependencyError) as caught:
        make_tree("casme2", tmp_path / "new", pictures=False)
    assert str(caught.value) == (
        "CASME2-coding-20140508.xlsx: needs 'openpyxl', which is not installed; run pip install 'affectkit[data]'"
    )
