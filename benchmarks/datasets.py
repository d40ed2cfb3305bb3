"""How long a dataset takes to index: run `python benchmarks/datasets.py`.

A synthetic tree of CASME II with 10 000 clips of 20 frames, whose files are empty, since a reader opens none. Medians
over five scans in one process, after one that fills the disk's cache, as any second scan has it; beside them what
listing the same folders takes, and reading the table. Bar: the scan < 5 s.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from affectkit.datasets import make_tree
from affectkit.datasets.casme2 import SPEC, Casme2Config
from affectkit.datasets.tables import read_book
from affectkit.datasets.trees.casme2_tree import TABLE
from affectkit.records import FramesSource, Index

CLIPS = 10_000
ROUNDS = 5
BAR = 5.0


def timed(run: Callable[[], object]) -> float:
    """Wall seconds, median over the rounds."""
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def list_files(base: Path) -> int:
    """How many files lie below a folder."""
    return sum(len(names) for _, _, names in os.walk(base))


def main() -> int:
    """Print the table; 1 if the bar is missed."""
    with tempfile.TemporaryDirectory() as name:
        root = make_tree("casme2", Path(name) / "CASME2", more=CLIPS, pictures=False).root
        selected = root / "CASME2_RAW_selected"
        reader = SPEC.factory(Casme2Config())
        index: Index = reader.scan(root)
        frames = sum(len(one.source.frames) for one in index if isinstance(one.source, FramesSource))
        print(f"{len(index)} clips, {frames} frames, {list_files(selected)} files, {len(index.issues)} issues")
        rows = (
            ("list the folders", lambda: list_files(selected), None),
            ("read the table", lambda: read_book(root / TABLE), None),
            ("scan", lambda: reader.scan(root), BAR),
        )
        missed = False
        print(f"{'what':<20}{'median s':>10}{'bar':>6}")
        for what, run, bar in rows:
            seconds = timed(run)
            missed |= bar is not None and seconds >= bar
            print(f"{what:<20}{seconds:>10.2f}{bar if bar else '':>6}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
