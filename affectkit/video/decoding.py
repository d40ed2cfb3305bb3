"""From packets to frames in the order of presentation, with every packet accounted for.

Each packet goes into the decoder with its number in place of its time, and the frame that comes of it carries that
number out. A packet whose number never comes out is a frame that is lost. The decoder gives frames in the order of
presentation, so a packet is lost as soon as a later frame is out.

What decodes after a loss looks whole and is not: frames are predicted from one another. Unless the lost one is known to
be referred to by none, everything that was decoded after it counts as lost until the next keyframe.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from affectkit.video.packets import holds_frame, is_disposable

NOTHING = "can't be decoded (no picture came of it)"
CONCEALED = "damaged (the decoder guessed a part of it)"
INCOMPLETE = "incomplete (its container says that data is missing)"
PREDICTED = "predicted from a damaged frame"
# No codec reorders by more than this, so nothing has to wait for much longer.
_MAX_REORDERED = 16
_MAX_HELD = 64


@dataclass(slots=True, eq=False)
class Sent:
    """A packet that went into the decoder and has not come out.

    Attributes:
        number: position in the file, in the order of decoding.
        packet: the packet.
        ticks: its time, in units of the stream's time base; None where nothing says it.
        place: its place in the order of presentation: the stretch between two jumps of time, and its time in ticks.
        error: FFmpeg's words where it failed; empty otherwise.
    """

    number: int
    packet: Any
    ticks: int | None
    place: tuple[int, int] | None
    error: str = ""


@dataclass(slots=True, eq=False)
class Shown:
    """A frame in the order of presentation.

    Attributes:
        number: of its packet.
        ticks: time in units of the stream's time base; None where nothing says it.
        picture: what was decoded; None if nothing was.
        reason: why it can't be trusted; empty for a good frame.
    """

    number: int
    ticks: int | None
    picture: Any
    reason: str = ""


class Decoder:
    """A stream's decoder that knows of every packet what came of it.

    Attributes:
        failures: how many packets have failed since the last one that decoded.
        error: FFmpeg's words at the last failure.
    """

    def __init__(self, stream: Any, *, is_ordered: bool = True) -> None:
        """Arguments:
        stream: of an open container, just opened or sought to a keyframe.
        is_ordered: whether the packets' times are those of presentation.
        """
        self._context, self._codec, self._is_ordered = stream.codec_context, stream.codec_context.name, is_ordered
        self._waiting: dict[int, Sent] = {}
        self._held: deque[Shown] = deque()
        self._damaged: set[int] = set()
        self._lost: dict[int, int | None] = {}
        # packets that may be the second field of an interlaced frame, which has a packet of its own in MPEG-TS
        self._fields: set[int] = set()
        self._count, self._stretch, self._last_dts = 0, 0, None
        self._latest, self._is_reordered = (-1, 0), False
        self.failures, self.error = 0, ""

    def send(self, packet: Any) -> list[Shown]:
        """Decode a packet; what is known to come next in the order of presentation, which may be nothing yet."""
        import av

        if not packet.size:  # FFmpeg takes an empty packet for the end
            return []
        sent = self._register(packet)
        frames = []
        try:
            frames = self._context.decode(packet)
        except av.FFmpegError as error:
            self.error = sent.error = reason_of(error)
            self.failures += 1
            if sent.number not in self._waiting:
                self._damaged.add(sent.number)
        self._settle(frames)
        return self._released()

    def finish(self) -> list[Shown]:
        """What the decoder still holds, and what never came out."""
        import av

        try:
            self._settle(self._context.decode(None))
        except av.FFmpegError as error:
            self.error = reason_of(error)
            self.failures += 1
        self._lose(self._waiting.values())
        return self._released()

    def _register(self, packet: Any) -> Sent:
        dts = packet.dts
        if dts is not None:
            # at a keyframe, as where a second recording begins: others only have times that damage has mixed up
            if self._last_dts is not None and dts < self._last_dts and packet.is_keyframe:
                self._stretch += 1
            self._last_dts = dts
        time = packet.pts if packet.pts is not None else dts
        place = (self._stretch, time) if time is not None and self._is_ordered else None
        if place is not None:
            self._is_reordered |= place < self._latest
            self._latest = max(place, self._latest)
        sent = Sent(number=self._count, packet=packet, ticks=packet.pts, place=place)
        if holds_frame(packet, self._codec):
            self._waiting[sent.number] = sent
        packet.pts = sent.number
        self._count += 1
        return sent

    def _settle(self, frames: Iterable[Any]) -> None:
        for frame in frames:
            self.failures = 0
            # a decoder that hands no number on gives frames in the order of their packets
            number = frame.pts if frame.pts is not None else next(iter(self._waiting), -1)
            sent = self._waiting.pop(number, None)
            if sent is None:
                self._note_late(number, frame)
                continue
            self._lose(other for other in self._waiting.values() if self._is_overdue(other, sent))
            reason = INCOMPLETE if sent.packet.is_corrupt else CONCEALED if frame.is_corrupt else ""
            if reason:
                self._note_damage(sent)
            if frame.interlaced_frame:
                self._fields.add(number + 1)
            self._held.append(Shown(number=number, ticks=sent.ticks, picture=frame, reason=reason))

    def _is_overdue(self, other: Sent, out: Sent) -> bool:
        """Whether the decoder would have given that one before the one that is out."""
        if other.place is not None and out.place is not None:
            return other.place < out.place
        return other.number < out.number - _MAX_REORDERED

    def _note_late(self, number: int, frame: Any) -> None:
        """A frame whose packet is accounted for: a second one of that packet, or one that has been given as lost."""
        if number not in self._lost:
            return
        if self._is_reordered or self._damaged:
            # the container knows in which order frames are shown, so it is the decoder that damage has confused
            self._damaged.add(number)
        else:
            # the container only knows in which order they are decoded, and the reader is to say so
            self._held.append(Shown(number=number, ticks=self._lost[number], picture=frame))

    def _lose(self, lost: Iterable[Sent]) -> None:
        for sent in sorted(lost, key=lambda sent: sent.place or (self._stretch, sent.number)):
            del self._waiting[sent.number]
            if sent.error:
                self._note_damage(sent)
            elif sent.number in self._fields:
                continue
            self._lost[sent.number] = sent.ticks
            reason = f"can't be decoded ({sent.error})" if sent.error else NOTHING
            if sent.packet.is_corrupt:
                reason = INCOMPLETE
            ticks = sent.ticks if sent.ticks is not None else sent.packet.dts
            shown = Shown(number=sent.number, ticks=ticks, picture=None, reason=reason)
            if sent.place is not None:
                self._held.append(shown)
            else:  # by its number, which is all that is known of its place
                self._held.insert(sum(other.number < sent.number for other in self._held), shown)

    def _note_damage(self, sent: Sent) -> None:
        if not is_disposable(sent.packet, self._codec, self._context.extradata):
            self._damaged.add(sent.number)

    def _released(self) -> list[Shown]:
        """The frames before which nothing was decoded whose fate is still open: they may refer to it."""
        shown = []
        while self._held:
            number = self._held[0].number
            if len(self._held) <= _MAX_HELD and any(waiting < number for waiting in self._waiting):
                break
            shown.append(self._judged(self._held.popleft()))
            # nobody is to have what can't be trusted, nor its memory
            shown[-1].picture = None if shown[-1].reason else shown[-1].picture
        return shown

    def _judged(self, shown: Shown) -> Shown:
        if not self._damaged:
            return shown
        if not shown.reason and shown.picture.key_frame:
            self._damaged = {number for number in self._damaged if number > shown.number}
        elif shown.reason in ("", NOTHING) and min(self._damaged) < shown.number:
            shown.reason = PREDICTED
        return shown


def reason_of(error: BaseException) -> str:
    """FFmpeg's own words, without the number and the path that PyAV puts around them."""
    return str(getattr(error, "strerror", None) or error)
