"""How long FER2013 takes to index: run `python benchmarks/fer2013_index.py`.

A synthetic `fer2013.csv` of the official size, 35 887 rows of 2304 numbers. Medians over five scans in one process,
after one that fills the disk's cache, as any second scan has it; beside them what reading the file takes, and once what
unpacking it takes. Bar: the scan < 3 s by the clock.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from affectkit.datasets.fer2013 import COUNTS, SPEC, Fer2013Config
from affectkit.datasets.fer2013_pixels import ARRAY, SIDE, SPLITS, unpack_pixels

DISTINCT = 100
ROUNDS = 5
BAR = 3.0


def timed(run: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Seconds by the clock, and of the processor; each the median over the rounds."""
    clock, processor = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time()
        run()
        clock.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return statistics.median(clock), statistics.median(processor)


def write_table(path: Path) -> None:
    """A table whose rows repeat some pictures of noise."""
    rng = np.random.default_rng(0)
    texts = [" ".join(map(str, rng.integers(0, 256, SIDE * SIDE))) for _ in range(DISTINCT)]
    usages = [usage for usage, split in SPLITS.items() for _ in range(COUNTS[split])]
    with path.open("w", encoding="utf-8") as file:
        file.write("emotion,pixels,Usage\n")
        file.writelines(f"{row % 7},{texts[row % DISTINCT]},{usage}\n" for row, usage in enumerate(usages))


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        table = root / "fer2013.csv"
        write_table(table)
        reader = SPEC.factory(Fer2013Config())
        print(f"{len(reader.scan(root))} pictures, {table.stat().st_size / 1e6:.0f} MB")
        scan = timed(lambda: reader.scan(root))
        rows = (
            ("read the file", timed(table.read_bytes), ""),
            ("scan", scan, f"{BAR:.1f}"),
            ("unpack, once", timed(lambda: unpack_pixels(table, root / ARRAY), 1), ""),
        )
        print(f"{'what':<20}{'clock s':>10}{'processor s':>14}{'bar':>6}")
        for what, (clock, processor), bar in rows:
            print(f"{what:<20}{clock:>10.2f}{processor:>14.2f}{bar:>6}")
    return int(scan[0] >= BAR)


if __name__ == "__main__":
    sys.exit(main())
