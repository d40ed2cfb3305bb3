"""Pipelines that a type checker refuses."""

from affectkit import (
    Branch,
    ConvStemConfig,
    EnsembleConfig,
    Events,
    FrameStream,
    GRUConfig,
    PipelineConfig,
    ValenceArousalConfig,
    Windows,
)

CLIP = FrameStream(height=32, width=32)

# A head's config in the temporal slot.
PipelineConfig(input=CLIP, temporal=ValenceArousalConfig())  # expect: arg-type
# A temporal encoder among the heads.
PipelineConfig(input=CLIP, heads={"va": GRUConfig()})  # expect: dict-item
# An extractor as a motion front-end.
Branch(motion=(ConvStemConfig(),))  # expect: arg-type
# A misspelt field.
GRUConfig(dmi=64)  # expect: call-arg
PipelineConfig(input=CLIP, tempral=GRUConfig())  # expect: call-arg
# A value of the wrong type.
GRUConfig(dim="64")  # expect: arg-type
FrameStream(height=32, width=32, unit="pixels")  # expect: arg-type
# A field left out.
FrameStream(height=32)  # expect: call-arg
Events()  # expect: call-arg
# A temporal encoder as the late fusion.
EnsembleConfig(members={}, fusion=GRUConfig())  # expect: arg-type
# A component's config is data.
GRUConfig().dim = 3  # expect: misc
# Positional arguments.
Windows(1.0, 0.5)  # expect: call-arg
