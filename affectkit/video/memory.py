"""Memory that is freed and soon needed again."""

from __future__ import annotations

# Bytes; glibc takes no notice of more than 32 MB.
_LARGEST = 30_000_000


def keep_freed_memory() -> None:
    """Let the C library keep what is freed in pieces of up to 30 MB, as pictures and the layers of a network are.

    glibc hands large pieces back to the system, which fills the next ones with zeros: up to a tenth of the time of
    `analyze`. It takes for large what exceeds the largest piece that was freed before; so here one is. Others take no
    notice.
    """
    import numpy as np

    np.empty(_LARGEST, dtype=np.uint8)
