"""Compiled functions in several threads: those of the OpenMP library that torch has loaded.

They wait awake for a while after each job, torch's or ours, so that the next one begins at once; threads of Python
begin about a millisecond late where the system wakes them on the core that is in use. And there is one team in all,
not two that fight for the cores. Where torch has none that is found, and in a forked process, in which its threads
are gone and it would wait for them forever, threads of Python have to do.
"""

from __future__ import annotations

import ctypes
import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

_LOADED_IN = os.getpid()
# takes the address of what it works on, and lets other threads of Python run meanwhile
compiled: Any = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def run_team(work: Any, job: ctypes.Structure, threads: int) -> None:
    """Call `work`, made by `compiled`, with the job's address in as many threads, this one too, until all return.

    It may be called fewer times, but at least once: whoever is called takes parts until there is none left.
    """
    at = ctypes.addressof(job)
    if threads == 1:
        work(at)
    elif os.getpid() == _LOADED_IN and (team := find_team()) is not None:
        team(ctypes.cast(work, ctypes.c_void_p), at, threads, 0)
    else:
        begun = [_pool(os.getpid(), threads).submit(work, at) for _ in range(1, threads)]
        work(at)
        for one in begun:
            one.result()


@functools.cache
def find_team() -> Any | None:
    """`GOMP_parallel(function, data, threads, flags)`, by which compiled OpenMP code begins a parallel part; or None.

    It is a stable interface of GCC's library, which those of Intel and LLVM have as well.
    """
    try:
        # symbols of the libraries that it needs are found through it
        team = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (OSError, AttributeError):
        return None
    team.argtypes, team.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return team


# by process, since threads don't survive a fork
@functools.lru_cache(maxsize=1)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, thread_name_prefix="affectkit-scan")
