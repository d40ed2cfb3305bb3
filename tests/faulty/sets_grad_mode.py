"""A module whose import switches gradients off."""

import torch

from tests.faulty.clean import PlainTemporal

torch.set_grad_enabled(False)

It = PlainTemporal
