"""What DATA means on the command line: a file of examples, a dataset in a folder, or a file that says which."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from affectkit.codec import decode
from affectkit.configs import DatasetConfig, ModelConfig
from affectkit.errors import ConfigError, InputError, listed
from affectkit.files import errors_in_file, parse_text, read_text
from affectkit.interfaces import Dataset
from affectkit.records import Index
from affectkit.registry import Registry, default_registry
from affectkit.streams import FrameStream
from affectkit.training.examples import read_examples
from affectkit.training.input_kinds import check_one_kind, takes_pictures
from affectkit.training.label_joining import Extra
from affectkit.training.labeled_outputs import Unlabeled, labeled_outputs
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.reading import Gathered, gather_examples
from affectkit.training.segment_reading import SegmentSource, gather_segments


def open_data(
    data: str,
    config: ModelConfig,
    *,
    faces: str | None = None,
    extra: Extra = "refuse",
    unlabeled: Unlabeled = "refuse",
    made: Collection[str] = (),
    maps: Collection[str] = (),
    workers: int = 1,
    registry: Registry | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Gathered:
    """Examples for a pipeline or ensemble: keyframes of clips where inputs name steps, else pictures; or segments.

    What members of an ensemble ask for differently is cut for each of them.

    Arguments:
        data: a file of examples (`.npz`, `.safetensors`); `NAME=ROOT`, a dataset by its component's name in a folder;
            or a `.toml` file with `root`, `use` and the fields of that dataset's config; with tables `tracks` and
            `segments`, as `segment_reading` has them, for a pipeline on stored features of frames; with `segments`
            alone, for one on the frames themselves.
        config: of what is trained.
        faces: detector for pictures, by name; None for the pipeline's own, or `auto`.
        extra: what becomes of labels of classes that a head of pictures lacks, `refuse` or `invalid`.
        unlabeled: what becomes of heads without labels, if another has some: `refuse`, an error; `leave`, they stay as
            they are, and a warning is among the issues.
        made: heads of pictures that may have no labels, since training makes them, `Recipe.mixing`.
        maps: score maps that have labels of their own, of pictures and segments; `labels_to_read` names them.
        workers: processes that cut pictures.
        registry: where components are looked up.
        progress: called with how many clips or pictures are cut, and of how many.

    Raises:
        InputError: no such file or folder, or nothing in it fits the model.
        ConfigError: something in the `.toml` file is wrong.
        RegistryError: no such dataset.
    """
    names = registry if registry is not None else default_registry()
    if data.endswith((".npz", ".safetensors")):
        return Gathered(read_examples(data), ())
    if not data.endswith(".toml") and not data.partition("=")[2]:
        raise InputError(f"{data}: no data; give NAME=ROOT, such as casme2=/data/CASME2, or .npz, .toml")
    dataset, root, segments = _find(data, names)
    if segments is not None and not segments.tracks:
        _check_frames(config, data)
    index = scan_dataset(dataset, root, names)
    if segments is not None and segments.tracks:
        folder = Path(data).parent
        return gather_segments(
            index,
            segments,
            folder,
            config,
            names=dataset.label_names,
            extra=extra,
            unlabeled=unlabeled,
            maps=maps,
            registry=names,
        )
    check_one_kind(config.input_streams())
    if takes_pictures(config):
        return gather_pictures(
            _labeled(index),
            config,
            names=dataset.label_names,
            extra=extra,
            unlabeled=unlabeled,
            made=made,
            maps=maps,
            length=None if segments is None else segments.length,
            overlap=0 if segments is None else segments.overlap,
            fps=None if segments is None else segments.fps,
            faces=faces,
            workers=workers,
            registry=names,
            progress=progress,
        )
    _check_classes(dataset, config, names)
    return gather_examples(_labeled(index), config, unlabeled=unlabeled, faces=faces, registry=names, progress=progress)


def find_dataset(data: str, registry: Registry) -> tuple[DatasetConfig, Path]:
    """The dataset and the folder that `NAME=ROOT` or a `.toml` file means.

    Raises:
        ConfigError: something in the `.toml` file is wrong.
        RegistryError: no such dataset.
        InputError: no folder is named.
    """
    return _find(data, registry)[:2]


def subjects_of(data: str, *, registry: Registry | None = None) -> frozenset[str]:
    """Whose clips or pictures `data` has, which is as of `open_data`; nothing is cut, and labels don't matter.

    Raises:
        InputError, ConfigError, RegistryError: as `open_data`.
    """
    names = registry if registry is not None else default_registry()
    if data.endswith((".npz", ".safetensors")):
        return frozenset(read_examples(data).subjects)
    return frozenset(scan_dataset(*find_dataset(data, names), names).subjects)


def scan_dataset(dataset: DatasetConfig, root: Path, registry: Registry) -> Index:
    """What the dataset's reader finds in the folder."""
    reader: Dataset[DatasetConfig] = registry.of_config(type(dataset)).spec.factory(dataset)
    return reader.scan(root)


