"""Tables as Parquet: typed columns, a row group per part, what is said about the run in the file's metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence as Items
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from affectkit.errors import InputError
from affectkit.results.info import RunInfo
from affectkit.results.places import check_count
from affectkit.results.rows import Cells, column_type

METADATA_KEY = b"affectkit"
_BATCH = 1024


class ParquetTables:
    """Writes and reads Parquet files. Numbers are float64 and int64, `track` is int32, words are text."""

    def encode(self, columns: tuple[str, ...], lines: Items[Cells], info: RunInfo) -> bytes:
        """A file with one row group, or none where there are no lines."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = _schema(columns, info)
        arrays = [pa.array([line.get(name) for line in lines], type=schema.field(name).type) for name in columns]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), sink)
        return bytes(sink.getvalue())

    def columns(self, path: Path) -> tuple[str, ...]:
        """From the footer."""
        with _opened(path) as file:
            return tuple(file.schema_arrow.names)

    def info(self, path: Path) -> RunInfo | None:
        """From the footer."""
        with _opened(path) as file:
            found = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
        if found is None:
            return None
        try:
            data = json.loads(found)
        except ValueError:
            data = None
        return RunInfo.from_data(data, str(path))

    def count(self, path: Path) -> int:
        """From the footer."""
        with _opened(path) as file:
            return int(file.metadata.num_rows)

    def read(self, path: Path, columns: tuple[str, ...], start: int = 0) -> Iterator[tuple[str, Cells]]:
        """Lines from `start` on; row groups before it are passed over."""
        types = [_type(name) for name in columns]
        with _opened(path) as file:
            group, first = 0, 0
            while group < file.num_row_groups and first + file.metadata.row_group(group).num_rows <= start:
                first += file.metadata.row_group(group).num_rows
                group += 1
            if group == file.num_row_groups:
                return
            number = first
            for batch in file.iter_batches(_BATCH, row_groups=range(group, file.num_row_groups), columns=list(columns)):
                # other programs that wrote the table anew may have chosen other types
                values = [batch.column(name).cast(kind).to_pylist() for name, kind in zip(columns, types, strict=True)]
                for cells in zip(*values, strict=True):
                    if number >= start:
                        yield f"row {number}", dict(zip(columns, cells, strict=True))
                    number += 1

    def join(self, parts: Iterable[tuple[Path, int]], columns: tuple[str, ...], info: RunInfo, file: IO[bytes]) -> None:
        """A row group per part."""
        import pyarrow.parquet as pq

        schema = _schema(columns, info)
        with pq.ParquetWriter(file, schema) as writer:
            for path, count in parts:
                with _opened(path) as part:
                    table = part.read().slice(0, count)
                check_count(path, table.num_rows, count)
                writer.write_table(table.replace_schema_metadata(schema.metadata))


def _type(name: str) -> Any:
    import pyarrow as pa

    if name == "track":
        return pa.int32()
    return {int: pa.int64(), float: pa.float64(), str: pa.string()}[column_type(name)]


def _schema(columns: tuple[str, ...], info: RunInfo) -> Any:
    import pyarrow as pa

    fields = [pa.field(name, _type(name)) for name in columns]
    text = json.dumps(info.to_data(), ensure_ascii=False)
    return pa.schema(fields, metadata={METADATA_KEY: text.encode()})


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, and for as long as it is open an InputError for what pyarrow says of a damaged one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    # pyarrow's words differ from release to release, and name none of its files
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: is no whole Parquet file; give one that analyze wrote, undamaged") from error
