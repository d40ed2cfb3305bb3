"""Both halves of an ABAW split at once: a video is read for one of them, and nobody goes unseen into both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from affectkit.datasets.abaw import AbawConfig, movie_of
from affectkit.datasets.notes import Notes, counted, named

HALVES = ("train", "validation")


def halves_of(config: AbawConfig) -> tuple[str, ...]:
    """The halves that a config asks for."""
    return HALVES if config.split == "all" else (config.split,)


def part_videos(
    videos: Mapping[str, Iterable[str]], config: AbawConfig, where: str, notes: Notes
) -> dict[str, list[str]]:
    """Videos to read by half, each in one, sorted; one that both list is of `validation`, which stays whole.

    Arguments:
        videos: what is listed, by half.
        config: whose `shared` says what becomes of other videos of the movies that `validation` has.
        where: the place that an issue names.
        notes: gets an issue of either kind.
    """
    if config.split != "all":
        return {half: sorted(listed) for half, listed in videos.items()}
    train, validation = (set(videos[half]) for half in HALVES)
    if both := sorted(train & validation):
        fact = f"{counted(len(both), 'video')} in both halves: {named(both)}; of train their labels are left out"
        notes.add("warning", where, fact)
    movies = {movie_of(video) for video in validation}
    near = {video for video in train - validation if movie_of(video) in movies}
    if near:
        fact = f"{counted(len(near), 'video')} of train from movies of validation: {named(sorted(near))}"
        remedy = "left out" if config.shared == "drop" else "write shared='drop' to leave them out of train"
        notes.add("warning", where, f"{fact}; {remedy}")
    kept = train - validation - (near if config.shared == "drop" else set())
    return {"train": sorted(kept), "validation": sorted(validation)}
