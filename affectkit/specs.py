"""Specs: what a plugin advertises. Plain records, made without torch, that name a config class and a lazy factory."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, dataclass_transform

from affectkit.configs import (
    ComponentConfig,
    DatasetConfig,
    FaceDetectorConfig,
    FeaturesConfig,
    FusionConfig,
    HeadConfig,
    LateFusionConfig,
    ModelConfig,
    MotionConfig,
    ScoreMapConfig,
    SpotterConfig,
    TemporalConfig,
)
from affectkit.errors import ConfigError, MissingDependencyError, SpecError
from affectkit.fields import FrozenMapping, field_types
from affectkit.streams import FeatureStream, FrameStream, PredictionStream

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from affectkit.interfaces import (
        Dataset,
        FaceDetector,
        FeatureExtractor,
        Fusion,
        LateFusion,
        MotionFrontEnd,
        ScoreMap,
        Spotter,
        TaskHead,
        TemporalEncoder,
    )
    from affectkit.recipes import Recipe

C = TypeVar("C", bound=ComponentConfig)
Motion = TypeVar("Motion", bound=MotionConfig)
Features = TypeVar("Features", bound=FeaturesConfig)
FusionC = TypeVar("FusionC", bound=FusionConfig)
Temporal = TypeVar("Temporal", bound=TemporalConfig)
Head = TypeVar("Head", bound=HeadConfig)
Late = TypeVar("Late", bound=LateFusionConfig)
Map = TypeVar("Map", bound=ScoreMapConfig)
Faces = TypeVar("Faces", bound=FaceDetectorConfig)
Spot = TypeVar("Spot", bound=SpotterConfig)
Data = TypeVar("Data", bound=DatasetConfig)

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Lazy:
    """A factory that is imported on its first call, so that a spec costs no torch import. Made by `lazy`."""

    target: str

    def resolve(self) -> Callable[..., Any]:
        """Import and return the factory; ImportError or AttributeError where it is not there."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]

    def __call__(self, *args: Any) -> Any:
        return self.resolve()(*args)


def lazy(target: str) -> Lazy:
    """A factory named as `"package.module:Class"`. The text is code of the plugin, never read from a file."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", target):
        raise SpecError(f"lazy: {target!r} names no factory; write 'package.module:Class'")
    return Lazy(target)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """An optional package that a component needs when it is built: what is imported, and the exact install."""

    module: str
    install: str

    def check(self, component: str) -> None:
        """Raise MissingDependencyError, with the cause chained, unless the package is installed."""
        # the top package only: find_spec of a dotted name imports the parents, or raises where there are none
        if importlib.util.find_spec(self.module.partition(".")[0]) is None:
            cause = ModuleNotFoundError(f"No module named {self.module!r}")
            raise MissingDependencyError(
                f"{component}: needs {self.module!r}, which is not installed; run {self.install}"
            ) from cause


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Published weights with their provenance. Both license fields are required: here the weights carry the legal risk.

    Attributes:
        name: unique within the component, kebab-case.
        url: `https://...`, or `package:<module>/<file>` for a file that a plugin ships.
        sha256: of the file, 64 hex digits.
        size: of the file, bytes.
        license: of the weights, as an SPDX id or the publisher's own words.
        training_data_terms: terms of the data they were trained on; `synthetic` for our own synthetic faces.
        preprocessing: what the network expects, in words.
        targets: names in the order of the outputs.
        metrics: published or measured figures by name.
        citation: whom to cite.
    """

    name: str
    url: str
    sha256: str
    size: int
    license: str
    training_data_terms: str
    preprocessing: str = ""
    targets: tuple[str, ...] = ()
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    citation: str = ""

    def __post_init__(self) -> None:
        where = f"weights {self.name!r}"
        if not NAME.fullmatch(self.name):
            raise SpecError(f"{where}: not a kebab-case name; use a-z, 0-9 and single hyphens")
        if not self.url.startswith(("https://", "package:")):
            raise SpecError(f"{where}: url {self.url!r} is not supported; give https://... or package:module/file")
        if not _SHA256.fullmatch(self.sha256):
            raise SpecError(f"{where}: sha256 {self.sha256!r} is no digest; give 64 lower-case hex digits")
        if self.size < 1:
            raise SpecError(f"{where}: size {self.size!r}; give the number of bytes")
        for name in ("license", "training_data_terms"):
            if not getattr(self, name).strip():
                raise SpecError(f"{where}: {name} is empty; say what is known, or 'unknown'")
        # a dict would leave the record unhashable, and open to later changes
        object.__setattr__(self, "metrics", FrozenMapping(self.metrics))

    @property
    def is_synthetic(self) -> bool:
        """Whether they were trained on synthetic data only; results then carry a warning."""
        return self.training_data_terms == "synthetic"


