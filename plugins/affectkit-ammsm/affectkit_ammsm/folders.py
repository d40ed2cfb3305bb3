"""Folders of runs: what lies there is of one config, plan and data, or is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affectkit.errors import InputError
from affectkit.files import write_text
from affectkit.folders import make_folder

RECORD = "run.json"


def open_folder(folder: Path, record: Mapping[str, Any]) -> None:
    """Make a run's folder, or find it again.

    Raises:
        InputError: it is a file or can't be made, or holds a run of something else, or of what nobody knows; names
            what differs.
    """
    make_folder(folder, "the run")
    path = folder / RECORD
    # as a reader gets it: tuples are lists there
    plain = json.loads(json.dumps(dict(record)))
    # a start that failed has left the record alone, and nothing that another one could be mixed up with
    if path.is_file() and any(one.is_file() and one != path for one in folder.rglob("*")):
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError):
            raise InputError(
                f"{path}: is no record, so nothing says of which run this is; give another folder"
            ) from None
        for name in sorted(plain.keys() | there.keys()):
            if there.get(name) != plain.get(name):
                other = "other examples" if name == "examples" else f"another {name}"
                raise InputError(f"{folder}: holds a run with {other}; give another folder")
        return
    write_text(path, json.dumps(plain, indent=1))
