"""What the conformance kit costs a plugin author, and what it catches: run `python benchmarks/conformance.py`.

A clean plugin with four components (the first four of tests/plugins/affectkit-toy, installed for the run), checked as
`affectkit check` does it, in a process that has torch. Bars: under 5 s in all; every planted fault of tests/faulty is
caught by the check that it was planted for, and by no other.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOY = ROOT / "tests" / "plugins" / "affectkit-toy"
BAR = 5.0
HOOKS = """
import affectkit
import affectkit_toy

@affectkit.hookimpl
def affectkit_components():
    return list(affectkit_toy.affectkit_components())[:4]
"""


def install_four(folder: Path) -> str:
    """Write a distribution of four components and put it on the path; returns its name."""
    info = folder / "bench_four-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-four\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[affectkit.v1]\nmain = bench_four\n")
    (folder / "bench_four.py").write_text(HOOKS)
    sys.path[:0] = [str(folder), str(TOY)]
    return "bench-four"


def time_clean_plugin() -> bool:
    """Print the seconds by component; whether the bar is met."""
    from affectkit.testing import run_checks

    with tempfile.TemporaryDirectory() as name:
        distribution = install_four(Path(name))
        started = time.perf_counter()
        results = run_checks(distribution)
        total = time.perf_counter() - started
    print(f"{'component':<16}{'checks':>8}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for component in dict.fromkeys(result.component for result in results):
        mine = [result for result in results if result.component == component]
        counts = [sum(result.status == status for result in mine) for status in ("passed", "failed", "skipped")]
        seconds = sum(result.seconds for result in mine)
        print(f"{component:<16}{len(mine):>8}{counts[0]:>8}{counts[1]:>8}{counts[2]:>9}{seconds:>9.2f}")
    print(f"clean plugin with four components: {total:.2f} s, bar {BAR:g} s")
    return total < BAR and not any(result.status == "failed" for result in results)


def count_caught() -> bool:
    """Print how many planted faults are caught; whether all are."""
    from affectkit.testing import check_names
    from tests.faulty.catalog import FAULTS, check_fault, check_plugin, failed
    from tests.faulty.distributions import PLUGINS

    planted = [(f"{fault.check}: {fault.name}", fault.check, failed(check_fault(fault))) for fault in FAULTS]
    with tempfile.TemporaryDirectory() as folder:
        for name, (check, _, _) in PLUGINS.items():
            planted.append((f"{check}: {name}", check, failed(check_plugin(name, Path(folder)))))
    missed = [(name, found) for name, check, found in planted if found != [check]]
    for name, found in missed:
        print(f"missed {name}: {found or 'nothing'} failed")
    covered = len({check for _, check, _ in planted})
    print(f"planted faults caught: {len(planted) - len(missed)} of {len(planted)}")
    print(f"checks with a planted fault: {covered} of {len(check_names())}")
    return not missed and covered == len(check_names())


def main() -> int:
    """Print both tables; 1 if a bar is missed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(ROOT))
    import torch

    torch.set_num_threads(1)
    met = [time_clean_plugin(), count_caught()]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