@dataclass_transform(frozen_default=True, kw_only_default=True)
class _Record:
    """Tells type checkers that subclasses are frozen dataclasses, which at run time they inherit: it is faster."""


@dataclass(frozen=True, kw_only=True)
class ComponentSpec(_Record, Generic[C]):
    """Advertisement of one component. Use the subclass of its kind.

    Attributes:
        name: kebab-case; with the distribution's name it is the component's id.
        config: the config class; one class is one component.
        factory: makes the module from the config and the stream (a function, a class, or `lazy("module:Class")`).
        summary: one line for listings.
        example: a config that works, required where the config class has fields without default.
        requires: optional packages needed to build.
        weights: published weights for it.
        loader: reads published weights that are no safetensors file: from the verified file to tensors by the module's
            state-dict keys (a function, or `lazy("module:function")`).
        renamed_from: former names, which still resolve with a warning.
        experimental: whether it may change without notice.
        status: says in a line how it would run on this machine (which kernel, and why); shown by `affectkit describe`.
        citation: whom to cite.
    """

    kind: ClassVar[str] = ""
    kind_name: ClassVar[str] = "component"
    config_base: ClassVar[type[ComponentConfig]] = ComponentConfig

    name: str
    config: type[C]
    factory: Callable[..., Any] | Lazy
    summary: str
    example: C | None = None
    requires: tuple[Requirement, ...] = ()
    weights: tuple[Weights, ...] = ()
    loader: Callable[[Path], Mapping[str, Tensor]] | Lazy | None = None
    renamed_from: tuple[str, ...] = ()
    experimental: bool = False
    status: Callable[[], str] | Lazy | None = None
    citation: str = ""

    def __post_init__(self) -> None:
        where = f"{self.kind_name} {self.name!r}"
        if not self.kind:
            raise SpecError(f"{where}: ComponentSpec itself has no kind; use a subclass such as TemporalSpec")
        _check_names(where, self.name, self.renamed_from)
        self._check_config(where)
        if not callable(self.factory):
            raise SpecError(f"{where}: factory {self.factory!r} can't be called; give a function, a class or lazy(...)")
        if not self.summary.strip() or "\n" in self.summary:
            raise SpecError(f"{where}: summary {self.summary!r}; write one line")
        # not isinstance: a derived config class is another component
        if self.example is not None and type(self.example) is not self.config:
            raise SpecError(f"{where}: example is {type(self.example).__name__}; give a {self.config.__name__}")
        if self.example is None and (missing := required_fields(self.config)):
            raise SpecError(f"{where}: {missing[0]!r} has no default; give the field a default, or the spec an example")
        _check_tuple(where, "requires", self.requires, Requirement)
        _check_tuple(where, "weights", self.weights, Weights)
        if self.status is not None and not callable(self.status):
            raise SpecError(f"{where}: status {self.status!r} can't be called; give a function that returns one line")
        _check_unique(where, self.weights)
        if self.loader is not None and not callable(self.loader):
            raise SpecError(f"{where}: loader {self.loader!r} can't be called; give a function or lazy(...)")
        if self.loader is not None and not self.weights:
            raise SpecError(f"{where}: a loader and no weights; give the weights that it reads")

    def _check_config(self, where: str) -> None:
        declared: object = self.config
        if not isinstance(declared, type) or not issubclass(declared, self.config_base):
            name = declared.__name__ if isinstance(declared, type) else repr(declared)
            raise SpecError(f"{where}: config {name} is not a {self.config_base.__name__}; derive it from that")
        params = getattr(self.config, "__dataclass_params__", None)
        # vars(): an undecorated subclass inherits the mark, while its new fields are no fields
        if "__dataclass_params__" not in vars(self.config) or params is None or not params.frozen:
            raise SpecError(
                f"{where}: config {self.config.__name__} is no frozen dataclass; "
                "decorate it with @dataclass(frozen=True, kw_only=True)"
            )
        for item in dataclasses.fields(self.config):
            if not item.kw_only:
                raise SpecError(f"{where}: field {item.name!r} is not keyword-only; add kw_only=True to the decorator")
            if item.name in ("use", "kind"):
                raise SpecError(f"{where}: field {item.name!r} is a word of pipeline files; give it another name")
        # an override that forgets super() would switch off every check of the fields
        if self.config.__post_init__ is not ComponentConfig.__post_init__:
            name = self.config.__name__
            raise SpecError(f"{where}: {name} overrides __post_init__; write its rules in validate(self)")
        # else the first to know would be the user who makes the config, by a bare TypeError
        if missing := sorted(getattr(self.config, "__abstractmethods__", ())):
            raise SpecError(f"{where}: config {self.config.__name__} has no {missing[0]!r}; define it")
        # for its errors: annotations are checked when the plugin loads, not when someone first uses the config
        field_types(self.config)

    def example_config(self) -> C:
        """The example, or the config with every default."""
        return self.example if self.example is not None else self.config()


