"""Predictions of whoever: a line per sample, with its subject, what is true and what was predicted.

As a table (`.parquet`, `.csv`) it has the columns `subject`, `truth` and `predicted`, classes by name, and as far as
they are known `dataset`, `clip` and `seed`; other columns can be scored by. The challenges' logs (MEGC 2019) are blocks
of a line `casme2 sub01` and lines `EP02_01f 1 0`: clip, truth, predicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Items
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from affectkit.data.labels import MICRO_3
from affectkit.errors import InputError, did_you_mean
from affectkit.protocols.text_tables import (
    ENDINGS,
    Columns,
    check_lengths,
    joined,
    read_columns,
    read_text,
    write_columns,
)
from affectkit.results.places import check_ending, check_file, replacing

REQUIRED = ("subject", "truth", "predicted")
_ENDINGS = (*ENDINGS, ".txt")


@dataclass(frozen=True)
class Predictions:
    """Columns of equal length, by name; every cell is text.

    Attributes:
        columns: at least `subject`, `truth` and `predicted`.
        source: where they are from, for messages.

    Raises:
        InputError: a column is missing or has another length; a cell of one that is named here is empty, or of
            `dataset`, `clip` or `seed`; there is no sample, or a sample is there twice.
    """

    columns: Columns
    source: str = "predictions"

    def __post_init__(self) -> None:
        for name in REQUIRED:
            if name not in self.columns:
                hint = did_you_mean(name, list(self.columns), noun="columns")
                raise InputError(f"{self.source}: no column {name!r}; {hint}")
        check_lengths(self.columns, len(self), "samples", self.source)
        for name in (*REQUIRED, "dataset", "clip", "seed"):
            if "" in self.columns.get(name, ()):
                raise InputError(f"{self.source}: an empty cell of {name!r}; fill it, or leave the sample out")
        if not len(self):
            raise InputError(f"{self.source}: no samples; give at least one")
        if "clip" in self.columns:
            where, often = Counter(zip(self.seeds, self.keys, strict=True)).most_common(1)[0]
            if often > 1:
                seed = f", seed {where[0]}" if "seed" in self.columns else ""
                raise InputError(f"{self.source}: {where[1]}{seed} is there {often} times; keep one line per sample")

    def __len__(self) -> int:
        return len(self.columns["subject"])

    @property
    def subjects(self) -> tuple[str, ...]:
        """With the dataset before them, where there is one: `01` is somebody else in each."""
        return joined(self.columns, "dataset", "subject")

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the samples: dataset, subject and clip, as far as they are known."""
        return joined(self.columns, "dataset", "subject", "clip")

    @property
    def seeds(self) -> tuple[str, ...]:
        """Which run each is of."""
        return self.columns.get("seed", ("",) * len(self))


def read_predictions(path: str | Path) -> Predictions:
    """A table or, if the ending is `.txt`, a log.

    Raises:
        InputError: it can't be read, or isn't what `Predictions` accepts; the message names the line of a log.
    """
    path = Path(path)
    check_ending(path, _ENDINGS, "give a table (.parquet, .csv) or a log (.txt)")
    if path.suffix == ".txt":
        return Predictions(_read_log(path, read_text(path, "predictions").splitlines()), str(path))
    return Predictions(read_columns(path, "predictions"), str(path))


def write_predictions(predictions: Predictions, path: str | Path, *, overwrite: bool = False) -> None:
    """A table or, if the ending is `.txt`, a log.

    Raises:
        InputError: the file is there already or can't be written; or a log can't hold the predictions: several seeds,
            other classes than those of MEGC 2019, or no dataset or clip.
    """
    path = Path(path)
    check_ending(path, _ENDINGS, "write a table (.parquet, .csv) or a log (.txt)")
    if path.suffix != ".txt":
        write_columns(predictions.columns, path, overwrite=overwrite)
        return
    check_file(path, overwrite=overwrite)
    lines = _log_lines(predictions)
    with replacing(path) as file:
        file.write("".join(f"{line}\n" for line in lines).encode())


def _read_log(path: Path, lines: Items[str]) -> dict[str, tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    block: list[str] = []
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if len(words) == 2:
            block = words
        elif len(words) == 3 and block and words[1] in _NUMBERS and words[2] in _NUMBERS:
            rows.append((*block, words[0], _NUMBERS[words[1]], _NUMBERS[words[2]]))
        elif words:
            expected = "write 'DATASET SUBJECT', or 'CLIP TRUTH PREDICTED' below such a line, with classes 0, 1 and 2"
            raise InputError(f"{path}, line {number}: {line.strip()!r}; {expected}")
    names = ("dataset", "subject", "clip", "truth", "predicted")
    return {name: tuple(row[at] for row in rows) for at, name in enumerate(names)}


# MEGC 2019 numbers them in this order.
_NUMBERS = {str(number): name for number, name in enumerate(MICRO_3)}


def _log_lines(predictions: Predictions) -> list[str]:
    columns = predictions.columns
    for name in ("dataset", "clip"):
        if name not in columns:
            raise InputError(f"{predictions.source}: no column {name!r}, which a log has; write a .csv file")
    if len(set(predictions.seeds)) > 1:
        seeds = len(set(predictions.seeds))
        raise InputError(f"{predictions.source}: {seeds} seeds; a log holds one, write a .csv file")
    numbers = {name: number for number, name in _NUMBERS.items()}
    if unknown := sorted({*columns["truth"], *columns["predicted"]} - numbers.keys()):
        raise InputError(
            f"{predictions.source}: class {unknown[0]!r}; a log knows {', '.join(MICRO_3)}, write a .csv file"
        )
    rows = sorted(zip(*(columns[name] for name in ("dataset", "subject", "clip", "truth", "predicted")), strict=True))
    lines: list[str] = []
    for block, members in groupby(rows, key=lambda row: row[:2]):
        lines += [*([""] if lines else []), " ".join(block)]
        lines += [f"{clip} {numbers[truth]} {numbers[found]}" for _, _, clip, truth, found in members]
    return lines
