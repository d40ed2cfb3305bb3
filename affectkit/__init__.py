"""affectkit: compose facial-affect systems from interchangeable components.

Public names are imported when they are first used, from the one table below; importing the package imports nothing.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # type checkers know the name; importing typing would double the cost of this module
if TYPE_CHECKING:
    from typing import Any

    from affectkit.analysis import analyze as analyze
    from affectkit.artifact import load as load, save as save
    from affectkit.batch import analyze_many as analyze_many
    from affectkit.configs import (
        DatasetConfig as DatasetConfig,
        Events as Events,
        FaceDetectorConfig as FaceDetectorConfig,
        FeaturesConfig as FeaturesConfig,
        Frames as Frames,
        FusionConfig as FusionConfig,
        HeadConfig as HeadConfig,
        LateFusionConfig as LateFusionConfig,
        MotionConfig as MotionConfig,
        ScoreMapConfig as ScoreMapConfig,
        SpotterConfig as SpotterConfig,
        TemporalConfig as TemporalConfig,
        Tracking as Tracking,
        Windows as Windows,
    )
    from affectkit.encoders import join_encoders as join_encoders
    from affectkit.ensemble import EnsembleConfig as EnsembleConfig
    from affectkit.ensemble_model import Ensemble as Ensemble
    from affectkit.errors import (
        AffectkitError as AffectkitError,
        AmbiguousNameError as AmbiguousNameError,
        ArtifactError as ArtifactError,
        CacheWarning as CacheWarning,
        ConfigError as ConfigError,
        FallbackWarning as FallbackWarning,
        InputError as InputError,
        LeftOutWarning as LeftOutWarning,
        MissingDependencyError as MissingDependencyError,
        PluginError as PluginError,
        PluginWarning as PluginWarning,
        RegistryError as RegistryError,
        RenamedWarning as RenamedWarning,
        SpecError as SpecError,
        StreamError as StreamError,
        SyntheticWeightsWarning as SyntheticWeightsWarning,
        UntrainedWarning as UntrainedWarning,
        WeightsError as WeightsError,
    )
    from affectkit.export.int8 import Int8 as Int8
    from affectkit.export.onnx_export import export_onnx as export_onnx
    from affectkit.export.onnx_model import OnnxModel as OnnxModel, load_onnx as load_onnx
    from affectkit.faces.aligned import AlignedConfig as AlignedConfig
    from affectkit.faces.auto import AutoFacesConfig as AutoFacesConfig
    from affectkit.faces.given_boxes import GivenBoxesConfig as GivenBoxesConfig
    from affectkit.faces.haar import HaarConfig as HaarConfig
    from affectkit.faces.whole_frame import WholeFrameConfig as WholeFrameConfig
    from affectkit.faces.yunet import YuNetConfig as YuNetConfig
    from affectkit.features.conv_stem import ConvStemConfig as ConvStemConfig
    from affectkit.features.iresnet import IResNetConfig as IResNetConfig
    from affectkit.features.sparse_vssd import SparseVSSDConfig as SparseVSSDConfig
    from affectkit.features.timm_backbone import TimmConfig as TimmConfig
    from affectkit.fields import dial as dial
    from affectkit.files import read_config as read_config, write_config as write_config
    from affectkit.fusion.affine import AffineFusionConfig as AffineFusionConfig
    from affectkit.fusion.concat import ConcatFusionConfig as ConcatFusionConfig
    from affectkit.graphs import OnnxConfig as OnnxConfig
    from affectkit.heads.action_units import ActionUnitsConfig as ActionUnitsConfig
    from affectkit.heads.compound_expression import CompoundExpressionConfig as CompoundExpressionConfig
    from affectkit.heads.expression import ExpressionConfig as ExpressionConfig
    from affectkit.heads.micro_expression import MicroExpressionConfig as MicroExpressionConfig
    from affectkit.heads.valence_arousal import ValenceArousalConfig as ValenceArousalConfig
    from affectkit.hookspecs import hookimpl as hookimpl
    from affectkit.interfaces import (
        Dataset as Dataset,
        FaceDetector as FaceDetector,
        FeatureExtractor as FeatureExtractor,
        Fusion as Fusion,
        LateFusion as LateFusion,
        MotionFrontEnd as MotionFrontEnd,
        ScoreMap as ScoreMap,
        Spotter as Spotter,
        TaskHead as TaskHead,
        TemporalEncoder as TemporalEncoder,
    )
    from affectkit.late.mean import MeanFusionConfig as MeanFusionConfig
    from affectkit.late.product import ProductFusionConfig as ProductFusionConfig
    from affectkit.late.stacking import StackingConfig as StackingConfig
    from affectkit.late.vote import VoteFusionConfig as VoteFusionConfig
    from affectkit.late.weighted import WeightedFusionConfig as WeightedFusionConfig
    from affectkit.magnification import magnify as magnify
    from affectkit.many_pictures import analyze_pictures as analyze_pictures
    from affectkit.maps.compound_from_basic import CompoundFromBasicConfig as CompoundFromBasicConfig
    from affectkit.maps.compound_learned import CompoundLearnedConfig as CompoundLearnedConfig
    from affectkit.maps.smooth import SmoothConfig as SmoothConfig
    from affectkit.maps.temperature import TemperatureConfig as TemperatureConfig
    from affectkit.maps.thresholds import ThresholdsConfig as ThresholdsConfig
    from affectkit.model import Model as Model
    from affectkit.motion.apply import apply_motion as apply_motion
    from affectkit.motion.eulerian import EulerianConfig as EulerianConfig
    from affectkit.motion.flow_magnifier import FlowMagnifierConfig as FlowMagnifierConfig
    from affectkit.motion.frame_difference import FrameDifferenceConfig as FrameDifferenceConfig
    from affectkit.motion.frame_magnifier import FrameMagnifierConfig as FrameMagnifierConfig
    from affectkit.motion.head_compensation import HeadCompensationConfig as HeadCompensationConfig
    from affectkit.motion.magnet import MagNetConfig as MagNetConfig
    from affectkit.motion.mirror import MirrorConfig as MirrorConfig
    from affectkit.motion.mm_cof import MMCOFConfig as MMCOFConfig
    from affectkit.motion.optical_flow import OpticalFlowConfig as OpticalFlowConfig
    from affectkit.motion.phase import PhaseConfig as PhaseConfig
    from affectkit.motion.rest_difference import RestDifferenceConfig as RestDifferenceConfig
    from affectkit.motion.shift import ShiftConfig as ShiftConfig
    from affectkit.pipeline import Branch as Branch, PipelineConfig as PipelineConfig
    from affectkit.pipeline_model import Pipeline as Pipeline
    from affectkit.published import from_pretrained as from_pretrained, load_weights as load_weights
    from affectkit.recipes import Augmentation as Augmentation, Mixing as Mixing, Recipe as Recipe
    from affectkit.records import (
        ArraySource as ArraySource,
        Event as Event,
        Face as Face,
        FramesSource as FramesSource,
        ImageSource as ImageSource,
        Index as Index,
        Issue as Issue,
        Labels as Labels,
        Sample as Sample,
        VideoSource as VideoSource,
    )
    from affectkit.registry import Registry as Registry, default_registry as default_registry
    from affectkit.results.reading import Results as Results, read_results as read_results
    from affectkit.results.rows import Row as Row
    from affectkit.sequences import (
        Losses as Losses,
        Sequence as Sequence,
        Targets as Targets,
        masked_mean as masked_mean,
    )
    from affectkit.specs import (
        ComponentSpec as ComponentSpec,
        DatasetSpec as DatasetSpec,
        FaceDetectorSpec as FaceDetectorSpec,
        FeaturesSpec as FeaturesSpec,
        FusionSpec as FusionSpec,
        HeadSpec as HeadSpec,
        LateFusionSpec as LateFusionSpec,
        MotionSpec as MotionSpec,
        PipelineSpec as PipelineSpec,
        Requirement as Requirement,
        ScoreMapSpec as ScoreMapSpec,
        SpotterSpec as SpotterSpec,
        TemporalSpec as TemporalSpec,
        Weights as Weights,
        lazy as lazy,
    )
    from affectkit.streams import (
        FeatureStream as FeatureStream,
        FrameStream as FrameStream,
        PredictionStream as PredictionStream,
        require_channels as require_channels,
        require_size as require_size,
        require_steps as require_steps,
        require_unit as require_unit,
    )
    from affectkit.temporal.gru import GRUConfig as GRUConfig
    from affectkit.temporal.sparse_mamba import SparseMambaConfig as SparseMambaConfig
    from affectkit.temporal.transformer import TransformerConfig as TransformerConfig
    from affectkit.variant_configs import augment_config as augment_config
    from affectkit.variants import (
        average_models as average_models,
        mirrored as mirrored,
        with_augmentations as with_augmentations,
    )

_PUBLIC = {
    "analyze": "affectkit.analysis",
    "analyze_many": "affectkit.batch",
    "analyze_pictures": "affectkit.many_pictures",
    "apply_motion": "affectkit.motion.apply",
    "load": "affectkit.artifact",
    "magnify": "affectkit.magnification",
    "save": "affectkit.artifact",
    "DatasetConfig": "affectkit.configs",
    "Events": "affectkit.configs",
    "FaceDetectorConfig": "affectkit.configs",
    "FeaturesConfig": "affectkit.configs",
    "Frames": "affectkit.configs",
    "FusionConfig": "affectkit.configs",
    "HeadConfig": "affectkit.configs",
    "LateFusionConfig": "affectkit.configs",
    "MotionConfig": "affectkit.configs",
    "ScoreMapConfig": "affectkit.configs",
    "SpotterConfig": "affectkit.configs",
    "TemporalConfig": "affectkit.configs",
    "Tracking": "affectkit.configs",
    "Windows": "affectkit.configs",
    "join_encoders": "affectkit.encoders",
    "EnsembleConfig": "affectkit.ensemble",
    "Ensemble": "affectkit.ensemble_model",
    "AffectkitError": "affectkit.errors",
    "AmbiguousNameError": "affectkit.errors",
    "ArtifactError": "affectkit.errors",
    "CacheWarning": "affectkit.errors",
    "ConfigError": "affectkit.errors",
    "FallbackWarning": "affectkit.errors",
    "InputError": "affectkit.errors",
    "LeftOutWarning": "affectkit.errors",
    "MissingDependencyError": "affectkit.errors",
    "PluginError": "affectkit.errors",
    "PluginWarning": "affectkit.errors",
    "RegistryError": "affectkit.errors",
    "RenamedWarning": "affectkit.errors",
    "SpecError": "affectkit.errors",
    "StreamError": "affectkit.errors",
    "SyntheticWeightsWarning": "affectkit.errors",
    "UntrainedWarning": "affectkit.errors",
    "WeightsError": "affectkit.errors",
    "Int8": "affectkit.export.int8",
    "export_onnx": "affectkit.export.onnx_export",
    "OnnxModel": "affectkit.export.onnx_model",
    "load_onnx": "affectkit.export.onnx_model",
    "AlignedConfig": "affectkit.faces.aligned",
    "AutoFacesConfig": "affectkit.faces.auto",
    "GivenBoxesConfig": "affectkit.faces.given_boxes",
    "HaarConfig": "affectkit.faces.haar",
    "WholeFrameConfig": "affectkit.faces.whole_frame",
    "YuNetConfig": "affectkit.faces.yunet",
    "ConvStemConfig": "affectkit.features.conv_stem",
    "IResNetConfig": "affectkit.features.iresnet",
    "SparseVSSDConfig": "affectkit.features.sparse_vssd",
    "TimmConfig": "affectkit.features.timm_backbone",
    "dial": "affectkit.fields",
    "read_config": "affectkit.files",
    "write_config": "affectkit.files",
    "AffineFusionConfig": "affectkit.fusion.affine",
    "ConcatFusionConfig": "affectkit.fusion.concat",
    "ActionUnitsConfig": "affectkit.heads.action_units",
    "OnnxConfig": "affectkit.graphs",
    "CompoundExpressionConfig": "affectkit.heads.compound_expression",
    "ExpressionConfig": "affectkit.heads.expression",
    "MicroExpressionConfig": "affectkit.heads.micro_expression",
    "ValenceArousalConfig": "affectkit.heads.valence_arousal",
    "hookimpl": "affectkit.hookspecs",
    "Dataset": "affectkit.interfaces",
    "FaceDetector": "affectkit.interfaces",
    "FeatureExtractor": "affectkit.interfaces",
    "Fusion": "affectkit.interfaces",
    "LateFusion": "affectkit.interfaces",
    "MotionFrontEnd": "affectkit.interfaces",
    "ScoreMap": "affectkit.interfaces",
    "Spotter": "affectkit.interfaces",
    "TaskHead": "affectkit.interfaces",
    "TemporalEncoder": "affectkit.interfaces",
    "MeanFusionConfig": "affectkit.late.mean",
    "ProductFusionConfig": "affectkit.late.product",
    "StackingConfig": "affectkit.late.stacking",
    "VoteFusionConfig": "affectkit.late.vote",
    "WeightedFusionConfig": "affectkit.late.weighted",
    "CompoundFromBasicConfig": "affectkit.maps.compound_from_basic",
    "CompoundLearnedConfig": "affectkit.maps.compound_learned",
    "SmoothConfig": "affectkit.maps.smooth",
    "TemperatureConfig": "affectkit.maps.temperature",
    "ThresholdsConfig": "affectkit.maps.thresholds",
    "Model": "affectkit.model",
    "EulerianConfig": "affectkit.motion.eulerian",
    "FrameDifferenceConfig": "affectkit.motion.frame_difference",
    "FlowMagnifierConfig": "affectkit.motion.flow_magnifier",
    "FrameMagnifierConfig": "affectkit.motion.frame_magnifier",
    "HeadCompensationConfig": "affectkit.motion.head_compensation",
    "MagNetConfig": "affectkit.motion.magnet",
    "MirrorConfig": "affectkit.motion.mirror",
    "MMCOFConfig": "affectkit.motion.mm_cof",
    "OpticalFlowConfig": "affectkit.motion.optical_flow",
    "PhaseConfig": "affectkit.motion.phase",
    "RestDifferenceConfig": "affectkit.motion.rest_difference",
    "ShiftConfig": "affectkit.motion.shift",
    "Branch": "affectkit.pipeline",
    "PipelineConfig": "affectkit.pipeline",
    "Pipeline": "affectkit.pipeline_model",
    "from_pretrained": "affectkit.published",
    "load_weights": "affectkit.published",
    "Augmentation": "affectkit.recipes",
    "Mixing": "affectkit.recipes",
    "Recipe": "affectkit.recipes",
    "ArraySource": "affectkit.records",
    "Event": "affectkit.records",
    "Face": "affectkit.records",
    "FramesSource": "affectkit.records",
    "ImageSource": "affectkit.records",
    "Index": "affectkit.records",
    "Issue": "affectkit.records",
    "Labels": "affectkit.records",
    "Sample": "affectkit.records",
    "VideoSource": "affectkit.records",
    "Registry": "affectkit.registry",
    "default_registry": "affectkit.registry",
    "Results": "affectkit.results.reading",
    "Row": "affectkit.results.rows",
    "read_results": "affectkit.results.reading",
    "Losses": "affectkit.sequences",
    "masked_mean": "affectkit.sequences",
    "Sequence": "affectkit.sequences",
    "Targets": "affectkit.sequences",
    "ComponentSpec": "affectkit.specs",
    "DatasetSpec": "affectkit.specs",
    "FaceDetectorSpec": "affectkit.specs",
    "FeaturesSpec": "affectkit.specs",
    "FusionSpec": "affectkit.specs",
    "HeadSpec": "affectkit.specs",
    "LateFusionSpec": "affectkit.specs",
    "MotionSpec": "affectkit.specs",
    "PipelineSpec": "affectkit.specs",
    "Requirement": "affectkit.specs",
    "ScoreMapSpec": "affectkit.specs",
    "SpotterSpec": "affectkit.specs",
    "TemporalSpec": "affectkit.specs",
    "Weights": "affectkit.specs",
    "lazy": "affectkit.specs",
    "FeatureStream": "affectkit.streams",
    "FrameStream": "affectkit.streams",
    "require_channels": "affectkit.streams",
    "require_size": "affectkit.streams",
    "require_steps": "affectkit.streams",
    "require_unit": "affectkit.streams",
    "PredictionStream": "affectkit.streams",
    "GRUConfig": "affectkit.temporal.gru",
    "SparseMambaConfig": "affectkit.temporal.sparse_mamba",
    "TransformerConfig": "affectkit.temporal.transformer",
    "augment_config": "affectkit.variant_configs",
    "average_models": "affectkit.variants",
    "mirrored": "affectkit.variants",
    "with_augmentations": "affectkit.variants",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("affectkit")
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'affectkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
