"""Pictures of motion maps: colors that are known, names of files, and the pipelines and folders that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from affectkit.configs import Events, Windows
from affectkit.ensemble import EnsembleConfig
from affectkit.errors import InputError
from affectkit.features.conv_stem import ConvStemConfig
from affectkit.fusion.concat import ConcatFusionConfig
from affectkit.heads.micro_expression import MicroExpressionConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.motion.map_pictures import MapPictures, draw_maps
from affectkit.motion.mm_cof import MMCOFConfig
from affectkit.motion.optical_flow import OpticalFlowConfig
from affectkit.pipeline import Branch, PipelineConfig
from affectkit.presets import spot_motion
from affectkit.results.rows import EventRow
from affectkit.sequences import Sequence
from affectkit.spotters.motion_events import MotionEventsConfig
from affectkit.streams import FrameStream

STREAM = FrameStream(height=96, width=96, alignment="steady", steps=("onset", "apex", "offset"))
HINT = "use a pipeline that samples events and has a motion front-end, such as micro"
ROW = EventRow(track=2, kind="micro-expression", onset=1.23456, apex=1.4, offset=1.6)


def pipeline(**motion: tuple[Any, ...]) -> PipelineConfig:
    """A branch by each name."""
    branches = {name: Branch(motion=parts, features=ConvStemConfig(dim=4)) for name, parts in motion.items()}
    return PipelineConfig(
        input=STREAM,
        sampling=Events(spotter=MotionEventsConfig()),
        branches=branches,
        fusion=ConcatFusionConfig() if len(branches) > 1 else None,
        heads={"micro": MicroExpressionConfig()},
    )


def batch(seed: int = 0) -> Mapping[str, Sequence]:
    noise = torch.rand(1, 3, 3, 96, 96, generator=torch.Generator().manual_seed(seed))
    return {"clip": Sequence.of(noise)}


def read(path: Path) -> np.ndarray[Any, Any]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None
    rgb: np.ndarray[Any, Any] = picture[..., ::-1]
    return rgb


def refusal(folder: Path, config: PipelineConfig | EnsembleConfig) -> str:
    with pytest.raises(InputError) as caught:
        MapPictures(folder / "maps", config.build())
    assert not (folder / "maps").exists()
    return str(caught.value)


def vectors(u: list[float], v: list[float]) -> Tensor:
    return torch.tensor([[[u], [v]]])


def test_direction_is_hue_and_length_is_value() -> None:
    # right, down, left, half as far to the right, still
    picture = draw_maps(vectors([2.0, 0.0, -2.0, 1.0, 0.0], [0.0, 2.0, 0.0, 0.0, 0.0]), ("u", "v"))
    assert picture.tolist() == [[[255, 0, 0], [128, 255, 0], [0, 255, 255], [128, 0, 0], [0, 0, 0]]]
    named = torch.cat(
        [torch.full((1, 1, 1, 5), 9.0), vectors([2.0, 0.0, -2.0, 1.0, 0.0], [0.0, 2.0, 0.0, 0.0, 0.0])], 1
    )
    assert draw_maps(named, ("strain", "u", "v")).tolist() == picture.tolist()


def test_maps_lie_side_by_side_each_with_its_own_largest() -> None:
    maps = torch.tensor([[[[1.0, 0.5]]], [[[-4.0, 0.0]]]])
    assert draw_maps(maps, ("difference",))[..., 0].tolist() == [[255, 128, 255, 0]]
    assert not draw_maps(torch.zeros(1, 2, 3, 4), ("u", "v")).any()


def test_colors_are_shown_as_they_are() -> None:
    maps = torch.tensor([0.0, 0.5, 2.0]).view(1, 3, 1, 1)
    assert draw_maps(maps, ("r", "g", "b")).tolist() == [[[0, 128, 255]]]


def test_a_file_for_each_event(tmp_path: Path) -> None:
    model = pipeline(motion=(MMCOFConfig(),)).build()
    pictures = MapPictures(tmp_path / "new" / "maps", model)
    pictures.draw(ROW, batch())
    pictures.draw(replace(ROW, onset=20.0), batch(1))
    assert sorted(path.name for path in pictures.folder.iterdir()) == ["track2-1.235s.png", "track2-20.000s.png"]
    maps = model.branches["motion"].motion[0](batch()["clip"])
    expected = draw_maps(maps.values[0], ("u", "v", "magnitude"))
    assert expected.shape == (96, 96, 3)
    np.testing.assert_array_equal(read(pictures.folder / "track2-1.235s.png"), expected)


def test_a_file_for_each_branch_that_has_motion(tmp_path: Path) -> None:
    config = pipeline(flow=(OpticalFlowConfig(pairs="phases"),), map=(MMCOFConfig(encoding="color"),))
    # both branches have to have the same steps, which phases and one map have not
    config = replace(config, branches={**config.branches, "flow": config.branches["map"]})
    MapPictures(tmp_path, config.build()).draw(ROW, batch())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["track2-1.235s-flow.png", "track2-1.235s-map.png"]


def test_phases_lie_side_by_side(tmp_path: Path) -> None:
    MapPictures(tmp_path, pipeline(flow=(OpticalFlowConfig(pairs="phases"),)).build()).draw(ROW, batch())
    assert read(tmp_path / "track2-1.235s.png").shape == (96, 192, 3)


def test_what_is_in_the_folder_is_kept(tmp_path: Path) -> None:
    model = pipeline(motion=(MMCOFConfig(),)).build()
    (tmp_path / "track2-1.235s.png").write_text("mine")
    with pytest.raises(InputError) as caught:
        MapPictures(tmp_path, model)
    assert str(caught.value) == (
        f"{tmp_path}: is not empty; name another folder for the maps, or add --overwrite (in Python overwrite=True)"
    )
    MapPictures(tmp_path, model, may_replace=True).draw(ROW, batch())
    assert read(tmp_path / "track2-1.235s.png").shape == (96, 96, 3)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("")
    with pytest.raises(InputError) as caught:
        MapPictures(tmp_path / "maps", pipeline(motion=(MMCOFConfig(),)).build())
    assert str(caught.value) == f"{tmp_path / 'maps'}: can't be written (File exists); choose another folder"


def test_a_pipeline_without_motion(tmp_path: Path) -> None:
    assert refusal(tmp_path, spot_motion()) == f"maps: the pipeline has no motion front-end; {HINT}"


def test_a_pipeline_without_events(tmp_path: Path) -> None:
    config = replace(pipeline(motion=(FrameDifferenceConfig(),)), inputs={"clip": replace(STREAM, steps=())})
    assert refusal(tmp_path, replace(config, sampling=Windows())) == f"maps: the pipeline looks for no events; {HINT}"


def test_an_ensemble(tmp_path: Path) -> None:
    members = {name: pipeline(motion=(MMCOFConfig(),)) for name in ("one", "two")}
    config = EnsembleConfig(members=members, fusion=MeanFusionConfig())
    assert refusal(tmp_path, config) == f"maps: the maps of an ensemble's members are not drawn; {HINT}"


def test_channels_that_have_no_picture(tmp_path: Path) -> None:
    assert refusal(tmp_path, pipeline(face=(FrameDifferenceConfig(),))) == (
        f"maps: branch 'face' gives dr+dg+db, and u+v, r+g+b or one channel can be drawn; {HINT}"
    )
