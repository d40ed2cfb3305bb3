"""Cutting faces out of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from affectkit.errors import InputError
from affectkit.records import Face
from affectkit.streams import FeatureStream, FrameStream, InputStream
from affectkit.video.clips import cut_face, video_streams
from affectkit.video.reader import VideoFrame


def frame(height: int = 20, width: int = 40) -> VideoFrame:
    """Red grows to the right, green downwards, blue is even: 0 to 1 in x and y."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), np.full_like(x, 51)], axis=-1)
    return VideoFrame(index=4, pts=0.5, image=image.astype(np.uint8))


def test_the_whole_picture() -> None:
    values = cut_face(frame(), Face(box=(0.0, 0.0, 40.0, 20.0)), FrameStream(height=20, width=40))
    assert (values.shape, values.dtype.name) == ((3, 20, 40), "float32")
    np.testing.assert_allclose(values, frame().image.transpose(2, 0, 1) / 255.0, atol=1e-6)
    assert values.flags.c_contiguous


def test_a_box() -> None:
    values = cut_face(frame(), Face(box=(10.2, 4.9, 20.0, 10.0)), FrameStream(height=10, width=20))
    np.testing.assert_allclose(values, frame().image[5:15, 10:30].transpose(2, 0, 1) / 255.0, atol=1e-6)


def test_a_box_over_the_edge_is_cut_to_the_picture() -> None:
    values = cut_face(frame(), Face(box=(-5.0, -5.0, 100.0, 15.0)), FrameStream(height=10, width=40))
    np.testing.assert_allclose(values, frame().image[:10].transpose(2, 0, 1) / 255.0, atol=1e-6)


def test_shrinking_averages_areas_without_rounding() -> None:
    values = cut_face(frame(), Face(box=(0.0, 0.0, 40.0, 20.0)), FrameStream(height=5, width=10))
    blocks = frame().image.reshape(5, 4, 10, 4, 3).mean(axis=(1, 3)).transpose(2, 0, 1) / 255.0
    np.testing.assert_allclose(values, blocks, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(64, 20), (7, 64)])
def test_a_side_that_shrinks_does_not_alias_where_the_other_grows(height: int, width: int) -> None:
    y, x = np.mgrid[0:40, 0:40]
    stripes = 255 * (x % 2 if width < 40 else y % 2)
    picture = VideoFrame(index=0, pts=0.0, image=np.repeat(stripes[..., None], 3, axis=2).astype(np.uint8))
    values = cut_face(picture, Face(box=(0.0, 0.0, 40.0, 40.0)), FrameStream(height=height, width=width))
    assert values.shape == (3, height, width)
    np.testing.assert_allclose(values, 0.5, atol=0.1)


def test_growing_stays_in_range() -> None:
    values = cut_face(frame(), Face(box=(0.0, 0.0, 40.0, 20.0)), FrameStream(height=64, width=64))
    assert values.shape == (3, 64, 64)
    assert values.min() >= 0.0
    assert values.max() <= 1.0


def test_gray() -> None:
    values = cut_face(frame(), Face(box=(0.0, 0.0, 40.0, 20.0)), FrameStream(channels=("gray",), height=20, width=40))
    luma = frame().image @ np.array([0.299, 0.587, 0.114]) / 255.0
    assert values.shape == (1, 20, 40)
    np.testing.assert_allclose(values[0], luma, atol=1e-5)


def test_streams_that_a_video_gives() -> None:
    streams = {"a": FrameStream(height=8, width=8), "b": FrameStream(channels=("gray",), height=4, width=4)}
    assert video_streams(streams) == streams


def test_templates_and_steps_of_events_are_cut() -> None:
    streams = {
        name: FrameStream(height=8, width=8, alignment=name, steps=("onset", "apex"))
        for name in ("none", "arcface", "dlib", "steady")
    }
    assert video_streams(streams, events=True) == streams


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (
            FeatureStream(dim=4),
            "inputs.x: takes stored features, and a video gives frames; put their encoders before the model "
            "(affectkit join), or call it on them",
        ),
        (
            FrameStream(height=8, width=8, steps=("onset", "apex")),
            "inputs.x: takes the steps ('onset', 'apex'), and the pipeline samples no events; "
            "sample Events with a spotter, or cut them out and call the model on them",
        ),
        (
            FrameStream(height=8, width=8, alignment="arcfaces"),
            "inputs.x: takes faces aligned to 'arcfaces', which is no template; "
            "did you mean 'arcface'? alignments: 'none', 'arcface', 'dlib', 'steady'",
        ),
        (
            FrameStream(height=8, width=8, channels=("u", "v"), unit="pixel"),
            "inputs.x: takes u+v in unit 'pixel', and a video gives intensities of r+g+b or gray; "
            "make motion maps by a front-end of the pipeline",
        ),
        (
            FrameStream(height=8, width=8, fps=25),
            "inputs.x: takes 25.0 frames per second, and a video is read at its own times; leave fps out",
        ),
    ],
)
def test_streams_that_a_video_does_not_give(stream: InputStream, message: str) -> None:
    with pytest.raises(InputError) as error:
        video_streams({"x": stream})
    assert str(error.value) == message


def test_a_box_outside_the_picture() -> None:
    with pytest.raises(InputError) as error:
        cut_face(frame(), Face(box=(50.0, 0.0, 5.0, 5.0)), FrameStream(height=8, width=8))
    assert str(error.value) == (
        "frame 4: the face's box (50.0, 0.0, 5.0, 5.0) has no pixel of the 40x20 picture; mend the face detector"
    )


def test_the_picture_is_not_changed() -> None:
    picture = frame()
    before = picture.image.copy()
    cut_face(picture, Face(box=(0.0, 0.0, 40.0, 20.0)), FrameStream(height=20, width=40))[:] = 0
    np.testing.assert_array_equal(picture.image, before)
    with pytest.raises(AttributeError):
        picture.image = before  # type: ignore[misc]
