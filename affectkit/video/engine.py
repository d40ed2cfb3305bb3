"""The way from frames to rows and events, with what is needed to go on after an interruption.

    frames ─▶ faces ─▶ tracks ─▶ cuts ─▶ scoring ─▶ rows and events

Snapshots are taken on the way, in video time. To go on behind a row, the engine starts at the last snapshot that lies
as far before it as the scoring remembers, and gives again only what comes after that row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from affectkit.configs import Tracking
from affectkit.errors import InputError
from affectkit.interfaces import FaceDetector
from affectkit.records import EventKind
from affectkit.results.rows import EventRow, Row
from affectkit.video.cutter import Cut, Cutter
from affectkit.video.detection import AnyFrame, detect_faces
from affectkit.video.reader import SkippedFrame
from affectkit.video.scoring import Scoring
from affectkit.video.shots import make_shots
from affectkit.video.tracking import TrackedFace, Tracker

# Seconds of video between snapshots.
_EVERY = 0.5
State = Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The state before the frame at `pts` was looked at."""

    pts: float
    state: State


class Engine:
    """Analyzes the frames of one video.

    Arguments:
        detector: finds the faces.
        tracking: how they are joined.
        cutter: cuts them out.
        scoring: what is done with them.
        state: what `position` gave, to go on from there; the frames then begin at `resume_at`.

    Attributes:
        failure: why the frames ended too early; None where they did not.
        given: how many rows and events this engine gave.
    """

    def __init__(
        self,
        detector: FaceDetector[Any],
        tracking: Tracking,
        cutter: Cutter,
        scoring: Scoring,
        *,
        state: State | None = None,
    ) -> None:
        self._detector, self._tracking, self._cutter, self._scoring = detector, tracking, cutter, scoring
        self.failure: InputError | None = None
        self.given = 0
        self._tracker = Tracker(tracking)
        self._snapshots: deque[Snapshot] = deque()
        # What was given: the last frame's number and time, how many of its rows, and the newest events.
        self._frame, self._pts, self._rows = -1, float("-inf"), 0
        self._events: deque[EventRow] = deque()
        self._skip: tuple[int, int] = (-1, 0)
        self._known: tuple[EventRow, ...] = ()
        if state is not None:
            parts = {name: state[name] for name in ("tracker", "cutter", "scoring")}
            self._tracker.restore(parts["tracker"])
            self._cutter.restore(parts["cutter"])
            self._scoring.restore(parts["scoring"])
            self._snapshots.append(Snapshot(state["resume_at"], parts))
            self._skip = (state["frame"], state["rows"])
            self._frame, self._rows, self._pts = state["frame"], state["rows"], state["pts"]
            self._known = tuple(map(EventRow.of, state["events"]))
            self._events.extend(self._known)

    def run(
        self,
        frames: Iterable[AnyFrame],
        done: Callable[[int], None] = lambda count: None,
        *,
        is_live: bool = False,
    ) -> Iterator[Row | EventRow]:
        """Rows in the order of the frames, and events as they become final.

        Arguments:
            frames: of the video, in order.
            done: called after every frame with their number.
            is_live: rows are wanted as soon as they are known; otherwise as many as possible per second.

        Raises:
            InputError: the frames ended too early. What was read before is then worked on, but for what `finish` gives.
        """
        found = detect_faces(self._readable(frames), self._detector, is_live=is_live)
        for count, (frame, faces) in enumerate(found, start=1):
            self._remember(frame.pts)
            cuts: tuple[tuple[TrackedFace, Cut], ...] = ()
            if not isinstance(frame, SkippedFrame):
                tracked = self._tracker.update(frame, faces)
                cuts = tuple((face, self._cutter.cut(frame, face)) for face in tracked)
            yield from self._new(self._scoring.push(frame, tuple(make_shots(frame, cuts, self._tracking))))
            done(count)
        if self.failure is not None:
            raise self.failure
        yield from self.finish()

    def finish(self) -> Iterator[Row | EventRow]:
        """What is left when nothing more comes; `run` gives it too, unless something stopped it before."""
        return self._new(self._scoring.finish())

    def position(self) -> dict[str, Any] | None:
        """How to go on behind the last row that was given; plain data. None where nothing was given.

        Who keeps it has to have kept all that is `given`: the rest is not given again.
        """
        if self._frame < 0:
            return None
        self._forget()
        start = self._snapshots[0]
        events = [event.as_dict() for event in self._events if event.offset >= start.pts]
        given = {"frame": self._frame, "rows": self._rows, "pts": self._pts, "events": events}
        return {**start.state, **given, "resume_at": start.pts}

    def _readable(self, frames: Iterable[AnyFrame]) -> Iterator[AnyFrame]:
        try:
            yield from frames
        except InputError as error:
            self.failure = error

    def _remember(self, pts: float) -> None:
        if self._snapshots and pts - self._snapshots[-1].pts < _EVERY:
            return
        state = {
            "tracker": self._tracker.snapshot(),
            "cutter": self._cutter.snapshot(),
            "scoring": self._scoring.snapshot(),
        }
        self._snapshots.append(Snapshot(pts, state))
        self._forget()

    def _forget(self) -> None:
        """Drop the snapshots that are older than needed. One that is early enough always stays."""
        needed = self._scoring.needed_from(self._pts)
        while len(self._snapshots) > 1 and self._snapshots[1].pts <= needed:
            self._snapshots.popleft()
        while self._events and self._events[0].offset < self._snapshots[0].pts:
            self._events.popleft()

    def _new(self, items: Iterator[Row | EventRow]) -> Iterator[Row | EventRow]:
        """What was not given before the interruption."""
        for item in items:
            if isinstance(item, EventRow):
                if not any(_is_same(item, known) for known in self._known):
                    self.given += 1
                    self._events.append(item)
                    yield item
                continue
            if item.frame < self._skip[0]:
                continue
            if item.frame == self._skip[0] and self._skip[1]:
                self._skip = (self._skip[0], self._skip[1] - 1)
                continue
            # Counted first: Ctrl-C may come between any two of these lines.
            self.given += 1
            self._rows = self._rows + 1 if item.frame == self._frame else 1
            self._frame, self._pts = item.frame, item.pts
            yield item


def _is_same(one: EventRow, other: EventRow) -> bool:
    """Whether both are one event, of which a spotter that began later may see less, or take it for macro.

    Of two that are, one has its middle in the other; those that only overlap, as pulses do by a third, have not.
    """
    if (one.track, _family(one.kind)) != (other.track, _family(other.kind)):
        return False
    return _has_middle(one, other) or _has_middle(other, one)


def _has_middle(one: EventRow, other: EventRow) -> bool:
    return one.onset <= (other.onset + other.offset) / 2 <= one.offset


def _family(kind: EventKind) -> EventKind:
    return "expression" if kind in ("micro-expression", "macro-expression") else kind
