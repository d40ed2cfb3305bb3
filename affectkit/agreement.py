"""How far the members of an ensemble agree, row by row; what `EnsembleConfig.agreement` puts out.

Symbols: p_m what member m says of a row, q what the ensemble says of it, M how many members scored it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit.streams import Problem


def measure_agreement(members: Tensor, usable: Tensor | None, joined: Tensor, problem: Problem) -> Tensor:
    """Agreement of each row, without gradient.

    Arguments:
        members: p_m, probabilities or values `(M, ..., K)`; in rows that are not usable they are not looked at.
        usable: `(M, ...)` bool, which members scored the row; None where all of them scored every row.
        joined: q, `(..., K)`.
        problem: of the output.

    Returns:
        `(..., 3)` of classes and labels: share, divergence (bits) and M. `(..., 2)` of values: spread (in their units)
        and M. All but M are NaN where M is 0.
    """

    def mean(each: Tensor) -> Tensor:
        """Over the members that scored, from `(M, ...)` or `(M, ..., K)`."""
        if usable is None:
            return each.mean(dim=0)
        present = usable if each.ndim == usable.ndim else usable.unsqueeze(-1)
        # not `each * present`: NaN times 0 is NaN. And 0 / 0 is the NaN that says that no one scored the row.
        return torch.where(present, each, torch.zeros_like(each)).sum(dim=0) / present.sum(dim=0)

    with torch.no_grad():
        if problem == "multiclass":
            share = mean((members.argmax(dim=-1) == joined.argmax(dim=-1)).to(joined.dtype))
            columns = [share, mean(divergence(members, joined).sum(dim=-1).clamp(min=0))]
        elif problem == "multilabel":
            both = divergence(members, joined) + divergence(1 - members, 1 - joined)
            share = mean(((members >= 0.5) == (joined >= 0.5)).to(joined.dtype).mean(dim=-1))
            columns = [share, mean(both.clamp(min=0).mean(dim=-1))]
        else:
            columns = [mean((members - mean(members)).square()).sqrt().mean(dim=-1)]
        first = columns[0]
        count = torch.full_like(first, len(members)) if usable is None else usable.sum(dim=0).to(first.dtype)
        return torch.stack([*columns, count], dim=-1)


def average_agreement(given: Tensor) -> Tensor:
    """The agreement that several ensembles report of their own members as one.

    Arguments:
        given: as `measure_agreement` returns it, `(N, ..., 2 or 3)` of N ensembles.

    Returns:
        `(..., 2 or 3)`: in each row the mean over the ensembles of which a member scored it. Where there is none, all
        is NaN but the number of members, which is 0.
    """
    with torch.no_grad():
        scored = given[..., -1:] > 0
        total, count = torch.where(scored, given, torch.zeros_like(given)).sum(dim=0), scored.sum(dim=0)
        return torch.cat([total[..., :-1] / count, total[..., -1:] / count.clamp(min=1)], dim=-1)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Terms of the Jensen-Shannon divergence of p and q in bits; summed over a distribution it is 0 to 1.

    Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37(1), 1991, with
    equal weights: `H((p + q) / 2) - H(p) / 2 - H(q) / 2`.
    """
    entr = torch.special.entr
    less_p = torch.sub(entr(torch.lerp(p, q, 0.5)), entr(p), alpha=0.5)
    return torch.sub(less_p, entr(q), alpha=0.5) / math.log(2)
