"""Feature tracks to files that `read_track` reads: numbers, times and values, each as it is.

The header of a `.safetensors` file also says which encoder computed them; the other endings have no place for it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from affectkit.errors import InputError
from affectkit.results.places import check_ending, explained, replacing
from affectkit.tracks.formats import ENCODER_KEY
from affectkit.tracks.track import FeatureTrack

ENDINGS = (".npz", ".parquet", ".safetensors")


def write_track(track: FeatureTrack, path: str | Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a track; a file that is there is replaced at once.

    Arguments:
        track: what is written.
        path: a `.npz`, `.parquet` or `.safetensors` file; `.npy` has no place for numbers of frames.
        metadata: words for the header of a `.safetensors` file.

    Raises:
        InputError: another ending, metadata for a file that has no place for them, or it can't be written.
    """
    path = Path(path)
    check_ending(path, ENDINGS, f"write a {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]} file")
    if metadata is not None and path.suffix != ".safetensors":
        raise InputError(f"{path}: has no place for metadata; write a .safetensors file")
    content = {".npz": _npz, ".parquet": _parquet, ".safetensors": _safetensors}[path.suffix]
    data = content(track, dict(metadata or {}))
    with explained(path, "choose another folder"), replacing(path) as file:
        file.write(data)


def _npz(track: FeatureTrack, metadata: dict[str, str]) -> bytes:
    file = io.BytesIO()
    np.savez(file, values=track.values, frames=track.frames, times=track.times)
    return file.getvalue()


def _parquet(track: FeatureTrack, metadata: dict[str, str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = pa.FixedSizeListArray.from_arrays(pa.array(track.values.reshape(-1)), track.values.shape[1])
    columns = {"frame": track.frames, "time": track.times, "values": lists}
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def _safetensors(track: FeatureTrack, metadata: dict[str, str]) -> bytes:
    from safetensors.numpy import save

    arrays = {"values": track.values, "frames": track.frames, "times": track.times}
    about = metadata | ({ENCODER_KEY: track.encoder} if track.encoder else {})
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, about)
