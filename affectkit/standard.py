"""The standard components, contributed through the same hook as everyone's. No torch here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from affectkit.datasets import (
    aff_wild2,
    affectnet,
    bp4d,
    c_expr_db,
    cas_me_2,
    cas_me_3,
    casme,
    casme2,
    clip_table,
    dfew,
    dfme,
    disfa,
    disfa_plus,
    emotionet,
    fer2013,
    fer_plus,
    ferv39k,
    four_dme,
    mafw,
    megc2019,
    mmew,
    raf_au,
    raf_ce,
    raf_db,
    raf_db_compound,
    s_aff_wild2,
    samm,
    samm_lv,
    smic,
)
from affectkit.faces import aligned, auto, given_boxes, haar, whole_frame, yunet
from affectkit.features import conv_stem, iresnet, sparse_vssd, timm_backbone
from affectkit.fusion import affine, concat
from affectkit.heads import action_units, compound_expression, expression, micro_expression, valence_arousal
from affectkit.hookspecs import hookimpl
from affectkit.late import mean, product, stacking, vote, weighted
from affectkit.maps import compound_from_basic, compound_learned, smooth, temperature, thresholds
from affectkit.motion import (
    eulerian,
    flow_magnifier,
    frame_difference,
    frame_magnifier,
    head_compensation,
    magnet,
    mirror,
    mm_cof,
    optical_flow,
    phase,
    rest_difference,
    shift,
)
from affectkit.presets import MICRO_WEIGHTS, micro_recipe, recognize_micro, spot_motion, starter
from affectkit.specs import ComponentSpec, PipelineSpec
from affectkit.spotters import motion_events
from affectkit.temporal import gru, sparse_mamba, transformer

_MODULES = (
    eulerian, flow_magnifier, frame_difference, frame_magnifier, head_compensation, magnet, mirror, mm_cof,
    optical_flow, phase, rest_difference, shift,
    conv_stem, iresnet, sparse_vssd, timm_backbone,
    affine, concat,
    gru, sparse_mamba, transformer,
    action_units, compound_expression, expression, micro_expression, valence_arousal,
    mean, product, stacking, vote, weighted,
    compound_from_basic, compound_learned, smooth, temperature, thresholds,
    aligned, auto, given_boxes, haar, whole_frame, yunet,
    motion_events,
    casme, casme2, samm, smic, mmew, four_dme, dfme, megc2019, cas_me_2, cas_me_3, samm_lv,
    raf_db, raf_db_compound, raf_ce, affectnet, fer2013, fer_plus, emotionet, raf_au, disfa, disfa_plus, bp4d, dfew,
    ferv39k, mafw,
    aff_wild2, s_aff_wild2, c_expr_db,
    clip_table,
)  # fmt: skip


@hookimpl
def affectkit_components() -> Iterable[ComponentSpec[Any]]:
    """Yield the spec of every standard component."""
    for module in _MODULES:
        yield module.SPEC


@hookimpl
def affectkit_pipelines() -> Iterable[PipelineSpec]:
    """Yield the presets of the core."""
    yield PipelineSpec(
        name="starter",
        config=starter,
        summary="A small causal pipeline to start from, untrained: expression, valence and arousal of every frame.",
    )
    yield PipelineSpec(
        name="motion-events",
        config=spot_motion,
        summary="Micro- and macro-expressions and blinks, spotted by motion: nothing to train, no weights.",
    )
    yield PipelineSpec(
        name="micro",
        config=recognize_micro,
        recipe=micro_recipe,
        summary="Micro-expressions spotted by motion, and named by it; weights from synthetic faces only.",
        weights=MICRO_WEIGHTS,
    )
