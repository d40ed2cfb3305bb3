"""A clip again and again, to any length, without encoding anything: its packets are copied with later times."""

from __future__ import annotations

import sys
from pathlib import Path

import av


def loop_video(source: Path, target: Path, seconds: float) -> Path:
    """Write the video stream of `source` to `target`, repeated until `seconds` are full. Sound is left out.

    Raises:
        ValueError: an edit list cuts away packets, which would be shown in the copy.
    """
    with av.open(str(source)) as given:
        stream = given.streams.video[0]
        packets = [packet for packet in given.demux(stream) if packet.size]
        if any(packet.is_discard for packet in packets):
            raise ValueError(f"{source}: an edit list cuts packets away; take a clip without one")
        last = max(packets, key=lambda packet: packet.pts)
        period = last.pts + last.duration - min(packet.pts for packet in packets)
        times = [(packet.pts, packet.dts) for packet in packets]
        with av.open(str(target), "w") as output:
            copy = output.add_stream_from_template(stream)
            for number in range(max(1, round(seconds / float(period * stream.time_base)))):
                for packet, (pts, dts) in zip(packets, times, strict=True):
                    # muxing rescales the packet's times and takes its data
                    one = av.Packet(bytes(packet))
                    one.pts, one.dts = pts + number * period, dts + number * period
                    one.time_base, one.duration, one.is_keyframe = stream.time_base, packet.duration, packet.is_keyframe
                    one.stream = copy
                    output.mux(one)
    return target


if __name__ == "__main__":
    loop_video(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
