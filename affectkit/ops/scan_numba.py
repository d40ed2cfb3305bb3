"""The selective scan's loops for numba: no compiler is needed where it runs. Symbols as in the slow twin.

A tile is `FORWARD` or `BACKWARD` channels, side by side in memory, so that each step is a loop over channels, which
becomes vector instructions. Such loops are functions of their own, since the compiler then knows that their arrays do
not overlap. A tile goes through time in chunks of `STEPS`, transposed on the way in and out: in a tensor, channels lie
far apart. Loops are in one file, since numba's cache on the disk does not notice that another one changed.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numba
import numpy as np
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numpy.typing import NDArray

from affectkit.ops.numba_memory import as_floats, make_kernel, take
from affectkit.ops.numba_numbers import exp2

Array = NDArray[np.float32]
F = np.float32
FORWARD, BACKWARD, STEPS = 48, 48, 32
# channels that lie side by side in a checkpoint
LANES = 16
# places in a `ScanJob`, as an array: numba can't read its names
_SIZES, _PARTS, _NEXT, _BROKEN, _COUNT = 21, 28, 29, 30, 31
LOG2E, LN2 = F(1 / math.log(2)), F(math.log(2))


class _WideLower(Lower):  # type: ignore[misc]
    """Asks LLVM for vectors as wide as the machine has; on many processors it would take half of that."""

    def lower_normal_function(self, fndesc: Any) -> None:
        super().lower_normal_function(fndesc)
        # past llvmlite's own list of attributes, which leaves out those of one target
        set.add(self.function.attributes, '"prefer-vector-width"="512"')


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):  # type: ignore[misc]
    _name = "affectkit_wide_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        return _WideLower


class _NoAlias(Compiler):  # type: ignore[misc]
    """Tells LLVM that arrays do not overlap, which is true of all of the below, and to use wide vectors."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [
                (_WideLowering, text) if one is NativeLowering else (one, text) for one, text in pipeline.passes
            ]
            pipeline.finalize()
        return pipelines


# values may be NaN and infinite, and stay so; sums over steps keep their order
_FAST = {"contract", "nsz", "arcp"}
_options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
_inlined = numba.njit(cache=True, fastmath=_FAST, **_options)
_compiled = numba.njit(cache=True, fastmath=_FAST, pipeline_class=_NoAlias, **_options)
# for sums over channels, which may be taken in any order
_summing = numba.njit(cache=True, fastmath=_FAST | {"reassoc"}, pipeline_class=_NoAlias, **_options)


@_inlined
def _sigmoid(x: Any) -> Any:
    return F(1) / (F(1) + exp2(-x * LOG2E))


@_inlined
def _softplus(x: Any) -> Any:
    """max(x, 0) + log(1 + w) with w = exp(-|x|), where log(1 + w) = 2 artanh(w / (2 + w))."""
    w = exp2(-abs(x) * LOG2E)
    s = w / (w + F(2))
    q = s * s
    p = F(0.140059934) * q + F(0.140009026)
    p = p * q + F(0.200107636)
    p = p * q + F(0.333332081)
    p = p * q + F(1)
    return (x if x > F(0) else F(0)) + F(2) * s * p


@_compiled
def _load(to: Array, rows: Array, channel: int, count: int, begin: int, steps: int) -> None:
    """`to[t, j] = rows[channel + j, begin + t]`, in blocks that fit registers."""
    whole, whole_steps = count & ~3, steps & ~3
    for t0 in range(0, whole_steps, 4):
        for j0 in range(0, whole, 4):
            for t in range(4):
                for j in range(4):
                    to[t0 + t, j0 + j] = rows[channel + j0 + j, begin + t0 + t]
    for j in range(count):
        for t in range(0 if j >= whole else whole_steps, steps):
            to[t, j] = rows[channel + j, begin + t]


@_compiled
def _store(rows: Array, tile: Array, channel: int, count: int, begin: int, steps: int) -> None:
    """The other way round."""
    whole, whole_steps = count & ~3, steps & ~3
    for j0 in range(0, whole, 4):
        for t0 in range(0, whole_steps, 4):
            for j in range(4):
                for t in range(4):
                    rows[channel + j0 + j, begin + t0 + t] = tile[t0 + t, j0 + j]
    for j in range(count):
        for t in range(0 if j >= whole else whole_steps, steps):
            rows[channel + j, begin + t] = tile[t, j]


@_compiled
def _load_weights(
    a: Array, skip: Array, bias: Array, decays: Array, skips: Array, biases: Array, channel: int, count: int
) -> None:
    """Those of a tile; A for powers of two."""
    for j in range(count):
        for n in range(a.shape[1]):
            decays[n, j] = a[channel + j, n] * LOG2E
        if skip.size:
            skips[j] = skip[channel + j]
        if bias.size:
            biases[j] = bias[channel + j]


