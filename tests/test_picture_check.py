"""Damaged pictures of a dataset are named, and what is whole is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from affectkit.datasets import make_tree
from affectkit.datasets.picture_check import check_pictures, picture_fault
from affectkit.records import ImageSource, Index, Sample, VideoSource
from tests.cli_runs import run
from tests.datasets import scan

VIDEO = "cropped_aligned/1-30-1280x720"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree("aff-wild2", tmp_path / "x").root


def test_damaged_pictures_are_counted_and_named(root: Path) -> None:
    index = scan("aff-wild2", root)
    assert check_pictures(index) == ()
    whole = (root / VIDEO / "00002.jpg").read_bytes()
    (root / VIDEO / "00002.jpg").write_bytes(whole[: len(whole) // 2])
    (root / VIDEO / "00003.jpg").write_bytes(b"")
    (root / VIDEO / "00004.jpg").write_bytes(b"no picture")
    # the last one stands in for a frame without a picture, and counts once
    (root / VIDEO / "00007.jpg").write_bytes(whole[:-1])
    # some cameras and tools fill up with zeros
    (root / VIDEO / "00005.jpg").write_bytes(whole + bytes(16))
    (root / VIDEO / "00006.jpg").unlink()
    done: list[tuple[int, int]] = []
    issues = check_pictures(index, lambda *count: done.append(count))
    assert [str(issue) for issue in issues] == [
        "1-30-1280x720: 2 truncated pictures: 00002.jpg, 00007.jpg; unpack again, or leave out",
        "1-30-1280x720: 1 empty picture: 00003.jpg; unpack again, or leave out",
        "1-30-1280x720: 1 undecodable picture: 00004.jpg; unpack again, or leave out",
        "1-30-1280x720: 1 unreadable picture: 00006.jpg; unpack again, or leave out",
    ]
    assert {(issue.level, issue.sample) for issue in issues} == {("warning", "1-30-1280x720")}
    assert done == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp"])
def test_whole_and_halved(tmp_path: Path, ending: str) -> None:
    import cv2
    import numpy as np

    path = tmp_path / f"x.{ending}"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    assert picture_fault(path) is None
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert picture_fault(path) in ("truncated", "undecodable")


@pytest.mark.parametrize("trailer", [b"\n", b"\0" * 16, b"SEFT" + b"x" * 100_000, b"\xff"])
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_what_lies_behind_the_end(tmp_path: Path, ending: str, trailer: bytes) -> None:
    """Cameras and editors add what they like there; a cut is found as it was."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    path, thumbnail = tmp_path / f"x.{ending}", tmp_path / "small.jpg"
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(thumbnail), pixels[:8, :8])
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2])
    data = path.read_bytes()
    if ending == "jpg":
        segment = thumbnail.read_bytes()
        data = data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + data[2:]
    path.write_bytes(data + trailer)
    assert picture_fault(path) is None
    for cut in (len(data) - 1, len(data) // 2, 1000):
        path.write_bytes(data[:cut])
        assert picture_fault(path) == "truncated"


def test_stills_are_opened_and_videos_are_not(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    samples = tuple(
        Sample(dataset="own", subject="a", key=key, source=source)
        for key, source in (("a", ImageSource(path=tmp_path / "x.png")), ("b", VideoSource(path=tmp_path / "x.png")))
    )
    assert [issue.sample for issue in check_pictures(Index(samples=samples))] == ["a"]


def test_the_command_opens_pictures_if_asked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / VIDEO / "00002.jpg").write_bytes(b"")
    line = "warning: 1-30-1280x720: 1 empty picture"
    for words, is_there in ((), False), (("--pictures",), True):
        code, out, err = run(capsys, "data", "check", root, *words)
        assert (code, err) == (0, "")
        assert (line in out) == is_there


def test_a_damaged_still_is_named(tmp_path: Path) -> None:
    tree = make_tree("raf-db", tmp_path / "x")
    path = tree.root / "basic/Image/aligned/test_0002_aligned.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    index = scan("raf-db", tree.root)
    # readers open none, so the sample is there
    assert len(index) == len(tree.samples)
    assert [str(issue) for issue in check_pictures(index)] == [
        "test_0002: 1 truncated picture: test_0002_aligned.jpg; unpack again, or leave out"
    ]
