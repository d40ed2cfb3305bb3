"""The conformance kit, for the default and for every part switched."""

from collections.abc import Callable
from dataclasses import replace

from affectkit_fmanet import FMANetConfig
from affectkit_fmanet.backbone import SPEC

from affectkit.testing import parametrize_with_checks

VARIANTS = {
    "fmanet-plain": FMANetConfig(
        dim=8, width=4, is_shared=True, fusion="mean", modulation="none", has_motion_attention=False
    ),
    "fmanet-single": FMANetConfig(dim=8, width=4, phases="contraction", modulation="hard"),
}


@parametrize_with_checks("affectkit-fmanet")
def test_conformance(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks(specs=[replace(SPEC, name=name, example=config) for name, config in VARIANTS.items()])
def test_conformance_of_parts(check: Callable[[], None]) -> None:
    check()
