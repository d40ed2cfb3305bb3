"""Score map `au-proxies`: what blendshapes suggest about action units. Proxies, and no measurement of units.

The table says which blendshapes, by what they move on the model of a face, come nearest to the unit of FACS (Ekman,
Friesen and Hager, Facial Action Coding System, 2002). It is ours, made by comparing the two descriptions, and was
fitted to no labels. Units without a blendshape of their own (AU23 and AU25 among ABAW's twelve) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from affectkit import ConfigError, PredictionStream, ScoreMapConfig, ScoreMapSpec, StreamError, lazy
from affectkit.errors import did_you_mean, listed
from affectkit_mediapipe.blendshape_head import BOUNDS


def _both(name: str) -> tuple[str, str]:
    return f"{name}Left", f"{name}Right"


# By proxy: the two blendshapes whose mean it is, or the one that it is. Read-only, as every map in the process has it.
PROXIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AU1_proxy": ("browInnerUp",),
        "AU2_proxy": _both("browOuterUp"),
        "AU4_proxy": _both("browDown"),
        "AU5_proxy": _both("eyeWide"),
        "AU6_proxy": _both("cheekSquint"),
        "AU7_proxy": _both("eyeSquint"),
        "AU9_proxy": _both("noseSneer"),
        "AU10_proxy": _both("mouthUpperUp"),
        "AU12_proxy": _both("mouthSmile"),
        "AU14_proxy": _both("mouthDimple"),
        "AU15_proxy": _both("mouthFrown"),
        "AU16_proxy": _both("mouthLowerDown"),
        "AU17_proxy": ("mouthShrugLower",),
        "AU18_proxy": ("mouthPucker",),
        "AU20_proxy": _both("mouthStretch"),
        "AU22_proxy": ("mouthFunnel",),
        "AU24_proxy": _both("mouthPress"),
        "AU26_proxy": ("jawOpen",),
        "AU28_proxy": ("mouthRollLower", "mouthRollUpper"),
        "AU34_proxy": ("cheekPuff",),
        "AU45_proxy": _both("eyeBlink"),
    }
)


@dataclass(frozen=True, kw_only=True)
class AUProxiesConfig(ScoreMapConfig):
    """Proxies of action units in [0, 1]: a blendshape, or the mean of two, by `PROXIES`.

    They are no probabilities of a unit and no intensities of FACS. Their names end in `_proxy`, so that nothing that
    goes by name takes them for units.

    Attributes:
        targets: which proxies, in this order.
    """

    targets: tuple[str, ...] = tuple(PROXIES)

    @property
    def is_frozen(self) -> bool:
        return True

    def validate(self) -> None:
        for name in self.targets:
            if name not in PROXIES:
                proxy = f"{name}_proxy"
                is_unit = proxy in PROXIES
                hint = f"write {proxy!r}, as it is no unit" if is_unit else did_you_mean(name, PROXIES, noun="proxies")
                raise ConfigError(f"{name!r} is no known proxy", hint, path="targets")

    @property
    def shapes(self) -> tuple[str, ...]:
        """Blendshapes that the proxies are made of, each once."""
        return tuple(dict.fromkeys(shape for name in self.targets for shape in PROXIES[name]))

    def output(self, stream: PredictionStream) -> PredictionStream:
        if (stream.problem, stream.bounds) != ("regression", BOUNDS):
            fact = f"problem {stream.problem!r} with bounds {stream.bounds!r} is not accepted"
            raise StreamError(fact, f"accepts 'regression' with {BOUNDS!r}, as the head 'blendshapes' gives")
        missing = [shape for shape in self.shapes if shape not in stream.targets]
        if missing:
            raise StreamError(
                f"no scores of {listed(missing)}, which the proxies are made of", "add them to the head's targets"
            )
        return PredictionStream(problem="regression", resolution=stream.resolution, targets=self.targets, bounds=BOUNDS)


SPEC = ScoreMapSpec(
    name="au-proxies",
    config=AUProxiesConfig,
    factory=lazy("affectkit_mediapipe.au_proxies_net:AUProxies"),
    summary="Proxies of action units from blendshapes, by a fixed table; no measurement of units.",
    example=AUProxiesConfig(source="blendshapes"),
)
