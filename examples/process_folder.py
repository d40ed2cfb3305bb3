"""A folder of videos in, a folder of tables out. Run: python examples/process_folder.py [FOLDER]"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from affectkit import InputError, analyze_many
from affectkit.batch import VideoSummary
from affectkit.data.synthetic import SyntheticSettings, render_clip


def make_folder() -> Path:
    """A rendered face, a copy of it in a folder below, and a file that is no video."""
    folder = Path("recordings")
    (folder / "monday").mkdir(parents=True, exist_ok=True)
    video = render_clip(2, SyntheticSettings(seconds=0.5), fps=30).write(folder / "one.mp4")
    shutil.copy(video, folder / "monday" / "two.mp4")
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def tell(video: VideoSummary, done: int, total: int) -> None:
    print(f"{done} of {total}: {Path(video.video).name}", file=sys.stdout)


def main(folder: Path) -> None:
    # Two processes. Any concurrent.futures executor can take their place; a Dask cluster's is client.get_executor().
    try:
        summary = analyze_many(
            folder, "motion-events", faces="haar", out="tables", workers=2, overwrite=True, progress=tell
        )
    except InputError as error:
        # No such folder, or nothing in it that is a video. What is wrong with one video is in the summary.
        print(error)
        return
    for video in summary:
        print(f"{video.status}: {video.table or video.error}, {video.rows} rows, {video.events} events")
    print(f"{len(summary) - len(summary.failed)} of {len(summary)} videos done; summary in {summary.path}")


# Processes import this file anew, so nothing may run outside here.
if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else make_folder())
