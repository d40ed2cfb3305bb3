"""The two hooks of a plugin. Each yields typed records; a new kind of component needs no new hook."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pluggy

from affectkit.specs import ComponentSpec, PipelineSpec

PROJECT = "affectkit"
# The group is the version of the plugin API: an incompatible change gets a new group.
ENTRY_POINT_GROUP = "affectkit.v1"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class PluginHooks:
    """What a plugin module may implement, each with `@affectkit.hookimpl`."""

    @hookspec
    def affectkit_components(self) -> Iterable[ComponentSpec[Any]]:  # type: ignore[empty-body]
        """Yield one spec per component.

            @affectkit.hookimpl
            def affectkit_components():
                yield TemporalSpec(name="leaky-mean", config=LeakyMeanConfig, summary="Leaky average.",
                                   factory=lazy("my_plugin.leaky_mean:LeakyMean"))

        Called once per process, when the default registry is first used. It must not import torch.
        """

    @hookspec
    def affectkit_pipelines(self) -> Iterable[PipelineSpec]:  # type: ignore[empty-body]
        """Yield one spec per named pipeline or ensemble.

            @affectkit.hookimpl
            def affectkit_pipelines():
                yield PipelineSpec(name="calm", config=make_calm, summary="Valence from head motion.")

        Called once per process, after the plugin's own components; what a preset's function needs of other plugins is
        there when it is called. It must not import torch.
        """
