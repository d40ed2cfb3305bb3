"""Pictures of every kind become upright RGB of 8 bits."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from affectkit.errors import InputError
from affectkit.video.reader import VideoFrame, read_frames
from tests.clips import cut, encode_with, moving_frames

RAMP = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (32, 1))


def only(path: Path) -> NDArray[np.uint8]:
    (frame,) = read_frames(path)
    assert isinstance(frame, VideoFrame)
    assert (frame.index, frame.pts) == (0, 0.0)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags.c_contiguous
    return frame.image


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".jpg", ".webp"])
def test_gray_becomes_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"gray{suffix}"
    cv2.imwrite(str(path), RAMP)
    image = only(path)
    assert image.shape == (32, 64, 3)
    assert np.abs(image.astype(int) - RAMP[..., None]).max() <= 3


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    gray, color = tmp_path / "gray.png", tmp_path / "color.png"
    deep = RAMP.astype(np.uint16) * 257
    cv2.imwrite(str(gray), deep)
    cv2.imwrite(str(color), np.stack([deep, deep[:, ::-1], deep], axis=2))
    assert np.abs(only(gray).astype(int) - RAMP[..., None]).max() <= 1
    assert np.abs(only(color).astype(int) - np.stack([RAMP, RAMP[:, ::-1], RAMP], axis=2)).max() <= 1


def test_what_is_transparent_lies_over_white(tmp_path: Path) -> None:
    path = tmp_path / "transparent.png"
    bgra = np.zeros((8, 12, 4), np.uint8)
    bgra[..., 2] = 200
    bgra[:, :4, 3], bgra[:, 4:8, 3] = 255, 102
    cv2.imwrite(str(path), bgra)
    image = only(path)
    assert image[0, 0].tolist() == [200, 0, 0]
    assert image[0, 5].tolist() == [233, 153, 153]
    assert image[0, 10].tolist() == [255, 255, 255]


def test_a_palette(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "palette.gif", moving_frames(1), codec="gif", pix_fmt="rgb8")
    assert only(path).shape == (48, 64, 3)


def test_4k(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), cv2.resize(RAMP, (3840, 2160)))
    assert only(path).shape == (2160, 3840, 3)


def test_animated_gif_is_a_video(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "moving.gif", moving_frames(5), codec="gif", pix_fmt="rgb8", ticks=[0, 1, 2, 5, 6])
    frames = list(read_frames(path))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.pts for frame in frames] == [0.0, 0.04, 0.08, 0.2, 0.24]


def test_animated_webp(tmp_path: Path) -> None:
    path = encode_with(tmp_path / "moving.webp", moving_frames(3), codec="libwebp_anim", pix_fmt="bgra")
    with pytest.raises(InputError) as caught:
        list(read_frames(path))
    expected = f"{path}: is an animated WebP, which can't be decoded; convert it, for example to gif or mp4"
    assert str(caught.value) == expected


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_a_cut_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    cv2.imwrite(str(path), moving_frames(1, size=(96, 128))[0])
    half = cut(path, 0.6)
    with pytest.raises(InputError) as caught:
        list(read_frames(half))
    assert str(caught.value) == (
        f"{half}: its only frame can't be decoded (Invalid data found when processing input); "
        "it is damaged, copy it again"
    )


def test_one_thread_converts_as_several(tmp_path: Path) -> None:
    import av

    path = encode_with(tmp_path / "clip.mp4", moving_frames(3))
    with av.open(str(path)) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for frame, image in zip(read_frames(path), expected, strict=True):
        assert isinstance(frame, VideoFrame)
        assert np.array_equal(frame.image, image)


def save_with(path: Path, orientation: int, *, profile: bytes | None = None) -> NDArray[np.uint8]:
    """A picture with EXIF, and a color profile perhaps; how it looks upright."""
    from PIL import Image, ImageOps

    levels = np.arange(30 * 40 * 3, dtype=np.uint32).reshape(30, 40, 3) % 251
    picture = Image.fromarray(levels.astype(np.uint8))
    exif = Image.Exif()
    exif[0x112] = orientation
    picture.save(path, exif=exif, icc_profile=profile)
    with Image.open(path) as stored:
        return np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_says_which_way_is_up(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = tmp_path / f"photo{suffix}"
    upright = save_with(path, orientation)
    (frame,) = read_frames(path)
    assert isinstance(frame, VideoFrame)
    np.testing.assert_array_equal(frame.image, upright)


def test_a_png_with_a_color_profile_is_freed_once(tmp_path: Path) -> None:
    """PyAV frees the profile's name twice; the interpreter then ends at a garbage collection."""
    from PIL import ImageCms

    from tests.cli_runs import spawn

    path = tmp_path / "photo.png"
    save_with(path, 1, profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    code = (
        "import gc\nfrom affectkit.video.reader import read_frames\n"
        f"frames = list(read_frames({str(path)!r}))\ngc.collect()\nprint(frames[0].image.shape)"
    )
    done = spawn(code=code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "(30, 40, 3)\n", "")


def test_an_empty_picture(tmp_path: Path) -> None:
    path = tmp_path / "IMG 1.JPG"
    path.touch()
    with pytest.raises(InputError) as caught:
        list(read_frames(path))
    assert str(caught.value) == f"{path}: is empty; copy it again"


@pytest.mark.parametrize("brand", [b"heic", b"mif1"])
def test_a_heic_picture_is_named(tmp_path: Path, brand: bytes) -> None:
    path = tmp_path / "IMG 1.heic"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + bytes(64))
    with pytest.raises(InputError) as caught:
        list(read_frames(path))
    assert (
        str(caught.value) == f"{path}: is a HEIC or HEIF picture, which can't be read here; convert it to .jpg or .png"
    )
