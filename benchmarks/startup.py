"""How long it takes until a pipeline file is checked: run `python benchmarks/startup.py`.

Fresh interpreters with bytecode cached, as any second start has it; candidates interleaved, medians of wall time over
the bare interpreter of the same round. torch's own import is printed for scale: how fast is this machine? Bars:
`import affectkit` < 50 ms, with neither torch nor numpy; discovering 5 plugins, parsing and checking a file < 150 ms.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 21
PIPELINE = """
[inputs.clip]
kind = "frames"
height = 112
width = 112

[branches.face]
features = {use = "conv-stem", dim = 64}

[temporal]
use = "bench-plugin-2/encoder"
dim = 32

[heads.expression]
use = "expression"
"""
MODULE = """
import affectkit
from dataclasses import dataclass
from affectkit import FeatureStream, TemporalConfig, TemporalSpec, lazy

@dataclass(frozen=True, kw_only=True)
class EncoderConfig(TemporalConfig):
    dim: int = 8

    def output(self, stream: FeatureStream) -> FeatureStream:
        return FeatureStream(dim=self.dim, steps=stream.steps, stride=stream.stride)

@affectkit.hookimpl
def affectkit_components():
    yield TemporalSpec(name="encoder", config=EncoderConfig, factory=lazy("nowhere:Encoder"), summary="Bench.")
"""
CHECK = "import affectkit, sys; assert len(affectkit.default_registry().reports) >= 6; "
CANDIDATES = {
    "bare interpreter": "pass",
    "import affectkit": "import affectkit",
    "discover, parse and check": CHECK + "affectkit.read_config(sys.argv[1]).trace()",
    "import torch, for scale": "import torch",
}
BARS = {"import affectkit": 50.0, "discover, parse and check": 150.0}


def write_plugins(folder: Path, count: int) -> None:
    """Write `count` installed distributions, each with one temporal encoder."""
    for i in range(count):
        info = folder / f"bench_plugin_{i}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench-plugin-{i}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[affectkit.v1]\nmain = bench_plugin_{i}\n")
        (folder / f"bench_plugin_{i}.py").write_text(MODULE)


def run(code: str, argument: str, folder: Path) -> float:
    """Wall milliseconds of a fresh interpreter."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    env |= {"PYTHONPATH": str(folder), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, argument], check=True, env=env)
    return (time.perf_counter() - started) * 1000


def loaded_by_import() -> set[str]:
    """Which of the heavy packages a bare import loads."""
    code = "import affectkit, sys; print(*({'torch', 'numpy', 'cv2', 'av', 'timm', 'pluggy'} & set(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(output.split())


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_plugins(folder, 5)
        file = folder / "pipeline.toml"
        file.write_text(PIPELINE)
        times: dict[str, list[float]] = {key: [] for key in CANDIDATES}
        for code in CANDIDATES.values():
            run(code, str(file), folder)
        for _ in range(ROUNDS):
            for key, code in CANDIDATES.items():
                times[key].append(run(code, str(file), folder))
    bare = times["bare interpreter"]
    missed = False
    print(f"{'what':<28}{'median ms':>10}{'over bare':>11}{'bar':>7}")
    for key, values in times.items():
        over = statistics.median(value - base for value, base in zip(values, bare, strict=True))
        bar = BARS.get(key)
        missed |= bar is not None and over >= bar
        print(f"{key:<28}{statistics.median(values):>10.1f}{over:>11.1f}{bar if bar else '':>7}")
    print(f"heavy packages loaded by `import affectkit`: {', '.join(sorted(loaded_by_import())) or 'none'}")
    return int(missed or bool(loaded_by_import()))


if __name__ == "__main__":
    sys.exit(main())
