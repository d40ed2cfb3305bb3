"""Dropout for training on a CPU, where torch's own draws every element by itself, and takes longer than many layers.

    y_e = x_e / (1 - p) where the bits of e reach 65,536 p, else 0

The bits of element e are the 16 at place e mod 4, from the lowest on, of word e // 4 that splitmix64 (Steele, Lea and
Flood 2014, with the multipliers of Stafford's variant 13) gives after a seed, itself drawn from torch's generator. A
word is computed from its place alone, so that threads share the work, and the backward pass draws again instead of
keeping what was dropped. p is rounded to a multiple of 1/65,536; what stays is divided by its exact share.

Float32 and bfloat16 go through a kernel of numba's where that is installed (`affectkit[fast]`), else through torch;
both give the same values.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEVELS = 1 << 16
_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
# words that torch draws at once, so that they stay in a core's cache
_BLOCK = 1 << 15


class Dropout(nn.Dropout):
    """As `nn.Dropout`, with other draws from the same seed, and faster on a CPU; most for what is contiguous.

    It does not work within `torch.func`.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Drop elements in training; else give back what came."""
        return drop(input, self.p) if self.training else input


def drop(values: Tensor, p: float) -> Tensor:
    """Drop elements with a probability of p in [0, 1]; the function of `Dropout` in training."""
    if p == 0.0:
        return values
    if p == 1.0 or values.device.type != "cpu" or torch.compiler.is_compiling():
        return functional.dropout(values, p, training=True)
    dropped: Tensor = _Drop.apply(values, draw_seed(), to_least(p))  # type: ignore[no-untyped-call]
    return dropped


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, seed: int, least: int) -> Tensor:
        ctx.drawn = seed, least
        return _drop(values, seed, least)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        # what multiplies by numbers that are given is its own gradient
        return _Drop.apply(gradient, *ctx.drawn), None, None  # type: ignore[no-untyped-call]


def _drop(values: Tensor, seed: int, least: int) -> Tensor:
    if values.dtype not in (torch.float32, torch.bfloat16) or not _has_numba():
        return values * draw_factors(values, seed, least)
    from affectkit.ops import dropout_numba

    source = values.contiguous()
    out = torch.empty_like(source)
    dropout_numba.drop(source, seed, least, out)
    return out


def draw_seed() -> int:
    """A seed for factors, from torch's generator."""
    # here and below: whatever torch's default device is
    return int(torch.randint(2**63 - 1, (), device="cpu"))


def to_least(p: float) -> int:
    """The least of 65,536 levels at which an element stays, if it is dropped with a probability of p in [0, 1)."""
    return min(round(p * _LEVELS), _LEVELS - 1)


def draw_factors(like: Tensor, seed: int, least: int) -> Tensor:
    """0 where an element is dropped, else 1 / (1 - p), for every element."""
    factors = torch.empty(like.numel(), dtype=like.dtype, device="cpu")
    for start in range(0, -(-len(factors) // 4), _BLOCK):
        block = factors[4 * start : 4 * (start + _BLOCK)]
        word = torch.arange(start + 1, start + 1 + -(-len(block) // 4), device="cpu").mul_(_signed(_GAMMA)).add_(seed)
        for shift, factor in ((30, _FIRST), (27, _SECOND), (31, 1)):
            # of numbers with a sign, a shift to the right fills in copies of it
            word = word.bitwise_xor_((word >> shift).bitwise_and_((1 << 64 - shift) - 1)).mul_(_signed(factor))
        # as numbers with a sign, the bits begin at half of the levels below 0
        block.copy_(word.view(torch.int16)[: len(block)] >= least - _LEVELS // 2)
    return factors.mul_(_LEVELS / (_LEVELS - least)).view(like.shape)


def draw_factors_ref(like: Tensor, seed: int, least: int) -> Tensor:
    """The slow twin, which draws word by word and takes each apart."""
    factors: list[float] = []
    for place in range(-(-like.numel() // 4)):
        word = (seed + (place + 1) * _GAMMA) % 2**64
        word = (word ^ word >> 30) * _FIRST % 2**64
        word = (word ^ word >> 27) * _SECOND % 2**64
        word ^= word >> 31
        for _ in range(4):
            level = (word + _LEVELS // 2) % _LEVELS
            factors.append(_LEVELS / (_LEVELS - least) if level >= least else 0.0)
            word >>= 16
    return torch.tensor(factors[: like.numel()], dtype=like.dtype).view(like.shape)


def _signed(word: int) -> int:
    """The number with a sign that has the same 64 bits: torch multiplies no others."""
    return word - 2**64 if word >= 2**63 else word


@functools.cache
def _has_numba() -> bool:
    try:
        from affectkit.ops import dropout_numba

        probe = torch.zeros(1, dtype=torch.float32, device="cpu")
        dropout_numba.drop(probe, 0, 0, probe.clone())
    # also where its cache has no place, or its insides are others
    except Exception:
        return False
    return True
