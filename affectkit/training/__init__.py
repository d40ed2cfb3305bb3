"""Training on Lightning, and evaluation in which no fold sees its test subject. The extra `train` has what it needs."""

from __future__ import annotations

from affectkit.training.evaluation import Evaluation as Evaluation, evaluate as evaluate
from affectkit.training.examples import Examples as Examples
from affectkit.training.fitting import Hardware as Hardware, fit as fit

__all__ = ["Evaluation", "Examples", "Hardware", "evaluate", "fit"]