class MotionSpec(ComponentSpec[Motion]):
    """Advertises a motion front-end."""

    kind: ClassVar[str] = "motion"
    kind_name: ClassVar[str] = "motion front-end"
    config_base: ClassVar[type[ComponentConfig]] = MotionConfig
    factory: Callable[[Motion, FrameStream], MotionFrontEnd[Motion]] | Lazy


class FeaturesSpec(ComponentSpec[Features]):
    """Advertises a feature extractor."""

    kind: ClassVar[str] = "features"
    kind_name: ClassVar[str] = "feature extractor"
    config_base: ClassVar[type[ComponentConfig]] = FeaturesConfig
    factory: Callable[[Features, FrameStream], FeatureExtractor[Features]] | Lazy


class FusionSpec(ComponentSpec[FusionC]):
    """Advertises a fusion. Its factory gets the mapping of streams by branch name."""

    kind: ClassVar[str] = "fusion"
    kind_name: ClassVar[str] = "fusion"
    config_base: ClassVar[type[ComponentConfig]] = FusionConfig
    factory: Callable[[FusionC, Mapping[str, FeatureStream]], Fusion[FusionC]] | Lazy


class TemporalSpec(ComponentSpec[Temporal]):
    """Advertises a temporal encoder."""

    kind: ClassVar[str] = "temporal"
    kind_name: ClassVar[str] = "temporal encoder"
    config_base: ClassVar[type[ComponentConfig]] = TemporalConfig
    factory: Callable[[Temporal, FeatureStream], TemporalEncoder[Temporal]] | Lazy


class HeadSpec(ComponentSpec[Head]):
    """Advertises a task head."""

    kind: ClassVar[str] = "head"
    kind_name: ClassVar[str] = "task head"
    config_base: ClassVar[type[ComponentConfig]] = HeadConfig
    factory: Callable[[Head, FeatureStream], TaskHead[Head]] | Lazy


class LateFusionSpec(ComponentSpec[Late]):
    """Advertises a late fusion. Its factory gets the members' streams, restricted to the common targets."""

    kind: ClassVar[str] = "late-fusion"
    kind_name: ClassVar[str] = "late fusion"
    config_base: ClassVar[type[ComponentConfig]] = LateFusionConfig
    factory: Callable[[Late, Mapping[str, PredictionStream]], LateFusion[Late]] | Lazy


class ScoreMapSpec(ComponentSpec[Map]):
    """Advertises a score map."""

    kind: ClassVar[str] = "map"
    kind_name: ClassVar[str] = "score map"
    config_base: ClassVar[type[ComponentConfig]] = ScoreMapConfig
    factory: Callable[[Map, PredictionStream], ScoreMap[Map]] | Lazy


class FaceDetectorSpec(ComponentSpec[Faces]):
    """Advertises a face detector. Its factory gets the config alone."""

    kind: ClassVar[str] = "faces"
    kind_name: ClassVar[str] = "face detector"
    config_base: ClassVar[type[ComponentConfig]] = FaceDetectorConfig
    factory: Callable[[Faces], FaceDetector[Faces]] | Lazy


class SpotterSpec(ComponentSpec[Spot]):
    """Advertises a spotter. Its factory gets the stream of frames that it will see."""

    kind: ClassVar[str] = "spotter"
    kind_name: ClassVar[str] = "spotter"
    config_base: ClassVar[type[ComponentConfig]] = SpotterConfig
    factory: Callable[[Spot, FrameStream], Spotter[Spot]] | Lazy


