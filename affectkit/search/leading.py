"""Who decides: proposes a generation, has it evaluated, and tells the breeder in the order of the proposals.

Generations are synchronous, so that it makes no difference who was faster. A run that goes on proposes everything anew;
as far as the ledger has it, it is taken from there in place of being measured and evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from affectkit.errors import InputError
from affectkit.search.breeding import Breeder
from affectkit.search.candidates import Candidate, key_of
from affectkit.search.crew import Crew
from affectkit.search.fitness import Fitness
from affectkit.search.ledger import Ledger
from affectkit.search.space import SearchSpace, Value

# Proposals for every place of a generation, before it is given up.
_ATTEMPTS = 50


class Leader:
    """Runs a search from its beginning.

    Arguments:
        space: what is searched.
        breeder: proposes candidates.
        fitness: measures what they cost.
        ledger: holds what an earlier run came to.
        crew: evaluates them.
        watch: is shown all candidates now and then.
    """

    def __init__(
        self,
        space: SearchSpace,
        breeder: Breeder,
        fitness: Fitness,
        ledger: Ledger,
        crew: Crew,
        watch: Callable[[list[Candidate]], None] | None = None,
    ) -> None:
        self._space, self._breeder, self._fitness = space, breeder, fitness
        self._ledger, self._crew, self._watch = ledger, crew, watch
        self._stored = ledger.read()
        self._candidates: list[Candidate] = []
        self._first: dict[tuple[tuple[str, str], ...], int] = {}

    def run(self) -> list[Candidate]:
        """Every candidate of every generation.

        Raises:
            InputError: hardly a candidate meets the limits or can be scored; or the ledger has other proposals.
        """
        for one in self._stored:
            # whoever had claimed it is gone, or will be the second to tell
            if one.state == "running" and one.same_as is None:
                self._ledger.release(one.number)
        for generation in range(self._space.search.generations):
            self._fill(generation)
        if self._watch is not None:
            self._watch(self._candidates)
        return self._candidates

    def _fill(self, generation: int) -> None:
        """Find as many candidates as the population has places, and have them scored."""
        places = self._space.search.population
        attempts = _ATTEMPTS * places
        while places:
            batch: list[tuple[int, int]] = []
            while len(batch) < places:
                if not attempts:
                    raise self._give_up(generation)
                attempts -= 1
                handle, values = self._breeder.ask()
                one = self._place(generation, values)
                if one is None or (one.is_finished and one.state != "done"):
                    self._breeder.tell(handle, None)
                else:
                    batch.append((handle, one.number))
            places -= self._settle(batch)

    def _place(self, generation: int, values: Mapping[str, Value]) -> Candidate | None:
        """Enter a proposal; None for one that is known to be rejected or to fail, which is not tried again."""
        number, key = len(self._candidates), key_of(values)
        first = self._first.get(key)
        if first is not None and self._candidates[first].state in ("rejected", "failed"):
            return None
        if number < len(self._stored):
            one = self._check(self._stored[number], values)
            if one.state == "done" or (one.state == "failed" and self._is_priced(one)):
                # as it was when it had been proposed: what becomes of it is told with its generation
                one = replace(one, state="waiting", score=None, reason="")
        else:
            one = self._price(number, generation, values) if first is None else self._repeat(number, generation, first)
            self._ledger.add(one)
        self._candidates.append(one)
        self._first.setdefault(key, number)
        return one

    def _settle(self, batch: list[tuple[int, int]]) -> int:
        """Have a batch evaluated and tell what came of it; how many were scored."""
        wanted = {self._candidates[number].same_as for _, number in batch} - {None}
        wanted |= {number for _, number in batch if self._candidates[number].same_as is None}
        found = self._crew.work(
            lambda everybody: all(everybody[number].is_finished for number in wanted if number is not None), self._watch
        )
        scored = 0
        for handle, number in batch:
            one = found[number]
            if one.same_as is not None and not one.is_finished:
                first = found[one.same_as]
                reason = "" if first.state == "done" else f"as number {first.number}"
                self._ledger.finish(one, first.score, reason)
                one = replace(one, state=first.state, score=first.score, reason=reason)
            self._candidates[number] = one
            is_scored = one.state == "done"
            self._breeder.tell(handle, one.aims(self._space.objectives) if is_scored else None)
            scored += is_scored
        return scored

    def _price(self, number: int, generation: int, values: Mapping[str, Value]) -> Candidate:
        """A new candidate, which waits if it meets the limits."""
        cost, limits = self._fitness.cost(values), self._space.limits
        one = Candidate(number, generation, values, "waiting", latency_ms=cost.latency_ms, flops=cost.flops)
        if cost.reason:
            return replace(one, state="failed", reason=cost.reason)
        for name in ("latency_ms", "flops"):
            found, most = getattr(cost, name), getattr(limits, name)
            if most is not None and found > most:
                return replace(one, state="rejected", reason=f"{name} {found:.6g}, at most {most:.6g}")
        return one

    def _repeat(self, number: int, generation: int, first: int) -> Candidate:
        """One with the values of an earlier one, which is not evaluated again."""
        known = self._candidates[first]
        # not waiting: nobody is to claim it
        state = known.state if known.is_finished else "running"
        return replace(known, number=number, generation=generation, state=state, same_as=first)

    def _check(self, stored: Candidate, values: Mapping[str, Value]) -> Candidate:
        if key_of(stored.values) != key_of(values):
            fact = f"candidate {stored.number} would be {dict(values)}, and is {dict(stored.values)}"
            raise InputError(f"search: {fact}; go on with the version of Optuna that it was begun with")
        return stored

    def _is_priced(self, one: Candidate) -> bool:
        return not (
            (self._space.needs_latency and one.latency_ms is None) or (self._space.needs_flops and one.flops is None)
        )

    def _give_up(self, generation: int) -> InputError:
        ours = [one for one in self._candidates if one.generation == generation]
        counts = {state: sum(one.state == state for one in ours) for state in ("rejected", "failed")}
        example = next((one.reason for one in ours if one.reason), "")
        fact = (
            f"{_ATTEMPTS * self._space.search.population} proposals don't fill generation {generation}: "
            f"{counts['rejected']} candidates rejected, {counts['failed']} failed, such as by {example!r}"
        )
        return InputError(f"search: {fact}; widen the limits or the space")
