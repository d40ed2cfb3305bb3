"""Faces of synthetic people that `compound.py` and `zero_shot.py` score the small compound ensemble on.

`python benchmarks/... [FOLDER] [--strong] [--others]`: FOLDER is what `affectkit-compound train --out FOLDER` left, by
default `.cache/compound/run`. With `--shipped` in its place members, fusion and heads are those of the preset's
weights, made by the default plan, so that nothing has to be trained; `compound.py` alone takes it. Faces go as far as
clips of `BENCH_V1` at their apex (`APEX_V1`), with `--strong` by intensities of 1 to 5 (`STILLS_V2`). What is fitted is
so on faces of the world that members were trained on, by default one of both kinds (`BOTH_V1`); what is chosen is
chosen on faces of the kind that is scored. Reported are the first 100 report people, with `--others` the next 100, at
whom nobody looked while the system was made.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass
from pathlib import Path

from affectkit_compound.joining import take_apart
from affectkit_compound.plan import Plan
from affectkit_compound.synthetic_faces import (
    APEX_V1,
    CHOICE,
    REPORT,
    STILLS_V2,
    TRAIN,
    WORLDS,
    StillSettings,
    render_examples,
)
from affectkit_compound.system import make_stream
from affectkit_compound.training import load_members

from affectkit import Model, from_pretrained, load
from affectkit.training import Examples
from affectkit.training.plan_folders import read_plan_of

CACHE = Path(__file__).resolve().parent.parent / ".cache" / "compound"
PEOPLE, WORKERS = 100, 2
STRONG, OTHERS, SHIPPED = "--strong", "--others", "--shipped"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A run, and the faces that it is scored on.

    Attributes:
        folder: of the run; None for the weights that are shipped.
        plan: that it followed.
        settings: of the faces that are scored.
        people: who is reported.
    """

    folder: Path | None
    plan: Plan
    settings: StillSettings
    people: range

    @property
    def trained_on(self) -> list[str]:
        """The people whom members were trained on."""
        return [f"synthetic/{seed:05}" for seed in TRAIN[: self.plan.train_people]]

    def parts(self) -> tuple[dict[str, Model], Model]:
        """The trained members, and what is behind their features."""
        if self.folder is None:
            return take_apart(from_pretrained("compound"))
        return load_members(self.folder), load(self.folder / "fusion")

    def train(self) -> Examples:
        """The faces that members were trained on."""
        return self._draw(TRAIN[: self.plan.train_people], WORLDS[self.plan.world])

    def fitting(self) -> Examples:
        """Those of the first half of the choice people."""
        return self._draw(CHOICE[: self.plan.choice_people // 2], WORLDS[self.plan.world])

    def choosing(self) -> Examples:
        """Those of the second half of the choice people, of the kind that is scored."""
        return self._draw(CHOICE[self.plan.choice_people // 2 : self.plan.choice_people], self.settings)

    def report(self) -> Examples:
        """Those of the report people."""
        return self._draw(self.people, self.settings)

    def _draw(self, seeds: range, settings: StillSettings) -> Examples:
        stream, stills = make_stream(), self.plan.stills
        return render_examples(seeds, stream, folder=CACHE, stills=stills, settings=settings, workers=WORKERS)


def find_scene(words: Items[str]) -> Scene | None:
    """What the words of a command line ask for; None, said on the screen, where there is no such run."""
    folders = [Path(word) for word in words if word not in (STRONG, OTHERS, SHIPPED)]
    if folders and SHIPPED in words:
        print(f"{folders[0]} and {SHIPPED}: give one of the two")
        return None
    folder = None if SHIPPED in words else folders[0] if folders else CACHE / "run"
    if folder is not None and not (folder / "model").is_dir():
        print(f"no model in {folder}: run affectkit-compound train --out {folder}; or for compound.py add {SHIPPED}")
        return None
    return Scene(
        folder=folder,
        plan=Plan() if folder is None else read_plan_of(folder, Plan),
        settings=STILLS_V2 if STRONG in words else APEX_V1,
        people=REPORT[PEOPLE : 2 * PEOPLE] if OTHERS in words else REPORT[:PEOPLE],
    )
