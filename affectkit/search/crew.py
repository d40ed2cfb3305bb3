"""Who evaluates: this process, or processes of this machine; each claims what waits, beside those of other machines."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from affectkit.search.candidates import Candidate
from affectkit.search.fitness import Fitness, Task, Worth, score_in_worker
from affectkit.search.ledger import Ledger
from affectkit.search.space import Value
from affectkit.workers import Workers

# Seconds between two looks at the database.
_PAUSE = 0.05


class Crew:
    """Evaluates candidates of a ledger.

    Arguments:
        ledger: where they wait.
        fitness: scores them in this process, one by one.
        pool, task, count: processes in place of it, what they need, and how many they are; None for this process.
        patience: seconds after which a candidate that others have claimed waits again; None to leave it with them.
    """

    def __init__(
        self,
        ledger: Ledger,
        fitness: Fitness,
        pool: Workers | None = None,
        task: Task | None = None,
        count: int = 1,
        patience: float | None = None,
    ) -> None:
        self._ledger, self._fitness = ledger, fitness
        self._pool, self._task, self._count, self._patience = pool, task, count, patience
        self._running: dict[Future[Any], Candidate] = {}
        self._seen: dict[int, float] = {}
        self.evaluated = 0

    def work(
        self, is_over: Callable[[list[Candidate]], bool], watch: Callable[[list[Candidate]], None] | None = None
    ) -> list[Candidate]:
        """Evaluate what waits until `is_over` is true of all candidates, which are returned; `watch` sees them too.

        Raises:
            BrokenProcessPool: a process has died; what it was at waits for whoever goes on with the search.
        """
        while True:
            candidates = self._ledger.read()
            if watch is not None:
                watch(candidates)
            if not self._running and is_over(candidates):
                return candidates
            for one in candidates:
                if one.state == "waiting" and len(self._running) < self._count and self._ledger.claim(one.number):
                    self._running[self._submit(one.values)] = one
            self._release(candidates)
            if not self._running:
                time.sleep(_PAUSE)
                continue
            done, _ = wait(self._running, timeout=_PAUSE, return_when=FIRST_COMPLETED)
            for future in done:
                worth: Worth = future.result() if self._pool is None else self._pool.take(future.result())
                self._ledger.finish(self._running.pop(future), worth.score, worth.reason)
                self.evaluated += 1

    def _submit(self, values: Mapping[str, Value]) -> Future[Any]:
        if self._pool is not None:
            return self._pool.submit(score_in_worker, self._task, values)
        future: Future[Any] = Future()
        future.set_result(self._fitness.score(values))
        return future

    def _release(self, candidates: list[Candidate]) -> None:
        if self._patience is None:
            return
        ours = {one.number for one in self._running.values()}
        now = time.monotonic()
        for one in candidates:
            if one.state != "running" or one.same_as is not None or one.number in ours:
                self._seen.pop(one.number, None)
            # by this machine's clock: those of others may be wrong
            elif now - self._seen.setdefault(one.number, now) > self._patience:
                del self._seen[one.number]
                self._ledger.release(one.number)
