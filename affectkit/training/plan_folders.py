"""Folders of runs that follow a plan: what lies there is of one plan, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from affectkit.codec import encode
from affectkit.configs import Config
from affectkit.errors import InputError
from affectkit.files import read_data, write_text
from affectkit.folders import make_folder
from affectkit.registry import default_registry

RECORD = "plan.json"
P = TypeVar("P", bound=Config)


def open_folder(folder: Path, plan: Config) -> None:
    """Make a run's folder with its plan, or find it again.

    Raises:
        InputError: it is a file or can't be made, or holds a run of another plan.
    """
    make_folder(folder, "the run")
    path = folder / RECORD
    if not path.is_file():
        write_text(path, json.dumps(encode(plan, default_registry()), indent=2) + "\n")
    elif read_plan_of(folder, type(plan)) != plan:
        raise InputError(f"{folder}: holds a run of another plan; give another folder, or --plan {path}")


def read_plan_of(folder: Path, kind: type[P]) -> P:
    """The plan of a run.

    Raises:
        ConfigError: there is none, or it can't be read.
    """
    return read_data(kind, folder / RECORD)
