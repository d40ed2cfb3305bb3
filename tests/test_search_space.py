"""Search spaces: what may be written, and what it means for a config."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from affectkit import ConfigError
from affectkit.ensemble import EnsembleConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.search.genes import Gene, find_fields, find_genes
from affectkit.search.space import Evolution, Limits, Objectives, Range, SearchSpace, read_space, space_to_data
from tests.searches import CONFIG

TEXT = """
[dials]
"temporal.kept" = { low = 2, high = 6 }
"temporal.shift" = [0, 2]
"temporal.blur" = "all"

[fields]
"heads.micro.dropout" = [0.0, 0.5]

[objectives]
score = "UAR"
cost = "flops"

[limits]
latency_ms = 5.0

[search]
population = 4
generations = 3
seed = 7
mutation = 0.2

[timing]
threads = 2
"""


def test_a_space_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(TEXT, encoding="utf-8")
    space = read_space(path)
    assert space.dials["temporal.kept"] == Range(low=2, high=6)
    assert space.objectives == Objectives(score="UAR", cost="flops")
    assert space.search == Evolution(population=4, generations=3, seed=7, mutation=0.2)
    assert (space.needs_latency, space.needs_flops) == (True, True)
    assert SearchSpace(dials={"a": "all"}).needs_latency is False
    assert find_genes(space, CONFIG) == (
        Gene("temporal.kept", is_dial=True, low=2, high=6, is_whole=True),
        Gene("temporal.shift", is_dial=True, choices=(0, 2)),
        Gene("temporal.blur", is_dial=True, low=0.0, high=1.0),
        Gene("heads.micro.dropout", is_dial=False, choices=(0.0, 0.5)),
    )
    assert space_to_data(space)["dials"]["temporal.shift"] == [0, 2]


def test_all_of_a_domain() -> None:
    space = SearchSpace(dials={"temporal.kept": "all", "temporal.shift": "all"})
    assert find_genes(space, CONFIG) == (
        Gene("temporal.kept", is_dial=True, low=1, high=8, is_whole=True),
        Gene("temporal.shift", is_dial=True, choices=(0, 1, 2)),
    )


def test_fields_are_those_of_what_is_built() -> None:
    fields = dict(find_fields(EnsembleConfig(members={"a": CONFIG}, fusion=MeanFusionConfig())))
    assert fields["members.a.temporal.hidden"] == 8
    assert fields["members.a.heads.micro.targets[0]"] == "negative"
    assert not any("inputs" in path or path.endswith(("source", "kept")) for path in fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "nothing to search; write values to try under dials or fields"),
        ("[dials]\na = []", "dials.a: no values; write those to try"),
        ("[dials]\na = [1, 2, 1.0]", "dials.a: 1 is there twice; write each value once"),
        (
            "[dials]\na = 'some'",
            "dials.a: 'some' is a str; expected 'all' or Range or tuple of bool or int or float or str",
        ),
        ("[dials]\na = {low = 2, high = 2}", "dials.a: 2.0 to 2.0 is no range; write low < high"),
        (
            "[dial]\na = [1]",
            "SearchSpace: unknown key 'dial'; did you mean 'dials'? keys: "
            "'dials', 'fields', 'objectives', 'limits', 'search', 'timing'",
        ),
        ("[search]\npopulation = 1", "search.population: 1 can't have children; write 2 or more"),
        ("[search]\ngenerations = 0", "search.generations: 0 is too few; write 1 or more"),
        ("[search]\nseed = -1", "search.seed: -1 is no seed; write 0 to 2**32 - 1"),
        ("[search]\nmutation = 1.5", "search.mutation: 1.5 is no probability; write 0 to 1"),
        ("[limits]\nflops = 0", "limits.flops: 0.0 is no limit; write more than 0"),
        ("[timing]\nrepeats = 0", "timing.repeats: 0 is too few; write 1 or more"),
        ("[objectives]\nscore = 1", "objectives.score: 1 is an int; expected str"),
    ],
)
def test_spaces_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"dials": {"temporal.shift": (0, 3)}},
            "dials.temporal.shift: 3 is outside the domain; the domain is 0, 1, 2",
        ),
        (
            {"dials": {"temporal.blur": Range(low=0, high=2)}},
            "dials.temporal.blur: 2.0 is outside the domain; the domain is 0.0 to 1.0",
        ),
        (
            {"dials": {"temporal.shift": Range(low=0, high=2)}},
            "dials.temporal.shift: 0.0 is outside the domain; the domain is 0, 1, 2",
        ),
        (
            {"dials": {"temporal.kept": Range(low=1.5, high=2)}},
            "dials.temporal.kept: 1.5 to 2.0 for whole numbers; write whole ends",
        ),
        ({"dials": {"temporal.hidden": (4,)}}, "dials.temporal.hidden: is a field, and no dial; write it under fields"),
        (
            {"dials": {"temporal.keep": "all"}},
            "dials: no dial 'temporal.keep'; did you mean 'temporal.kept'? dials: "
            "'temporal.kept', 'temporal.shift', 'temporal.blur', 'temporal.mode'",
        ),
        ({"fields": {"temporal.kept": (4,)}}, "fields.temporal.kept: is a dial; write it under dials"),
    ],
)
def test_spaces_that_do_not_fit(tables: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_genes(SearchSpace(**tables), CONFIG)
    assert str(caught.value) == message


def test_an_empty_space_is_searched_by_nobody() -> None:
    with pytest.raises(ConfigError) as caught:
        find_genes(SearchSpace(), CONFIG)
    assert str(caught.value) == "nothing to search; write values to try under dials or fields"


def test_no_such_field() -> None:
    with pytest.raises(ConfigError) as caught:
        find_genes(SearchSpace(fields={"temporal.hiden": (4,)}), CONFIG)
    assert str(caught.value).startswith("fields: no field 'temporal.hiden'; did you mean 'temporal.hidden'? fields: ")


def test_limits_may_be_left_out() -> None:
    assert Limits() == Limits(latency_ms=None, flops=None)
