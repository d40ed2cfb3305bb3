"""Pictures made of two, and their labels: by hand, by seed, and through a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit import (
    Branch,
    CompoundExpressionConfig,
    ConfigError,
    ConvStemConfig,
    ExpressionConfig,
    FrameStream,
    InputError,
    PipelineConfig,
    ValenceArousalConfig,
)
from affectkit.data.labels import BASIC_7, COMPOUND_7, COMPOUND_11
from affectkit.datasets import make_tree
from affectkit.heads.linear_head_net import ClassHead
from affectkit.heads.losses import cross_entropy, shared_cross_entropy
from affectkit.recipes import Mixing, Recipe, read_recipe
from affectkit.sequences import Sequence, Targets
from affectkit.streams import PredictionStream
from affectkit.training import Examples, fit
from affectkit.training.mixing import check_mixing, mix
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.sources import open_data
from tests.picture_examples import make_index
from tests.test_training import FEATURES

SIDE = 16
BOTH = PipelineConfig(
    input=FrameStream(height=SIDE, width=SIDE),
    branches={"face": Branch(features=ConvStemConfig(dim=8))},
    heads={
        "expression": ExpressionConfig(targets=BASIC_7),
        "compound": CompoundExpressionConfig(targets=COMPOUND_11),
        "va": ValenceArousalConfig(),
    },
)
OUTPUTS: Mapping[str, PredictionStream] = BOTH.trace().outputs
COMPOUNDS = Mixing(share=1.0, compound="compound")
# Basic expressions by name, as a batch has them; None where nobody said it.
SHOWN = ("happiness", "surprise", "fear", "surprise", "neutral", None, "sadness", "anger")


def make_batch(shown: tuple[str | None, ...] = SHOWN) -> tuple[dict[str, Sequence], dict[str, Targets]]:
    """Pictures of one value each, their place in the batch over its size; basic labels, and affect of all."""
    count = len(shown)
    values = (torch.arange(count) / count).view(-1, 1, 1, 1, 1).expand(-1, 1, 3, SIDE, SIDE).contiguous()
    classes = torch.tensor([[0 if name is None else BASIC_7.index(name)] for name in shown])
    valid = torch.tensor([[name is not None] for name in shown])
    affect = torch.linspace(-1, 1, count).view(-1, 1, 1).expand(-1, 1, 2)
    return {"clip": Sequence.of(values)}, {"expression": Targets(classes, valid), "va": Targets.of(affect)}


def mixed(mixing: Mixing, seed: int = 0, shown: tuple[str | None, ...] = SHOWN) -> tuple[Tensor, dict[str, Targets]]:
    inputs, targets = make_batch(shown)
    kept = inputs["clip"].values.clone(), {name: one.values.clone() for name, one in targets.items()}
    found, labels = mix(inputs, targets, mixing, OUTPUTS, torch.Generator().manual_seed(seed))
    # what it was given stays as it was
    assert torch.equal(inputs["clip"].values, kept[0])
    assert all(torch.equal(targets[name].values, values) for name, values in kept[1].items())
    return found["clip"].values, labels


def parts_of(picture: Tensor) -> list[float]:
    return sorted(set(picture.flatten().tolist()))


# Any two


@pytest.mark.parametrize("how", ["blend", "box", "halves"])
def test_labels_have_the_shares_of_the_pixels(how: str) -> None:
    values, labels = mixed(Mixing(how=how, share=1.0), shown=("anger", "fear"))  # type: ignore[arg-type]
    # pictures are 0 and 1/2, so a mean says which share the other has
    other = 2 * values.flatten(1).mean(1)
    share = torch.stack([1 - other[0], other[1]])
    assert ((share > 0) & (share < 1)).all()
    shares = labels["expression"].values.squeeze(1)
    anger, fear = BASIC_7.index("anger"), BASIC_7.index("fear")
    torch.testing.assert_close(shares[:, anger], torch.stack([share[0], 1 - share[1]]))
    torch.testing.assert_close(shares[:, fear], torch.stack([1 - share[0], share[1]]))
    torch.testing.assert_close(labels["va"].values[:, 0, 0], torch.stack([1 - 2 * share[0], 2 * share[1] - 1]))
    if how != "blend":
        assert [parts_of(one) for one in values] == [[0, 0.5], [0, 0.5]]


@pytest.mark.parametrize("how", ["box", "halves"])
def test_a_cut_is_one_box_or_one_line(how: str) -> None:
    for seed in range(20):
        values, _ = mixed(Mixing(how=how, share=1.0), seed)  # type: ignore[arg-type]
        for place, picture in enumerate(values[:, 0, 0]):
            other = picture != place / len(values)
            rows, columns = other.any(1).nonzero().flatten(), other.any(0).nonzero().flatten()
            if not len(rows):
                continue
            assert other[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            if how == "halves":
                assert len(columns) == SIDE
                assert rows[0] == 0 or rows[-1] == SIDE - 1


def test_what_has_no_label_gives_none_to_a_mixture() -> None:
    _, labels = mixed(Mixing(share=1.0))
    shares, valid = labels["expression"]
    assert shares.shape == valid.shape == (8, 1, 7)
    whole = valid.all(-1).flatten()
    assert not whole[5]
    assert (valid.any(-1) == valid.all(-1)).all()
    # the one without a label spoils that of whoever has it as partner
    assert int(whole.sum()) == 6
    torch.testing.assert_close(shares.sum(-1).flatten(), whole.float())


def test_whole_numbers_are_mixed_as_others() -> None:
    inputs, _ = make_batch(("anger", "fear"))
    outputs = {"va": OUTPUTS["va"]}
    mixtures = [
        mix(inputs, {"va": Targets.of(values)}, Mixing(share=1.0), outputs, torch.Generator().manual_seed(0))[1]["va"]
        for values in (torch.tensor([[[0, 1]], [[1, 0]]]), torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]]))
    ]
    assert ((mixtures[1].values > 0) & (mixtures[1].values < 1)).all()
    torch.testing.assert_close(mixtures[0].values, mixtures[1].values)


def test_a_seed_is_a_mixture() -> None:
    for mixing in (Mixing(), COMPOUNDS):
        one, two, three = (mixed(mixing, seed) for seed in (4, 4, 5))
        assert torch.equal(one[0], two[0])
        assert torch.equal(one[1]["expression"].values, two[1]["expression"].values)
        assert not torch.equal(one[0], three[0])


def test_the_share_is_that_of_the_recipe() -> None:
    assert torch.equal(mixed(Mixing(share=0.0))[0], make_batch()[0]["clip"].values)
    count = sum(
        int((mixed(Mixing(share=0.25), seed)[0] != make_batch()[0]["clip"].values).flatten(1).any(1).sum())
        for seed in range(200)
    )
    assert count == pytest.approx(1600 * 0.25, rel=0.15)
    # alone in a batch
    assert torch.equal(mixed(Mixing(share=1.0), shown=("anger",))[0], make_batch(("anger",))[0]["clip"].values)


def test_alpha_says_how_far_from_the_middle() -> None:
    def spread(alpha: float | None, compound: str | None = None) -> float:
        mixing = Mixing(share=1.0, alpha=alpha, compound=compound)
        shares = [mixed(mixing, seed, ("fear", "surprise"))[1]["expression"].values for seed in range(200)]
        return float(torch.cat(shares)[:, 0, BASIC_7.index("fear")].std())

    # Beta(a, a) has variance 1 / (4 (2 a + 1))
    assert spread(None) == pytest.approx((1 / 12) ** 0.5, rel=0.15)
    assert spread(4.0) == pytest.approx((1 / 36) ** 0.5, rel=0.15)
    assert spread(None, "compound") == pytest.approx((1 / 132) ** 0.5, rel=0.15)


def test_pictures_with_unlike_padding_are_not_mixed() -> None:
    inputs, targets = make_batch(("anger", "fear"))
    values = inputs["clip"].values.expand(-1, 2, -1, -1, -1)
    padded = Sequence.of(values, mask=torch.tensor([[True, True], [True, False]]))
    found, _ = mix({"clip": padded}, targets, Mixing(share=1.0), OUTPUTS, torch.Generator())
    assert torch.equal(found["clip"].values, values)


# Compounds


def test_two_basics_make_their_compound_and_others_stay_alone() -> None:
    for seed in range(30):
        values, labels = mixed(COMPOUNDS, seed)
        made, is_made = (part.flatten() for part in labels["compound"])
        # neutral is in no compound, and of the sixth nobody knows what it is
        assert is_made.tolist() == [True] * 4 + [False, False, True, True]
        shares, affect = labels["expression"], labels["va"]
        assert not affect.valid[is_made].any()
        assert affect.valid[4:6].all()
        for place in (0, 1, 2, 3, 6, 7):
            basics = [BASIC_7[at] for at in shares.values[place, 0].nonzero().flatten().tolist()]
            assert len(basics) == 2
            assert SHOWN[place] in basics
            other = float(values[place].mean())
            partner = [at for at, name in enumerate(SHOWN) if name in basics and name != SHOWN[place]]
            own = float(shares.values[place, 0, BASIC_7.index(str(SHOWN[place]))])
            assert any(other == pytest.approx((own * place + (1 - own) * at) / 8, abs=1e-5) for at in partner)
            assert set(basics) == set(named_basics(COMPOUND_11[int(made[place])]))
        assert shares.valid[5].any().item() is False


def named_basics(compound: str) -> tuple[str, str]:
    """By hand, apart from the table that the code has."""
    words = {"happily": "happiness", "sadly": "sadness", "fearfully": "fear", "angrily": "anger",
             "disgustedly": "disgust", "surprised": "surprise", "disgusted": "disgust", "fearful": "fear",
             "angry": "anger"}  # fmt: skip
    first, second = compound.split("_")
    return words[first], words[second]


def test_partners_are_of_every_fitting_class_equally_often() -> None:
    shown = ("surprise", *["happiness"] * 6, "anger")
    made = [int(mixed(COMPOUNDS, seed, shown)[1]["compound"].values[0]) for seed in range(200)]
    counts = np.bincount(made, minlength=11)
    # a surprised one has six happy ones and an angry one beside it
    assert counts[COMPOUND_11.index("happily_surprised")] == pytest.approx(100, abs=30)
    assert counts.sum() == counts[COMPOUND_11.index("angrily_surprised")] + counts[0] == 200


def test_labels_that_are_there_stay_and_what_is_mixed_is_its_compound() -> None:
    inputs, targets = make_batch(("fear", None, "surprise"))
    targets["compound"] = Targets(torch.tensor([[0], [3], [0]]), torch.tensor([[False], [True], [False]]))
    _, labels = mix(inputs, targets, COMPOUNDS, OUTPUTS, torch.Generator())
    assert labels["compound"].valid.all()
    scared = COMPOUND_11.index("fearfully_surprised")
    assert labels["compound"].values.flatten().tolist() == [scared, 3, scared]


def test_where_nothing_fits_nothing_changes() -> None:
    values, labels = mixed(COMPOUNDS, shown=("neutral", "happiness", "happiness", None))
    assert torch.equal(values, make_batch(("neutral", "happiness", "happiness", None))[0]["clip"].values)
    assert set(labels) == {"expression", "va"}
    assert labels["expression"].values.dtype == torch.int64


# Labels that are shares of classes


def test_all_in_one_class_is_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    values = torch.randint(4, (6, 2), generator=generator)
    valid = torch.rand(6, 2, generator=generator) < 0.7
    for weights in (None, torch.tensor([0.5, 2.0, 1.0, 0.0])):
        for smoothing in (0.0, 0.2):
            options = {"class_weights": weights, "label_smoothing": smoothing}
            one = cross_entropy(scores, values, valid, **options)  # type: ignore[arg-type]
            shares = torch.nn.functional.one_hot(values, 4).double()
            two = shared_cross_entropy(scores, shares, valid, **options)  # type: ignore[arg-type]
            torch.testing.assert_close(one, two)
            gradients = [torch.autograd.grad(loss, scores, retain_graph=True)[0] for loss in (one, two)]
            torch.testing.assert_close(*gradients)


def test_shares_are_the_sum_of_both_losses() -> None:
    scores = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    a, b, valid = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([2, 2, 0, 1, 1]), torch.ones(5, dtype=torch.bool)
    l = torch.tensor([[0.3]], dtype=torch.float64)  # noqa: E741 as in the formula
    shares = l * torch.nn.functional.one_hot(a, 3) + (1 - l) * torch.nn.functional.one_hot(b, 3)
    both = 0.3 * cross_entropy(scores, a, valid) + 0.7 * cross_entropy(scores, b, valid)
    torch.testing.assert_close(shared_cross_entropy(scores, shares, valid), both)


def test_shares_that_are_not_valid_reach_nothing() -> None:
    scores = torch.tensor([[1.0, float("nan")], [0.5, 0.25]], requires_grad=True)
    shares = torch.tensor([[float("nan"), 0.0], [0.5, 0.5]])
    loss = shared_cross_entropy(scores, shares, torch.tensor([False, True]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    assert shared_cross_entropy(scores, shares, torch.tensor([False, False])).item() == 0


def test_a_head_takes_shares_and_says_what_is_none() -> None:
    head = BOTH.build().heads["expression"]
    assert isinstance(head, ClassHead)
    scores, mask = torch.zeros(1, 1, 7), torch.ones(1, 1, dtype=torch.bool)

    def message(*shares: float) -> str:
        with pytest.raises(InputError) as caught:
            head.loss(scores, Targets.of(torch.tensor([[[*shares, 0, 0, 0, 0, 0]]])), mask)
        return str(caught.value)

    whole = Targets.of(torch.tensor([[[0.25, 0.75, 0, 0, 0, 0, 0]]]))
    assert head.loss(scores, whole, mask).item() == pytest.approx(np.log(7))
    assert message(0.5, 0.25) == (
        "targets: sum of shares 0.75; valid labels are shares of classes, with sum 1, what is not labeled has "
        "valid=False"
    )
    assert message(1.5, -0.5) == ("targets: share -0.5; valid labels are 0 to 1, what is not labeled has valid=False")


# Recipes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"share": 1.5}, "share: 1.5 is no share; write 0 to 1"),
        ({"alpha": 0.0}, "alpha: 0.0 is no parameter of Beta; write more than 0"),
        ({"compound": "expression"}, "basics: 'expression' is the head of compounds; name that of basic ones"),
    ],
)
def test_a_wrong_mixing(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Mixing(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_mixing_in_files(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('epochs = 3\n[mixing]\nhow = "halves"\ncompound = "compound"\n', encoding="utf-8")
    assert read_recipe(path) == Recipe(epochs=3, mixing=Mixing(how="halves", compound="compound"))


def refusal(mixing: Mixing, config: PipelineConfig = BOTH) -> str:
    with pytest.raises(ConfigError) as caught:
        check_mixing(mixing, config.build())
    return str(caught.value)


def test_mixing_that_a_model_can_not_be_trained_with() -> None:
    check_mixing(COMPOUNDS, BOTH.build())
    known = "; did you mean 'compound'? heads of classes: 'expression', 'compound'"
    assert refusal(Mixing(compound="compounds")) == f"mixing.compound: no head of classes 'compounds'{known}"
    assert refusal(Mixing(compound="compound", basics="va")) == (
        "mixing.basics: no head of classes 'va'; heads of classes: 'expression', 'compound'"
    )
    micro = replace(BOTH, heads={**BOTH.heads, "compound": ExpressionConfig(targets=("a", "b"))})
    assert refusal(COMPOUNDS, micro) == (
        "mixing.compound: no class of 'compound' is made of two of 'expression'; set its targets to such as "
        "'fearfully_surprised', 'happily_surprised', 'sadly_surprised' and 11 more"
    )
    assert refusal(Mixing(), FEATURES) == (
        "mixing: the input 'clip' is stored features; leave it out: it mixes pictures"
    )


def test_labels_that_compounds_can_not_be_made_of() -> None:
    inputs, targets = make_batch()

    def message(labels: dict[str, Targets]) -> str:
        with pytest.raises(InputError) as caught:
            mix(inputs, labels, COMPOUNDS, OUTPUTS, torch.Generator())
        return str(caught.value)

    assert message({"va": targets["va"]}) == (
        "examples: no labels of 'expression', of which compounds are to be made; they have 'va'"
    )
    several = Targets(*(part.expand(-1, 2) for part in targets["expression"]))
    assert message({"expression": several}) == (
        "examples: 'expression' has several labels per example; compounds are made of single pictures, so leave mixing "
        "out"
    )


WRONG = (
    ("expression", 9, "class index 9; valid labels are 0 to 6"),
    ("expression", -1, "class index -1; valid labels are 0 to 6"),
    ("va", 1.5, "value 1.5; valid labels are -1.0 to 1.0"),
)


@pytest.mark.filterwarnings("ignore:.*no example of.*")
@pytest.mark.parametrize("mixing", [Mixing(share=1.0, how="blend"), Mixing(share=1.0, how="box"), COMPOUNDS, None])
@pytest.mark.parametrize(("head", "value", "fact"), WRONG)
def test_a_label_out_of_range_is_refused_as_without_mixing(
    head: str, value: float, fact: str, mixing: Mixing | None
) -> None:
    inputs, targets = make_batch()
    values = targets[head].values.clone()
    values[3] = value
    targets[head] = targets[head]._replace(values=values)
    examples = Examples(inputs=inputs, targets=targets, subjects=tuple("abcdefgh"))
    with pytest.raises(InputError) as caught:
        fit(BOTH, examples, Recipe(epochs=1, batch_size=8, mixing=mixing))
    assert str(caught.value) == f"targets.{head}: {fact}, what is not labeled has valid=False"


def test_classes_that_are_no_whole_numbers_are_refused_by_mixing_too() -> None:
    inputs, targets = make_batch()
    classes = Targets(targets["expression"].values.float(), targets["expression"].valid)
    with pytest.raises(InputError) as caught:
        mix(inputs, {"expression": classes}, Mixing(share=1.0), OUTPUTS, torch.Generator())
    assert str(caught.value) == (
        "targets.expression: dtype torch.float32; class indices are whole numbers, give torch.int64"
    )


@pytest.mark.parametrize("mixing", [Mixing(share=1.0), COMPOUNDS])
def test_a_label_out_of_range_that_does_not_count_is_nothing(mixing: Mixing) -> None:
    inputs, targets = make_batch()
    values, valid = targets["expression"]
    odd = Targets(torch.where(valid, values, 99), valid)
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    found, wanted = (
        mix(inputs, {"expression": one}, mixing, OUTPUTS, seed)[1]["expression"]
        for one, seed in zip((odd, targets["expression"]), seeds, strict=True)
    )
    assert torch.equal(found.valid, wanted.valid)
    assert torch.equal(found.values[found.valid], wanted.values[wanted.valid])


def test_labels_that_are_shares_already_are_mixed_as_such() -> None:
    inputs, targets = make_batch(("anger", "fear"))
    classes = targets["expression"]
    shares = Targets.of(torch.nn.functional.one_hot(classes.values, 7).float())
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    found, wanted = (
        mix(inputs, {"expression": one}, Mixing(share=1.0), OUTPUTS, seed)[1]["expression"].values
        for one, seed in zip((shares, classes), seeds, strict=True)
    )
    assert torch.equal(found, wanted)


# Training


def test_a_head_of_compounds_learns_from_basic_labels_alone(tmp_path: Path) -> None:
    # of 40, 120 and 200: half anger and half surprise is as light as fear, and half fear and half surprise is 160
    index = make_index(tmp_path, 60)
    names = {"expression": ("anger", "fear", "surprise")}
    config = PipelineConfig(
        input=FrameStream(height=16, width=16),
        branches={"face": Branch(features=ConvStemConfig(dim=8))},
        heads={
            "expression": ExpressionConfig(targets=BASIC_7),
            "compound": CompoundExpressionConfig(targets=COMPOUND_7),
        },
    )
    cut = tmp_path / "cut"
    with pytest.raises(InputError, match=r"^heads\.compound: no labels of it; "):
        gather_pictures(index, config, names=names, faces="whole-frame", folder=cut)
    mixing = Mixing(share=1.0, alpha=200.0, compound="compound")
    examples = gather_pictures(index, config, names=names, made=mixing.made, faces="whole-frame", folder=cut).examples
    assert set(examples.targets) == {"expression"}
    recipe = Recipe(
        epochs=40, batch_size=12, learning_rate=0.02, mixing=mixing, sampling="balanced", sampling_head="expression"
    )
    model = fit(config, examples, recipe, seed=1)
    gray = torch.tensor([120.0, 160.0]).view(2, 1, 1, 1, 1).expand(2, 1, 3, 16, 16) / 255
    found = [COMPOUND_7[at] for at in model.predict(gray)["compound"].argmax(-1).flatten().tolist()]
    assert found == ["angrily_surprised", "fearfully_surprised"]
    short = replace(recipe, epochs=1)
    states = [fit(config, examples, short, seed=1).state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.filterwarnings("ignore:.*no example of.*")
def test_pictures_of_compounds_are_drawn_by_class_and_mixed(tmp_path: Path) -> None:
    make_tree("raf-db-compound", tmp_path / "RAF-DB")
    config = replace(BOTH, heads={"compound": CompoundExpressionConfig(targets=COMPOUND_11)})
    examples = open_data(f"raf-db-compound={tmp_path / 'RAF-DB'}", config, faces="whole-frame").examples
    assert sorted(examples.halves) == ["test"] * 2 + ["train"] * 5
    recipe = Recipe(epochs=1, batch_size=4, sampling="balanced", mixing=Mixing(how="box", share=1.0))
    fitted = fit(config, examples, recipe)
    assert fitted.predict(torch.rand(1, 1, 3, 16, 16))["compound"].shape == (1, 1, 11)
