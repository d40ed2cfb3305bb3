"""Memory that is freed is not asked for anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Pages that were asked for, in the best of some rounds: the first ones fill the heap.
CODE = """
import resource
import numpy as np
from affectkit.video.memory import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [np.ones(3_000_000, np.uint8) for _ in range(5)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
print(min(pages() for _ in range(5)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have other rules")
def test_pieces_are_kept() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    # without it, tens of thousands
    assert int(done.stdout) < 5000
