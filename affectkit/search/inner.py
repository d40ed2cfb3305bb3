"""The inner split of a search: weights from one part of the training half, values by the other, and no test half."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from affectkit.artifact import load, save
from affectkit.configs import ModelConfig
from affectkit.errors import InputError, is_below
from affectkit.files import write_text
from affectkit.model import Model
from affectkit.protocols.splits import Fold, check_disjoint, split_inner
from affectkit.recipes import Recipe
from affectkit.search.checking import check_search
from affectkit.search.running import SearchResult, Watch, search
from affectkit.search.space import SearchSpace
from affectkit.training.evaluation import fingerprint
from affectkit.training.examples import Examples
from affectkit.training.fitting import fit

MODEL, RECORD = "model", "trained.json"
# In the record: dials with other values of which the weights were trained.
DIALS = "random_dials"


@dataclass(frozen=True)
class Inner:
    """The training half of a fold, split by subject; copies, from which nothing else can be reached.

    Attributes:
        train: what the weights may be trained on.
        validation: what candidates are scored by.
    """

    train: Examples
    validation: Examples


def prepare_inner(examples: Examples, fold: Fold, *, share: float = 0.2, seed: int = 0) -> Inner:
    """Split the training half of a fold again.

    Arguments:
        examples: all of them.
        fold: what is left out of them; nothing of it comes into either part.
        share: of the subjects of the training half that are for validation.
        seed: which ones they are.

    Raises:
        InputError: a subject is in both halves of the fold, or the training half has fewer than two.
    """
    check_disjoint(fold, examples.subjects)
    inner = split_inner(fold, examples.subjects, share=share, seed=seed)
    return Inner(examples.take(inner.train), examples.take(inner.test))


def search_fold(
    config: ModelConfig,
    examples: Examples,
    fold: Fold,
    space: SearchSpace,
    recipe: Recipe | None = None,
    *,
    share: float = 0.2,
    seed: int = 0,
    adapt: bool = False,
    head: str | None = None,
    folder: str | Path | None = None,
    storage: str | None = None,
    name: str = "search",
    resume: bool = False,
    workers: int = 1,
    cache: str | Path | bool = False,
    after_epoch: Callable[[Model, int], None] | None = None,
    progress: Watch | None = None,
) -> SearchResult:
    """Train on one part of a fold's training half, and search by the other.

    Arguments:
        config, recipe: what is trained, and how, as `fit` takes them.
        examples, fold, share: as `prepare_inner` takes them.
        seed: of the split and of the training; the search has its own, in `space`.
        adapt: train with other values of the searched dials in every step, drawn from their domains, so that the
            weights are used to them; without it, with those of `config`.
        folder: for the trained model, whom it was trained on, and what `search` keeps; None to keep nothing.
        cache, after_epoch: as `fit` takes them.
        head, storage, name, resume, workers, progress: as `search` takes them. A resumed run takes the model from
            `folder`.

    Raises:
        ConfigError, InputError, MissingDependencyError: as `prepare_inner`, `fit` and `search`; or the model in
            `folder` was trained otherwise.
    """
    inner = prepare_inner(examples, fold, share=share, seed=seed)
    # first, since training takes long
    check_search(
        config,
        inner.validation,
        space,
        head=head,
        folder=folder,
        storage=storage,
        name=name,
        resume=resume,
        workers=workers,
    )
    recipe = Recipe() if recipe is None else recipe
    if adapt:
        recipe = replace(recipe, random_dials=tuple(space.dials))
    record = {
        "pipeline and recipe": fingerprint(config, recipe),
        "seed": seed,
        "examples": inner.train.digest(),
        "subjects": sorted(set(inner.train.subjects)),
    }
    model = None if folder is None else _find(Path(folder), record, resume=resume)
    if model is None:
        if folder is not None:
            # first, so that a model without it is not from here
            # the dials are in the fingerprint too, from which nobody can read them
            told = {**record, DIALS: list(recipe.random_dials)}
            write_text(Path(folder) / RECORD, json.dumps(told, indent=1))
        model = fit(config, inner.train, recipe, seed=seed, cache=cache, after_epoch=after_epoch)
        if folder is not None:
            counts = f"{len(inner.train)} {inner.train.noun} of {len(set(inner.train.subjects))} subjects"
            save(model, Path(folder) / MODEL, notes=f"Trained on {counts}, for a search on others.")
    return search(
        model,
        inner.validation,
        space,
        trained_on=inner.train.subjects,
        head=head,
        folder=folder,
        storage=storage,
        name=name,
        resume=resume,
        workers=workers,
        progress=progress,
    )


def read_trained_on(path: str | Path) -> tuple[str, ...]:
    """Subjects that weights were trained on: `trained.json` of a search, or a text file with a subject per line.

    Raises:
        InputError: there is no such file, it can't be read, or it names nobody.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text)["subjects"] if path.name == RECORD else [line.strip() for line in text.splitlines()]
        names = tuple(name for name in found if name)
    # the first is of what is no text and no JSON, the others of other JSON
    except (ValueError, KeyError, TypeError):
        hint = f"give the {RECORD} of a search, or a text file with a subject per line"
        raise InputError(f"{path}: names no subjects; {hint}") from None
    if not names:
        raise InputError(f"{path}: names nobody; write a subject per line, such as casme2/01")
    return names


def read_adapted(path: str | Path) -> tuple[str, ...]:
    """Dials that weights were adapted to, by the `trained.json` of a search; none where nothing says so."""
    path = Path(path)
    if path.name != RECORD or not path.is_file():
        return ()
    return tuple(json.loads(path.read_text(encoding="utf-8")).get(DIALS, ()))


def find_unadapted(space: SearchSpace, adapted: Iterable[str]) -> tuple[str, ...]:
    """Searched dials to other values of which weights were not adapted; maps are behind all weights, and need none.

    Arguments:
        space: what is searched.
        adapted: paths of dials, or of what has them, as `random_dials` of a recipe.
    """
    known = tuple(adapted)
    return tuple(
        dial
        for dial in space.dials
        if "maps" not in dial.split(".") and not any(is_below(dial, path) for path in known)
    )


def _find(folder: Path, record: dict[str, object], *, resume: bool) -> Model | None:
    """The model of an earlier run; None where there is none, or it ended before there was one."""
    path = folder / MODEL
    if not path.exists():
        return None
    if not (folder / RECORD).is_file():
        raise InputError(f"{path}: no {RECORD} beside it says of which search it is; give another folder")
    if not resume:
        raise InputError(f"{folder}: holds a search already; resume it, or give another folder")
    there = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    for key, value in record.items():
        if there.get(key) != value:
            raise InputError(f"{folder}: holds a model with {_other(key)}; give another folder")
    return load(path)


def _other(key: str) -> str:
    return f"other {key}" if key in ("examples", "subjects") else f"another {key}"
