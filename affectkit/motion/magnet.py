"""Learned motion magnification: MagNet of Oh et al. 2018."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from affectkit.configs import MotionConfig
from affectkit.fields import dial
from affectkit.motion.band_magnifier import LARGEST, LEAST, check_alpha
from affectkit.specs import MotionSpec, Weights, lazy
from affectkit.streams import RGB, FrameStream, require_channels, require_size, require_unit

_CITATION = (
    "Oh, Jaroensri, Kim, Elgharib, Durand, Freeman and Matusik: Learning-based Video Motion Magnification. ECCV 2018, "
    "arXiv 1804.02684."
)
WEIGHTS = Weights(
    name="oh2018",
    url="https://raw.githubusercontent.com/GuanghaoZhu663/SKD-TSTSAN/f48541820fa409e0aeb1efddd102aedf9cc43d94/"
    "motion_magnification_learning_based_master/magnet.pth",
    sha256="e4960d650075886eb739b8770b56a8cb2461c1a686390fbbe6b16631d6b13f29",
    size=3_695_530,
    license="MIT",
    training_data_terms="unknown (Oh et al. trained on PASCAL VOC and MS COCO pictures)",
    preprocessing="RGB, 2 x - 1",
    citation=_CITATION,
)


@dataclass(frozen=True, kw_only=True)
class MagNetConfig(MotionConfig):
    """Frames whose motion, against another frame of the clip, is larger; by a network that was trained to do that.

    It needs no band of frequencies, and one frame to compare with. The first frame of a clip comes out as the network
    draws it, unmoved. Random weights give noise: load the published ones.

    Attributes:
        alpha: motion comes out so many times as large; 1 leaves it. What would then be less than about a pixel the
            network takes for noise, and hardly magnifies.
        reference: the frame to compare with: the `first` real one of the clip (the paper's static mode), or the
            `previous` one (its dynamic mode), which magnifies speed and lets slow motion pass.
        frozen: whether training leaves the network as it is.
    """

    alpha: float = dial(8.0, low=LEAST, high=LARGEST)
    reference: Literal["first", "previous"] = "first"
    frozen: bool = True

    @property
    def is_frozen(self) -> bool:
        return self.frozen

    def validate(self) -> None:
        check_alpha(self.alpha)

    def output(self, stream: FrameStream) -> FrameStream:
        require_channels(stream, RGB)
        require_unit(stream, "intensity")
        # half a side has to be more than the reach of 7 by 7 convolutions
        require_size(stream, at_least=8)
        return stream


SPEC = MotionSpec(
    name="magnet",
    config=MagNetConfig,
    factory=lazy("affectkit.motion.magnet_net:MagNet"),
    summary="Motion magnification by the network of Oh et al. 2018, with published weights.",
    weights=(WEIGHTS,),
    loader=lazy("affectkit.motion.magnet_weights:load_state"),
    citation=_CITATION,
)