@_compiled
def _begin_step(
    delta: Array, u: Array, enters: Array, y: Array, skips: Array, biases: Array, softplus: bool, t: int
) -> None:
    """Step sizes, what enters the states, and what passes by."""
    if softplus:
        for j in range(y.size):
            delta[t, j] = _softplus(delta[t, j] + biases[j])
    else:
        for j in range(y.size):
            delta[t, j] += biases[j]
    for j in range(y.size):
        enters[j] = delta[t, j] * u[t, j]
        y[j] = skips[j] * u[t, j]


@_compiled
def _fill_slope(slope: Array, delta: Array, biases: Array, softplus: bool, t: int) -> None:
    """How step sizes change with what goes into them."""
    for j in range(BACKWARD):
        slope[t, j] = _sigmoid(delta[t, j] + biases[j]) if softplus else F(1)


@_compiled
def _advance(
    x: Array, decay: Array, decays: Array, delta: Array, enters: Array, y: Array, b: Array, c: Array, t: int, at: int
) -> None:
    """All states of step t, from `x[t]` into `x[t + 1]`; their decays are kept."""
    for n in range(b.shape[0]):
        into, out_of = b[n, at], c[n, at]
        for j in range(BACKWARD):
            a = exp2(delta[t, j] * decays[n, j])
            decay[t, n, j] = a
            state = a * x[t, n, j] + enters[j] * into
            x[t + 1, n, j] = state
            y[j] += state * out_of


@_compiled
def _advance_in_place(
    x: Array, decays: Array, delta: Array, enters: Array, y: Array, b: Array, c: Array, t: int, at: int
) -> None:
    """The same, of which nothing is kept."""
    for n in range(b.shape[0]):
        into, out_of = b[n, at], c[n, at]
        for j in range(FORWARD):
            state = exp2(delta[t, j] * decays[n, j]) * x[n, j] + enters[j] * into
            x[n, j] = state
            y[j] += state * out_of


@_compiled
def _end_forward(u: Array, y: Array, gate: Array, total: Array, is_gated: bool, t: int) -> None:
    """The output, in the place of u, and its sum over steps."""
    for j in range(FORWARD):
        out = y[j] * gate[t, j] * _sigmoid(gate[t, j]) if is_gated else y[j]
        u[t, j] = out
        total[j] += out


@_compiled
def _gate_gradients(gate: Array, dy: Array, y: Array, t: int) -> None:
    """From the gradient of the output to that of y, and to that of the gate, in its place."""
    for j in range(BACKWARD):
        z, d_out = gate[t, j], dy[t, j]
        share = _sigmoid(z)
        dy[t, j] = d_out * z * share
        gate[t, j] = d_out * y[j] * share * (F(1) + z * (F(1) - share))


@_summing
def _retreat(
    g: Array, x: Array, decay: Array, decays: Array, d_decays: Array, dy: Array, delta: Array, u: Array,
    through_a: Array, through_b: Array, b: Any, c: Any, n: int, t: int,
) -> Any:  # fmt: skip
    """Gradients of state n of step t; returns those of B and C."""
    d_b, d_c = F(0), F(0)
    for j in range(BACKWARD):
        gradient = dy[t, j] * c + g[n, j]
        d_c += dy[t, j] * x[t + 1, n, j]
        d_b += gradient * (delta[t, j] * u[t, j])
        through_b[j] += gradient * b
        passed = decay[t, n, j] * gradient
        g[n, j] = passed
        to_exponent = passed * x[t, n, j]
        through_a[j] += to_exponent * decays[n, j]
        d_decays[n, j] += to_exponent * delta[t, j]
    return d_b, d_c


@_compiled
def _end_step(
    u: Array, delta: Array, dy: Array, slope: Array, through_a: Array, through_b: Array, skips: Array,
    d_skips: Array, d_biases: Array, t: int,
) -> None:  # fmt: skip
    """Gradients of u and delta, in their places."""
    for j in range(BACKWARD):
        value = u[t, j]
        d_delta = (through_a[j] * LN2 + through_b[j] * value) * slope[t, j]
        d_skips[j] += dy[t, j] * value
        d_biases[j] += d_delta
        u[t, j] = through_b[j] * delta[t, j] + dy[t, j] * skips[j]
        delta[t, j] = d_delta
        through_a[j] = F(0)
        through_b[j] = F(0)


