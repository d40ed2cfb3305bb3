"""Synthetic faces with exact truth: what they do, when, and where every pixel goes is known. They are no people.

A world to test and demonstrate with where real recordings may not be passed on. What does well here has shown that it
finds motion of this kind in video of this kind, and nothing about real faces.
"""

from affectkit.data.synthetic.clip import SyntheticClip, render_clip, render_face, without_camera
from affectkit.data.synthetic.expressions import (
    BASIC_UNITS,
    CIRCUMPLEX,
    COMPOUND_UNITS,
    micro_class_of,
    place_of,
    units_of,
)
from affectkit.data.synthetic.identity import SPLITS, FaceIdentity, Split, split_of
from affectkit.data.synthetic.poses import Pose
from affectkit.data.synthetic.scene import SyntheticScene, render_scene
from affectkit.data.synthetic.schedule import Movement
from affectkit.data.synthetic.settings import BENCH_V1, SyntheticSettings
from affectkit.data.synthetic.truth import Truth
from affectkit.data.synthetic.units import AUS, FULL
from affectkit.data.synthetic.walks import SCENARIOS, Scenario, Step, Walk, make_walks

__all__ = [
    "AUS",
    "BASIC_UNITS",
    "BENCH_V1",
    "CIRCUMPLEX",
    "COMPOUND_UNITS",
    "FULL",
    "SCENARIOS",
    "SPLITS",
    "FaceIdentity",
    "Movement",
    "Pose",
    "Scenario",
    "Split",
    "Step",
    "SyntheticClip",
    "SyntheticScene",
    "SyntheticSettings",
    "Truth",
    "Walk",
    "make_walks",
    "micro_class_of",
    "place_of",
    "render_clip",
    "render_face",
    "render_scene",
    "split_of",
    "units_of",
    "without_camera",
]
