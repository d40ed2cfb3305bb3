"""A torchvision whose compiled part can't load, made importable. timm and torchmetrics import torchvision on import.

PyPI's Linux torchvision is a CUDA build. Beside a CPU torch its compiled part cannot load, and importing it dies with
"operator torchvision::nms does not exist".
"""

from __future__ import annotations

import functools
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, FileFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.library import Library


def repair_torchvision() -> None:
    """Make `import torchvision` work; nothing is done where it works, or isn't installed."""
    # once torchvision is imported it has its operators, and a second declaration would clash
    if "torchvision" not in sys.modules and not _torchvision_loads():
        _declare_operators()


def _torchvision_loads() -> bool:
    """Whether torchvision needs no help: its compiled part loads, or it is not installed at all."""
    import torch

    spec = find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True
    finder = FileFinder(spec.submodule_search_locations[0], (ExtensionFileLoader, EXTENSION_SUFFIXES))
    for name in ("_C", "_C_stable"):
        extension = finder.find_spec(name)
        if extension is not None and extension.origin is not None:
            try:
                torch.ops.load_library(extension.origin)  # type: ignore[no-untyped-call]
            except OSError:
                continue
            return True
    return hasattr(torch.ops.torchvision, "nms")


@functools.cache  # the declarations last as long as the Library object does
def _declare_operators() -> Library:
    """Declare the two operators that torchvision annotates on import, but that only its compiled part defines.

    A declaration without a kernel: calling `torchvision.ops.nms` still says that it is not available.
    """
    from torch.library import Library

    library = Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in ("nms", "qnms"):
        schema = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(schema)  # type: ignore[no-untyped-call]
    return library
