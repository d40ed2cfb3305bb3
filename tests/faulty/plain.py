"""Faults of face detectors, spotters and datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from affectkit import Event, Face, FrameStream, Index, InputError, Sequence, VideoSource
from affectkit.records import Sample
from tests.faulty.base import fault, planted
from tests.faulty.clean import (
    PlainDataset,
    PlainDetector,
    PlainDetectorConfig,
    PlainSpotter,
    PlainSpotterConfig,
)


@fault("faces", "component_builds", "the factory made NoDetector, which is no FaceDetector")
class NoDetector:
    def __init__(self, config: PlainDetectorConfig) -> None:
        self.config = config


@fault("faces", "component_builds", "it does not keep its config", "super().__init__(config) is not called")
class LosesConfig(PlainDetector):
    def __init__(self, config: PlainDetectorConfig) -> None:
        super().__init__(PlainDetectorConfig())


PICTURE = "faces_are_in_the_picture"


@fault("faces", PICTURE, "box (120.0, 60.0, 80.0, 60.0) is not inside a picture of 160x120")
class Overhangs(PlainDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        height, width = image.shape[:2]
        return [Face(box=(0.75 * width, height / 2, width / 2, height / 2))]


@fault("faces", PICTURE, "detect() returned tuple for a face, no list of Face")
class ReturnsTuple(PlainDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return tuple(super().detect(image))  # type: ignore[return-value]


@fault("faces", PICTURE, "score 4.2 is not in [0, 1]", "a logit; decode it by a sigmoid")
class ScoresLogits(PlainDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return [Face(box=(0.0, 0.0, 8.0, 8.0), score=4.2)]


@fault("faces", PICTURE, "areas [16.0, 64.0] are not in falling order", "detections sorted by score, or not at all")
class SmallestFirst(PlainDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        return [Face(box=(0.0, 0.0, side, side)) for side in (4.0, 8.0)]


@fault("faces", "picture_is_unmodified", "detect() changed 480 numbers of its picture")
class DrawsLine(PlainDetector):
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        image[0] = 0
        return super().detect(image)


@fault("faces", "pictures_do_not_mix", "the same picture gives 1 faces, and later 2 faces that differ")
class Remembers(PlainDetector):
    def __init__(self, config: PlainDetectorConfig) -> None:
        super().__init__(config)
        self.tall = False

    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        self.tall |= image.shape[0] > 200
        return super().detect(image) * (2 if self.tall else 1)


@fault("spotter", "frames_are_unmodified", "push() changed 3072 numbers of its frames")
class Whitens(PlainSpotter):
    def push(self, state: Any, frames: Sequence) -> list[Event]:
        frames.values[:, 0] = 1.0
        return super().push(state, frames)


ORDER = "events_are_final_and_in_order"


@fault("spotter", ORDER, "an event that ends at 0.900 s was emitted at 0.400 s")
class Predicts(PlainSpotter):
    def push(self, state: Any, frames: Sequence) -> list[Event]:
        was_open = state.since is not None
        super().push(state, frames)
        if was_open or state.since is None:
            return []
        return [Event(kind="other", onset=state.since, offset=state.since + 0.5)]


@fault(
    "spotter",
    ORDER,
    "events are in order of neither onset nor offset: 1.880 to 2.040, 1.600 to 1.760, 0.680 to 0.840, 0.400 to 0.560 s",
)
class LatestFirst(PlainSpotter):
    def push(self, state: Any, frames: Sequence) -> list[Event]:
        state.seen += super().push(state, frames)
        return []

    def finish(self, state: Any) -> list[Event]:
        return list(reversed(state.seen))


@fault("spotter", ORDER, "event -0.600 to 0.560 s is outside the clip")
class StartsEarly(PlainSpotter):
    def closed(self, state: Any) -> list[Event]:
        state.since -= 1.0
        return super().closed(state)


@fault("spotter", ORDER, "push() returned NoneType, no list of Event", "None; return []")
class ReturnsNone(PlainSpotter):
    def push(self, state: Any, frames: Sequence) -> list[Event]:
        return super().push(state, frames) or (None if frames.mask.shape[1] == 1 else [])  # type: ignore[return-value]


@fault("spotter", "chunks_do_not_matter", "1 events at once, 4 that differ by chunks of 1 frames")
class OneEventPerCall(PlainSpotter):
    def push(self, state: Any, frames: Sequence) -> list[Event]:
        return super().push(state, frames)[:1]


@fault("spotter", "clips_do_not_mix", "4 events of a clip alone, 5 that differ beside another clip")
class KeepsFrameOnSelf(PlainSpotter):
    def __init__(self, config: PlainSpotterConfig, stream: FrameStream) -> None:
        super().__init__(config, stream)
        self.before: Tensor | None = None

    def start(self, fps: float | None) -> Any:
        self.before = None
        return super().start(fps)

    def push(self, state: Any, frames: Sequence) -> list[Event]:
        state.before = self.before
        events = super().push(state, frames)
        self.before = state.before
        return events


@fault("spotter", "memory_is_constant", "after 150, 300 and 450 frames, the state holds [3226, 3376, 3526] values")
class KeepsEveryTime(PlainSpotter):
    def push(self, state: Any, frames: Sequence) -> list[Event]:
        state.seen += frames.times[0].tolist()
        return super().push(state, frames)


EMPTY = "empty_folder_is_explained"


@fault("dataset", EMPTY, "FileNotFoundError: [Errno 2] No such file or directory: 'labels.csv'")
class OpensBlindly(PlainDataset):
    def scan(self, root: Path) -> Index:
        raise FileNotFoundError(2, "No such file or directory", "labels.csv")


@fault("dataset", EMPTY, "scan() of an empty folder raised InputError without a message")
class SaysNothing(PlainDataset):
    def scan(self, root: Path) -> Index:
        raise InputError("")


@fault("dataset", EMPTY, "scan() returned list, no Index")
class ReturnsList(PlainDataset):
    def scan(self, root: Path) -> Index:
        return []  # type: ignore[return-value]


@fault("dataset", EMPTY, "scan() of an empty folder gives 1 samples")
class InventsSample(PlainDataset):
    def scan(self, root: Path) -> Index:
        return Index(samples=(Sample(dataset="it", subject="s", key="k", source=VideoSource(path=root)),))


@fault("dataset", EMPTY, "scan() wrote 'index.json' into the dataset's folder", "a cache; keep it elsewhere")
class WritesCache(PlainDataset):
    def scan(self, root: Path) -> Index:
        (root / "index.json").write_text("{}")
        return Index(samples=())


FAULTS = planted(globals())
