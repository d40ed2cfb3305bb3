"""State space duality against its slow twins: values, gradients, states, types, and what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit.errors import InputError
from affectkit.ops.ssd import nc_ssd, nc_ssd_ref, ssd, ssd_ref

Form = Callable[..., Tensor]


def causal(*tensors: Tensor) -> Tensor:
    return ssd(*tensors, chunk=4)[0]


def causal_ref(*tensors: Tensor) -> Tensor:
    return ssd_ref(*tensors)[0]


FORMS: dict[str, tuple[Form, Form]] = {"causal": (causal, causal_ref), "non-causal": (nc_ssd, nc_ssd_ref)}
both = pytest.mark.parametrize(("form", "ref"), FORMS.values(), ids=FORMS)


def tensors(length: int = 10, groups: int = 2, *, steps: float = 1.0, batch: int = 2) -> tuple[Tensor, ...]:
    """x, dt, A, B, C and D of four heads of width 3 with five states, float64."""
    make = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=make, dtype=torch.float64)

    x, b, c = normal(batch, length, 4, 3), normal(batch, length, groups, 5), normal(batch, length, groups, 5)
    return x, steps * normal(batch, length, 4).abs(), -normal(4).abs() - 0.1, b, c, normal(4)


@both
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("length", [0, 1, 3, 4, 10])
def test_equals_its_twin(form: Form, ref: Form, length: int, groups: int) -> None:
    given = tensors(length, groups)
    torch.testing.assert_close(form(*given), ref(*given))
    torch.testing.assert_close(form(*given[:5]), ref(*given[:5]))


@both
def test_gradients_are_right_and_those_of_the_twin(form: Form, ref: Form) -> None:
    given = [one.requires_grad_() for one in tensors(6, batch=1)]
    assert torch.autograd.gradcheck(form, given)
    ours, theirs = (torch.autograd.grad(one(*given).square().sum(), given) for one in (form, ref))
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_by_hand() -> None:
    x, dt = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([0.5, 1.0]).view(1, 2, 1)
    decay, ones = torch.tensor([-2.0]), torch.ones(1, 2, 1, 1)
    y, state = ssd(x, dt, decay, ones, 3 * ones, torch.tensor([10.0]))
    # h = 0.5 * 1, then exp(-2) * 0.5 + 1 * 2
    after = torch.exp(torch.tensor(-2.0)) * 0.5 + 2.0
    torch.testing.assert_close(y.flatten(), torch.stack([torch.tensor(3 * 0.5 + 10.0), 3 * after + 20.0]))
    torch.testing.assert_close(state.flatten(), after.view(1))
    # S = 2 * 0.5 * 1 + 2 * 1 * 2
    y = nc_ssd(x, dt, decay, ones, 3 * ones, torch.tensor([10.0]))
    torch.testing.assert_close(y.flatten(), torch.tensor([3 * 5.0 + 10.0, 3 * 5.0 + 20.0]))


@pytest.mark.parametrize("chunk", [1, 3, 10, 64])
def test_chunks_and_pieces_change_nothing(chunk: int) -> None:
    given = tensors()
    y, state = ssd_ref(*given)
    torch.testing.assert_close(ssd(*given, chunk=chunk), (y, state))
    first, between = ssd(*(one[:, :7] if one.ndim > 1 else one for one in given), chunk=chunk)
    rest = [one[:, 7:] if one.ndim > 1 else one for one in given]
    second, last = ssd(*rest, initial_state=between, chunk=chunk)
    torch.testing.assert_close(torch.cat([first, second], dim=1), y)
    torch.testing.assert_close(last, state)
    torch.testing.assert_close(ssd_ref(*rest, initial_state=between), (y[:, 7:], state))


def test_an_empty_sequence_leaves_the_state_as_it_is() -> None:
    given, state = tensors(0), torch.randn(2, 4, 3, 5, dtype=torch.float64)
    for form in (ssd, ssd_ref):
        last = form(*given, initial_state=state)[1]
        assert torch.equal(last, state)
        assert last.data_ptr() != state.data_ptr()
        assert not form(*given)[1].any()


@both
def test_a_token_with_no_step_is_as_if_absent(form: Form, ref: Form) -> None:
    x, dt, decay, b, c, skip = tensors()
    here = torch.tensor([True, False, True, True, False, False, True, True, False, True])
    dt = torch.where(here[:, None], dt, torch.zeros_like(dt))
    absent = form(x[:, here], dt[:, here], decay, b[:, here], c[:, here], skip)
    torch.testing.assert_close(form(x, dt, decay, b, c, skip)[:, here], absent)
    torch.testing.assert_close(ref(x, dt, decay, b, c, skip)[:, here], absent)


def test_only_the_causal_form_knows_an_order() -> None:
    x, dt, decay, b, c, skip = tensors()
    turned = (x.flip(1), dt.flip(1), decay, b.flip(1), c.flip(1), skip)
    torch.testing.assert_close(nc_ssd(*turned).flip(1), nc_ssd(x, dt, decay, b, c, skip))
    assert not torch.allclose(causal(*turned).flip(1), causal(x, dt, decay, b, c, skip))
    later = torch.cat([x[:, :6], 3 * x[:, 6:]], dim=1)
    assert torch.equal(causal(later, dt, decay, b, c, skip)[:, :6], causal(x, dt, decay, b, c, skip)[:, :6])


def test_large_decays_lose_nothing_of_small_ones() -> None:
    x, dt, decay, b, c, skip = (one.float() for one in tensors(128))
    # every third step forgets everything, by a decay of exp(-20000); the others are small
    dt, decay = 1e-3 * dt, decay.clamp(max=-2.0)
    dt[:, ::3] = 1e4
    given = [one.requires_grad_() for one in (x, dt, decay, b, c, skip)]
    y, _ = ssd(*given)
    exact = ssd_ref(*(one.detach().double() for one in given))[0].float()
    torch.testing.assert_close(y, exact, rtol=1e-4, atol=1e-2)
    for gradient in torch.autograd.grad(y.sum(), given):
        assert gradient.isfinite().all()


@both
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_half_precision_is_computed_in_float32(form: Form, ref: Form, dtype: torch.dtype) -> None:
    given = [one.to(dtype) for one in tensors()]
    y = form(*given)
    assert y.dtype == dtype
    exact = ref(*(one.double() for one in given))
    torch.testing.assert_close(y, exact.to(dtype), rtol=1e-5 if dtype == torch.float32 else 1e-2, atol=1e-4)
    assert ssd(*given)[1].dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = form(*given).double()
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.05 * exact.abs().max().item())


def wrong(place: int, shape: tuple[int, ...]) -> list[Tensor]:
    given = list(tensors())
    given[place] = torch.zeros(shape)
    return given


@pytest.mark.parametrize(
    ("place", "shape", "message"),
    [
        (0, (2, 10, 12), "x: shape (2, 10, 12); give (B, L, H, P)"),
        (1, (2, 10, 3), "dt: axis 2, H, is 3, but H of x is 4; give (B, L, H)"),
        (2, (4, 5), "A: shape (4, 5); give (H)"),
        (2, (3,), "A: axis 0, H, is 3, but H of x is 4; give (H)"),
        (3, (2, 9, 2, 5), "B: axis 1, L, is 9, but L of x is 10; give (B, L, G, N)"),
        (3, (1, 10, 2, 5), "B: axis 0, B, is 1, but B of x is 2; give (B, L, G, N)"),
        (4, (2, 10, 1, 5), "C: axis 2, G, is 1, but G of B is 2; give (B, L, G, N)"),
        (4, (2, 10, 2, 6), "C: axis 3, N, is 6, but N of B is 5; give (B, L, G, N)"),
        (5, (1,), "D: axis 0, H, is 1, but H of x is 4; give (H)"),
    ],
)
@pytest.mark.parametrize("form", [ssd, ssd_ref, nc_ssd, nc_ssd_ref])
def test_shapes_that_do_not_fit_are_named_by_axis(form: Form, place: int, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError) as caught:
        form(*wrong(place, shape))
    assert str(caught.value) == message


@pytest.mark.parametrize("groups", [0, 3, 8])
def test_groups_divide_the_heads(groups: int) -> None:
    for form in (ssd, nc_ssd):
        with pytest.raises(InputError) as caught:
            form(*tensors(groups=groups))
        assert str(caught.value) == f"B: axis 2, G, is {groups}; give a number that divides the 4 heads of x"


def test_a_state_and_a_chunk_have_to_fit() -> None:
    for form in (ssd, ssd_ref):
        with pytest.raises(InputError) as caught:
            form(*tensors(), initial_state=torch.zeros(2, 4, 5, 3))
        assert str(caught.value) == "initial_state: axis 2, P, is 5, but P of x is 3; give (B, H, P, N)"
    assert torch.equal(ssd(*tensors(), chunk=np.int64(2))[0], ssd(*tensors(), chunk=2)[0])  # type: ignore[arg-type]
    for chunk in (0, 2.5, True):
        with pytest.raises(InputError) as caught:
            ssd(*tensors(), chunk=chunk)  # type: ignore[arg-type]
        assert str(caught.value) == f"chunk: {chunk!r} tokens; give a whole number, 1 or more"


@pytest.mark.parametrize("form", [ssd, ssd_ref, nc_ssd, nc_ssd_ref])
def test_tensors_are_on_one_device(form: Any) -> None:
    x, dt, *rest = tensors()
    with pytest.raises(InputError) as caught:
        form(x, dt.to("meta"), *rest)
    assert str(caught.value) == "dt: is on meta, but x is on cpu; move one of them"


def test_a_gradient_takes_no_whole_length_for_each_chunk() -> None:
    """A slice of the whole makes a gradient as long as the whole, so that time would grow with the square of it."""
    inputs = [one.requires_grad_() for one in tensors(40, 1, batch=1)]
    last: Any = ssd(*inputs, chunk=4)[0].grad_fn
    waiting, seen, kinds = [last], {last}, Counter[str]()
    while waiting:
        node = waiting.pop()
        kinds[type(node).__name__] += 1
        new = {before for before, _ in node.next_functions if before is not None} - seen
        seen |= new
        waiting += new
    # one for each tensor that is cut
    assert kinds["SplitBackward0"] == 4
    assert kinds["SliceBackward0"] == 0


@pytest.mark.parametrize("form", [ssd, nc_ssd])
@pytest.mark.parametrize("place", range(6))
def test_what_is_not_finite_is_named(form: Form, place: int) -> None:
    inputs = list(tensors())
    name = ("x", "dt", "A", "B", "C", "D")[place]
    inputs[place] = inputs[place].clone()
    inputs[place][(0,) * inputs[place].ndim] = torch.nan
    message = (
        f"{name}: nan at {[0] * inputs[place].ndim}, and 1 such values in all; "
        "a scan carries them into every later step, so find where they come from"
    )
    for strict in (False, True):
        with pytest.raises(InputError) as caught:
            form(*inputs, strict=strict)
        assert str(caught.value) == message


def test_only_a_strict_form_looks_at_what_does_no_harm() -> None:
    inputs = list(tensors())
    # nothing is written by a token without a step, but 0 times infinity is no number: so of C, which nobody reads
    inputs[2] = inputs[2].clone()
    inputs[2][0] = -torch.inf
    y, _ = ssd(*inputs)
    assert y.isfinite().all()
    with pytest.raises(InputError) as caught:
        ssd(*inputs, strict=True)
    assert str(caught.value).startswith("A: -inf at [0], and 1 such values in all; ")


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (0, lambda one: one[..., :0], "x: axis 3, P, is 0 in (2, 10, 4, 0); give 1 or more"),
        (3, lambda one: one[..., :0], "B: axis 3, N, is 0 in (2, 10, 2, 0); give 1 or more"),
        (0, lambda one: one.long(), "x: int64 is no float; give float32, float64, bfloat16 or float16"),
    ],
)
@pytest.mark.parametrize("form", [ssd, ssd_ref, nc_ssd, nc_ssd_ref])
def test_what_can_not_be_scanned(form: Form, place: int, change: Any, message: str) -> None:
    inputs = list(tensors())
    inputs[place] = change(inputs[place])
    with pytest.raises(InputError) as caught:
        form(*inputs)
    assert str(caught.value) == message


@both
def test_long_sequences(form: Form, ref: Form) -> None:
    """Against float64 of the same form, since the twin takes a token at a time."""
    inputs = tensors(100_000, 1, batch=1)
    exact, found = form(*inputs), form(*(one.float() for one in inputs))
    assert (found - exact).abs().max() <= 1e-5 * exact.abs().max()
