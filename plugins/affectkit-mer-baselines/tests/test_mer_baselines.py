"""The baselines: their sizes, what they look at, and an SVM that can't see who is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from affectkit_mer_baselines import OffApexNetConfig, STSTNetConfig
from affectkit_mer_baselines.ststnet import make_ststnet
from affectkit_mer_baselines.svm import SVMConfig, predict_left_out

from affectkit import ConfigError, FrameStream, InputError, Sequence
from affectkit.metrics.recognition import confusion_matrix, uar, uf1
from affectkit.protocols.splits import Fold, leave_one_out

MAPS = FrameStream(channels=("u", "v", "strain"), unit="relative", height=28, width=28)
SHARED = Path(__file__).resolve().parents[4] / "shared"


def message(work: Callable[[], object], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


def test_ststnet_has_the_papers_number_of_parameters() -> None:
    model = make_ststnet().build()
    assert sum(parameter.numel() for parameter in model.parameters()) == 1683
    assert STSTNetConfig().output(MAPS).dim == 400
    assert model(torch.rand(4, 1, 3, 28, 28))["micro"].shape == (4, 3)


def test_off_apexnet_is_as_wide_as_the_paper_says_and_looks_at_u_and_v_only() -> None:
    config = OffApexNetConfig(dropout=0.0)
    assert config.output(MAPS).dim == 1024
    from affectkit_mer_baselines.off_apexnet_net import OffApexNet

    network = OffApexNet(config, MAPS).eval()
    maps = torch.rand(2, 1, 3, 28, 28)
    changed = maps.clone()
    changed[:, :, 2] = 9.0
    assert torch.equal(network(Sequence.of(maps)).values, network(Sequence.of(changed)).values)
    changed[:, :, 1] = 9.0
    assert not torch.equal(network(Sequence.of(maps)).values, network(Sequence.of(changed)).values)


def test_padding_does_not_change_the_statistics() -> None:
    from affectkit_mer_baselines.ststnet_net import STSTNet

    maps = torch.rand(3, 2, 3, 28, 28)
    mask = torch.tensor([[True, False], [True, True], [False, False]])
    statistics = []
    for filler in (0.0, float("nan")):
        torch.manual_seed(0)
        network = STSTNet(STSTNetConfig(dropout=0.0), MAPS)
        network(Sequence.of(torch.where(mask[:, :, None, None, None], maps, filler), mask=mask))
        statistics.append(torch.cat([value.flatten() for name, value in network.named_buffers() if "running" in name]))
    assert torch.equal(*statistics)
    assert statistics[0].isfinite().all()


def test_the_svm_finds_what_differs_and_never_sees_who_is_left_out() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 20)
    maps = rng.normal(size=(60, 5, 4)) + 2 * labels[:, None, None]
    subjects = [f"s{number // 6}" for number in range(60)]
    folds = leave_one_out(subjects)
    found = predict_left_out(maps, labels, folds)
    assert (found == labels).mean() > 0.9
    # What the labels of a fold's test half are changes nothing in that fold.
    for fold in folds[:2]:
        other = labels.copy()
        other[list(fold.test)] = 0
        assert (predict_left_out(maps, other, [fold])[list(fold.test)] == found[list(fold.test)]).all()
    assert (predict_left_out(maps, labels, folds[:1])[6:] == -1).all()
    assert (predict_left_out(maps, labels, folds, SVMConfig(gamma=1e3, is_balanced=False)) != found).any()


def test_the_floor_on_real_flow() -> None:
    path = SHARED / "data" / "megc2019_dev.npz"
    if not path.is_file():
        pytest.skip(f"no {path}: the data is under signed agreements and not shipped")
    with np.load(path, allow_pickle=False) as data:
        maps, labels, subjects = data["flow"], data["label"], data["subject"].tolist()
    confusion = confusion_matrix(labels.tolist(), predict_left_out(maps, labels, leave_one_out(subjects)).tolist(), 3)
    assert float(uf1(confusion)) == pytest.approx(0.769, abs=0.005)
    assert float(uar(confusion)) == pytest.approx(0.768, abs=0.005)


def test_what_cannot_be_fitted_is_refused() -> None:
    maps, labels = np.zeros((4, 2)), np.array([0, 0, 1, 1])
    assert (
        message(lambda: predict_left_out(maps, labels[:3], []), InputError) == "labels: 3 for 4 maps; give one per map"
    )
    assert message(lambda: predict_left_out(maps, labels, [Fold("s1", (0, 1), (2, 3))]), InputError) == (
        "s1: one class in the training half; leave out fewer samples"
    )
    maps[2, 1] = np.nan
    assert message(lambda: predict_left_out(maps, labels, []), InputError) == (
        "maps[2]: a value is not finite; leave the sample out, or mend its flow"
    )


def test_configs_that_make_no_sense_are_refused() -> None:
    for config in (STSTNetConfig, OffApexNetConfig):
        assert message(lambda: config(dropout=1.0), ConfigError) == (  # noqa: B023
            "dropout: 1.0 is no share; write 0 or more, and less than 1"
        )
    assert message(lambda: OffApexNetConfig(dim=0), ConfigError) == "dim: 0 is too small; write 1 or more"
