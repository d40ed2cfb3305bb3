"""From codes of action units, a column each, to labels of frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence as Items

from affectkit.records import Labels

# Codes of the Facial Action Coding System: absent, and A to E.
LARGEST = 5


def label_codes(
    codes: Mapping[str, Mapping[int, int]], units: Items[str], frames: Items[int], *, threshold: int | None
) -> Labels:
    """Labels float32 `(T, K)`: whether each unit is active, or how strongly. What nobody coded is not valid.

    Arguments:
        codes: by unit, code by frame.
        units: in the order of the columns.
        frames: in the order of the rows.
        threshold: the least code that counts as active; None for the codes themselves.
    """
    import numpy as np

    values = np.zeros((len(frames), len(units)), dtype=np.float32)
    valid = np.zeros(values.shape, dtype=np.bool_)
    for column, unit in enumerate(units):
        own = codes.get(unit, {})
        found = [own.get(frame) for frame in frames]
        valid[:, column] = [code is not None for code in found]
        values[:, column] = [code or 0 for code in found]
    return Labels(values if threshold is None else (values >= threshold).astype(np.float32), valid)
