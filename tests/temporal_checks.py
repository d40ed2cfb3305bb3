"""Properties that every temporal encoder has, as functions of a built module; and ragged input to check them on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from affectkit.interfaces import TemporalEncoder
from affectkit.sequences import Sequence

# padding behind, before, between, everywhere, nowhere
MASK = torch.tensor(
    [
        [1, 1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1, 1],
        [0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1],
    ],
    dtype=torch.bool,
)


def ragged(dim: int = 8, seed: int = 0) -> Sequence:
    """Five clips of up to seven steps at irregular times, NaN at padding."""
    make = torch.Generator().manual_seed(seed)
    values = torch.randn(*MASK.shape, dim, generator=make).masked_fill(~MASK.unsqueeze(-1), float("nan"))
    times = torch.rand(MASK.shape, generator=make, dtype=torch.float64).cumsum(dim=1) + 36000.0
    return Sequence(values, MASK.clone(), times)


def compacted(inputs: Sequence, clip: int) -> Sequence:
    """The real steps of one clip alone."""
    real = inputs.mask[clip]
    return Sequence(inputs.values[clip : clip + 1, real], real[real].unsqueeze(0), inputs.times[clip : clip + 1, real])


def check_padding_is_absent(encoder: TemporalEncoder[Any]) -> None:
    """A clip's real outputs are those of the clip without its padding and without its batch mates; padding gives 0."""
    encoder.eval()
    inputs = ragged()
    given = inputs.values, inputs.mask, inputs.times
    before = [tensor.clone() for tensor in given]
    output = encoder(inputs)
    assert output.mask is inputs.mask
    assert output.times is inputs.times
    assert torch.equal(output.values[~inputs.mask], torch.zeros_like(output.values[~inputs.mask]))
    for clip in range(len(inputs.mask)):
        if inputs.mask[clip].any():
            alone = encoder(compacted(inputs, clip)).values[0]
            torch.testing.assert_close(output.values[clip, inputs.mask[clip]], alone, atol=1e-5, rtol=1e-5)
    for tensor, kept in zip(given, before, strict=True):
        assert torch.equal(tensor.nan_to_num(), kept.nan_to_num())


def streamed(encoder: TemporalEncoder[Any], inputs: Sequence) -> Tensor:
    """Values of the whole clip, computed step by step."""
    state = encoder.initial_state(len(inputs.mask))
    values = []
    for t in range(inputs.mask.shape[1]):
        y_t, state = encoder.step(inputs.step(t), state)
        values.append(y_t.values)
    return torch.cat(values, dim=1)


def check_streams(encoder: TemporalEncoder[Any]) -> None:
    """Step by step gives what the whole clip gives, and what comes later changes nothing."""
    encoder.eval()
    assert encoder.can_stream
    inputs = ragged()
    torch.testing.assert_close(streamed(encoder, inputs), encoder(inputs).values, atol=1e-5, rtol=1e-5)
    # reversed, not shifted: a LayerNorm would hide that
    later = inputs.with_values(torch.cat((inputs.values[:, :4], inputs.values[:, 4:].flip(-1)), dim=1))
    ours, theirs = encoder(inputs).values, encoder(later).values
    torch.testing.assert_close(ours[:, :4], theirs[:, :4], atol=1e-6, rtol=0)
    assert not torch.allclose(ours[:, 4:], theirs[:, 4:])


def check_long_streams(encoder: TemporalEncoder[Any]) -> None:
    """500 steps with gaps, one by one, give what the whole clips give."""
    encoder.eval()
    make = torch.Generator().manual_seed(0)
    mask = torch.rand(2, 500, generator=make) > 0.3
    values = torch.randn(2, 500, 8, generator=make).masked_fill(~mask.unsqueeze(-1), float("nan"))
    inputs = Sequence(values, mask, torch.rand(2, 500, generator=make, dtype=torch.float64).cumsum(dim=1))
    with torch.inference_mode():
        torch.testing.assert_close(streamed(encoder, inputs), encoder(inputs).values, atol=1e-5, rtol=1e-5)


def check_gradients(encoder: TemporalEncoder[Any]) -> None:
    """Every parameter and every real input gets a finite gradient, padded NaN notwithstanding; padding gets 0."""
    encoder.train()
    inputs = ragged()
    values = inputs.values.clone().requires_grad_()
    encoder(inputs.with_values(values)).values.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert values.grad is not None
    assert values.grad[inputs.mask].isfinite().all()
    assert values.grad[inputs.mask].abs().sum() > 0
    assert torch.equal(values.grad[~inputs.mask], torch.zeros_like(values.grad[~inputs.mask]))


def check_autocast(encoder: TemporalEncoder[Any], *, streams: bool) -> None:
    """Under bfloat16 autocast everything stays finite and near to float32, for features of either type."""
    encoder.eval()
    inputs = ragged()
    wanted = encoder(inputs).values
    for values in (inputs.values, inputs.values.bfloat16()):
        given = inputs.with_values(values)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = [encoder(given).values] + ([streamed(encoder, given)] if streams else [])
        for output in outputs:
            torch.testing.assert_close(output.float(), wanted, atol=0.15, rtol=0.1)


def check_one_step(encoder: TemporalEncoder[Any], dim: int) -> None:
    """T = 1 works, with real and with padded clips; the same input gives the same output."""
    encoder.eval()
    inputs = ragged().step(0)
    output = encoder(inputs)
    assert output.values.shape == (5, 1, dim)
    assert output.values.isfinite().all()
    assert torch.equal(output.values, encoder(inputs).values)
