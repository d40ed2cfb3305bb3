"""Pictures made of two of a batch, and their labels: mixup, CutMix, halves of faces; compounds of basic expressions.

Symbols: l share of the picture itself, 1 - l that of its partner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from affectkit.data.labels import COMPOUND_BASICS
from affectkit.errors import ConfigError, InputError, did_you_mean, listed
from affectkit.heads.linear_head_net import ClassHead, class_labels, share_labels, value_labels
from affectkit.interfaces import LateFusion
from affectkit.model import Model
from affectkit.outputs import name_head
from affectkit.recipes import Mixing
from affectkit.sequences import Batch, Sequence, Targets
from affectkit.streams import FrameStream, PredictionStream

# Of Beta(alpha, alpha), where the mixing doesn't say it.
_ALPHA, _COMPOUND_ALPHA = 1.0, 16.0
_NONE = -1
Outputs = Mapping[str, PredictionStream]


def check_mixing(mixing: Mixing, model: Model) -> None:
    """Raise ConfigError for a mixing that a model can't be trained with: its inputs, heads or classes don't fit."""
    for name, stream in model.config.input_streams().items():
        if not isinstance(stream, FrameStream):
            raise ConfigError(
                f"the input {name!r} is stored features", "leave it out: it mixes pictures", path="mixing"
            )
    # what an ensemble joins has labels as heads have them, and no shares of classes for them
    kinds = ("heads.", "fusion.")
    heads = {path.partition(".")[2]: stage for path, stage in model.stages().items() if path.startswith(kinds)}
    outputs = {name: model.traced.outputs[name] for name in heads}
    named = {"basics": mixing.basics, "compound": mixing.compound} if mixing.compound is not None else {}
    for field, name in named.items():
        if name not in outputs or outputs[name].problem != "multiclass":
            known = [one for one, output in outputs.items() if output.problem == "multiclass"]
            hint = did_you_mean(name, known, noun="heads of classes")
            raise ConfigError(f"no head of classes {name!r}", hint, path=f"mixing.{field}")
    if mixing.compound is not None and not (_pairs(mixing, outputs) >= 0).any():
        fact = f"no class of {mixing.compound!r} is made of two of {mixing.basics!r}"
        remedy = f"set its targets to such as {listed(COMPOUND_BASICS, 3)}"
        raise ConfigError(fact, remedy, path="mixing.compound")
    for name in (mixing.basics,) if mixing.compound is not None else outputs:
        if outputs[name].problem == "multiclass" and isinstance(heads[name], LateFusion):
            fact = (
                f"{name!r} is joined from members' scores, and the loss of these takes no shares of classes for labels"
            )
            raise ConfigError(fact, "leave it out, or train the members by themselves and join them", path="mixing")
        if outputs[name].problem == "multiclass" and not isinstance(heads[name], ClassHead):
            fact = f"the head {name!r} may not take shares of classes for labels"
            raise ConfigError(fact, "leave it out, or use a head derived from ClassHead", path="mixing")


def mix(
    batch: Batch, targets: Mapping[str, Targets], mixing: Mixing, outputs: Outputs, generator: torch.Generator
) -> tuple[Batch, dict[str, Targets]]:
    """A batch of which some are mixed with others of it, and its labels.

    Arguments:
        batch: `(B, T, C, H, W)` by input name.
        targets: labels by head; where compounds are made, `mixing.basics` has one per example.
        mixing: what is mixed, and how; it fits the model, see `check_mixing`.
        outputs: what heads score.
        generator: on the CPU, so that a seed gives the same on every device.

    Returns:
        The batch, and labels as classes where they are of one for all, and else as shares.

    Raises:
        InputError: compounds are to be made, and examples have no labels of basic expressions, or several each; or
            a label is none of its head, as the head itself would say.
    """
    mask = next(iter(batch.values())).mask
    count = len(mask)
    pairs = None if mixing.compound is None else _pairs(mixing, outputs)
    if pairs is not None:
        _check_basics(targets, mixing, count)
    targets = {name: _checked(name, one, outputs[name], mask) for name, one in targets.items()}
    classes = None if pairs is None else _basic_classes(targets[mixing.basics])
    partners = _any_partners(count, generator) if pairs is None else _basic_partners(classes, pairs, generator)
    chosen = (partners != _NONE) & (torch.rand(count, generator=generator) < mixing.share)
    for one in batch.values():
        # a step that only one of the two has can't be mixed
        chosen &= (one.mask == one.mask[partners]).all(1).cpu()
    if not chosen.any():
        return dict(batch), dict(targets)
    alpha = mixing.alpha or (_ALPHA if pairs is None else _COMPOUND_ALPHA)
    # torch draws from Beta by its global state alone
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    drawn = torch.from_numpy(rng.beta(alpha, alpha, count))
    places = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    inputs, shares = {}, []
    for name, one in batch.items():
        inputs[name], share = _mixed(one, partners, chosen, drawn, places, mixing.how)
        shares.append(share)
    share = torch.stack(shares).mean(0)
    if pairs is None:
        return inputs, {
            name: _mixed_labels(one, outputs[name], partners, chosen, share) for name, one in targets.items()
        }
    assert classes is not None
    made = pairs[classes, classes[partners]].masked_fill(~chosen, _NONE)
    return inputs, _compound_labels(targets, mixing, outputs, made, partners, share, inputs)


def _pairs(mixing: Mixing, outputs: Outputs) -> Tensor:
    """Class of the compound of each two basic expressions, `(K, K)` int64; -1 where there is none."""
    assert mixing.compound is not None
    basics, compounds = outputs[mixing.basics].targets, outputs[mixing.compound].targets
    pairs = torch.full((len(basics), len(basics)), _NONE)
    for number, name in enumerate(compounds):
        first, second = COMPOUND_BASICS.get(name, ("", ""))
        if first in basics and second in basics:
            a, b = basics.index(first), basics.index(second)
            pairs[a, b] = pairs[b, a] = number
    return pairs


def _check_basics(targets: Mapping[str, Targets], mixing: Mixing, count: int) -> None:
    """Raise InputError unless every example has one place for a basic expression."""
    labels = targets.get(mixing.basics)
    if labels is None:
        raise InputError(
            f"examples: no labels of {mixing.basics!r}, of which compounds are to be made; they have {listed(targets)}"
        )
    if labels.values.numel() != count:
        fact = f"{mixing.basics!r} has several labels per example"
        raise InputError(f"examples: {fact}; compounds are made of single pictures, so leave mixing out")


def _checked(name: str, labels: Targets, output: PredictionStream, mask: Tensor) -> Targets:
    """Labels that count where their step is real; an InputError of the head `name` for what it would refuse itself.

    Mixed ones might be within the bounds again, and those of heads beside a compound's would not be looked at.
    """
    shape = labels.values.shape[: 2 if output.resolution == "frame" else 1]
    if len(shape) == 2 and shape != mask.shape:
        # a head that scores fewer steps than there are pictures says itself which are real
        mask = torch.ones(shape, dtype=torch.bool, device=mask.device)
    # of scores, only the shape is looked at
    scores = torch.empty(()).expand(*shape, len(output.targets))
    try:
        if output.problem != "multiclass":
            bounds = (0.0, 1.0) if output.problem == "multilabel" else output.bounds or (-math.inf, math.inf)
            return Targets(*value_labels(scores, labels, mask, bounds))
        if labels.values.is_floating_point() and labels.values.ndim == scores.ndim:
            share_labels(scores, labels, mask)
            return labels
        return Targets(*class_labels(scores, labels, mask))
    except InputError as error:
        raise name_head(error, name) from None


def _basic_classes(labels: Targets) -> Tensor:
    """`(B,)` int64; -1 where there is none."""
    return torch.where(labels.valid, labels.values, _NONE).flatten().cpu()


def _any_partners(count: int, generator: torch.Generator) -> Tensor:
    """The next one on a circle in any order, so that nobody is its own."""
    order = torch.randperm(count, generator=generator)
    partners = torch.full((count,), _NONE)
    if count > 1:
        partners[order] = order.roll(1)
    return partners


def _basic_partners(classes: Tensor | None, pairs: Tensor, generator: torch.Generator) -> Tensor:
    """A partner for each, of the classes that make a compound with its own equally often; -1 where there is none."""
    assert classes is not None
    partners = torch.full((len(classes),), _NONE)
    fits = (pairs[classes][:, classes] >= 0) & (classes >= 0) & (classes >= 0).unsqueeze(1)
    # each of a class gets its share of the class; weights of those without one are zeros
    counts = classes[classes >= 0].bincount(minlength=len(pairs)).clamp(min=1)
    weights = fits / counts[classes]
    rows = fits.any(1).nonzero().flatten()
    if len(rows):
        partners[rows] = torch.multinomial(weights[rows], 1, generator=generator).flatten()
    return partners


def _mixed(
    one: Sequence, partners: Tensor, chosen: Tensor, drawn: Tensor, places: Tensor, how: str
) -> tuple[Sequence, Tensor]:
    """One input, and the share that each has of itself, `(B,)` float64; 1 where it is not mixed."""
    values = one.values
    height, width = values.shape[-2:]
    if how == "blend":
        own = drawn.view(-1, 1, 1)
    elif how == "halves":
        rows = torch.arange(height).view(1, -1, 1)
        cut = (drawn * height).round().view(-1, 1, 1)
        # with the picture itself above, or below
        above = places[:, 0].view(-1, 1, 1) < 0.5
        own = torch.where(above, rows < cut, rows >= height - cut).double()
    else:
        sides = (1 - drawn).sqrt().unsqueeze(1) * torch.tensor([height, width])
        sides = sides.round()
        corner = (places * (torch.tensor([height, width]) - sides + 1)).floor()
        in_rows, in_columns = (
            (torch.arange(size) >= corner[:, axis : axis + 1])
            & (torch.arange(size) < corner[:, axis : axis + 1] + sides[:, axis : axis + 1])
            for axis, size in enumerate((height, width))
        )
        own = (~(in_rows.unsqueeze(2) & in_columns.unsqueeze(1))).double()
    own = torch.where(chosen.view(-1, 1, 1), own, torch.ones_like(own))
    share = own.flatten(1).mean(1)
    weights = own.to(values).view(len(values), 1, 1, *own.shape[1:])
    # what is not mixed stays as it is to the bit
    mixed = torch.where(weights == 1, values, weights * values + (1 - weights) * values[partners])
    return one.with_values(mixed), share


def _mixed_labels(
    one: Targets, output: PredictionStream, partners: Tensor, chosen: Tensor, share: Tensor
) -> Targets:  # fmt: skip
    """`l a + (1 - l) b` of the mixed ones, valid where both are; classes as shares."""
    values, valid = one
    if output.problem == "multiclass" and not values.is_floating_point():
        classes = len(output.targets)
        values = F.one_hot(values.masked_fill(~valid, 0), classes).float()
        valid = valid.unsqueeze(-1).expand_as(values)
    elif not values.is_floating_point():
        # a share of whole numbers would be one or the other
        values = values.float()
    shape = (-1, *(1,) * (values.ndim - 1))
    own, is_mixed = share.to(values).view(shape), chosen.to(values.device).view(shape)
    # what is not valid may be NaN, which the other's share must not hide
    both = valid & (valid[partners] | ~is_mixed)
    mixed = torch.where(is_mixed, own * values + (1 - own) * values[partners], values)
    return Targets(torch.where(both, mixed, torch.zeros_like(mixed)), both)


def _compound_labels(
    targets: Mapping[str, Targets],
    mixing: Mixing,
    outputs: Outputs,
    made: Tensor,
    partners: Tensor,
    share: Tensor,
    inputs: Batch,
) -> dict[str, Targets]:
    """Labels of all heads, where `made` `(B,)` is the compound's class of the mixed ones, and -1 of the others."""
    assert mixing.compound is not None
    device = next(iter(inputs.values())).values.device
    chosen = (made != _NONE).to(device)
    found = {}
    for name, one in targets.items():
        if name == mixing.basics:
            found[name] = _mixed_labels(one, outputs[name], partners, chosen, share)
        else:
            shape = (-1, *(1,) * (one.values.ndim - 1))
            found[name] = Targets(one.values, one.valid & ~chosen.view(shape))
    shape = (len(made), 1) if outputs[mixing.compound].resolution == "frame" else (len(made),)
    is_made, classes = chosen.view(shape), made.clamp(min=0).to(device).view(shape)
    before = found.get(mixing.compound, Targets(torch.zeros_like(classes), torch.zeros_like(is_made)))
    found[mixing.compound] = Targets(torch.where(is_made, classes, before.values), is_made | before.valid)
    return found
