"""Predictions of frames of long videos, of several outputs, beside what is true of them as far as that is known.

As a Parquet table, a row per frame: `dataset`, `subject`, `video`, `frame`, and `fold` where there is one; decoded
scores as `va.valence`, `expr.neutral`, `au.AU1`; and the truth, empty where there is none. By its type it is known what
the output is: `truth.va.valence` is a number (values), `truth.expr` a text (one of the classes), `truth.au.AU1` true or
false (units). Whole numbers are none of these, since 0 and 1 may be either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.protocols.columns import is_text, read_frame_numbers, read_numbers, read_texts
from affectkit.results.places import check_ending, check_file, replacing

Kind = Literal["values", "classes", "units"]
NAMES = ("dataset", "subject", "video")
TRUTH = "truth"


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameOutput:
    """One output of N frames.

    Attributes:
        kind: `values`, one of several `classes`, or `units` that are there or not.
        targets: the K names.
        scores: decoded, `(N, K)`, finite: values or probabilities.
        truth: class numbers `(N,)` of classes, values or 0 and 1 `(N, K)` of the others.
        valid: bool, of the same shape; False where nothing is known.
    """

    kind: Kind
    targets: tuple[str, ...]
    scores: NDArray[np.float64]
    truth: NDArray[Any]
    valid: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> FrameOutput:
        """Some of the frames."""
        return FrameOutput(
            kind=self.kind,
            targets=self.targets,
            scores=self.scores[rows],
            truth=self.truth[rows],
            valid=self.valid[rows],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FramePredictions:
    """N frames.

    Attributes:
        dataset, subject, video: text, `(N,)`.
        frame: numbers, `(N,)`.
        outputs: by name.
        fold: the part that each was left out in, `(N,)`; None where there are no folds.
        source: where they are from, for messages.

    Raises:
        InputError: there is no frame or output, lengths differ, a frame is there twice, a score or a valid value is NaN
            or infinite, or what is true of a unit is neither 0 nor 1.
    """

    dataset: NDArray[np.str_]
    subject: NDArray[np.str_]
    video: NDArray[np.str_]
    frame: NDArray[np.int64]
    outputs: Mapping[str, FrameOutput]
    fold: NDArray[np.str_] | None = None
    source: str = "frames"

    def __post_init__(self) -> None:
        if not len(self) or not self.outputs:
            raise InputError(f"{self.source}: nothing to score; give at least one frame and one output")
        lengths = {name: len(getattr(self, name)) for name in NAMES}
        lengths |= {
            name: len(part) for name, one in self.outputs.items() for part in (one.scores, one.truth, one.valid)
        }
        for name, length in lengths.items():
            if length != len(self):
                raise InputError(f"{self.source}: {name} has {length} rows, frame {len(self)}; give one each")
        for name, one in self.outputs.items():
            self._check_numbers(name, one)
        order = self.order()
        same = np.ones(len(self) - 1, np.bool_)
        for column in (*(getattr(self, name) for name in NAMES), self.frame):
            same &= column[order][1:] == column[order][:-1]
        if same.any():
            at = order[int(same.argmax())]
            raise InputError(f"{self.source}: {self.videos[at]}, frame {self.frame[at]} is there twice; keep one row")

    def _check_numbers(self, name: str, one: FrameOutput) -> None:
        truth = one.truth.reshape(len(self), -1)
        valid = one.valid.reshape(len(self), -1)
        empty = f"give {'0 or 1' if one.kind == 'units' else 'a number'}, or mark it not valid"
        is_wrong = ~np.isin(truth, (0, 1)) if one.kind == "units" else ~np.isfinite(truth)
        for what, values, wrong, hint in (
            (name, one.scores, ~np.isfinite(one.scores), "give a number, or leave the frame out"),
            (f"{TRUTH}.{name}", truth, valid & is_wrong, empty),
        ):
            if wrong.any():
                row, k = np.argwhere(wrong)[0]
                target = f"{what}.{one.targets[k]}" if one.kind != "classes" or what == name else what
                fact = f"{self.videos[row]}, frame {self.frame[row]}: {target} is {values[row, k]:g}"
                raise InputError(f"{self.source}: {fact}; {hint}")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def videos(self) -> tuple[str, ...]:
        """Of each frame dataset, subject and video, as far as they are known."""
        return tuple(
            "/".join(filter(None, names)) for names in zip(self.dataset, self.subject, self.video, strict=True)
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of each frame dataset and subject."""
        return tuple("/".join(filter(None, names)) for names in zip(self.dataset, self.subject, strict=True))

    def order(self) -> NDArray[np.int64]:
        """Rows by dataset, subject, video and frame."""
        found: NDArray[np.int64] = np.lexsort((self.frame, self.video, self.subject, self.dataset))
        return found

    def take(self, rows: NDArray[np.int64]) -> FramePredictions:
        """Some of the frames."""
        return FramePredictions(
            dataset=self.dataset[rows],
            subject=self.subject[rows],
            video=self.video[rows],
            frame=self.frame[rows],
            outputs={name: one.take(rows) for name, one in self.outputs.items()},
            fold=None if self.fold is None else self.fold[rows],
            source=self.source,
        )