class DatasetSpec(ComponentSpec[Data]):
    """Advertises a dataset reader. Its factory gets the config alone."""

    kind: ClassVar[str] = "dataset"
    kind_name: ClassVar[str] = "dataset"
    config_base: ClassVar[type[ComponentConfig]] = DatasetConfig
    factory: Callable[[Data], Dataset[Data]] | Lazy


SPECS: tuple[type[ComponentSpec[Any]], ...] = (
    MotionSpec, FeaturesSpec, FusionSpec, TemporalSpec, HeadSpec,
    LateFusionSpec, ScoreMapSpec, FaceDetectorSpec, SpotterSpec, DatasetSpec,
)  # fmt: skip
KIND_NAMES: Mapping[str, str] = {spec.kind: spec.kind_name for spec in SPECS}


@dataclass(frozen=True, kw_only=True)
class PipelineSpec:
    """Advertises a preset: a named pipeline or ensemble, with weights where there are some.

    Attributes:
        name: kebab-case; with the distribution's name it is the preset's id.
        config: makes the config; a function, so that listing presets makes none.
        summary: one line for listings.
        weights: a saved model's `model.safetensors` for it, or with a `loader` one or several files of any format; None
            for a preset that has to be trained first.
        loader: reads weights of another format: from the verified files by name of their record to tensors by the
            model's state-dict keys (a function, or `lazy("module:function")`).
        recipe: makes the `Recipe` that it is trained by unless another one is given; None for the default one.
        renamed_from: former names, which still resolve with a warning.
        citation: whom to cite.
    """

    name: str
    config: Callable[[], ModelConfig]
    summary: str
    weights: Weights | tuple[Weights, ...] | None = None
    recipe: Callable[[], Recipe] | None = None
    loader: Callable[[Mapping[str, Path]], Mapping[str, Tensor]] | Lazy | None = None
    renamed_from: tuple[str, ...] = ()
    citation: str = ""

    def __post_init__(self) -> None:
        where = f"pipeline {self.name!r}"
        _check_names(where, self.name, self.renamed_from)
        if not callable(self.config):
            made = type(self.config).__name__
            raise SpecError(f"{where}: config {made} can't be called; give a function that makes it")
        if not self.summary.strip() or "\n" in self.summary:
            raise SpecError(f"{where}: summary {self.summary!r}; write one line")
        self._check_weights(where)

    def _check_weights(self, where: str) -> None:
        _check_tuple(where, "weights", self.published, Weights)
        _check_unique(where, self.published)
        if self.loader is None and len(self.published) > 1:
            raise SpecError(f"{where}: {len(self.published)} weights and no loader; give a loader that reads them")
        if self.loader is not None and not callable(self.loader):
            raise SpecError(f"{where}: loader {self.loader!r} can't be called; give a function or lazy(...)")
        if self.loader is not None and not self.published:
            raise SpecError(f"{where}: a loader and no weights; give the weights that it reads")

    @property
    def published(self) -> tuple[Weights, ...]:
        """The records of its published weights; empty for a preset that has to be trained first."""
        if self.weights is None:
            return ()
        return (self.weights,) if isinstance(self.weights, Weights) else self.weights

    def make(self) -> ModelConfig:
        """The preset's config, checked to be one."""
        config = self.config()
        if not isinstance(config, ModelConfig):
            raise ConfigError(
                f"pipeline {self.name!r}: its function made {type(config).__name__}",
                "return a PipelineConfig or an EnsembleConfig",
            )
        return config


def _check_names(where: str, name: str, renamed_from: tuple[str, ...]) -> None:
    _check_tuple(where, "renamed_from", renamed_from, str)
    for one in (name, *renamed_from):
        if not NAME.fullmatch(one):
            raise SpecError(f"{where}: {one!r} is not a kebab-case name; use a-z, 0-9 and single hyphens")


def _check_tuple(where: str, name: str, value: object, kind: type) -> None:
    # Text would pass for a tuple of its letters.
    if not isinstance(value, tuple) or not all(isinstance(item, kind) for item in value):
        raise SpecError(f"{where}: {name} is {value!r}; give a tuple of {kind.__name__}")


def _check_unique(where: str, weights: tuple[Weights, ...]) -> None:
    names = [item.name for item in weights]
    if twice := sorted(name for name in names if names.count(name) > 1):
        raise SpecError(f"{where}: weights {twice[0]!r} listed twice; give each its own name")


def required_fields(config: type[ComponentConfig]) -> list[str]:
    """Names of the fields without a default."""
    return [
        item.name
        for item in dataclasses.fields(config)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
