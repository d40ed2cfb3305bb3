"""Events of a video: every track's frames go to the spotter, and each event's frames to the pipeline's heads.

A spotter is started anew where a track has a gap, and where its crop was cut anew: between two crops there is no motion
to measure.
"""

from __future__ import annotations

import bisect
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from affectkit.configs import Events
from affectkit.errors import SpecError
from affectkit.interfaces import Spotter
from affectkit.records import Event
from affectkit.registry import Registry
from affectkit.results.rows import EventRow, Row
from affectkit.sequences import Batch, Sequence
from affectkit.streams import FrameStream, InputStream, with_changes
from affectkit.video.detection import AnyFrame
from affectkit.video.scoring import Scorer, Scoring
from affectkit.video.shots import Shot, named

# Frames that a spotter takes at once: batched flow is cheaper.
_CHUNK = 16
# Seconds without the face after which its motion is measured anew; but where frames are far apart, so many times what
# lies between two of them, of which the median of the last few counts.
_MAX_GAP = 0.25
_MAX_STEPS = 2.5
_RECENT = 8


def build_spotter(sampling: Events, stream: InputStream, registry: Registry) -> Spotter[Any]:
    """The spotter of a sampling, for frames of `stream`.

    Raises:
        RegistryError: no plugin provides it.
        MissingDependencyError: an optional package is not installed.
        SpecError: its factory made something else.
    """
    component = registry.of_config(type(sampling.spotter))
    for requirement in component.spec.requires:
        requirement.check(component.id)
    # The spotter sees the whole clip; named steps come into being with its events.
    clip = with_changes(stream, steps=()) if isinstance(stream, FrameStream) else stream
    spotter = component.spec.factory(sampling.spotter, clip)
    if not isinstance(spotter, Spotter):
        made = f"{component.id} made {type(spotter).__name__}"
        raise SpecError(f"sampling.spotter: {made}, which is no Spotter; derive the class from that")
    return spotter


@dataclass
class _Following:
    """A track that is being spotted.

    Attributes:
        state: the spotter's.
        segment: of its cuts.
        chunk: shots that wait for the spotter.
        times: seconds of the frames that wait and of the `memory_seconds` before them, and below the frames' numbers
            and, for the heads, their shots.
        is_trimmed: whether frames before them were forgotten.
    """

    state: Any
    segment: int
    chunk: list[Shot] = field(default_factory=list)
    times: deque[float] = field(default_factory=deque)
    numbers: deque[int] = field(default_factory=deque)
    shots: deque[Shot] = field(default_factory=deque)
    is_trimmed: bool = False

    def trim(self, before: float) -> None:
        """Forget the frames before a time."""
        while self.times[0] < before:
            self.is_trimmed = True
            for kept in (self.times, self.numbers, self.shots):
                if kept:
                    kept.popleft()

    def index(self, time: float) -> int | None:
        """Of the nearest frame; None where that was forgotten."""
        return None if self.is_trimmed and time < self.times[0] else _nearest(self.times, time)

    def number(self, time: float | None) -> int | None:
        """Position in the file of the nearest frame."""
        index = None if time is None else self.index(time)
        return None if index is None else self.numbers[index]


