"""How far the members of an ensemble agree, row by row; what `EnsembleConfig.agreement` puts out.

Symbols: p_m what member m says of a row, q what the ensemble says of it, M how many members scored it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from affectkit.streams import Problem


def measure_agreement(members: Tensor, usable: Tensor, joined: Tensor, problem: Problem) -> Tensor:
    """Agreement of each row, without gradient.

    Arguments:
        members: p_m, probabilities or values `(M, ..., K)`; in rows that are not usable they are not looked at.
        usable: `(M, ...)` bool, which members scored the row.
        joined: q, `(..., K)`.
        problem: of the output.

    Returns:
        `(..., 3)` of classes and labels: share, divergence (bits) and M. `(..., 2)` of values: spread (in their units)
        and M. All but M are NaN where M is 0.
    """
    with torch.no_grad():
        count = usable.sum(dim=0)

        def mean(each: Tensor) -> Tensor:
            # not `each * usable`: NaN times 0 is NaN. And 0 / 0 is the NaN that says that no one scored the row.
            return torch.where(usable, each, torch.zeros_like(each)).sum(dim=0) / count

        if problem == "multiclass":
            share = mean((members.argmax(dim=-1) == joined.argmax(dim=-1)).to(joined.dtype))
            columns = [share, mean(divergence(members, joined).sum(dim=-1).clamp(min=0))]
        elif problem == "multilabel":
            both = divergence(members, joined) + divergence(1 - members, 1 - joined)
            share = mean(((members >= 0.5) == (joined >= 0.5)).to(joined.dtype).mean(dim=-1))
            columns = [share, mean(both.clamp(min=0).mean(dim=-1))]
        else:
            present = usable.unsqueeze(-1)
            center = torch.where(present, members, torch.zeros_like(members)).sum(dim=0) / count.unsqueeze(-1)
            squares = torch.where(present, (members - center).square(), torch.zeros_like(members)).sum(dim=0)
            columns = [(squares / count.unsqueeze(-1)).sqrt().mean(dim=-1)]
        return torch.stack([*columns, count.to(joined.dtype)], dim=-1)


def divergence(p: Tensor, q: Tensor) -> Tensor:
    """Terms of the Jensen-Shannon divergence of p and q in bits; summed over a distribution it is 0 to 1.

    Lin, Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37(1), 1991, with
    equal weights: `H((p + q) / 2) - H(p) / 2 - H(q) / 2`.
    """
    entr = torch.special.entr
    found: Tensor = (entr((p + q) / 2) - entr(p) / 2 - entr(q) / 2) / math.log(2)
    return found
