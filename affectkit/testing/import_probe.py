"""What importing a plugin does to a fresh interpreter: `python -m affectkit.testing.import_probe DISTRIBUTION`.

Prints one line of JSON: `torch`, the place where torch was imported first (empty if it was not), and `changes`, a list
of what else is not as it was before.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

import numpy  # noqa: F401 (its own import adds filters, which must not count as the plugin's)

from affectkit.plugins import discover


class TorchWatch:
    """A finder that finds nothing, and notes the line that asks for torch first."""

    where = ""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called by the import system for every module that is not loaded yet."""
        if name == "torch" and not self.where:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and "importlib" in frame.f_code.co_filename:
                frame = frame.f_back
            if frame is not None:
                parts = frame.f_code.co_filename.replace(os.sep, "/").split("/")
                self.where = f"{'/'.join(parts[-2:])}:{frame.f_lineno}"
        return None


def changes(environment: dict[str, str], filters: list[object]) -> list[str]:
    """What differs from the environment and filters of before, and from torch's own defaults."""
    names = sorted(key for key in {*environment, *os.environ} if environment.get(key) != os.environ.get(key))
    found = [f"os.environ[{name!r}]" for name in names]
    if filters != list(warnings.filters):
        found.append("the warnings filters")
    torch = sys.modules.get("torch")
    if torch is not None:
        if torch.get_default_dtype() != torch.float32:
            found.append("torch's default dtype")
        if not torch.is_grad_enabled():
            found.append("torch's grad mode")
    return found


def main(distribution: str) -> None:
    """Import the hook modules of `distribution`, call the hooks, and print what that did."""
    declared = importlib.metadata.distribution(distribution).entry_points
    entry_points = [item for item in declared if item.group.startswith("affectkit.")]
    watch = TorchWatch()
    sys.meta_path.insert(0, watch)
    environment, filters = dict(os.environ), list(warnings.filters)
    discover(entry_points)
    print(json.dumps({"torch": watch.where, "changes": changes(environment, list(filters))}))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1])