class EventScoring(Scoring):
    """Rows at once, events when the spotter says that they are final.

    Arguments:
        spotter: finds events in one track's frames of the first input.
        sampling: which frames of an event are scored.
        source: name of the input that the spotter sees.
        scorer: the model; None where there are no heads.
        fps: nominal rate, None where the container does not say.
        watch: called with each event that was scored, and with what the model was given of it.
    """

    def __init__(
        self,
        spotter: Spotter[Any],
        sampling: Events,
        source: str,
        scorer: Scorer | None,
        fps: float | None,
        watch: Callable[[EventRow, Batch], None] | None = None,
    ) -> None:
        self._spotter, self._sampling, self._source = spotter, sampling, source
        self._scorer, self._fps, self._watch = scorer, fps, watch
        self._tracks: dict[int, _Following] = {}
        # The first frame that no spotter had seen when the last one came.
        self._unseen = float("inf")
        self._recent: deque[float] = deque(maxlen=_RECENT + 1)

    def needed_from(self, pts: float) -> float:
        return min(pts, self._unseen) - self._sampling.spotter.memory_seconds

    def push(self, frame: AnyFrame, shots: tuple[Shot, ...]) -> Iterator[Row | EventRow]:
        events: list[EventRow] = []
        self._recent.append(frame.pts)
        waiting = (following.chunk[0].row.pts for following in self._tracks.values() if following.chunk)
        self._unseen = min(waiting, default=frame.pts)
        for shot in shots:
            yield shot.row
            if shot.row.track is not None:
                events += self._follow(shot.row.track, shot)
        for track, following in list(self._tracks.items()):
            if self._is_gap(following.times[-1], frame.pts):
                events += self._close(track)
        yield from events

    def finish(self) -> Iterator[Row | EventRow]:
        for track in sorted(self._tracks):
            yield from self._close(track)

    def snapshot(self) -> dict[str, Any]:
        return {"recent": list(self._recent)}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._recent.extend(state.get("recent", ()))

    def _is_gap(self, last: float, now: float) -> bool:
        steps = sorted(after - before for before, after in itertools.pairwise(self._recent))
        step = steps[(len(steps) - 1) // 2] if steps else 0.0
        return now - last > max(_MAX_GAP, _MAX_STEPS * step)

    def _follow(self, track: int, shot: Shot) -> list[EventRow]:
        assert shot.cut is not None  # it has a track, so it has a face
        events: list[EventRow] = []
        following = self._tracks.get(track)
        if following is not None and (
            following.segment != shot.cut.segment or self._is_gap(following.times[-1], shot.row.pts)
        ):
            events += self._close(track)
            following = None
        if following is None:
            following = self._tracks[track] = _Following(self._spotter.start(self._fps), shot.cut.segment)
        following.chunk.append(shot)
        following.times.append(shot.row.pts)
        following.numbers.append(shot.row.frame)
        if self._scorer is not None:
            following.shots.append(shot)
        if len(following.chunk) >= _CHUNK:
            events += self._spot(track, following)
        # What waits may end an event that began so long before it.
        oldest = following.chunk[0].row.pts if following.chunk else shot.row.pts
        following.trim(oldest - self._sampling.spotter.memory_seconds)
        return events

    def _close(self, track: int) -> list[EventRow]:
        following = self._tracks.pop(track)
        events = self._spot(track, following)
        return events + self._rows(track, following, self._spotter.finish(following.state))

    def _spot(self, track: int, following: _Following) -> list[EventRow]:
        """Hand the waiting frames to the spotter."""
        chunk, following.chunk = following.chunk, []
        if not chunk:
            return []
        cuts = [shot.cut for shot in chunk if shot.cut is not None]
        values = torch.stack([torch.from_numpy(cut.inputs[self._source]) for cut in cuts]).unsqueeze(0)
        times = torch.tensor([[shot.row.pts for shot in chunk]], dtype=torch.float64)
        mask = torch.ones(times.shape, dtype=torch.bool)
        frames = Sequence(values, mask, times)
        return self._rows(track, following, self._spotter.push(following.state, frames))

    def _rows(self, track: int, following: _Following, events: list[Event]) -> list[EventRow]:
        return [self._row(track, following, event) for event in events]

    def _row(self, track: int, following: _Following, event: Event) -> EventRow:
        apex, apex_source = event.apex, event.apex_source
        if apex is None and self._sampling.apex == "middle":
            apex, apex_source = (event.onset + event.offset) / 2, "middle"
        is_rejected = apex is None and "apex" in self._sampling.keyframes
        row = EventRow(
            track=track,
            kind=event.kind,
            label=event.label,
            onset=event.onset,
            apex=apex,
            offset=event.offset,
            onset_frame=following.number(event.onset),
            apex_frame=following.number(apex),
            offset_frame=following.number(event.offset),
            confidence=event.confidence,
            apex_source=apex_source,
            status="rejected" if is_rejected else "ok",
            reason="no apex was found" if is_rejected else None,
        )
        is_wanted = not self._sampling.kinds or row.kind in self._sampling.kinds
        if is_rejected or not is_wanted or self._scorer is None:
            return row
        return self._scored(row, following, self._scorer)

    def _scored(self, row: EventRow, following: _Following, scorer: Scorer) -> EventRow:
        moments = self._sampling.keyframes or ("onset", "offset")
        wanted = [index for moment in moments if (index := following.index(getattr(row, moment))) is not None]
        if len(wanted) < len(moments):
            return replace(row, status="rejected", reason="it is longer than the spotter's memory_seconds")
        if not self._sampling.keyframes:
            wanted = list(range(wanted[0], wanted[1] + 1))
        clips = [tuple(following.shots[i] for i in wanted)]
        predictions = named(scorer.score(clips)[0].mean(dim=0), scorer.columns)
        label = row.label if row.label is not None else _label(predictions, scorer)
        scored = row.with_predictions(predictions, label)
        if self._watch is not None:
            self._watch(scored, scorer.batch(clips))
        return scored


def _label(predictions: Mapping[str, float], scorer: Scorer) -> str | None:
    """The most probable target of the first output that is one of several classes; None where that is NaN."""
    for name, output in scorer.outputs.items():
        if output.problem == "multiclass":
            known = [target for target in output.targets if f"{name}.{target}" in predictions]
            return max(known, key=lambda target: predictions[f"{name}.{target}"], default=None)
    return None


def _nearest(times: deque[float], time: float) -> int:
    """Index of the time that is nearest; `times` ascends."""
    right = bisect.bisect_left(times, time)
    if right == 0 or (right < len(times) and times[right] - time <= time - times[right - 1]):
        return right
    return right - 1
