"""What lies in padding becomes 0; where nothing does, nothing is copied."""

from __future__ import annotations

import torch

from affectkit.ops.padding import clear_padding, is_all_real


def test_padding_becomes_0_even_what_is_no_number() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    values = torch.ones(2, 2, 3)
    values[0, 1] = float("nan")
    cleared = clear_padding(values, mask)
    assert torch.equal(cleared, mask.unsqueeze(-1).expand(2, 2, 3).float())
    assert torch.equal(clear_padding(mask.float(), mask), mask.float())


def test_without_padding_the_values_are_given_back() -> None:
    values = torch.rand(2, 3, 4)
    assert clear_padding(values, torch.ones(2, 3, dtype=torch.bool)) is values


def test_masks_of_a_batch_of_functions_may_differ() -> None:
    masks = torch.tensor([[[True, False]], [[True, True]]])
    cleared = torch.vmap(clear_padding)(torch.ones(2, 1, 2, 1), masks)
    assert torch.equal(cleared.squeeze(-1), masks.float())


def test_a_recorded_graph_serves_padding_too() -> None:
    class Clear(torch.nn.Module):
        def forward(self, values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return clear_padding(values, mask)

    real = torch.ones(1, 2, dtype=torch.bool)
    graph = torch.export.export(Clear(), (torch.ones(1, 2, 1), real)).module()
    assert graph(torch.ones(1, 2, 1), ~real).sum() == 0
    assert not is_all_real(~real)
