"""Opening a video file, and what can be wrong with it before a frame is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectkit.errors import InputError
from affectkit.video.decoding import reason_of
from affectkit.video.truncation import missing_bytes

PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# What telephones write: main brands of files that hold HEVC pictures.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
HEIC_SUFFIXES = (".heic", ".heif")
# A still picture: there is no other frame that would suffer from strictness.
STILLS = ("image2",)
# From here on a decoder with several threads is worth its cost; below, the second core does other work.
MANY_PIXELS = 1280 * 720


def is_picture(path: Path) -> bool:
    """Whether a file is called as still pictures are, those that can't be read among them."""
    return path.suffix.lower() in (*PICTURE_SUFFIXES, *HEIC_SUFFIXES)


def check_file(path: Path) -> None:
    """Whether there is something to open.

    Raises:
        InputError: the file is missing, a folder, empty or a HEIC picture, of which FFmpeg would give one tile.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    if path.is_dir():
        if any(entry.suffix.lower() in PICTURE_SUFFIXES for entry in path.iterdir()):
            raise InputError(
                f"{path}: is a folder of pictures, which have no times; make a video of them, for example with ffmpeg, "
                "or pass the pictures and their times to array_frames"
            )
        raise InputError(f"{path}: is a folder; give a video file")
    if not path.stat().st_size:
        raise InputError(f"{path}: is empty; {'copy it again' if is_picture(path) else 'give a video file'}")
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:] in _HEIC_BRANDS:
        raise InputError(f"{path}: is a HEIC or HEIF picture, which can't be read here; convert it to .jpg or .png")


@contextmanager
def open_video(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream.

    Raises:
        InputError: the file is missing, is no video, is cut off before its index, or holds no picture stream.
    """
    import av  # here, since FFmpeg takes a tenth of a second to load

    check_file(path)
    try:
        # with the protocol, since a colon in a name would be taken for the end of one
        container = av.open(f"file:{path}")
    except (av.FFmpegError, OSError) as error:
        missing = missing_bytes(path)
        if missing:
            raise InputError(
                f"{path}: is cut off: {missing} bytes are missing, and with them what is needed to read the rest; "
                "copy it again"
            ) from error
        raise InputError(f"{path}: is no video ({reason_of(error)}); give a file that FFmpeg reads") from error
    with container:
        if not container.streams.video:
            kinds = sorted({stream.type for stream in container.streams})
            raise InputError(f"{path}: has no video stream, only {', '.join(kinds) or 'none'}; give a video file")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise InputError(f"{path}: no decoder is here for its kind of video; re-encode it, for example to mp4")
        yield container, stream


def prepare(container: Any, stream: Any, *, may_thread: bool) -> bool:
    """Set the decoder up. Whether it has several threads; only with one is it exact which packet failed."""
    import av.logging

    context = stream.codec_context
    # a decoder's thread that logs to Python waits for the lock that whoever closes the decoder holds
    is_large = context.width * context.height > MANY_PIXELS
    is_threaded = may_thread and is_large and av.logging.get_level() is None
    context.thread_type = "AUTO" if is_threaded else "SLICE"
    context.thread_count = 0 if is_threaded else 1
    if container.format.name in STILLS:
        context.options = {"err_detect": "explode"}
    return is_threaded
