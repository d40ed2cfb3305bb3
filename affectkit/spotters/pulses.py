"""Pulses along many patterns at once: out of rest, and back to it, with one time course in all that take part.

A pulse filter is a raised cosine of one length less its mean over pulse and flanks, so that offsets give nothing. Its
responses q along the patterns, over their noise, are explained by a movement c >= 0 along them: the energy
E = max 2 c'q - c'G c, with the patterns' Gram matrix G, is the likelihood ratio of that movement and none (non-negative
least squares), and its root the pulse's strength. The strongest pulse is taken, its course fitted and subtracted; then
the next one, as far as it is still there.
"""

from __future__ import annotations

import numpy as np

from affectkit.spotters.evidence import Evidence
from affectkit.spotters.face_patterns import Doubles
from affectkit.spotters.pulse_filters import Pulse, respond
from affectkit.spotters.pulse_shapes import Times, fit_pulse, subtract_pulse

# Lengths of the filters in seconds, each about 1.3 times the last: between two of them little is lost.
LENGTHS = (0.28, 0.36, 0.46, 0.60, 0.80, 1.05, 1.40, 1.80, 2.40, 3.20, 4.20)
# Usual noise of a response, in units of what independent noise of the cells would give, and for how many pulse lengths
# of observed noise that counts: a few seconds don't tell the noise of long pulses.
_USUAL_NOISE, _USUAL_COUNT = 1.15, 4
_SWEEPS = 30
# Steps around a moment that was tried, and steps by which repeated pixels may make a movement seem late.
_TRIED, _LATE = 3, 5
# Share of the shorter of two pulses by which they may overlap, and of a pulse that may lie outside what is seen.
_OVERLAP, _SLACK = 1 / 3, 0.1
# Responses that differ by less are the same; and more pulses in a window are no expressions.
_SAME, _MAX_PULSES = 1e-6, 40


def explain(responses: Doubles, gram: Doubles) -> tuple[Doubles, Doubles]:
    """Movement c >= 0 `(..., P)` that explains responses `(..., P)` best, and its energy `(...)`."""
    moved, pulled = np.zeros_like(responses), np.zeros_like(responses)
    for _ in range(_SWEEPS):
        for pattern, row in enumerate(gram):
            before = moved[..., pattern]
            after = np.maximum(0.0, before + (responses[..., pattern] - pulled[..., pattern]) / row[pattern])
            pulled += (after - before)[..., None] * row
            moved[..., pattern] = after
    return moved, (moved * (2 * responses - pulled)).sum(axis=-1)


def find_pulses(evidence: Evidence, *, threshold: float, shortest: float, longest: float) -> list[Pulse]:
    """Pulses in order of their onsets; they overlap by less than a third of the shorter one.

    Arguments:
        evidence: of a window.
        threshold: least strength.
        shortest: seconds from onset to offset.
        longest: seconds.
    """
    grid, gram = evidence.grid, evidence.gram
    seen, timed, found = evidence.seen.copy(), evidence.timed.copy(), list[Pulse]()
    lengths = [length for length in LENGTHS if length < 1.2 * longest] or [LENGTHS[0]]
    responses = _responses(seen, lengths)
    noise = _noise(evidence, lengths)[:, None, None]
    bound = np.linalg.inv(gram)
    energies, is_old = np.zeros(responses.shape[:2]), np.zeros(responses.shape[:2], bool)
    is_tried = np.zeros(len(grid), bool)
    for _ in range(_MAX_PULSES):
        scores = responses / noise
        # without c >= 0 the energy would be no less, and is quickly known
        is_high = np.einsum("lnp,pq,lnq->ln", scores, bound, scores, optimize=True) >= threshold**2
        energies[~is_old] = 0.0
        energies[is_high & ~is_old] = explain(scores[is_high & ~is_old], gram)[1]
        which, at = np.unravel_index(np.argmax(np.where(is_tried, 0.0, energies)), energies.shape)
        if is_tried[at] or energies[which, at] < threshold**2:
            break
        is_tried[max(0, at - _TRIED) : at + _TRIED + 1] = True
        length = lengths[which]
        strength = float(np.sqrt(energies[which, at]))
        late = respond(timed, length)[max(0, at - _LATE) : at + _TRIED] / noise[which]
        moved, strengths = explain(np.concatenate([scores[which, at][None], late]), gram)
        best = 1 + int(np.argmax(strengths[1:])) if strengths[1:].max() > 0 else 0
        onset, apex, offset = pulse = fit_pulse(grid, timed @ moved[best], float(grid[at]), length)
        subtract_pulse(grid, seen, pulse)
        subtract_pulse(grid, timed, pulse)
        responses, before = _responses(seen, lengths), responses
        is_old = np.abs(responses - before).max(axis=-1) < _SAME
        if (
            shortest <= offset - onset <= longest
            and _is_within(pulse, grid)
            and not any(_overlap(pulse, other) for other in found)
        ):
            found.append(Pulse(max(onset, float(grid[0])), apex, min(offset, float(grid[-1])), strength))
    return sorted(found, key=lambda pulse: pulse.onset)


def _noise(evidence: Evidence, lengths: list[float]) -> Doubles:
    """Standard deviation of the responses by each filter, `(L,)`."""
    observed = 1.4826 * np.median(np.abs(_responses(evidence.rest, lengths)), axis=(1, 2))
    count = (evidence.grid[-1] - evidence.grid[0]) / np.array(lengths)
    noise: Doubles = np.sqrt((count * observed**2 + _USUAL_COUNT * _USUAL_NOISE**2) / (count + _USUAL_COUNT))
    return noise


def _overlap(pulse: Times, other: Pulse) -> bool:
    onset, _, offset = pulse
    shared = min(offset, other.offset) - max(onset, other.onset)
    return shared > _OVERLAP * min(offset - onset, other.offset - other.onset)


def _is_within(pulse: Times, grid: Doubles) -> bool:
    """Whether it is seen from rest to rest, but for a little."""
    onset, apex, offset = pulse
    slack = _SLACK * (offset - onset)
    return bool(onset >= grid[0] - slack and offset <= grid[-1] + slack and grid[0] < apex < grid[-1])


def _responses(signals: Doubles, lengths: list[float]) -> Doubles:
    """`(L, N, P)`."""
    return np.stack([respond(signals, length) for length in lengths])
