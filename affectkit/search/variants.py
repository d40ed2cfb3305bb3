"""One model as many: the same weights with the values of a candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence as Items
from contextlib import contextmanager
from typing import Any, cast

import torch

from affectkit.dials import change
from affectkit.errors import ConfigError
from affectkit.model import Model
from affectkit.search.genes import Gene
from affectkit.search.space import Value


class Variants:
    """A model that takes the values of candidates.

    Arguments:
        model: whose weights all of them share.
        genes: what they differ in.

    Raises:
        ConfigError: a field's value breaks a rule of its config, needs other weights, or changes what is scored.
    """

    def __init__(self, model: Model, genes: Items[Gene]) -> None:
        self._model = model
        self._fields = frozenset(gene.path for gene in genes if not gene.is_dial)
        for gene in genes:
            if not gene.is_dial:
                for choice in gene.choices:
                    self._check_field(gene.path, choice)

    @contextmanager
    def at(self, values: Mapping[str, Value]) -> Iterator[Model]:
        """The model with these values; a field among them makes it another module with the same weights.

        Raises:
            ConfigError: the values together break a rule of a config.
        """
        fields = {path: value for path, value in values.items() if path in self._fields}
        model = self._rebuild(fields) if fields else self._model
        with model.dialed({path: value for path, value in values.items() if path not in self._fields}):
            yield model

    def _rebuild(self, fields: Mapping[str, Value]) -> Model:
        model = self._build(fields)
        # assigned, not copied: the weights are those of the first model, in its precision and on its device
        model.load_state_dict(self._model.state_dict(), assign=True)
        model.provenance, model.encoders = self._model.provenance, self._model.encoders
        return model

    def _build(self, fields: Mapping[str, Value]) -> Model:
        config = cast(Any, change(self._model.config, fields))
        device = next((parameter.device for parameter in self._model.parameters()), torch.device("cpu"))
        with torch.random.fork_rng():
            model: Model = config.build(registry=self._model.registry)
        return model.to(device)

    def _check_field(self, path: str, choice: Value) -> None:
        try:
            model = self._build({path: choice})
        except ConfigError as error:
            raise error.at("fields") from None
        where, hint = f"fields.{path}", "search what keeps them, and train models of the others"
        ours, theirs = self._model.state_dict(), model.state_dict()
        for key in sorted(ours.keys() | theirs.keys()):
            shapes = [tuple(state[key].shape) if key in state else "missing" for state in (ours, theirs)]
            if shapes[0] != shapes[1]:
                fact = f"{choice!r} needs other weights: {key!r} becomes {shapes[1]}, is {shapes[0]}"
                raise ConfigError(fact, hint, path=where)
        if model.traced.outputs != self._model.traced.outputs:
            raise ConfigError(f"{choice!r} changes what is scored", "search what keeps the outputs", path=where)
