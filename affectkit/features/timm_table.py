"""Width and size of every timm model, known without timm: the table that lets a pipeline be checked before torch loads.

`python -m affectkit.features.timm_table` makes `timm_models.json` anew from the installed timm. It needs no weights and
little memory, since it builds every model on torch's meta device.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

Size = Literal["any", "built", "exact"]
TABLE = "timm_models.json"


class TimmModel(NamedTuple):
    """What the table knows of one model.

    Attributes:
        dim: width of the pooled feature, without classifier.
        height: rows of the picture that its default weights were trained on.
        width: columns of the same.
        size: `any` picture size works; the size is fixed when the model is `built` (most ViTs); or it takes `exact`ly
            height x width.
    """

    dim: int
    height: int
    width: int
    size: Size


@functools.cache
def timm_models() -> Mapping[str, TimmModel]:
    """The committed table: model name without tag (`resnet18`, not `resnet18.a1_in1k`) to what is known of it."""
    rows = json.loads(Path(__file__).with_name(TABLE).read_text(encoding="utf-8"))
    return {name: TimmModel(*row) for name, row in rows.items()}


def measure(name: str) -> TimmModel:
    """Build `name` on the meta device, run one picture through it, and report.

    Raises:
        ValueError: the model has no pooled feature vector, or no known picture size.
        Exception: whatever timm raises where the model can't be built without an option or on the meta device.
    """
    from affectkit.features.timm_import import import_timm

    model = _on_meta(import_timm(), name)
    shape = model.pretrained_cfg.get("input_size")
    if shape is None:
        raise ValueError(f"{name}: no input size")
    dim = _pooled_dim(model, name, shape)
    size: Size = "any"
    if model.pretrained_cfg.get("fixed_input_size"):
        try:
            # its own size again: this only asks whether the constructor takes `img_size` at all
            model = _on_meta(import_timm(), name, img_size=tuple(shape[1:]))
            size = "built" if _pooled_dim(model, name, shape) == dim else "exact"
        except TypeError:
            size = "exact"
    return TimmModel(dim, shape[1], shape[2], size)


def _on_meta(timm: Any, name: str, **options: Any) -> Any:
    import torch

    with torch.device("meta"):
        return timm.create_model(name, pretrained=False, num_classes=0, **options).eval()


def _pooled_dim(model: Any, name: str, shape: tuple[int, int, int]) -> int:
    import torch

    with torch.no_grad():
        features = model(torch.zeros(1, *shape, device="meta"))
    if getattr(features, "ndim", None) != 2:
        raise ValueError(f"{name}: no pooled feature vector")
    return int(features.shape[1])


def make_table(names: Iterable[str]) -> dict[str, TimmModel]:
    """Measure every one of `names` that can be measured; progress and what was left out go to stderr."""
    table, todo = {}, sorted(names)
    for i, name in enumerate(todo, 1):
        try:
            table[name] = measure(name)
            sys.stderr.write(f"{i}/{len(todo)} {name} {tuple(table[name])}\n")
        # a model that needs an option or real tensors to be built is left out: its user gives `dim`
        except Exception as error:
            sys.stderr.write(f"{i}/{len(todo)} {name} left out: {type(error).__name__}: {str(error)[:200]}\n")
    return table


def write_table(table: Mapping[str, TimmModel], path: Path) -> None:
    """Write one model per line, sorted, at once: to a temporary name, then renamed."""
    lines = (f"{json.dumps(name)}: {json.dumps(table[name])}" for name in sorted(table))
    # beside the target, since a rename is atomic within one file system only; by process, so two runs don't mix
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    temporary.replace(path)


def main() -> None:
    """Make the table of the installed timm."""
    from affectkit.features.timm_import import import_timm

    write_table(make_table(import_timm().list_models()), Path(__file__).with_name(TABLE))


if __name__ == "__main__":
    main()
