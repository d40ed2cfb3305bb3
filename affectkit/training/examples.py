"""`Examples`: clips with labels as tensors in memory, and whose they are. Sets of micro-expressions fit, and the stored
features of long videos, in segments. Single pictures, of which there may be many, stay on the disk until they are read.

On the disk they are one safetensors file, so that processes and machines share them; its metadata are their subjects,
datasets and keys. Whoever has arrays of their own writes them with `numpy.savez`, see `read_examples`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence as Items
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from affectkit.errors import InputError, listed
from affectkit.sequences import Batch, Sequence, Targets
from affectkit.training.array_files import read_arrays
from affectkit.training.pictures import Pictures, join_pictures

_PARTS = ("values", "mask", "times")
_PICTURE_PARTS = ("file", "row", "times")


@dataclass(frozen=True, kw_only=True)
class Examples:
    """N clips; every tensor's first axis is N.

    Attributes:
        inputs: `Sequence` by input name; none where all are `pictures`.
        targets: labels by head name.
        subjects: canonical person keys (`casme2/01`), the groups of every split.
        keys: names of the clips, each once within its subject.
        datasets: where each is from; by default what stands before the `/` of its subject.
        videos: where the clips are segments of long videos, the key of each one's video; else empty.
        frames: then, the numbers of their frames, `(N, T)` int64; where the mask is False they mean nothing.
        pictures: inputs that lie on the disk, single pictures or segments of them; None where all are in memory.
        halves: what the owners of a dataset say of the half that each is in, `train`, `validation`, `test`; or empty.
        encoders: of stored features, by input, the hash of the encoder that computed them, where it is known.

    Raises:
        InputError: there is none, lengths differ, a clip is there twice, a value is NaN or infinite, or there are
            videos without frames or the other way around.
    """

    inputs: Mapping[str, Sequence]
    targets: Mapping[str, Targets]
    subjects: tuple[str, ...]
    keys: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    frames: Tensor | None = None
    pictures: Pictures | None = None
    halves: tuple[str, ...] = ()
    encoders: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.subjects)
        if not count or not (self.inputs or self.pictures) or not self.targets:
            raise InputError("examples: nothing to learn from; give at least one clip with an input and a target")
        if not self.keys:
            object.__setattr__(self, "keys", tuple(f"{number:05}" for number in range(count)))
        if not self.datasets:
            object.__setattr__(self, "datasets", tuple(subject.partition("/")[0] for subject in self.subjects))
        if bool(self.videos) != (self.frames is not None):
            raise InputError("examples: videos go with frames; give both for segments of videos, or neither")
        lengths = {"keys": len(self.keys), "datasets": len(self.datasets)}
        if self.frames is not None:
            lengths |= {"videos": len(self.videos), "frames": len(self.frames)}
        lengths |= {} if self.pictures is None else {"pictures": len(self.pictures)}
        lengths |= {"halves": len(self.halves)} if self.halves else {}
        lengths |= {f"inputs.{name}": len(one.values) for name, one in self.inputs.items()}
        lengths |= {f"targets.{name}": len(one.values) for name, one in self.targets.items()}
        for name, length in lengths.items():
            if length != count:
                raise InputError(f"examples: {name} has {length}, subjects {count}; give one each")
        named = list(zip(self.subjects, self.keys, strict=True))
        if len(set(named)) < count:
            subject, key = next(one for one in named if named.count(one) > 1)
            raise InputError(f"examples: {subject}, {key} is there twice; keep one of each clip")
        for name, one in self.inputs.items():
            shown = one.values.flatten(2).isfinite().all(dim=2)
            wrong = (one.mask & ~shown).any(dim=1).nonzero()
            if len(wrong):
                subject, key = named[int(wrong[0])]
                raise InputError(
                    f"examples: {subject}, {key}: {name} has values that are NaN or infinite; leave it out"
                )

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def mask(self) -> Tensor:
        """Which steps are real, `(N, T)` bool; of single pictures all."""
        for one in self.inputs.values():
            return one.mask
        assert self.pictures is not None
        return self.pictures.mask

    @property
    def are_pictures(self) -> bool:
        """Whether each is a single picture, so that what is of a frame is of the example."""
        return self.pictures is not None and self.pictures.length == 1

    @property
    def noun(self) -> str:
        """What they are called: `clips`, `pictures` or `segments`."""
        return "pictures" if self.are_pictures else "segments" if self.videos else "clips"

    def take(self, rows: Items[int]) -> Examples:
        """Some of them, as a copy: of what is in memory, nothing of the others can be reached from it.

        Raises:
            InputError: `rows` is empty.
        """
        index = torch.as_tensor(list(rows), dtype=torch.long)
        return Examples(
            inputs=self._inputs(index),
            targets=self._targets(index),
            subjects=tuple(self.subjects[row] for row in rows),
            keys=tuple(self.keys[row] for row in rows),
            datasets=tuple(self.datasets[row] for row in rows),
            videos=tuple(self.videos[row] for row in rows) if self.videos else (),
            frames=None if self.frames is None else self.frames[index],
            pictures=None if self.pictures is None else self.pictures.take(index),
            halves=tuple(self.halves[row] for row in rows) if self.halves else (),
            encoders=self.encoders,
        )

    def batch(self, index: Tensor) -> tuple[Batch, dict[str, Targets]]:
        """Inputs and targets of some rows, as a model takes them; pictures are read from the disk.

        Raises:
            InputError: a file of pictures is gone.
        """
        inputs = self._inputs(index) | ({} if self.pictures is None else self.pictures.read(index))
        return inputs, self._targets(index)

    def _inputs(self, index: Tensor) -> dict[str, Sequence]:
        return {
            name: Sequence(one.values[index], one.mask[index], one.times[index]) for name, one in self.inputs.items()
        }

    def _targets(self, index: Tensor) -> dict[str, Targets]:
        return {name: Targets(*(part[index] for part in one)) for name, one in self.targets.items()}

    def digest(self) -> str:
        """Hash of everything in it; of pictures, of which ones they are."""
        found = hashlib.sha256(_metadata(self, named=False)["examples"].encode())
        if self.pictures is not None:
            found.update(self.pictures.digest().encode())
        for name, tensor in sorted(_tensors(self, named=False).items()):
            found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            # its memory, not a copy of it
            found.update(tensor.numpy().reshape(-1).data)
        return found.hexdigest()


def write_examples(examples: Examples, path: Path) -> None:
    """Write them as one safetensors file; an existing one is replaced at once. Pictures stay where they are."""
    temporary = path.with_name(f"{path.name}.tmp")
    # several inputs may share a mask or times, which safetensors refuses
    tensors = {name: tensor.clone() for name, tensor in _tensors(examples).items()}
    save_file(tensors, temporary, metadata=_metadata(examples))
    temporary.replace(path)


def read_examples(path: str | Path) -> Examples:
    """Read what `write_examples` wrote, or an `.npz` file.

    The latter has `subject` `(N,)` text, by the name of each input an array `(N, T, C, H, W)` or `(N, T, D)`, by the
    name of each head class numbers `(N,)`, -1 where there is no label, and, if known, `key` and `dataset`.

    Raises:
        InputError: no such file, or none of its kind.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    if path.suffix == ".npz":
        return Examples(**read_arrays(path))
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})["examples"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: no examples ({error}); give a file that write_examples wrote, or .npz") from error
    return Examples(
        inputs={name: Sequence(*(tensors[f"inputs.{name}.{part}"] for part in _PARTS)) for name in about["inputs"]},
        targets={
            name: Targets(tensors[f"targets.{name}.values"], tensors[f"targets.{name}.valid"])
            for name in about["targets"]
        },
        **{name: tuple(about[name]) for name in ("subjects", "keys", "datasets")},
        videos=tuple(about.get("videos", ())),
        frames=tensors.get("frames"),
        pictures=_read_pictures(about["pictures"], tensors) if "pictures" in about else None,
        halves=tuple(about.get("halves", ())),
        encoders=about.get("encoders", {}),
    )


def _read_pictures(about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Pictures:
    # without an axis of frames, and without times, as they were written before there were segments of pictures
    file = tensors["pictures.file"].view(len(tensors["pictures.file"]), -1)
    return Pictures(
        shapes={name: tuple(shape) for name, shape in about["shapes"].items()},
        files=tuple(Path(text) for text in about["files"]),
        file=file,
        row=tensors["pictures.row"].view(file.shape),
        times=tensors.get("pictures.times", torch.zeros(file.shape, dtype=torch.float64)),
    )


def join_examples(parts: Iterable[Examples], *, partial: bool = False) -> Examples:
    """Several sets as one, such as the databases of a composite.

    Arguments:
        parts: the sets, in order.
        partial: whether a set may lack labels of a head that another has; there they are not valid.

    Raises:
        InputError: they have other inputs, targets or shapes, or features of other encoders; or a clip is in two.
    """
    parts = list(parts)
    if partial:
        known = {name: one for part in parts for name, one in part.targets.items()}
        parts = [replace(part, targets=_filled(part, known)) for part in parts]
    first = parts[0]
    for part in parts[1:]:
        if (part.pictures is None) != (first.pictures is None):
            raise InputError("examples: one set is of pictures, another of clips; give sets of one kind")
        if set(part.inputs) != set(first.inputs) or set(part.targets) != set(first.targets):
            names = [listed([*one.inputs, *one.targets]) for one in (first, part)]
            remedy = "give sets for one pipeline"
            if set(part.inputs) == set(first.inputs):
                remedy += ", or partial=True for labels that not all sets have"
            raise InputError(f"examples: one set has {names[0]}, another {names[1]}; {remedy}")
        if bool(part.videos) != bool(first.videos):
            raise InputError("examples: one set is of segments of videos, another of clips; give sets of one kind")

    pictures = [part.pictures for part in parts if part.pictures is not None]
    joined = join_pictures(pictures) if pictures else None

    def cat(tensors: Iterable[Tensor]) -> Tensor:
        tensors = list(tensors)
        if len({tuple(tensor.shape[1:]) for tensor in tensors}) > 1:
            shapes = listed(tuple(tensor.shape[1:]) for tensor in tensors)
            raise InputError(f"examples: clips of shapes {shapes}; give sets for one pipeline")
        return torch.cat(tensors)

    return Examples(
        inputs={
            name: Sequence(
                cat(part.inputs[name].values for part in parts),
                cat(part.inputs[name].mask for part in parts),
                cat(part.inputs[name].times for part in parts),
            )
            for name in first.inputs
        },
        targets={
            name: Targets(*(cat(part.targets[name][at] for part in parts) for at in range(2))) for name in first.targets
        },
        subjects=tuple(subject for part in parts for subject in part.subjects),
        keys=tuple(key for part in parts for key in part.keys),
        datasets=tuple(dataset for part in parts for dataset in part.datasets),
        videos=tuple(video for part in parts for video in part.videos),
        frames=None if first.frames is None else cat(part.frames for part in parts if part.frames is not None),
        pictures=joined,
        # of a set that has no halves, nobody says it
        halves=tuple(half for part in parts for half in part.halves or ("",) * len(part))
        if any(part.halves for part in parts)
        else (),
        encoders=one_encoder({name: {part.encoders.get(name, "") for part in parts} for name in first.inputs}),
    )


def one_encoder(found: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The encoder of each input whose features all have a known one; "" stands for one that is unknown.

    Raises:
        InputError: features of one input are of several.
    """
    for name, encoders in found.items():
        if len(known := sorted({one[:12] for one in encoders if one})) > 1:
            fact = f"features of {name!r} were computed by several encoders, {listed(known)}"
            raise InputError(f"examples: {fact}; compute all of them by one")
    return {name: one for name, (one, *others) in found.items() if one and not others}


def _filled(part: Examples, known: Mapping[str, Targets]) -> dict[str, Targets]:
    """Labels of every known head; what the set lacks is not valid."""
    found = dict(part.targets)
    for name, one in known.items():
        if name not in found:
            found[name] = Targets(*(tensor.new_zeros(len(part), *tensor.shape[1:]) for tensor in one))
    return found


def _tensors(examples: Examples, *, named: bool = True) -> dict[str, Tensor]:
    found = {
        f"inputs.{name}.{part}": tensor.contiguous()
        for name, one in examples.inputs.items()
        for part, tensor in zip(_PARTS, one[:3], strict=True)
    }
    for name, one in examples.targets.items():
        found |= {f"targets.{name}.values": one.values.contiguous(), f"targets.{name}.valid": one.valid.contiguous()}
    if examples.frames is not None:
        found["frames"] = examples.frames.contiguous()
    if named and examples.pictures is not None:
        found |= {f"pictures.{part}": getattr(examples.pictures, part).contiguous() for part in _PICTURE_PARTS}
    return found


def _metadata(examples: Examples, *, named: bool = True) -> dict[str, str]:
    """As JSON; `named` with the paths of pictures, which a hash of content goes without."""
    about: dict[str, Any] = {
        "inputs": list(examples.inputs),
        "targets": list(examples.targets),
        "subjects": examples.subjects,
        "keys": examples.keys,
        "datasets": examples.datasets,
    }
    # what the features are is in their values
    about |= {"encoders": dict(examples.encoders)} if named and examples.encoders else {}
    # left out where there are none, so that the hashes of clips stay what they were
    about |= {"videos": examples.videos} if examples.videos else {}
    about |= {"halves": examples.halves} if examples.halves else {}
    if named and examples.pictures is not None:
        files = [str(path.resolve()) for path in examples.pictures.files]
        about["pictures"] = {"shapes": examples.pictures.shapes, "files": files}
    return {"examples": json.dumps(about)}
