"""What every path of the selective scan reads and gives: tensors that are contiguous, of one type, on one device."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class ScanInputs(NamedTuple):
    """Names and symbols as in `selective_scan`; G groups of H = D / G channels share B and C.

    Attributes:
        u: `(B, D, L)`.
        delta: as `u`, before bias and softplus.
        A: `(D, N)`.
        B: `(B, G, N, L)`, or without G for one group.
        C: as `B`.
        D: `(D,)`.
        z: as `u`.
        delta_bias: `(D,)`.
        softplus: whether step sizes go through a softplus.
    """

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    z: Tensor | None
    delta_bias: Tensor | None
    softplus: bool

    def grouped(self) -> ScanInputs:
        """With an axis of groups in B and C."""
        return self._replace(B=self.B[:, None], C=self.C[:, None]) if self.B.dim() == 3 else self

    @property
    def sizes(self) -> ScanSizes:
        batch, channels, length = self.u.shape
        states, groups = self.B.shape[-2], 1 if self.B.dim() == 3 else self.B.shape[1]
        return ScanSizes(batch, groups, channels // groups, states, length)


class ScanSizes(NamedTuple):
    """B, G, H, N and L."""

    batch: int
    groups: int
    per_group: int
    states: int
    length: int


class Scanned(NamedTuple):
    """What the forward pass gives.

    Attributes:
        out: `(B, D, L)`.
        last: the state behind the last step, `(B, D, N)`.
        checkpoints: states at the beginning of each chunk of steps, laid out as its path likes; empty if nobody asked.
    """

    out: Tensor
    last: Tensor
    checkpoints: Tensor


class ScanGradients(NamedTuple):
    """What the backward pass gives: gradients of the tensors of `ScanInputs`, None where there is no tensor."""

    u: Tensor
    delta: Tensor
    A: Tensor
    B: Tensor
    C: Tensor
    D: Tensor | None
    z: Tensor | None
    delta_bias: Tensor | None
