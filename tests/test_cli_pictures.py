"""`affectkit analyze` of photos: what is printed of each face, one table for many, the contact sheet."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from affectkit.artifact import save
from affectkit.cli.analyze_several import expanded
from affectkit.cli.faces import face_lines
from affectkit.ensemble import EnsembleConfig
from affectkit.faces.whole_frame import WholeFrameConfig
from affectkit.late.mean import MeanFusionConfig
from affectkit.presets import starter
from affectkit.results.findings import findings_of
from affectkit.results.panels import lines_of
from affectkit.results.picture_overlay import draw_faces
from affectkit.results.reading import read_results
from affectkit.results.rows import Row
from tests.cli_runs import run, run_json
from tests.clips import write_levels

pytestmark = pytest.mark.usefixtures("offline")

TARGETS = ("basic.happiness", "basic.fear", "compound.a", "compound.b", "va.valence", "va.arousal", "au.AU6", "au.AU12")
VALUES = dict(zip(TARGETS, (0.25, 0.75, 0.6, 0.4, 0.5, -0.125, 0.6, 0.2), strict=True))
FACE = Row(
    frame=0, pts=0.0, track=1, status="ok", left=30.2, top=20.0, width=40.0, height=50.0, confidence=0.9,
    predictions=VALUES,
)  # fmt: skip


def photo(path: str, level: int = 128) -> None:
    cv2.imwrite(path, np.full((120, 160, 3), level, np.uint8))


@pytest.fixture
def model(here: Path) -> Path:
    save(replace(starter(), faces=WholeFrameConfig()).build(), here / "model")
    return here


def test_what_is_found_in_a_face() -> None:
    assert [(finding.output, finding.kind, finding.texts) for finding in findings_of(FACE, TARGETS, 1)] == [
        ("basic", "classes", ("fear 0.75",)),
        ("compound", "classes", ("a 0.60",)),
        ("va", "values", ("valence +0.50  arousal -0.12",)),
        ("au", "units", ("AU6",)),
    ]
    assert findings_of(replace(FACE, predictions={}), TARGETS) == ()


def test_lines_of_a_face() -> None:
    assert face_lines([FACE], TARGETS, 3) == [
        "face 1 at 30, 20: 40 x 50 pixels, confidence 0.90",
        "  basic     fear       0.75  ███████████████",
        "            happiness  0.25  █████",
        "  compound  a  0.60  ████████████",
        "            b  0.40  ████████",
        "  va        valence +0.50  arousal -0.12",
        "  au        AU6 0.60",
    ]
    lines = [line.text for line in lines_of(FACE, TARGETS, 1, "face 1")]
    assert lines == ["face 1", "basic", "fear", "compound", "a", "valence +0.50  arousal -0.12", "AU6"]


def test_how_far_members_agree_is_said_of_a_face_and_drawn_nowhere() -> None:
    told = ("basic.happiness", "basic.fear", "basic_agreement.share", "basic_agreement.divergence",
            "basic_agreement.members", "va_agreement.spread", "va_agreement.members")  # fmt: skip
    # `spread` and `members` add up to 1, as probabilities do
    face = replace(FACE, predictions=dict(zip(told, (0.25, 0.75, 2 / 3, 0.125, 3.0, 0.0, 1.0), strict=True)))
    assert [(finding.output, finding.kind, finding.texts) for finding in findings_of(face, told, 1)] == [
        ("basic", "classes", ("fear 0.75",)),
        ("basic_agreement", "agreement", ("share 0.67  divergence 0.12  members 3",)),
        ("va_agreement", "agreement", ("spread 0.00  members 1",)),
    ]
    assert face_lines([face], told, 1)[1:] == [
        "  basic            fear  0.75  ███████████████",
        "  basic_agreement  share 0.67  divergence 0.12  members 3",
        "  va_agreement     spread 0.00  members 1",
    ]
    assert [line.text for line in lines_of(face, told, 1)] == ["fear"]
    some = replace(face, predictions={**face.predictions, "basic_agreement.members": 2.5})
    assert findings_of(some, told)[1].texts == ("share 0.67  divergence 0.12  members 2.50",)


def test_many_pictures_are_told_without_it(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    one = starter()
    config = EnsembleConfig(
        members={"one": one, "two": one}, fusion=MeanFusionConfig(), sampling=one.sampling, faces=WholeFrameConfig()
    )
    asked = replace(config, agreement=True).build().eval()
    quiet = config.build().eval()
    quiet.load_state_dict(asked.state_dict())
    photo("one.png")
    photo("two.png", 40)
    told = {}
    for folder, model in (("asked", asked), ("quiet", quiet)):
        save(model, here / "model")
        words = ["--pipeline", "model", "--out", folder, "--sheet", f"{folder}.png"]
        code, out, _ = run(capsys, "analyze", "one.png", "two.png", *words)
        assert code == 0
        told[folder] = out.replace(folder, "")
        shutil.rmtree(here / "model")
    assert told["asked"] == told["quiet"]
    assert "expression_agreement.share" in read_results("asked/pictures.csv").columns
    assert Path("asked.png").read_bytes() == Path("quiet.png").read_bytes()


def test_panels_keep_off_faces() -> None:
    image = np.full((600, 800, 3), 128, np.uint8)
    faces = [replace(FACE, track=i, left=120.0 + 300 * i, top=200.0, width=150.0, height=180.0) for i in range(2)]
    drawn = draw_faces(image, faces, TARGETS)
    assert drawn.shape == image.shape
    assert (drawn != 128).any(axis=-1).sum() > 10_000
    for face in faces:
        left, top = round(face.left or 0), round(face.top or 0)
        assert (drawn[top + 5 : top + 175, left + 5 : left + 145] == 128).all()


@pytest.mark.parametrize("shape", [(48, 64), (90, 700), (700, 90)])
def test_panels_stand_beside_a_picture_without_room(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 128, np.uint8)
    face = replace(FACE, left=0.0, top=0.0, width=float(shape[1] - 1), height=float(shape[0] - 1))
    drawn = draw_faces(image, [face, replace(face, track=2)], TARGETS, caution="a caution that is far too long for it")
    assert drawn.shape[0] > shape[0]
    # but for its box, and the numbers of the faces at their corner
    inside = drawn[: shape[0], : shape[1]][30:-5, 5:-5]
    assert (inside == 128).mean() > 0.9


def test_a_photo(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    photo("photo.png")
    code, out, err = run(capsys, "analyze", "photo.png", "--pipeline", "model", "--top", "2")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "1 row in photo.png.rows.csv, by model with affectkit/whole-frame",
        "face 0 at 0, 0: 160 x 120 pixels, confidence 1.00",
    ]
    assert [line.split()[0] for line in lines[2:5:2]] == ["expression", "affect"]
    assert lines[4].split()[1] == "valence"
    (face,) = run_json(capsys, "analyze", "photo.png", "--pipeline", "model", "--overwrite")["faces"]
    assert (face["track"], face["status"], len([name for name in face if "." in name])) == (0, "ok", 10)


def test_a_photo_without_a_face(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    photo("photo.png")
    code, out, err = run(
        capsys, "analyze", "photo.png", "--pipeline", "model", "--faces", "haar", "--annotate", "a.png"
    )
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == ["no face found in photo.png, so nothing was scored; try another detector (--faces)"]
    drawn = cv2.imread("a.png")
    assert drawn is not None
    assert drawn.shape[0] > 120
    assert [row.status for row in read_results("photo.png.rows.csv")] == ["no_face"]


def test_a_folder_of_photos(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    Path("photos").mkdir()
    photo("photos/a b.png")
    photo("photos/ü.png", 40)
    Path("photos/broken.jpg").write_bytes(b"no picture")
    words = ["analyze", "photos", "--pipeline", "model", "--out", "tables"]
    code, out, err = run(capsys, *words, "--sheet", "sheet.png")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[1].split() == ["file", "status", "face", "expression", "affect"]
    assert lines[3].startswith("  a b.png      ok        face 0   ")
    assert lines[-3:] == [
        "3 pictures, 2 faces; 0 without a face, 1 not read; rows in tables/pictures.csv",
        "not read: broken.jpg: its only frame can't be decoded (Invalid data found when processing input); it is "
        "damaged, copy it again",
        "contact sheet: sheet.png",
    ]
    assert [row.file for row in read_results("tables/pictures.csv")] == ["a b.png", "broken.jpg", "ü.png"]
    assert cv2.imread("sheet.png") is not None
    again = run(capsys, *words, "--sheet", "sheet.png", "--resume")
    assert again == (
        1, "", "error: sheet.png: already there; add --overwrite (in Python overwrite=True), or name another file\n"
    )  # fmt: skip
    assert run(capsys, *words, "--resume")[0] == 1
    assert run(capsys, "analyze", "photos/*.png", "--pipeline", "model", "--out", "list.csv")[0] == 0
    assert len(read_results("list.csv")) == 2


def test_photos_among_videos(capsys: pytest.CaptureFixture[str], model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_cli_many import OneAfterTheOther

    monkeypatch.setattr("affectkit.batch.Workers", OneAfterTheOther)
    Path("mixed/day 1").mkdir(parents=True)
    photo("mixed/day 1/a.png")
    write_levels(Path("mixed/day 1/b.mp4"), [20, 60])
    code, out, err = run(capsys, "analyze", "mixed", "--pipeline", "model", "--out", "tables", "--json")
    assert (code, err) == (0, "")
    assert '"path": "tables/pictures.csv"' in out
    assert [row.file for row in read_results("tables/pictures.csv")] == ["day 1/a.png"]
    # below the same folders as without photos
    assert len(read_results("tables/day 1/b.mp4.csv")) == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a.png", "--sheet", "s.png"], "--sheet: given with one file; use --annotate"),
        (["a.png", "--top", "0"], "--top: 0 classes; write 1 or more"),
        (["a.png", "--start", "1"], "--start: given with pictures, which have no times; leave it out"),
        (["a.png", "b.mp4", "--out", "t.csv"],
         "--out: 't.csv' is the name of one table, and every video has its own; name a folder"),
        (["a.mp4", "b.mp4", "--out", "t.parquet"],
         "--out: 't.parquet' is the name of one table, and every video has its own; name a folder"),
        (["a.png", "b.png", "--fps", "1"], "--fps: given with pictures, which have no times; leave it out"),
        (["a.png", "b.png", "--workers", "2"], "--workers: given with pictures alone; leave it out"),
        (["a.mp4", "b.mp4", "--sheet", "s.png"], "--sheet: given without pictures; leave it out"),
        (["a.png", "b.png", "--sheet", "s.gif"], "s.gif: ending '.gif'; write a .png or .jpg file"),
        (["a.png", "b.png", "--annotate", "c.png"],
         "--annotate: given with several files; analyze one at a time for it"),
    ],
)  # fmt: skip
def test_what_photos_can_not_have(capsys: pytest.CaptureFixture[str], model: Path, words: list[str], text: str) -> None:
    assert run(capsys, "analyze", *words, "--pipeline", "model") == (1, "", f"error: {text}\n")


def test_photos_are_never_replaced(capsys: pytest.CaptureFixture[str], model: Path) -> None:
    photo("a.png")
    photo("b.png")
    before = Path("a.png").read_bytes()
    # said before anything is analyzed
    fact = "is itself among what is analyzed, and would be lost; name another file\n"
    for option in ("--annotate", "--plot"):
        words = ["analyze", "a.png", "--pipeline", "model", option, "./a.png", "--overwrite"]
        assert run(capsys, *words) == (1, "", f"error: a.png: {fact}")
    words = ["analyze", "a.png", "b.png", "--pipeline", "model", "--sheet", "a.png", "--overwrite"]
    assert run(capsys, *words) == (1, "", f"error: a.png: {fact}")
    assert Path("a.png").read_bytes() == before
    assert sorted(path.name for path in Path().glob("*.csv")) == []


def test_wildcards_that_no_shell_has_seen(here: Path) -> None:
    photo("1.png")
    photo("2.png")
    photo("[x].png")
    assert expanded(["?.png", "[x].png", "none*.png"]) == ["1.png", "2.png", "[x].png", "none*.png"]
