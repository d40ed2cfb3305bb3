"""What can be known of a search before anything is trained or written."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from affectkit.configs import ModelConfig
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.folders import make_folder
from affectkit.pipeline import PipelineConfig
from affectkit.registry import default_registry
from affectkit.search.genes import find_genes
from affectkit.search.ledger import check_storage
from affectkit.search.scoring import find_metric
from affectkit.search.space import SearchSpace
from affectkit.search.variants import Variants
from affectkit.training.examples import Examples

DATABASE, TABLE = "search.db", "candidates.parquet"


def check_workers(workers: int) -> None:
    """Raise InputError where there would be no process."""
    if workers < 1:
        raise InputError(f"workers: {workers!r}; give 1 or more")


def check_unused(folder: Path) -> None:
    """Raise InputError where a folder has what a search has found; its database may be another one."""
    if (folder / TABLE).exists():
        raise InputError(f"{folder}: holds a search already; resume it, or give another folder")


def database_in(folder: Path) -> str:
    """The database of a folder, for SQLAlchemy."""
    return f"sqlite:///{(folder / DATABASE).resolve()}"


def check_search(
    config: ModelConfig,
    examples: Examples,
    space: SearchSpace,
    *,
    head: str | None,
    folder: str | Path | None,
    storage: str | None,
    name: str,
    resume: bool,
    workers: int,
) -> None:
    """Refuse what `search` would refuse, as far as that takes no trained weights; and make the folder.

    Arguments:
        config: of the model that is to be trained.
        examples: those to score by.
        space, head, folder, storage, name, resume, workers: as `search` takes them.

    Raises:
        ConfigError, InputError, MissingDependencyError: as `search`.
    """
    check_workers(workers)
    registry = default_registry()
    genes = find_genes(space, config)
    find_metric(space.objectives.score, config, examples, head, registry)
    if space.fields:
        # which values need other weights is a matter of shapes
        with torch.random.fork_rng():
            Variants(cast(PipelineConfig | EnsembleConfig, config).build(registry=registry), genes)
    place = None if folder is None else Path(folder)
    if place is not None and not resume:
        check_unused(place)
    url = storage
    if url is None and place is not None and (place / DATABASE).exists():
        url = database_in(place)
    is_new = place is not None and not place.exists()
    if place is not None:
        # before the database, which may lie in it
        make_folder(place, "the search")
    try:
        check_storage(url, name, resume=resume)
    except BaseException:
        if place is not None and is_new and not any(place.iterdir()):
            place.rmdir()
        raise
