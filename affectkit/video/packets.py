"""What a packet says of its frame before it is decoded. A packet is what a container stores: mostly one coded frame."""

from __future__ import annotations

from typing import Any

_VP8_SHOWN = 0x10
_AVC_OTHER = (6, 7, 8, 9, 12)  # supplemental information, parameter sets, delimiters, filling: no picture data


def holds_frame(packet: Any, codec: str) -> bool:
    """Whether the packet stands for a frame that is to be shown.

    It does not where an edit list cuts it away, where it is empty (an AVI that repeats the frame before), and where it
    only holds what VP8 and VP9 predict other frames from.
    """
    if not packet.size or packet.is_discard:
        return False
    if codec == "vp8":
        # a first partition of no bytes: no header of VP8, so the packet is damaged rather than hidden
        head = int.from_bytes(bytes(memoryview(packet)[:3]), "little")
        return bool(head & _VP8_SHOWN) or not head >> 5
    if codec == "vp9":
        return _vp9_is_shown(memoryview(packet))
    return True


def is_disposable(packet: Any, codec: str, extradata: bytes | None) -> bool:
    """Whether surely no other frame is predicted from this one, so that its loss does no further harm."""
    if packet.is_disposable:
        return True
    if codec != "h264":
        return False
    units = _nal_headers(bytes(packet), extradata)
    coded = [head for head in units if head & 31 not in _AVC_OTHER]
    # type 1: a slice of a frame that is no keyframe; the two bits above say whether it is referred to
    return bool(coded) and all(head & 31 == 1 and not head >> 5 for head in coded)


def _vp9_is_shown(data: memoryview) -> bool:
    head, tail = data[0], data[-1]
    # no frame marker: damaged; an index at the end: several frames, the last of which is shown
    if head >> 6 != 2 or tail >> 5 == 6:
        return True
    # profile 3 has a reserved bit before the ones that matter
    bits = head << 1 if head >> 4 & 3 == 3 else head
    shows_earlier_frame, is_shown = bits & 8, bits & 2
    return bool(shows_earlier_frame or is_shown)


def _nal_headers(data: bytes, extradata: bytes | None) -> list[int]:
    """The first byte of each unit of an H.264 packet; none where the units don't fill the packet exactly."""
    if not extradata or extradata[0] != 1:
        starts = [part for part in data.split(b"\0\0\1")[1:] if part]
        return [part[0] for part in starts]
    width = (extradata[4] & 3) + 1
    heads, at = [], 0
    while at + width < len(data):
        length = int.from_bytes(data[at : at + width], "big")
        if not length:
            return []
        heads.append(data[at + width])
        at += width + length
    return heads if at == len(data) else []
