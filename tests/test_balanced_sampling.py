"""Every class equally often, drawn by seed and epoch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from affectkit import ConfigError, ExpressionConfig, InputError, ValenceArousalConfig
from affectkit.recipes import Recipe
from affectkit.sequences import Targets
from affectkit.training import fit
from affectkit.training.sampling import Balanced, Shuffled, balanced_head, make_sampler
from tests.picture_examples import RECIPE, STILLS, gather
from tests.test_training import FEATURES, make_examples

# 40 of class 0, 8 of class 1, 3 of class 2, and 5 without one.
CLASSES = torch.tensor([0] * 40 + [1] * 8 + [2] * 3 + [-1] * 5)


def test_classes_come_equally_often() -> None:
    sampler = Balanced(CLASSES, seed=3)
    epochs = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        rows = torch.tensor(list(sampler))
        assert len(rows) == len(sampler) == len(CLASSES)
        found = CLASSES[rows]
        assert sorted(found[found >= 0].bincount().tolist()) == [17, 17, 17]
        assert sorted(rows[found < 0].tolist()) == [51, 52, 53, 54, 55]
        # none again before all have come
        counts = rows.bincount(minlength=len(CLASSES))
        for number in range(3):
            own = counts[CLASSES.eq(number)]
            assert own.max() - own.min() <= 1
        epochs.append(rows)
    assert set(torch.cat(epochs).tolist()) == set(range(len(CLASSES)))
    assert not torch.equal(epochs[0], epochs[1])
    sampler.set_epoch(1)
    assert list(sampler) == epochs[1].tolist()
    assert list(Balanced(CLASSES, seed=4)) != epochs[0].tolist()


def test_what_does_not_divide_evenly_is_drawn() -> None:
    classes = torch.tensor([0, 0, 0, 1])
    sampler, extra = Balanced(torch.cat([classes, torch.tensor([0])]), seed=0), []
    for epoch in range(12):
        sampler.set_epoch(epoch)
        found = torch.cat([classes, torch.tensor([0])])[list(sampler)].bincount(minlength=2)
        assert sorted(found.tolist()) == [2, 3]
        extra.append(int(found.argmax()))
    assert set(extra) == {0, 1}


def test_a_recipe_says_it_and_the_head_is_not_weighed_twice() -> None:
    examples = make_examples(30)
    few = examples.take([row for row in range(30) if row % 3 == 0 or row < 12])
    recipe = Recipe(epochs=1, batch_size=8, sampling="balanced")
    sampler = make_sampler(few, recipe, FEATURES, 0)
    assert isinstance(sampler, Balanced)
    counts = few.targets["micro"].values[list(sampler)].bincount()
    assert counts.max() - counts.min() <= 1
    assert isinstance(make_sampler(few, Recipe(), FEATURES, 0), Shuffled)
    weights = {
        one.sampling: fit(FEATURES, few, one).config.heads["micro"].class_weights  # type: ignore[attr-defined]
        for one in (recipe, replace(recipe, sampling="shuffled"))
    }
    assert weights["balanced"] is None
    assert weights["shuffled"] is not None


def test_labels_of_pictures_are_of_their_only_frame(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples.take([0, 1, 2, 3, 6, 9])
    sampler = make_sampler(examples, replace(RECIPE, sampling="balanced"), STILLS, 0)
    assert examples.targets["expression"].values.flatten()[list(sampler)].bincount().tolist() == [2, 2, 2]


def test_what_can_not_be_balanced(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    recipe = replace(RECIPE, sampling="balanced")
    two = replace(STILLS, heads={"a": ExpressionConfig(), "b": ExpressionConfig()})
    with pytest.raises(ConfigError) as wrong:
        balanced_head(recipe, two)
    assert str(wrong.value) == "sampling_head: 2 heads of classes to balance by; name one"
    assert balanced_head(replace(recipe, sampling_head="b"), two) == "b"
    with pytest.raises(ConfigError) as wrong:
        balanced_head(recipe, replace(STILLS, heads={"va": ValenceArousalConfig()}))
    assert str(wrong.value) == "sampling_head: 0 heads of classes to balance by; write sampling='shuffled'"
    with pytest.raises(ConfigError) as wrong:
        balanced_head(replace(recipe, sampling_head="bb"), two)
    assert str(wrong.value) == "sampling_head: no head of classes 'bb'; did you mean 'b'? heads: 'a', 'b'"
    with pytest.raises(ConfigError) as wrong:
        Recipe(sampling_head="a")
    assert str(wrong.value) == (
        "sampling_head: 'a' with sampling='shuffled', which looks at no head; "
        "leave it out, or write sampling='balanced'"
    )
    with pytest.raises(InputError) as caught:
        make_sampler(examples, replace(recipe, sampling_head="a"), two, 0)
    assert str(caught.value) == "examples: no labels of 'a', by which they are to be sampled; they have 'expression'"
    labels = examples.targets["expression"]
    none = replace(examples, targets={"expression": Targets(labels.values, torch.zeros_like(labels.valid))})
    with pytest.raises(InputError) as caught:
        make_sampler(none, recipe, STILLS, 0)
    assert str(caught.value) == (
        "examples: no valid label of 'expression', by which they are to be sampled; label some, or leave sampling out"
    )
    several = replace(examples, targets={"expression": Targets(*(part.expand(-1, 2) for part in labels))})
    with pytest.raises(InputError) as caught:
        make_sampler(several, recipe, STILLS, 0)
    assert str(caught.value) == (
        "examples: 'expression' has several labels per example; sampling by class needs one each, so leave it out"
    )