def _find(data: str, registry: Registry) -> tuple[DatasetConfig, Path, SegmentSource | None]:
    """Dataset and folder, and how it is cut into segments of what, if a `.toml` file says it."""
    if data.endswith(".toml"):
        return _read_source(Path(data), registry)
    name, _, folder = data.partition("=")
    if not folder:
        raise InputError(f"{data}: no folder; give NAME=ROOT, such as casme2=/data/CASME2, or .toml")
    return registry.component("dataset", name).spec.config(), Path(folder), None


def _read_source(path: Path, names: Registry) -> tuple[DatasetConfig, Path, SegmentSource | None]:
    data = parse_text(read_text(path), path.suffix, str(path))
    root = data.pop("root", None)
    if not isinstance(root, str):
        raise ConfigError("'root' is missing", "write the folder of the dataset, root = '/data/CASME2'", path=str(path))
    tracks, cuts = data.pop("tracks", None), data.pop("segments", None)
    with errors_in_file(path):
        config = decode(DatasetConfig, data, names)
        has_segments = tracks is not None or cuts is not None
        found = ({} if tracks is None else {"tracks": tracks}) | dict(cuts or {})
        segments = decode(SegmentSource, found, names) if has_segments else None
    # seen from the file, so that it can be moved with its data
    return config, path.parent / root, segments


def _check_frames(config: ModelConfig, data: str) -> None:
    """Raise ConfigError where segments are of a dataset's own frames, and inputs take something else."""
    for name, stream in config.input_streams().items():
        with errors_in_file(Path(data)):
            if not isinstance(stream, FrameStream):
                raise ConfigError(
                    "there are no tracks", "add a table [tracks] with a folder for each input", path="segments"
                )
            if stream.steps:
                fact = f"are of frames, and the input {name!r} takes the keyframes {listed(stream.steps)}"
                raise ConfigError(fact, "leave the table out", path="segments")


def _labeled(index: Index) -> Index:
    """Without the samples whose label the map leaves out on purpose, which the reader has counted in an issue."""
    kept = tuple(sample for sample in index if any(bool(labels.valid.any()) for labels in sample.targets.values()))
    return replace(index, samples=kept)


def _check_classes(dataset: DatasetConfig, config: ModelConfig, registry: Registry) -> None:
    classes = getattr(dataset, "class_names", None)
    outputs = labeled_outputs(config, registry=registry)
    for one in outputs.values():
        targets = one.stream.targets
        # of several, those that the labels are not for may score anything
        is_meant = len(outputs) == 1 or not set(dataset.label_names).isdisjoint(one.known_as)
        if is_meant and classes is not None and tuple(classes) != targets:
            raise InputError(
                f"{one.path}: scores {listed(targets)}, the dataset has {listed(classes)}; "
                "set the dataset's 'classes' or the head's 'targets'"
            )
