"""The table of the proxies, and that nothing takes them for action units."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from affectkit_mediapipe.au_proxies import PROXIES, SPEC, AUProxiesConfig
from affectkit_mediapipe.bundle import BLENDSHAPES

from affectkit import ConfigError, PredictionStream, Sequence, StreamError
from affectkit.data.labels import ABAW_AUS
from affectkit.errors import did_you_mean
from affectkit.testing import parametrize_with_checks


def stream(targets: tuple[str, ...] = BLENDSHAPES, bounds: tuple[float, float] | None = (0.0, 1.0)) -> PredictionStream:
    return PredictionStream(problem="regression", resolution="frame", targets=targets, bounds=bounds)


@parametrize_with_checks(specs=[SPEC], streams={"au-proxies": stream()})
def test_conformance(check: Callable[[], None]) -> None:
    check()


def test_every_proxy_is_of_blendshapes_that_exist_and_none_has_the_name_of_a_unit() -> None:
    assert {shape for shapes in PROXIES.values() for shape in shapes} <= set(BLENDSHAPES)
    assert all(name.endswith("_proxy") and 1 <= len(shapes) <= 2 for name, shapes in PROXIES.items())
    assert not set(PROXIES) & set(ABAW_AUS)
    # what the docs say of ABAW's twelve
    assert [unit for unit in ABAW_AUS if f"{unit}_proxy" not in PROXIES] == ["AU23", "AU25"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_proxy_is_the_mean_of_its_blendshapes_wherever_they_stand(order: int) -> None:
    given = stream(BLENDSHAPES[::order])
    scores = torch.rand(2, 3, len(BLENDSHAPES), generator=torch.Generator().manual_seed(0))
    config = AUProxiesConfig(source="blendshapes")
    found = SPEC.factory(config, given)(Sequence.of(scores)).values
    for b in range(2):
        for t in range(3):
            by_name = dict(zip(given.targets, scores[b, t].tolist(), strict=True))
            wanted = [sum(by_name[shape] for shape in PROXIES[name]) / len(PROXIES[name]) for name in config.targets]
            assert found[b, t].tolist() == pytest.approx(wanted, abs=1e-6)


def test_of_the_targets_only_what_they_need_has_to_be_there() -> None:
    config = AUProxiesConfig(source="blendshapes", targets=("AU26_proxy", "AU12_proxy"))
    assert config.shapes == ("jawOpen", "mouthSmileLeft", "mouthSmileRight")
    assert config.output(stream(config.shapes)).targets == config.targets


def test_what_is_refused() -> None:
    for name, hint in (
        ("AU12", "write 'AU12_proxy', as it is no unit"),
        ("AU23_proxy", did_you_mean("AU23_proxy", PROXIES, noun="proxies")),
    ):
        with pytest.raises(ConfigError) as unknown:
            AUProxiesConfig(source="blendshapes", targets=(name,))
        assert str(unknown.value) == f"targets: {name!r} is no known proxy; {hint}"
    config = AUProxiesConfig(source="blendshapes", targets=("AU1_proxy", "AU12_proxy"))
    with pytest.raises(StreamError) as missing:
        config.output(stream(("browInnerUp", "mouthSmileRight")))
    assert str(missing.value) == (
        "no scores of 'mouthSmileLeft', which the proxies are made of; add them to the head's targets"
    )
    for given in (
        stream(bounds=(-1.0, 1.0)),
        PredictionStream(problem="multilabel", resolution="frame", targets=("a",)),
    ):
        with pytest.raises(StreamError) as other:
            config.output(given)
        assert str(other.value) == (
            f"problem {given.problem!r} with bounds {given.bounds!r} is not accepted; "
            "accepts 'regression' with (0.0, 1.0), as the head 'blendshapes' gives"
        )
