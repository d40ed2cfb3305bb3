"""What is kept of a search: an Optuna study in a database, with a trial per candidate.

Every change of it is one transaction, so that a run may be killed at any time. Candidates are claimed, so that several
machines can work on one study. Optuna's own tools, such as its dashboard, read it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence as Items
from types import ModuleType
from typing import Any

from affectkit.codec import Data
from affectkit.errors import InputError
from affectkit.search.breeding import distributions_of
from affectkit.search.candidates import Candidate, State
from affectkit.search.genes import Gene
from affectkit.search.optuna_import import import_optuna
from affectkit.search.space import Objectives

# Seconds that a file may be locked by another process.
_PATIENCE = 60.0
_STATES: Mapping[str, State] = {
    "WAITING": "waiting", "RUNNING": "running", "COMPLETE": "done", "PRUNED": "rejected", "FAIL": "failed",
}  # fmt: skip
_RECORD, _END = "record", "end"


class Ledger:
    """The candidates of one search.

    Arguments:
        url: of the database, as SQLAlchemy has them: `sqlite:///run/search.db`, `postgresql://host/name`;
            None for the memory of this process.
        name: of the study in it.
        record: what was searched, by what; another one is another search.
        genes: what candidates differ in.
        objectives: what is aimed at.
        resume: whether the study may be there already; None if it has to be.

    Raises:
        InputError: the database can't be opened, or holds no study, or one that isn't to be gone on with, or another.
    """

    def __init__(
        self,
        url: str | None,
        name: str,
        record: Data,
        genes: Items[Gene],
        objectives: Objectives,
        *,
        resume: bool | None,
    ) -> None:
        optuna = import_optuna()
        self._optuna, self._objectives = optuna, objectives
        self._where = "search" if url is None else url
        self._distributions = distributions_of(genes)
        self._storage = optuna.storages.InMemoryStorage() if url is None else _connect(optuna, url)
        self._study = self._open(name, record, resume)
        self._id = self._storage.get_study_id_from_name(name)

    def read(self) -> list[Candidate]:
        """Every candidate, by number."""
        return [self._candidate(trial) for trial in self._study.get_trials(deepcopy=False)]

    def add(self, candidate: Candidate) -> None:
        """Write a new one, whose number is the next.

        Raises:
            InputError: it is not, since two runs propose candidates at once.
        """
        names = {state: name for name, state in _STATES.items()}
        attributes = {
            name: getattr(candidate, name)
            for name in ("generation", "latency_ms", "flops", "same_as", "reason")
            if getattr(candidate, name) not in (None, "")
        }
        is_done = candidate.state == "done"
        trial = self._optuna.trial.create_trial(
            state=self._optuna.trial.TrialState[names[candidate.state]],
            values=list(candidate.aims(self._objectives)) if is_done else None,
            params=dict(candidate.values),
            distributions=dict(self._distributions),
            user_attrs=attributes,
        )
        made = self._storage.create_new_trial(self._id, template_trial=trial)
        if self._storage.get_trial_number_from_id(made) != candidate.number:
            raise InputError(f"{self._where}: somebody else proposes candidates too; stop one, and help with --join")

    def claim(self, number: int) -> bool:
        """Take one that waits; False where somebody else was faster."""
        state = self._optuna.trial.TrialState.RUNNING
        try:
            return bool(self._storage.set_trial_state_values(self._trial(number), state))
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return False

    def release(self, number: int) -> None:
        """Let one wait again that somebody has claimed and not finished."""
        self._set(number, "WAITING", None)

    def finish(self, candidate: Candidate, score: float | None, reason: str) -> None:
        """Write what came of it; whoever is first counts."""
        trial = self._trial(candidate.number)
        try:
            if score is None:
                self._storage.set_trial_user_attr(trial, "reason", reason)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return
        cost = candidate.cost(self._objectives)
        values = None if score is None else [score] if cost is None else [score, cost]
        self._set(candidate.number, "FAIL" if score is None else "COMPLETE", values)

    @property
    def is_ended(self) -> bool:
        """Whether whoever proposes candidates is through."""
        return bool(self._study.user_attrs.get(_END))

    def end(self, is_ended: bool) -> None:
        """Say whether there will be no more candidates."""
        self._study.set_user_attr(_END, is_ended)

    def close(self) -> None:
        """Give connections back."""
        _disconnect(self._storage)

    def _open(self, name: str, record: Data, resume: bool | None) -> Any:
        optuna = self._optuna
        try:
            study = optuna.load_study(study_name=name, storage=self._storage)
        except KeyError:
            if resume is None:
                raise InputError(f"{self._where}: holds no search {name!r}; begin it first") from None
            directions = ["maximize"] if self._objectives.cost == "none" else ["maximize", "minimize"]
            study = optuna.create_study(study_name=name, storage=self._storage, directions=directions)
            study.set_user_attr(_RECORD, record)
            return study
        # as it comes back from a database
        there, wanted = study.user_attrs.get(_RECORD), json.loads(json.dumps(record))
        if resume is False and there is not None:
            raise _holds_one(self._where, name)
        if there is None and not study.trials:
            # killed between the two lines that begin one
            study.set_user_attr(_RECORD, record)
            there = wanted
        for key in wanted:
            if (there or {}).get(key) != wanted[key]:
                other = f"other {key}" if key in ("examples", "weights") else f"another {key}"
                raise InputError(f"{self._where}: holds a search {name!r} with {other}; give another folder or name")
        return study

    def _trial(self, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._id, number))

    def _set(self, number: int, state: str, values: list[float] | None) -> None:
        try:
            self._storage.set_trial_state_values(self._trial(number), self._optuna.trial.TrialState[state], values)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return

    def _candidate(self, trial: Any) -> Candidate:
        about = trial.user_attrs
        return Candidate(
            number=trial.number,
            generation=about["generation"],
            values={path: trial.params[path] for path in self._distributions},
            state=_STATES[trial.state.name],
            score=trial.values[0] if trial.state.name == "COMPLETE" else None,
            latency_ms=about.get("latency_ms"),
            flops=about.get("flops"),
            # where a second try was scored, the first one's reason says nothing
            reason="" if trial.state.name == "COMPLETE" else about.get("reason", ""),
            same_as=about.get("same_as"),
        )


def check_storage(url: str | None, name: str, *, resume: bool) -> None:
    """Open the database of a search before there are weights, and close it; one that isn't there is made.

    Arguments:
        url, name: as `Ledger` takes them.
        resume: whether the search may be there already.

    Raises:
        InputError: it can't be opened, or holds a search of that name and `resume` isn't asked for.
        MissingDependencyError: Optuna is not installed.
    """
    optuna = import_optuna()
    if url is None:
        return
    storage = _connect(optuna, url)
    try:
        study = optuna.load_study(study_name=name, storage=storage)
        if not resume and study.user_attrs.get(_RECORD) is not None:
            raise _holds_one(url, name)
    except KeyError:
        # nothing of that name is there
        return
    finally:
        _disconnect(storage)


def _connect(optuna: ModuleType, url: str) -> Any:
    # Optuna itself would wait 5 seconds, which a busy disk can take
    options = {"connect_args": {"timeout": _PATIENCE}} if url.startswith("sqlite") else {}
    try:
        with warnings.catch_warnings():
            # of drivers and migrations; none is about what is kept
            warnings.simplefilter("ignore")
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except Exception as error:
        fact = " ".join(str(error).split())
        raise InputError(f"{url}: can't be opened ({fact}); give a database such as sqlite:///search.db") from error


def _disconnect(storage: Any) -> None:
    storage.remove_session()
    if hasattr(storage, "engine"):
        storage.engine.dispose()


def _holds_one(where: str, name: str) -> InputError:
    return InputError(f"{where}: holds a search {name!r} already; resume it, or give another folder or name")
