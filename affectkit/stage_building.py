"""From the config of one component to its module, which has to be what its kind promises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affectkit.configs import ComponentConfig
from affectkit.errors import SpecError
from affectkit.interfaces import (
    FeatureExtractor,
    Fusion,
    LateFusion,
    MotionFrontEnd,
    ScoreMap,
    Stage,
    TaskHead,
    TemporalEncoder,
)
from affectkit.registry import Registry

INTERFACES: Mapping[str, type[Stage[Any]]] = {
    "motion": MotionFrontEnd,
    "features": FeatureExtractor,
    "fusion": Fusion,
    "temporal": TemporalEncoder,
    "head": TaskHead,
    "late-fusion": LateFusion,
    "map": ScoreMap,
}


def build_stage(config: ComponentConfig, stream: Any, path: str, registry: Registry) -> Any:
    """Make the module of one component, and check that it is what its kind promises.

    Raises:
        MissingDependencyError: an optional package is not installed.
        SpecError: the factory made something else, or has auxiliary losses without `aux_weight` in the config.
    """
    component = registry.of_config(type(config))
    for requirement in component.spec.requires:
        requirement.check(component.id)
    module = component.spec.factory(config, stream)
    interface = INTERFACES[component.spec.kind]
    if not isinstance(module, interface):
        made = f"{component.id} made {type(module).__name__}"
        raise SpecError(f"{path}: {made}, which is no {interface.__name__}; derive the class from that")
    if type(module).auxiliary is not Stage.auxiliary and not hasattr(config, "aux_weight"):
        name = type(config).__name__
        raise SpecError(f"{path}: {component.id} has auxiliary losses; give {name} a field 'aux_weight'")
    # a dial is turned by replacing `stage.config`; a module that keeps a copy elsewhere would not notice
    if getattr(module, "config", None) is not config:
        raise SpecError(f"{path}: {component.id} does not keep its config; call super().__init__(config)")
    return module
