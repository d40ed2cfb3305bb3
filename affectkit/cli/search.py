"""`affectkit search`: values of dials and fields with which a pipeline does best, on people it was not trained on."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affectkit.cli.output import Output
from affectkit.cli.progress import live_lines
from affectkit.cli.train import add_data_arguments, read_arguments

if TYPE_CHECKING:
    from affectkit.protocols.splits import Fold
    from affectkit.recipes import Recipe
    from affectkit.search import Candidate, SearchSpace
    from affectkit.training import Examples

SUMMARY = "search a pipeline's dials by evolution, on an inner split by subject"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`PIPELINE DATA SPACE` and options."""
    add_data_arguments(parser)
    parser.add_argument("space", metavar="SPACE", type=Path, help="what to search, for what, how long (.toml)")
    parser.add_argument("--out", metavar="FOLDER", type=Path, help="model, database, table, plots and the winner")
    parser.add_argument("--leave-out", metavar="SUBJECT", nargs="+", default=[], help="who is for the test: not used")
    parser.add_argument("--share", metavar="S", type=float, default=0.2, help="of subjects to score by; default: 0.2")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of split and training; default: 0")
    parser.add_argument(
        "--trained-on", metavar="FILE", help="of a saved model: trained.json, a subject per line, or the word nobody"
    )
    parser.add_argument(
        "--adapt", action="store_true", help="train with other values of the searched dials in every step"
    )
    parser.add_argument("--head", metavar="NAME", help="whose classes of clips are scored, where there are several")
    parser.add_argument("--storage", metavar="URL", help="database in place of a file in --out")
    parser.add_argument("--name", default="search", help="of the search in the database; default: search")
    parser.add_argument("--resume", action="store_true", help="go on with the search in --out or --storage")
    parser.add_argument("--join", action="store_true", help="help with a search that another machine runs on --storage")


def run(args: argparse.Namespace, output: Output) -> int:
    """Search and print the front."""
    from affectkit.errors import ConfigError
    from affectkit.files import errors_in_file
    from affectkit.lookup import is_saved_model
    from affectkit.search import join_search, read_space, search, search_fold
    from affectkit.search.genes import find_genes

    is_saved = is_saved_model(args.pipeline)
    for is_wrong, option, fact, remedy in (
        (args.join and args.storage is None, "--join", "needs a database that both machines see", "add --storage URL"),
        (args.join and not is_saved, "--join", "needs the weights that are searched", "give OUT/model as PIPELINE"),
        (not args.join and args.out is None, "--out", "is missing", "name a folder for what is found"),
        (is_saved and args.adapt, "--adapt", "a saved model is not trained", "give a pipeline file or preset"),
        (not is_saved and args.trained_on is not None, "--trained-on", "is for a saved model", "use --leave-out"),
        (is_saved and args.trained_on is None, "--trained-on", "is missing for a saved model", "say who it has seen"),
    ):
        if is_wrong:
            raise ConfigError(fact, remedy, path=option)
    space = read_space(args.space)
    config, recipe, gathered = read_arguments(args, output)
    with errors_in_file(args.space):
        find_genes(space, config)
    fold = _fold(gathered.examples, args.leave_out)
    unadapted = _say_unadapted(args, space, recipe, output) if not args.join else ()
    workers = args.workers if args.workers is not None else os.cpu_count() or 1
    common: dict[str, Any] = {"head": args.head, "storage": args.storage, "name": args.name, "workers": workers}
    with live_lines() as show:
        common["progress"] = None if show is None else lambda everybody: show(_lines(everybody, space))
        if is_saved:
            trained_on = _trained_on(args.trained_on)
            examples = _others(gathered.examples, fold, trained_on, output)
            if args.join:
                count = join_search(args.pipeline, examples, space, trained_on=trained_on, **common)
                output.text(f"{count} candidates evaluated here")
                output.json({"evaluated": count})
                return 0
            common |= {"folder": args.out, "resume": args.resume}
            found = search(args.pipeline, examples, space, trained_on=trained_on, **common)
        else:
            common |= {"folder": args.out, "resume": args.resume, "cache": not args.no_cache, "adapt": args.adapt}
            found = search_fold(
                config, gathered.examples, fold, space, recipe, share=args.share, seed=args.seed, **common
            )
    counts = ", ".join(_counts(found.candidates))
    output.table(*_table(found.front, space), title="what no other candidate dominates")
    output.text(f"{counts}; scores are of the half that was chosen by, and no result")
    output.text(f"the winner: {args.out / 'winner'}; all candidates: {args.out / 'candidates.parquet'}")
    facts = {"candidates": len(found.candidates), "out": args.out, "unadapted": list(unadapted)}
    output.json({"front": [_data(one) for one in found.front]} | facts)
    return 0