def write_frame_predictions(predictions: FramePredictions, path: str | Path, *, overwrite: bool = False) -> None:
    """A Parquet table.

    Raises:
        InputError: the file is there already, or can't be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    check_ending(path, (".parquet",), "write a table of frames as .parquet")
    check_file(path, overwrite=overwrite)
    columns: dict[str, Any] = {name: pa.array(getattr(predictions, name).tolist(), pa.string()) for name in NAMES}
    columns["frame"] = pa.array(predictions.frame, pa.int64())
    if predictions.fold is not None:
        columns["fold"] = pa.array(predictions.fold.tolist(), pa.string())
    for name, one in predictions.outputs.items():
        columns |= {f"{name}.{target}": pa.array(one.scores[:, k]) for k, target in enumerate(one.targets)}
    for name, one in predictions.outputs.items():
        columns |= {key: pa.array(*parts, mask=mask) for key, parts, mask in _truth_columns(name, one, pa)}
    with replacing(path) as file:
        pq.write_table(pa.table(columns), file)


def _truth_columns(name: str, one: FrameOutput, pa: Any) -> list[tuple[str, tuple[Any, Any], NDArray[np.bool_]]]:
    """Column, values with their type, and where they are empty."""
    if one.kind == "classes":
        names = np.array(one.targets, np.object_)[np.where(one.valid, one.truth, 0)]
        return [(f"{TRUTH}.{name}", (names, pa.string()), ~one.valid)]
    kind = pa.bool_() if one.kind == "units" else pa.float64()
    values = one.truth.astype(np.bool_ if one.kind == "units" else np.float64)
    return [
        (f"{TRUTH}.{name}.{target}", (values[:, k], kind), ~one.valid[:, k]) for k, target in enumerate(one.targets)
    ]


def read_frame_predictions(path: str | Path) -> FramePredictions:
    """A table as `write_frame_predictions` writes it, or anyone's with these columns.

    Raises:
        InputError: it can't be read, a column is missing or of another type, or what `FramePredictions` refuses.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    check_ending(path, (".parquet",), "give a table of frames as .parquet")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: can't be read ({error}); give a table of frames") from error
    for name in ("video", "frame"):
        if name not in table.column_names:
            raise InputError(f"{path}: no column {name!r}; give a row per frame, with its video and number")
    names = dict.fromkeys(name.partition(".")[0] for name in table.column_names if "." in name)
    texts = {name: read_texts(path, table, name) for name in (*NAMES, "fold")}
    fold = texts.pop("fold")
    return FramePredictions(
        dataset=texts["dataset"],
        subject=texts["subject"],
        video=texts["video"],
        frame=read_frame_numbers(path, table),
        outputs={name: _read_output(path, table, name) for name in names if name != TRUTH},
        fold=fold if "fold" in table.column_names else None,
        source=str(path),
    )


def _read_output(path: Path, table: Any, name: str) -> FrameOutput:
    import pyarrow as pa

    targets = tuple(one.partition(".")[2] for one in table.column_names if one.startswith(f"{name}."))
    scores = np.stack([read_numbers(path, table, f"{name}.{target}").astype(np.float64) for target in targets], axis=1)
    if f"{TRUTH}.{name}" in table.column_names:
        if not is_text(kind := table[f"{TRUTH}.{name}"].type):
            raise InputError(f"{path}: column '{TRUTH}.{name}' is {kind}; give the names of classes")
        labels = table[f"{TRUTH}.{name}"].to_pylist()
        if unknown := sorted({label for label in labels if label is not None} - set(targets)):
            raise InputError(
                f"{path}: {TRUTH}.{name} has {unknown[0]!r}, which is none of {', '.join(targets)}; mend it"
            )
        numbers = {target: number for number, target in enumerate(targets)}
        truth = np.array([0 if label is None else numbers[label] for label in labels], np.int64)
        valid = np.array([label is not None for label in labels], np.bool_)
        return FrameOutput(kind="classes", targets=targets, scores=scores, truth=truth, valid=valid)
    columns = []
    for target in targets:
        if (column := f"{TRUTH}.{name}.{target}") not in table.column_names:
            raise InputError(f"{path}: no column {column!r}; give what is true beside what is predicted")
        columns.append(table[column])
    are_units = all(pa.types.is_boolean(column.type) for column in columns)
    for target, column in zip(targets, columns, strict=True):
        if not are_units and not pa.types.is_floating(column.type):
            fact = f"column '{TRUTH}.{name}.{target}' is {column.type}"
            raise InputError(f"{path}: {fact}; give all as true and false (units), or as float (values)")
    return FrameOutput(
        kind="units" if are_units else "values",
        targets=targets,
        scores=scores,
        truth=np.stack([column.fill_null(False if are_units else 0.0).to_numpy() for column in columns], axis=1).astype(
            np.float64
        ),
        valid=np.stack([~column.is_null().to_numpy() for column in columns], axis=1),
    )
