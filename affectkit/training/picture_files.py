"""Files of cut pictures: made once, by any process, and found again by a name that says what they were made of.

A file is rows of bytes, then JSON that says which pictures the rows are and why others are not there, then the length
of that in eight bytes. It is written under another name and renamed, so it is whole or not there. Values are kept in 8
bits, as pictures have them: as floats they would take four times the place, and say no more.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.configs import FaceDetectorConfig
from affectkit.errors import InputError
from affectkit.registry import Registry
from affectkit.streams import FrameStream
from affectkit.video.cutter import Cutter
from affectkit.video.detection import build_detector
from affectkit.video.frames import SkippedFrame, VideoFrame
from affectkit.video.reader import read_frames
from affectkit.video.tracking import TrackedFace

Kind = Literal["pictures", "array", "video"]
_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class CutJob:
    """Pictures that are cut into one file.

    Attributes:
        out: the file.
        kind: `pictures`, files of their own; `array`, rows of arrays; `video`, frames of one video.
        items: file of each, and in it the row of the array or the place of the frame, ascending within a video.
        array: name of the array in an `.npz` file.
        streams: what is cut, by input.
        faces: detector.
        registry: where it is looked up.
    """

    out: Path
    kind: Kind
    items: tuple[tuple[Path, int], ...]
    array: str | None
    streams: Mapping[str, FrameStream]
    faces: FaceDetectorConfig
    registry: Registry


@dataclass(frozen=True)
class CutFile:
    """What is in a file.

    Attributes:
        rows: of each row the item's place in the job.
        faults: of each item that is in no row, its place and why.
        rough: how many were to be aligned by points of a face that has none, so that its box stands in.
        times: of frames of a video, of each row its seconds of container time; else empty.
    """

    rows: tuple[int, ...]
    faults: tuple[tuple[int, str], ...]
    rough: int
    times: tuple[float, ...] = ()


def run_cut(job: CutJob, *, progress: Callable[..., None] | None = None) -> CutFile:
    """Make the file unless it is there; `progress` is called after every picture, and may end it."""
    if (found := read_cut_file(job.out)) is not None:
        return found
    detector, cutter = build_detector(job.faces, job.registry), Cutter(job.streams)
    rows: list[int] = []
    times: list[float] = []
    faults: list[tuple[int, str]] = []
    rough = 0
    job.out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=job.out.parent, prefix=f".{job.out.stem}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for place, frame in _frames(job):
                if progress is not None:
                    progress()
                if isinstance(frame, str):
                    faults.append((place, frame))
                    continue
                found_faces = detector.detect_at(frame.image, frame.index, frame.pts)
                if not found_faces:
                    faults.append((place, "no face; where pictures are faces already, use whole-frame"))
                    continue
                face = max(found_faces, key=lambda one: one.box[2] * one.box[3])
                cut = cutter.cut(frame, TrackedFace(track=0, face=face))
                # each picture alone, whatever was cut before it
                cutter.forget(0)
                rough += cut.is_approximate
                for values in cut.inputs.values():
                    file.write(np.rint(values * 255).astype(np.uint8).tobytes())
                rows.append(place)
                times += [frame.pts] if job.kind == "video" else []
            made = CutFile(tuple(rows), tuple(faults), rough, tuple(times))
            text = json.dumps(asdict(made)).encode()
            file.write(text + len(text).to_bytes(_LENGTH, "little"))
        os.replace(name, job.out)
    finally:
        Path(name).unlink(missing_ok=True)
    return made


def read_cut_file(path: Path) -> CutFile | None:
    """What a file says is in it; None where there is none, or one that is damaged, which is made anew."""
    try:
        with path.open("rb") as file:
            file.seek(-_LENGTH, os.SEEK_END)
            length = int.from_bytes(file.read(_LENGTH), "little")
            file.seek(-_LENGTH - length, os.SEEK_END)
            data = json.loads(file.read(length))
    except (OSError, ValueError):
        return None
    faults = tuple((place, fact) for place, fact in data["faults"])
    # files of pictures that were written before frames of videos had times
    return CutFile(tuple(data["rows"]), faults, data["rough"], tuple(data.get("times", ())))


def _frames(job: CutJob) -> Iterator[tuple[int, VideoFrame | str]]:
    """Place of each item and its picture, or why it can't be had."""
    if job.kind == "video":
        yield from _video_frames(job.items)
        return
    arrays: dict[Path, Any] = {}
    for place, (path, number) in enumerate(job.items):
        try:
            if job.kind == "pictures":
                frame = read_picture(path)
            else:
                if path not in arrays:
                    arrays[path] = _open_array(path, job.array)
                frame = _array_picture(arrays[path], number, path)
        except InputError as error:
            yield place, str(error).removeprefix(f"{path}: ")
        else:
            yield place, frame


def read_picture(path: Path) -> VideoFrame:
    """The picture in a file.

    Raises:
        InputError: it is missing, or damaged.
    """
    reason = "has no picture"
    for frame in read_frames(path):
        if isinstance(frame, VideoFrame):
            return frame
        reason = frame.reason
    raise InputError(f"{path}: can't be decoded ({reason}); unpack it again, or leave it out")


def _video_frames(items: tuple[tuple[Path, int], ...]) -> Iterator[tuple[int, VideoFrame | str]]:
    places = {number: place for place, (_, number) in enumerate(items)}
    reason = "the video ends before it"
    try:
        for frame in read_frames(items[0][0]):
            place = places.pop(frame.index, None)
            if place is not None:
                yield place, frame.reason if isinstance(frame, SkippedFrame) else frame
            if not places:
                return
    except InputError as error:
        reason = str(error).removeprefix(f"{items[0][0]}: ")
    for place in places.values():
        yield place, reason


def _open_array(path: Path, name: str | None) -> NDArray[np.generic]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; make it once with affectkit data unpack")
    try:
        # rows are read as they are asked for, where the file lets them
        opened = np.load(path, mmap_mode="r", allow_pickle=False)
        array: NDArray[np.generic] = opened if isinstance(opened, np.ndarray) else opened[name or opened.files[0]]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: can't be read ({error}); write plain arrays with numpy.save") from error
    if array.dtype != np.uint8 or not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)):
        fact = f"holds {array.dtype} {array.shape}"
        raise InputError(f"{path}: {fact}; pictures are uint8 (N, H, W) or (N, H, W, 3)")
    return array


def _array_picture(array: NDArray[np.generic], row: int, path: Path) -> VideoFrame:
    if not 0 <= row < len(array):
        raise InputError(f"{path}: no row {row}; it has {len(array)}")
    picture = np.asarray(array[row], np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return VideoFrame(index=0, pts=0.0, image=np.ascontiguousarray(picture))