def _fold(examples: Examples, left_out: list[str]) -> Fold:
    from affectkit.errors import ConfigError, did_you_mean
    from affectkit.protocols.splits import Fold

    known = sorted(set(examples.subjects))
    for name in left_out:
        if name not in known:
            raise ConfigError(f"no subject {name!r}", did_you_mean(name, known, noun="subjects"), path="--leave-out")
    rows = range(len(examples))
    test = tuple(row for row in rows if examples.subjects[row] in left_out)
    return Fold("search", tuple(row for row in rows if row not in test), test)


def _say_unadapted(
    args: argparse.Namespace, space: SearchSpace, recipe: Recipe | None, output: Output
) -> tuple[str, ...]:
    """Searched dials of which the weights have seen one value only, as far as anything says; tells people so."""
    from affectkit.errors import listed
    from affectkit.lookup import is_saved_model
    from affectkit.search.inner import find_unadapted, read_adapted

    if args.adapt:
        return ()
    if is_saved_model(args.pipeline):
        found = find_unadapted(space, read_adapted(args.trained_on))
        fact, remedy = "nothing says that the weights were adapted to", "adapted ones come from a search with --adapt"
    else:
        found = find_unadapted(space, () if recipe is None else recipe.random_dials)
        fact, remedy = "the weights are not adapted to", "give --adapt"
    if found:
        output.text(f"{fact} other values of {listed(found)}, which may score too low for it; {remedy}")
    return found


def _trained_on(given: str) -> tuple[str, ...]:
    from affectkit.search.inner import read_trained_on

    return () if given == "nobody" else read_trained_on(given)


def _others(examples: Examples, fold: Fold, trained_on: tuple[str, ...], output: Output) -> Examples:
    """Those that a saved model has not seen, which is said."""
    from affectkit.errors import InputError

    rows = [row for row in fold.train if examples.subjects[row] not in trained_on]
    if not rows:
        raise InputError(
            f"--trained-on: nobody is left to search by; give {examples.noun} of people that the model has not seen"
        )
    if trained_on and not set(trained_on) & set(examples.subjects):
        names = f"{trained_on[0]!r} there, {examples.subjects[0]!r} here"
        output.text(f"nobody in --trained-on is among these subjects ({names}): right if these are other people")
    people = len({examples.subjects[row] for row in rows})
    counts = f"{len(rows)} of {len(examples)} {examples.noun}"
    output.text(f"searching by {counts}, of the {people} subjects that are in neither list")
    return examples.take(rows)


def _counts(candidates: tuple[Candidate, ...] | list[Candidate]) -> list[str]:
    new = sum(one.state == "done" and one.same_as is None for one in candidates)
    again = sum(one.state == "done" for one in candidates) - new
    counts = {"evaluated": new, "known before": again}
    counts |= {state: sum(one.state == state for one in candidates) for state in ("rejected", "failed")}
    return [f"{count} {name}" for name, count in counts.items() if count or name == "evaluated"]


def _table(shown: tuple[Candidate, ...], space: SearchSpace) -> tuple[list[str], list[list[object]]]:
    costs = {
        "latency_ms": ("latency, ms", "{:.3f}", space.needs_latency),
        "flops": ("FLOPs", "{:.4g}", space.needs_flops),
    }
    asked = {name: (title, form) for name, (title, form, is_asked) in costs.items() if is_asked}
    columns = ["number", space.objectives.score, *(title for title, _ in asked.values()), *shown[0].values]
    rows: list[list[object]] = []
    for one in shown:
        prices = [form.format(getattr(one, name)) for name, (_, form) in asked.items()]
        values = [f"{value:.4g}" if isinstance(value, float) else value for value in one.values.values()]
        rows.append([one.number, f"{one.score:.3f}", *prices, *values])
    return columns, rows


def _lines(everybody: list[Candidate], space: SearchSpace) -> tuple[str, list[str], list[list[object]]]:
    """Where a search stands, and the front so far."""
    from affectkit.search.candidates import find_front

    last = everybody[-1].generation if everybody else 0
    title = f"generation {last + 1} of {space.search.generations}: {', '.join(_counts(everybody))}"
    front = find_front(everybody, space.objectives)
    return (title, *(_table(front, space) if front else ([], [])))


def _data(one: Candidate) -> dict[str, Any]:
    return {
        "number": one.number,
        "score": one.score,
        "latency_ms": one.latency_ms,
        "flops": one.flops,
        "values": dict(one.values),
    }
