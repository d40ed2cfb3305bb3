"""Seeds: one range for all of them, since torch and NumPy take others, and say so in the middle of a run."""

from __future__ import annotations

from affectkit.errors import ConfigError


def check_seed(seed: int, *, path: str = "seed") -> None:
    """Raise ConfigError unless a seed is from 0 to 2**63 - 1; `path` says whose it is."""
    if not 0 <= seed < 2**63:
        raise ConfigError(f"{seed!r} is not accepted", "write a whole number from 0 to 2**63 - 1", path=path)
