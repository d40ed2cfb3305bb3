"""What Lightning trains: a built model with its recipe, and the batches that it is given.

Everything random is drawn from the seed and the number of the epoch or step, so that a run that was interrupted goes on
as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from affectkit.dials import Dial
from affectkit.errors import ConfigError, did_you_mean, is_below
from affectkit.model import Model
from affectkit.recipes import Recipe
from affectkit.sequences import Batch, Targets
from affectkit.training.augmentation import augment
from affectkit.training.examples import Examples
from affectkit.training.lightning_import import import_lightning
from affectkit.training.mixing import check_mixing, mix
from affectkit.training.sampling import SeededSampler, mix_seed
from affectkit.training.task_weights import TASK_WEIGHTS, make_task_weights

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule
else:
    LightningModule = import_lightning().LightningModule

# Share of the steps in which the rate rises.
WARM_UP = 0.1
Step = tuple[Batch, dict[str, Targets]]


class Learner(LightningModule):
    """A model in training.

    Arguments:
        model: built; trained in place.
        recipe: how.
        steps: in all epochs together, for the schedule.
        seed: of augmentation, mixing and dropout.
        after_epoch: called with the model and the number of epochs done, in evaluation mode and without gradients.
    """

    def __init__(
        self,
        model: Model,
        recipe: Recipe,
        *,
        steps: int,
        seed: int,
        after_epoch: Callable[[Model, int], None] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self._steps, self._seed, self._after_epoch = steps, seed, after_epoch
        self._generator = torch.Generator()
        self._dials = _find_dials(model, recipe)
        if recipe.mixing is not None:
            check_mixing(recipe.mixing, model)
        # of the learner, not of the model: checkpoints have them, and what is trained goes without
        self.task_weights = make_task_weights(model, recipe)

    def training_step(self, batch: Step, index: int) -> Tensor:
        """The loss of one batch."""
        # Anew in every step: what Lightning draws in between depends on whether a run was resumed.
        torch.manual_seed(mix_seed(self._seed, self.global_step))
        self._generator.manual_seed(mix_seed(self._seed, self.global_step))
        inputs, targets = batch
        inputs = augment(inputs, self.model.config.input_streams(), self.recipe.augmentation, self._generator)
        if self.recipe.mixing is not None:
            inputs, targets = mix(inputs, targets, self.recipe.mixing, self.model.traced.outputs, self._generator)
        turned = {one.path: draw(one, self._generator) for one in self._dials}
        # turning traces the whole config, which is not for nothing
        with self.model.dialed(turned) if turned else nullcontext():
            _, losses = self.model(inputs, targets)
        if self.task_weights is not None:
            losses = self.task_weights(losses)
        loss: Tensor = sum(losses.values(), start=torch.zeros((), device=self.device))
        parts = {f"loss/{path}": part for path, part in losses.items()} if len(losses) > 1 else {}
        count = len(next(iter(inputs.values())).values)
        self.log_dict({"loss": loss, **parts}, on_step=False, on_epoch=True, batch_size=count)
        return loss

    def on_train_epoch_end(self) -> None:
        """Let whoever asked for it look at the model."""
        if self._after_epoch is not None:
            self._after_epoch(self.model, self.current_epoch + 1)

    def configure_optimizers(self) -> Any:
        """AdamW and the schedule."""
        groups = [
            {"params": members, "lr": self.recipe.learning_rate * factor}
            for factor, members in _by_rate(self.model, self.recipe).items()
        ]
        if self.task_weights is not None:
            rate = self.recipe.learning_rate * self.recipe.rates.get(TASK_WEIGHTS, 1.0)
            groups.append({"params": list(self.task_weights.parameters()), "lr": rate, "weight_decay": 0.0})
        # fused: for small networks on a CPU, a fifth of a step is the optimizer's own loops otherwise
        # Lightning clips no gradients of a fused one in mixed precision
        fused = self.recipe.precision == "32" or not self.recipe.gradient_clip
        optimizer = torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay, fused=fused)
        if self.recipe.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _factor(self, step: int) -> float:
        rise = max(round(WARM_UP * self._steps), 1)
        if step < rise:
            return (step + 1) / rise
        return 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(self._steps - rise, 1), 1.0)))


def draw(dial: Dial, generator: torch.Generator) -> Any:
    """A value of a dial's domain, each as likely as the others; whole where the dial is set to a whole number."""
    domain = dial.domain
    if domain.choices:
        return domain.choices[int(torch.randint(len(domain.choices), (1,), generator=generator))]
    low, high = domain.low or 0.0, domain.high or 0.0
    if isinstance(dial.value, int):
        return int(torch.randint(math.ceil(low), math.floor(high) + 1, (1,), generator=generator))
    return low + (high - low) * float(torch.rand(1, generator=generator))


def make_loader(examples: Examples, batch_size: int, sampler: SeededSampler) -> DataLoader[Any]:
    """Batches of `Step`, in the sampler's order."""
    # pin_memory and workers would cost more than they bring: everything is in memory already, or read in one go
    return DataLoader(_Rows(examples), batch_size=batch_size, sampler=sampler, collate_fn=_collated)


class _Rows(Dataset[Any]):
    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def __getitems__(self, rows: list[int]) -> Step:
        return self._examples.batch(torch.as_tensor(rows))


def _collated(step: Any) -> Any:
    return step  # `__getitems__` has made the batch


def _find_dials(model: Model, recipe: Recipe) -> list[Dial]:
    for path in recipe.random_dials:
        if not any(is_below(dial.path, path) for dial in model.dials):
            known = [dial.path for dial in model.dials]
            raise ConfigError(f"no dial at {path!r}", did_you_mean(path, known, noun="dials"), path="random_dials")
    return [dial for dial in model.dials if any(is_below(dial.path, path) for path in recipe.random_dials)]


def _by_rate(model: Model, recipe: Recipe) -> dict[float, list[nn.Parameter]]:
    stages = model.stages()
    for path in recipe.rates:
        if path != TASK_WEIGHTS and not any(is_below(name, path) for name in stages):
            raise ConfigError("no such stage", did_you_mean(path, list(stages), noun="stages"), path=f"rates.{path}")
    found: dict[float, list[nn.Parameter]] = {}
    seen: set[int] = set()
    for name, stage in stages.items():
        fitting = [path for path in recipe.rates if is_below(name, path)]
        factor = recipe.rates[max(fitting, key=len)] if fitting else 1.0
        for parameter in stage.parameters():
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                found.setdefault(factor, []).append(parameter)
    return found
