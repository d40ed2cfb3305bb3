"""A search that is killed and goes on: run `python benchmarks/search.py [FOLDER]`.

200 candidates of a small network on synthetic clips, in two processes, once undisturbed; and once killed by SIGKILL,
all its processes, as soon as half of the candidates are done, and gone on with. Trial by trial the two have to agree,
and nothing that was done at the kill may have been done again. Then fronts by evolution and by as many random
candidates: the area below the front is the mean, over the FLOPs up to those of the whole network, of the best UF1 to be
had for at most as many. Scores are of the half that is chosen by.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from search_parts import BLOCKS, CONFIG, DIM, make_clips

from affectkit import registry, save
from affectkit.protocols.splits import leave_one_out
from affectkit.protocols.text_tables import read_columns
from affectkit.recipes import Augmentation, Recipe
from affectkit.search import Candidate, prepare_inner, read_space, search
from affectkit.search.space import Evolution
from affectkit.training import fit
from affectkit.training.examples import write_examples

SPACE = """[dials]
"temporal.ratios[0]" = "all"
"temporal.ratios[1]" = "all"
"temporal.ratios[2]" = "all"
"temporal.ratios[3]" = "all"

[objectives]
cost = "flops"

[search]
population = 20
generations = 10
"""
CANDIDATES = 200
SEEDS = 3


def main() -> int:
    """Print what was found; 1 where a bar is not reached."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    _install(folder / "site")
    clips = make_clips()
    inner = prepare_inner(clips, leave_one_out(clips.subjects)[0], share=0.4)
    recipe = Recipe(epochs=30, batch_size=32, learning_rate=5e-3, augmentation=Augmentation(flip=0.0))
    save(fit(CONFIG, inner.train, recipe), folder / "model", overwrite=(folder / "model").exists())
    write_examples(inner.validation, folder / "clips.safetensors")
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    (folder / "people.txt").write_text("\n".join(sorted(set(inner.train.subjects))), encoding="utf-8")

    whole, killed = folder / "whole", folder / "killed"
    for one in (whole, killed):
        shutil.rmtree(one, ignore_errors=True)
    started = time.perf_counter()
    _run(folder, whole).wait()
    print(f"undisturbed: {CANDIDATES} candidates in {time.perf_counter() - started:.0f} s, start of processes included")
    process = _run(folder, killed)
    while len(_done(killed)) < CANDIDATES // 2:
        if process.poll() is not None:
            print("FAILED: it ended before it could be killed")
            return 1
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = _done(killed)
    started = time.perf_counter()
    code = _run(folder, killed, "--resume").wait()
    print(f"killed when {len(before)} were done; resumed: {time.perf_counter() - started:.0f} s, exit code {code}")
    after = _done(killed)
    columns = [read_columns(one / "candidates.parquet", "candidates") for one in (whole, killed)]
    rows = [list(zip(*found.values(), strict=True)) for found in columns]
    same = sum(one == other for one, other in zip(*rows, strict=True))
    again = sum(after.get(number) != times for number, times in before.items())
    new = sum(not cell for cell in columns[0]["same_as"])
    print(f"equal trial by trial: {same} of {len(rows[0])}; evaluated again: {again} of {len(before)}")
    print(f"{new} of them new, the others known before; {columns[0]['state'].count('done')} done")
    examples, space = inner.validation, read_space(folder / "space.toml")
    for seed in range(SEEDS):
        areas = []
        for population in (space.search.population, CANDIDATES):
            evolution = Evolution(population=population, generations=CANDIDATES // population, seed=seed)
            found = search(folder / "model", examples, replace(space, search=evolution), trained_on=())
            areas.append(_area(found.front))
        print(f"seed {seed}: area below the front {areas[0]:.4f} by evolution, {areas[1]:.4f} by chance")
    return int(not (same == len(rows[0]) == CANDIDATES and again == 0 and code == 0))


def _area(front: tuple[Candidate, ...]) -> float:
    dense = 2.0 * (BLOCKS * 2 * DIM * 64 + 3 * DIM)
    points = sorted((one.flops or 0.0, one.score or 0.0) for one in front)
    ends = [*(flops for flops, _ in points[1:]), dense]
    return sum((end - flops) * score for (flops, score), end in zip(points, ends, strict=True)) / dense


def _install(site: Path) -> None:
    """Make `search_parts` an installed plugin, for this process and those that it starts."""
    info = site / "search_parts-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: search-parts\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[affectkit.v1]\nmain = search_parts\n", encoding="utf-8")
    sys.path.insert(0, str(site))
    paths = (str(site), str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    registry._discovered.cache_clear()


def _run(folder: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    given = [folder / "model", folder / "clips.safetensors", folder / "space.toml"]
    command = [
        sys.executable,
        "-m",
        "affectkit",
        "search",
        *map(str, given),
        "--trained-on",
        str(folder / "people.txt"),
    ]
    return subprocess.Popen(
        [*command, "--out", str(out), "--workers", "2", *options], start_new_session=True, stdout=subprocess.DEVNULL
    )


def _done(out: Path) -> dict[int, str]:
    """When each candidate was done, by number, straight from the database."""
    path = out / "search.db"
    if not path.is_file():
        return {}
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            rows = database.execute("SELECT number, datetime_complete FROM trials WHERE state = 'COMPLETE'")
            return dict(rows.fetchall())
    except sqlite3.OperationalError:
        return {}  # its tables are being made


if __name__ == "__main__":
    sys.exit(main())
