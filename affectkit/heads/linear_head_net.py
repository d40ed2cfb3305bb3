"""What the standard heads share: masking, pooling, linear layers, and the check of labels."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from affectkit.errors import InputError
from affectkit.heads.linear_head import ClassHeadConfig, LinearHeadConfig
from affectkit.heads.losses import cross_entropy, shared_cross_entropy
from affectkit.heads.pooling import Pooling
from affectkit.interfaces import TaskHead, decode
from affectkit.sequences import Sequence, Targets
from affectkit.streams import FeatureStream

H = TypeVar("H", bound=LinearHeadConfig)
K = TypeVar("K", bound=ClassHeadConfig)
# What rounding makes of a sum of shares.
_NEAR = 1e-3


class LinearHead(TaskHead[H]):
    """Base of heads with linear layers; a subclass adds the loss and the decoding.

    Attributes:
        pooling: over the clip's real steps; None for a head per frame.
        hidden: the hidden layers, each followed by a ReLU.
        linear: the last layer.
    """

    def __init__(self, config: H, stream: FeatureStream) -> None:
        super().__init__(config)
        widths = (stream.dim, *config.hidden)
        self.pooling = Pooling(config.pooling, stream.dim) if config.resolution == "clip" else None
        self.dropout = nn.Dropout(config.dropout)
        # Not strict: `widths` is longer by one, its last entry being the width before `linear`.
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(widths, config.hidden, strict=False))
        self.linear = nn.Linear(widths[-1], len(config.targets))

    def forward(self, inputs: Sequence) -> Tensor:
        """Features `(B, T, D)` to float32 scores `(B, T, K)` per frame or `(B, K)` per clip."""
        # What lies in padding must not reach a weight's gradient, where zero times NaN is NaN.
        x = inputs.values.masked_fill(~inputs.mask.unsqueeze(-1), 0.0)
        if self.pooling is not None:
            x = self.pooling(x, inputs.mask)
        for layer in self.hidden:
            x = torch.relu(layer(self.dropout(x)))
        scores: Tensor = self.linear(self.dropout(x))
        # Under autocast the layer gives bfloat16, whose 8 significant bits are too few for a loss; float64 stays.
        return scores.to(torch.promote_types(scores.dtype, torch.float32))


class ClassHead(LinearHead[K]):
    """Base of heads that pick one of K classes: logits, weighted cross-entropy, softmax."""

    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """Cross-entropy, the mean over valid labels weighted by their classes.

        Labels are classes, int64 `(B,)` or `(B, T)`, or shares of all classes, float `(B, K)` or `(B, T, K)`.
        """
        shared = targets.values.is_floating_point() and targets.values.ndim == scores.ndim
        values, valid = (share_labels if shared else class_labels)(scores, targets, mask)
        weights = self.config.class_weights
        return (shared_cross_entropy if shared else cross_entropy)(
            scores,
            values,
            valid,
            class_weights=None if weights is None else torch.tensor(weights, device=scores.device),
            label_smoothing=self.config.label_smoothing,
        )

    def predict(self, scores: Tensor) -> Tensor:
        """Probabilities of the classes."""
        return decode(scores, "multiclass")


def squash(scores: Tensor, bounds: tuple[float, float]) -> Tensor:
    """Any number to one between the bounds `(l, h)`: `(h + l) / 2 + (h - l) / 2 * tanh(scores)`."""
    low, high = bounds
    # Not a clamp, which has no gradient outside the bounds.
    return (high + low) / 2 + (high - low) / 2 * torch.tanh(scores)


def class_labels(scores: Tensor, targets: Targets, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Class indices and where they count, checked against scores `(B, K)` or `(B, T, K)`.

    Returns:
        Values and valid, `(B,)` or `(B, T)`; a label counts where it is valid and its step is real.

    Raises:
        InputError: wrong shape or type, or a valid index that is no class.
    """
    values, valid = _labels(scores, targets, mask, per_target=False)
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise InputError(f"targets: dtype {values.dtype}; class indices are whole numbers, give torch.int64")
    classes = scores.shape[-1]
    _refuse(values, valid & ((values < 0) | (values >= classes)), "class index", f"0 to {classes - 1}")
    return values.long(), valid


def share_labels(scores: Tensor, targets: Targets, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Shares of classes and where they count, checked against scores `(B, K)` or `(B, T, K)`.

    Returns:
        Values of the shape of `scores`, and valid, `(B,)` or `(B, T)`; a label counts where all of it is valid.

    Raises:
        InputError: wrong shape, or a valid label that is no shares with sum 1.
    """
    values, valid = _labels(scores, targets, mask, per_target=True)
    counted = valid.all(-1)
    sums = values.sum(-1)
    _refuse(sums, counted & ~((sums - 1).abs() < _NEAR), "sum of shares", "shares of classes, with sum 1")
    _refuse(values, counted.unsqueeze(-1) & ~(values >= 0), "share", "0 to 1")
    return values, counted


def value_labels(scores: Tensor, targets: Targets, mask: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Values and where they count, checked against scores `(B, K)` or `(B, T, K)` and `bounds`.

    Returns:
        Values and valid, of the shape of `scores`; a label counts where it is valid and its step is real.

    Raises:
        InputError: wrong shape, or a valid value outside the bounds (an annotation's sentinel, NaN).
    """
    values, valid = _labels(scores, targets, mask, per_target=True)
    low, high = bounds
    # Written so that NaN is refused; so are Aff-Wild2's marks for no label, -5 (valence, arousal) and -1 (units).
    _refuse(values, valid & ~((values >= low) & (values <= high)), "value", f"{low!r} to {high!r}")
    return values, valid


def _labels(scores: Tensor, targets: Targets, mask: Tensor, *, per_target: bool) -> tuple[Tensor, Tensor]:
    values, valid = targets
    shape = tuple(scores.shape if per_target else scores.shape[:-1])
    if values.shape != shape:
        what = "a value per target and" if per_target else "a class index per"
        unit = "clip" if scores.ndim == 2 else "frame"
        raise InputError(f"targets: shape {tuple(values.shape)}; {what} {unit} of this batch is {shape}")
    if valid.shape != shape:
        raise InputError(f"targets: valid has shape {tuple(valid.shape)}; its values have {shape}")
    # A clip's label counts if the clip has any real step.
    real = mask.any(dim=1) if scores.ndim == 2 else mask
    return values, valid.bool() & (real.unsqueeze(-1) if per_target else real)


def _refuse(values: Tensor, wrong: Tensor, what: str, accepted: str) -> None:
    if wrong.any():
        value = values[wrong][0].item()
        suggestion = f"valid labels are {accepted}, what is not labeled has valid=False"
        raise InputError(f"targets: {what} {value!r}; {suggestion}")