@_compiled
def _forward_tile(
    u: Array, delta: Array, a: Array, b: Array, c: Array, skip: Array, z: Array, bias: Array, softplus: bool,
    out: Array, last: Array, checkpoints: Array, channel: int, count: int,
) -> bool:  # fmt: skip
    """Whether the output is finite, by its sum, which may overflow."""
    states, length = b.shape
    of_states, of_channels = np.zeros((2, states, FORWARD), F), np.zeros((5, FORWARD), F)
    of_steps = np.zeros((3, STEPS, FORWARD), F)
    x, decays = of_states[0], of_states[1]
    skips, biases, enters, y, total = of_channels[0], of_channels[1], of_channels[2], of_channels[3], of_channels[4]
    us, deltas, gates = of_steps[0], of_steps[1], of_steps[2]
    _load_weights(a, skip, bias, decays, skips, biases, channel, count)
    for begin in range(0, length, STEPS):
        steps = min(STEPS, length - begin)
        if checkpoints.size:
            for n in range(states):
                # lanes without a channel too, so that nothing is left to chance
                for j in range((count + LANES - 1) // LANES * LANES):
                    checkpoints[j // LANES, begin // STEPS, n, j % LANES] = x[n, j]
        _load(us, u, channel, count, begin, steps)
        _load(deltas, delta, channel, count, begin, steps)
        if z.size:
            _load(gates, z, channel, count, begin, steps)
        for t in range(steps):
            _begin_step(deltas, us, enters, y, skips, biases, softplus, t)
            _advance_in_place(x, decays, deltas, enters, y, b, c, t, begin + t)
            _end_forward(us, y, gates, total, z.size > 0, t)
        _store(out, us, channel, count, begin, steps)
    for j in range(count):
        for n in range(states):
            last[channel + j, n] = x[n, j]
    whole = F(0)
    for j in range(count):
        whole += total[j]
    return math.isfinite(whole)


@_compiled
def _backward_tile(
    u: Array, delta: Array, a: Array, b: Array, c: Array, skip: Array, z: Array, bias: Array, softplus: bool,
    checkpoints: Array, d_out: Array, d_last: Array, d_u: Array, d_delta: Array, d_a: Array, d_b: Array, d_c: Array,
    d_skip: Array, d_z: Array, d_bias: Array, channel: int, count: int,
) -> None:  # fmt: skip
    states, length = b.shape
    of_states, of_channels = np.zeros((3, states, BACKWARD), F), np.zeros((8, BACKWARD), F)
    of_steps = np.zeros((5, STEPS, BACKWARD), F)
    decays, d_decays, g = of_states[0], of_states[1], of_states[2]
    skips, biases, enters, y = of_channels[0], of_channels[1], of_channels[2], of_channels[3]
    d_skips, d_biases, through_a, through_b = of_channels[4], of_channels[5], of_channels[6], of_channels[7]
    us, deltas, gates, dy, slope = of_steps[0], of_steps[1], of_steps[2], of_steps[3], of_steps[4]
    x, decay = np.zeros((STEPS + 1, states, BACKWARD), F), np.zeros((STEPS, states, BACKWARD), F)
    _load_weights(a, skip, bias, decays, skips, biases, channel, count)
    if d_last.size:
        for j in range(count):
            for n in range(states):
                g[n, j] = d_last[channel + j, n]
    for chunk in range((length + STEPS - 1) // STEPS - 1, -1, -1):
        begin = chunk * STEPS
        steps = min(STEPS, length - begin)
        _load(us, u, channel, count, begin, steps)
        _load(deltas, delta, channel, count, begin, steps)
        _load(dy, d_out, channel, count, begin, steps)
        if z.size:
            _load(gates, z, channel, count, begin, steps)
        for n in range(states):
            for j in range(count):
                x[0, n, j] = checkpoints[j // LANES, chunk, n, j % LANES]
        for t in range(steps):
            _fill_slope(slope, deltas, biases, softplus, t)
            _begin_step(deltas, us, enters, y, skips, biases, softplus, t)
            _advance(x, decay, decays, deltas, enters, y, b, c, t, begin + t)
            if z.size:
                _gate_gradients(gates, dy, y, t)
        if z.size:
            _store(d_z, gates, channel, count, begin, steps)
        for t in range(steps - 1, -1, -1):
            for n in range(states):
                at_b, at_c = _retreat(
                    g, x, decay, decays, d_decays, dy, deltas, us, through_a, through_b,
                    b[n, begin + t], c[n, begin + t], n, t,
                )  # fmt: skip
                d_b[n, begin + t] += at_b
                d_c[n, begin + t] += at_c
            _end_step(us, deltas, dy, slope, through_a, through_b, skips, d_skips, d_biases, t)
        _store(d_u, us, channel, count, begin, steps)
        _store(d_delta, deltas, channel, count, begin, steps)
    for j in range(count):
        for n in range(states):
            d_a[channel + j, n] += d_decays[n, j]
        if skip.size:
            d_skip[channel + j] += d_skips[j]
        if bias.size:
            d_bias[channel + j] += d_biases[j]


@_inlined
def _array(address: int, shape: Any) -> Any:
    """An array over memory; an empty one where the address is 0."""
    return numba.carray(as_floats(address), shape)


@_inlined
def _inputs(job: Array) -> Any:
    """What both passes read, `u` to `softplus`, for the loops over tiles."""
    batch, groups, per_group, states, length = (
        job[_SIZES],
        job[_SIZES + 1],
        job[_SIZES + 2],
        job[_SIZES + 3],
        job[_SIZES + 4],
    )
    channels = groups * per_group
    whole, none = (batch, channels, length), (batch, 0, 0)
    of_states = (batch, groups, states, length)
    return (
        _array(job[0], whole), _array(job[1], whole), _array(job[2], (channels, states)),
        _array(job[3], of_states), _array(job[4], of_states), _array(job[5], (channels if job[5] else 0,)),
        _array(job[6], whole if job[6] else none), _array(job[7], (channels if job[7] else 0,)), job[_SIZES + 5] != 0,
    )  # fmt: skip


@_inlined
def _checkpoints(job: Array, per_group: int, groups: int, states: int, length: int) -> Any:
    shape = (groups, (per_group + LANES - 1) // LANES, (length + STEPS - 1) // STEPS if job[10] else 0, states, LANES)
    return _array(job[10], shape)


@_inlined
def _take_tiles(job: Array, pairs: int, tiles: int) -> tuple[int, int, int]:
    """The next part, and its tiles of all that are in so many groups of so many."""
    part, parts = take(job, _NEXT), job[_PARTS]
    return part, pairs * tiles * part // parts, pairs * tiles * (part + 1) // parts


def _forward(address: Any) -> None:
    job = numba.carray(address, (_COUNT,), np.int64)
    u, delta, a, b, c, skip, z, bias, softplus = _inputs(job)
    out, last = _array(job[8], u.shape), _array(job[9], (u.shape[0], u.shape[1], b.shape[2]))
    groups, per_group = b.shape[1], u.shape[1] // b.shape[1]
    kept = _checkpoints(job, per_group, len(u) * groups, b.shape[2], u.shape[2])
    tiles = (per_group + FORWARD - 1) // FORWARD
    part, first, stop = _take_tiles(job, len(u) * groups, tiles)
    while part < job[_PARTS]:
        for tile in range(first, stop):
            pair, start = tile // tiles, tile % tiles * FORWARD
            item, group = pair // groups, pair % groups
            is_finite = _forward_tile(
                u[item], delta[item], a, b[item, group], c[item, group], skip, z[item], bias, softplus,
                out[item], last[item], kept[pair, start // LANES :], group * per_group + start,
                min(FORWARD, per_group - start),
            )  # fmt: skip
            if not is_finite:
                job[_BROKEN] = 1
        part, first, stop = _take_tiles(job, len(u) * groups, tiles)


def _backward(address: Any) -> None:
    job = numba.carray(address, (_COUNT,), np.int64)
    u, delta, a, b, c, skip, z, bias, softplus = _inputs(job)
    states, parts = b.shape[2], job[_PARTS]
    groups, per_group = b.shape[1], u.shape[1] // b.shape[1]
    kept = _checkpoints(job, per_group, len(u) * groups, states, u.shape[2])
    d_out = _array(job[11], u.shape)
    d_last = _array(job[12], (u.shape[0], u.shape[1] if job[12] else 0, states))
    d_u, d_delta, d_z = _array(job[13], u.shape), _array(job[14], u.shape), _array(job[15], z.shape)
    d_a = _array(job[16], (parts, *a.shape))
    d_b, d_c = _array(job[17], (parts, *b.shape)), _array(job[18], (parts, *c.shape))
    d_skip, d_bias = _array(job[19], (parts, *skip.shape)), _array(job[20], (parts, *bias.shape))
    tiles = (per_group + BACKWARD - 1) // BACKWARD
    part, first, stop = _take_tiles(job, len(u) * groups, tiles)
    while part < parts:
        for tile in range(first, stop):
            pair, start = tile // tiles, tile % tiles * BACKWARD
            item, group = pair // groups, pair % groups
            _backward_tile(
                u[item], delta[item], a, b[item, group], c[item, group], skip, z[item], bias, softplus,
                kept[pair, start // LANES :], d_out[item], d_last[item], d_u[item], d_delta[item], d_a[part],
                d_b[part, item, group], d_c[part, item, group], d_skip[part], d_z[item], d_bias[part],
                group * per_group + start, min(BACKWARD, per_group - start),
            )  # fmt: skip
        part, first, stop = _take_tiles(job, len(u) * groups, tiles)


class NumbaTiles:
    """`TileKernels` that numba compiles at their first use, or reads from its cache on the disk."""

    width, steps = LANES, STEPS

    @functools.cached_property
    def forward(self) -> Any:
        return make_kernel(_forward)

    @functools.cached_property
    def backward(self) -> Any:
        return make_kernel(_backward)
