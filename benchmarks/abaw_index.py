"""How long the lists of s-Aff-Wild2 take to index, and how much memory: run `python benchmarks/abaw_index.py`.

The lists are made here, with invented labels and the counts of the 7th ABAW challenge: 142 333 rows with a label to
train on and 26 876 to validate, and as many without any as make 170 000 rows. Frames have gaps of 1 to 13, and each has
a picture, an empty file, since a reader opens none. Both splits are scanned once in a process of its own, as a program
does that reads the dataset; medians over five such processes, with the disk's cache warm. Memory is the process's peak,
torch included. Bars: 3 s for both scans, 500 MB.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

# rows, videos and file of each split; how many videos train has is invented
SPLITS = {
    "train": (142_333 + 791, 350, "training_set_annotations.txt"),
    "validation": (26_876, 50, "validation_set_annotations.txt"),
}
NO_LABEL = 791
ROUNDS = 5
SECONDS, MEGABYTES = 3.0, 500.0


def write_release(root: Path) -> None:
    """Lists and empty pictures below `root`."""
    rng = np.random.default_rng(0)
    for split, (count, videos, name) in SPLITS.items():
        lines = ["image,valence,arousal,expression,aus"]
        for video, rows in enumerate(np.array_split(np.arange(count), videos)):
            folder = f"{split}{video}-30-1280x720"
            (root / "cropped_aligned" / folder).mkdir(parents=True)
            for number in np.cumsum(rng.integers(1, 14, len(rows))):
                picture = f"{folder}/{number:05d}.jpg"
                open(f"{root}/cropped_aligned/{picture}", "wb").close()
                lines.append(f"{picture},{_labels(rng, is_labeled=len(lines) > NO_LABEL)}")
        (root / name).write_text("\n".join(lines))


def _labels(rng: np.random.Generator, *, is_labeled: bool) -> str:
    if not is_labeled:
        return "-5,-5,-1" + ",-1" * 12
    valence, arousal = rng.uniform(-1, 1, 2)
    units = ",".join(map(str, rng.integers(0, 2, 12)))
    return f"{valence:.6f},{arousal:.6f},{rng.integers(-1, 8)},{units}"


def measure(root: Path) -> dict[str, float]:
    """Seconds of the imports, of both scans and of a core in them; rows; and the process's peak of memory in MB."""
    started = time.perf_counter()
    from affectkit.datasets.s_aff_wild2 import SAffWild2Config
    from affectkit.datasets.s_aff_wild2_reader import SAffWild2

    imported, used = time.perf_counter(), time.process_time()
    indexes = [SAffWild2(SAffWild2Config(split=split)).scan(root) for split in ("train", "validation")]
    scanned, used = time.perf_counter(), time.process_time() - used
    rows = sum(len(sample.times) for index in indexes for sample in index if sample.times is not None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"import": imported - started, "scan": scanned - imported, "cpu": used, "rows": rows, "peak": peak}


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    if len(sys.argv) == 2:
        print(json.dumps(measure(Path(sys.argv[1]))))
        return 0
    with tempfile.TemporaryDirectory() as name:
        write_release(Path(name))
        runs = []
        for _ in range(ROUNDS):
            done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
            runs.append(json.loads(done.stdout))
    wait, seconds, cpu, megabytes = (
        statistics.median(run[what] for run in runs) for what in ("import", "scan", "cpu", "peak")
    )
    print(f"{runs[0]['rows']:.0f} rows of {sum(videos for _, videos, _ in SPLITS.values())} videos")
    print(f"{'what':<24}{'median':>10}{'bar':>8}")
    print(f"{'imports, s':<24}{wait:>10.2f}")
    print(f"{'scan of both splits, s':<24}{seconds:>10.2f}{SECONDS:>8.1f}")
    print(f"{'of a core in them, s':<24}{cpu:>10.2f}")
    print(f"{'peak of memory, MB':<24}{megabytes:>10.0f}{MEGABYTES:>8.0f}")
    return int(seconds >= SECONDS or megabytes >= MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
