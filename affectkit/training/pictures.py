"""`Pictures`: cut faces as bytes in files on the disk, of which a batch is read when it is asked for.

So a set of pictures may be larger than the memory. Files are read and not mapped: pages of a mapped file count as
memory of whoever has touched them, and in the end that would be all of them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.sequences import Sequence


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """N examples of T pictures each for some inputs: single ones, T = 1, or segments of frames.

    A row of a file has one picture per input, uint8, one after the other.

    Attributes:
        shapes: `(C, H, W)` by input name, in the order in which they stand in a row.
        files: of rows, as `cut_pictures` writes them; named by what they were made of.
        file: place among `files` of each, `(N, T)` int64; -1 for padding.
        row: its row there, `(N, T)` int64.
        times: seconds, `(N, T)` float64.
    """

    shapes: Mapping[str, tuple[int, int, int]]
    files: tuple[Path, ...]
    file: Tensor
    row: Tensor
    times: Tensor

    def __len__(self) -> int:
        return len(self.row)

    @property
    def length(self) -> int:
        """T, pictures in an example."""
        return self.row.shape[1]

    @property
    def mask(self) -> Tensor:
        """Which of them are real, `(N, T)` bool."""
        return self.file >= 0

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def take(self, index: Tensor) -> Pictures:
        """Some of them, int64 `(B,)`; nothing is read."""
        return replace(self, file=self.file[index], row=self.row[index], times=self.times[index])

    def read(self, index: Tensor) -> dict[str, Sequence]:
        """Some of them by input name, each `(B, T, C, H, W)` float32 in [0, 1]; padding is zeros.

        Raises:
            InputError: a file is gone, or shorter than it was.
        """
        some = self.take(index)
        files, places = some.file.flatten().numpy(), some.row.flatten().tolist()
        rows = np.zeros((len(files), self.row_bytes), np.uint8)
        for at in np.unique(files[files >= 0]).tolist():
            try:
                with self.files[at].open("rb") as file:
                    for place in np.flatnonzero(files == at).tolist():
                        file.seek(places[place] * self.row_bytes)
                        if file.readinto(memoryview(rows[place])) < self.row_bytes:
                            raise InputError(f"{self.files[at]}: cut short; remove it, and cut the pictures again")
            except OSError as error:
                fact = f"can't be read ({error.strerror})"
                raise InputError(f"{self.files[at]}: {fact}; cut the pictures again") from error
        return {
            name: Sequence.of(
                _values(rows[:, place], (*some.row.shape, *self.shapes[name])), mask=some.mask, times=some.times
            )
            for name, place in self._places().items()
        }

    def digest(self) -> str:
        """Hash of which pictures they are; nothing is read, since the name of a file says what is in it."""
        found = hashlib.sha256(repr([(name, tuple(shape)) for name, shape in self.shapes.items()]).encode())
        names = np.array([path.name for path in self.files], np.str_)
        used, where = np.unique(self.file.numpy(), return_inverse=True)
        found.update("\n".join(names[used[used >= 0]].tolist()).encode())
        found.update(where.astype(np.int64).tobytes() + self.row.numpy().tobytes())
        # left out of single pictures at time 0, so that their hashes stay what they were
        if self.length > 1 or self.times.any():
            found.update(str(self.length).encode() + self.mask.numpy().tobytes() + self.times.numpy().tobytes())
        return found.hexdigest()

    def _places(self) -> dict[str, slice]:
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = slice(start, start + math.prod(shape))
            start += math.prod(shape)
        return found


def join_pictures(parts: Iterable[Pictures]) -> Pictures:
    """Several sets as one.

    Raises:
        InputError: they are of other inputs, shapes or lengths.
    """
    parts = list(parts)
    lengths = sorted({part.length for part in parts})
    if len(lengths) > 1:
        raise InputError(f"examples: of {lengths[0]} and of {lengths[1]} pictures each; give sets of one length")
    shapes = [{name: tuple(shape) for name, shape in part.shapes.items()} for part in parts]
    for other in shapes[1:]:
        if list(other.items()) != list(shapes[0].items()):
            raise InputError(f"examples: pictures of {shapes[0]} and of {other}; give sets for one pipeline")
    starts = np.cumsum([0, *(len(part.files) for part in parts)]).tolist()
    return Pictures(
        shapes=parts[0].shapes,
        files=tuple(path for part in parts for path in part.files),
        file=torch.cat(
            [torch.where(part.mask, part.file + start, -1) for part, start in zip(parts, starts, strict=False)]
        ),
        row=torch.cat([part.row for part in parts]),
        times=torch.cat([part.times for part in parts]),
    )


def _values(rows: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows)).view(shape).float() / 255
