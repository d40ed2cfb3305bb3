"""A module whose import changes torch's default dtype."""

import torch

from tests.faulty.clean import PlainTemporal

torch.set_default_dtype(torch.float64)

It = PlainTemporal
