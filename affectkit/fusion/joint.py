"""What every fusion needs of its streams: one clock. Described here; checked on data in `joint_net`."""

from __future__ import annotations

from collections.abc import Mapping

from affectkit.errors import StreamError
from affectkit.streams import FeatureStream


def joined(streams: Mapping[str, FeatureStream], dim: int) -> FeatureStream:
    """The stream that fusing `streams` into vectors of width `dim` gives.

    Raises:
        StreamError: there are no streams, or their steps, strides or known rates differ.
    """
    if not streams:
        raise StreamError("no branches", "give at least one")
    (first, one), *others = streams.items()
    # an unknown rate (None) goes with any: the first one that is known is what the others have to match
    fps = one.fps
    for name, other in others:
        for fact, suggestion in (
            ("steps", "give every branch the same steps"),
            ("stride", "give every branch one vector for the same frames"),
        ):
            ours, theirs = getattr(one, fact), getattr(other, fact)
            if ours != theirs:
                raise StreamError(f"branches {first!r} and {name!r} have {fact} {ours!r} and {theirs!r}", suggestion)
        if fps is not None and other.fps is not None and fps != other.fps:
            known = next(key for key, stream in streams.items() if stream.fps is not None)
            fact = f"branches {known!r} and {name!r} have fps {fps!r} and {other.fps!r}"
            raise StreamError(fact, "resample them to one clock in the loader")
        fps = other.fps if fps is None else fps
    return FeatureStream(dim=dim, fps=fps, stride=one.stride, steps=one.steps)
