"""What is wrong with a search is said before anything is trained or written, and a failed start blocks no other."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from affectkit import ConfigError, InputError
from affectkit.artifact import load, save
from affectkit.errors import AffectkitError, MissingDependencyError
from affectkit.search import SearchResult, inner as inner_module, search, search_fold
from affectkit.search.space import Objectives
from tests.searches import CONFIG, SMALL, first_fold, make_space
from tests.test_search import _no_pictures as _no_pictures, _plugin as _plugin, pictures as pictures
from tests.test_training import QUICK, make_examples

EXAMPLES = make_examples(24, subjects=4)
SHORT = replace(QUICK, epochs=1)
ONE = replace(SMALL, generations=1)


class TrainedError(Exception):
    """Somebody began to train."""


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may be trained."""

    def fit(*given: object, **options: object) -> None:
        raise TrainedError

    with monkeypatch.context() as patched:
        patched.setattr(inner_module, "fit", fit)
        yield


def start(folder: Path | None, *, space: dict[str, Any] | None = None, **options: Any) -> SearchResult:
    tables = {"search": ONE} | (space or {})
    return search_fold(
        CONFIG, EXAMPLES, first_fold(EXAMPLES), make_space(**tables), SHORT, share=0.4, folder=folder, **options
    )


def refusal(folder: Path, error: type[AffectkitError] = InputError, **options: Any) -> str:
    with pytest.raises(error) as caught:
        start(folder, **options)
    return str(caught.value)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"temporal.hidden": (8, 16)},
            "fields.temporal.hidden: 16 needs other weights: 'temporal.inner' becomes (16, 4), is (8, 4); "
            "search what keeps them, and train models of the others",
        ),
        (
            {"heads.micro.pooling": ("mean", "max")},
            "fields.heads.micro.pooling: 'max' is not accepted; values: 'mean', 'last', 'attention' "
            "(MicroExpressionConfig)",
        ),
        (
            {"heads.micro.dropout": (0.0, 2.0)},
            "fields.heads.micro.dropout: 2.0 is no probability; write 0 or more, below 1",
        ),
    ],
)
def test_values_of_fields(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert refusal(tmp_path / "out", ConfigError, space={"fields": fields}) == message
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("untrained")
def test_options(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert refusal(out, workers=0) == "workers: 0; give 1 or more"
    assert refusal(out, ConfigError, seed=-1) == "seed: -1 is not accepted; write a whole number from 0 to 2**63 - 1"
    assert refusal(out, ConfigError, space={"objectives": Objectives(score="F1")}) == (
        "objectives.score: no score 'F1' of clips; did you mean 'UF1'? scores: 'UF1', 'UAR', 'accuracy'"
    )
    assert not out.exists()


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("url", ["nonsense", "postgresql://127.0.0.1:1/search", "sqlite:///no/such/folder/search.db"])
def test_databases_that_can_not_be_opened(url: str, tmp_path: Path) -> None:
    # the fact is in the words of the database
    form = rf"{re.escape(url)}: can't be opened \(.+\); give a database such as sqlite:///search\.db"
    assert re.fullmatch(form, refusal(tmp_path / "out", storage=url))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("untrained")
@pytest.mark.usefixtures("untrained")
def test_a_database_in_the_folder_that_is_made(tmp_path: Path) -> None:
    out = tmp_path / "new"
    with pytest.raises(TrainedError):
        search_fold(
            CONFIG,
            EXAMPLES,
            first_fold(EXAMPLES),
            make_space(search=ONE),
            SHORT,
            share=0.4,
            folder=out,
            storage=f"sqlite:///{out}/my.db",
        )
    assert (out / "my.db").is_file()


def test_without_optuna_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert refusal(tmp_path / "out", MissingDependencyError) == (
        "search: needs 'optuna', which is not installed; run pip install 'affectkit[search]'"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("untrained")
def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    out = tmp_path / "notes.txt"
    out.write_text("mine", encoding="utf-8")
    message = f"{out}: is a file; name a folder for the search"
    assert refusal(out) == message
    model = CONFIG.build()
    with pytest.raises(InputError) as caught:
        search(model, EXAMPLES, make_space(search=ONE), trained_on=(), folder=out)
    assert (str(caught.value), out.read_text(encoding="utf-8")) == (message, "mine")


def test_a_failed_start_blocks_no_other(tmp_path: Path) -> None:
    out, url = tmp_path / "out", f"sqlite:///{tmp_path / 'mine.db'}"
    assert refusal(out, storage="nonsense")
    # what only the training knows
    with pytest.raises(ConfigError, match=r"^random_dials: "):
        search_fold(
            CONFIG,
            EXAMPLES,
            first_fold(EXAMPLES),
            make_space(search=ONE),
            replace(SHORT, random_dials=("temporal.keep",)),
            share=0.4,
            folder=out,
            storage=url,
        )
    found = start(out, storage=url)
    assert len(found.candidates) == 4
    assert refusal(out, storage=url) == f"{out}: holds a search already; resume it, or give another folder"


def test_a_search_that_is_there_is_told_before_another_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, url = tmp_path / "out", f"sqlite:///{tmp_path / 'mine.db'}"
    start(out, storage=url)
    # by `search` alone, of weights from elsewhere
    alone = tmp_path / "alone"
    search(CONFIG.build(), EXAMPLES, make_space(search=ONE), trained_on=(), folder=alone)
    (alone / "candidates.parquet").unlink()
    monkeypatch.setattr(inner_module, "fit", None)
    for folder, storage, where in (
        (tmp_path / "other", url, url),
        (alone, None, f"sqlite:///{alone / 'search.db'}"),
    ):
        assert refusal(folder, storage=storage) == (
            f"{where}: holds a search 'search' already; resume it, or give another folder or name"
        )
    assert not (tmp_path / "other").exists()


def test_a_model_from_elsewhere_is_told_before_another_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inner_module, "fit", None)
    model = save(CONFIG.build(), tmp_path / "model")
    message = f"{model}: no trained.json beside it says of which search it is; give another folder"
    assert refusal(tmp_path) == refusal(tmp_path, resume=True) == message
    assert load(model).config == CONFIG
    assert not (tmp_path / "trained.json").exists()


def test_a_training_that_was_stopped_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "trained.json").write_text(json.dumps({"seed": 7}), encoding="utf-8")
    assert len(start(tmp_path).candidates) == 4
    assert json.loads((tmp_path / "trained.json").read_text(encoding="utf-8"))["seed"] == 0
