"""Answers to the ABAW challenges: what is written is what was predicted, and what is wrong is named with its line."""

from __future__ import annotations

import csv
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectkit.data.labels import ABAW_8, ABAW_AUS, COMPOUND_7
from affectkit.errors import InputError
from affectkit.protocols import frame_tables
from affectkit.protocols.abaw_answers import check_answer, write_answer
from affectkit.protocols.abaw_tracks import TRACKS, Part, find_track
from affectkit.protocols.abaw_video_answers import Answer
from affectkit.protocols.frame_store import FrameStore
from tests.cli_runs import run, run_json
from tests.tables import write as write_analysis

FRAMES = {"8-24-640x480_left": (1, 8, 17, 21), "01": (1, 2, 3)}
TARGETS = {"va": ("valence", "arousal"), "expr": ABAW_8, "au": ABAW_AUS, "compound": COMPOUND_7}
HEADERS = {
    "va": "image_location,valence,arousal",
    "expr": "image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other",
    "au": f"image_location,{','.join(ABAW_AUS)}",
    "mtl": "image,valence,arousal,expression,aus",
    "ce": "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
    "Angrily_Surprised,Sadly_Fearful,Sadly_Angry",
}
OUTPUTS = {"va": ("va",), "expr": ("expr",), "au": ("au",), "mtl": ("va", "expr", "au"), "ce": ("compound",)}
LISTED = sorted(name for name, track in TRACKS.items() if not track.is_per_video)
Rows = list[dict[str, Any]]


def predict(frames: dict[str, Iterable[int]] | None = None) -> Rows:
    """A row per frame, in mixed order, with every output."""
    rng = np.random.default_rng(0)
    rows: Rows = []
    for video, numbers in (frames or FRAMES).items():
        for frame in numbers:
            row: dict[str, Any] = {"dataset": "x", "subject": video, "video": video, "frame": frame}
            for output, targets in TARGETS.items():
                low = -1 if output == "va" else 0
                row |= {
                    f"{output}.{name}": value for name, value in zip(targets, rng.uniform(low, 1, 99), strict=False)
                }
            rows.append(row)
    return [rows[at] for at in rng.permutation(len(rows))]


def write_table(rows: Rows, path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=3)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return path


def write_sample(track: str, path: Path, *, filled: str = "", end: str = "\n") -> Path:
    lines = [HEADERS[track.partition("-")[2]]]
    lines += [f"{video}/{frame:05d}.jpg,{filled}" for video, numbers in FRAMES.items() for frame in numbers]
    path.write_text(end.join(lines), newline="")
    return path


def expected(track: str, rows: Rows) -> list[str]:
    """Lines of an answer, the plain way."""
    lines = []
    for video, numbers in FRAMES.items():
        for frame in numbers:
            (row,) = [one for one in rows if (one["video"], one["frame"]) == (video, frame)]
            fields: list[str] = []
            for output in OUTPUTS[track.partition("-")[2]]:
                values = [row[f"{output}.{name}"] for name in TARGETS[output]]
                if output == "va":
                    fields += [f"{value:.6f}" for value in values]
                elif output == "au":
                    fields += [str(int(value >= 0.5)) for value in values]
                else:
                    fields.append(str(values.index(max(values))))
            lines.append(",".join([f"{video}/{frame:05d}.jpg", *fields]))
    return lines


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("track", LISTED)
def test_an_answer_is_what_was_predicted(tmp_path: Path, track: str, ending: str) -> None:
    rows = predict()
    table = write_table(rows, tmp_path / f"frames.{ending}")
    # the 5th has nothing behind the comma, the 6th dummies
    sample = write_sample(track, tmp_path / "sample.txt", filled="" if ending == "csv" else "0")
    out = tmp_path / "answer.txt"
    assert write_answer(track, table, sample, out) == Answer(7, 2, 0)
    header, *lines = out.read_text().splitlines()
    assert header == sample.read_text().splitlines()[0]
    assert lines == expected(track, rows)
    if track.endswith("mtl"):
        assert {len(line.split(",")) for line in lines} == {16}
    assert check_answer(track, out, sample) == Answer(7, 2, 0)


def test_windows_line_ends(tmp_path: Path) -> None:
    sample = write_sample("abaw7-mtl", tmp_path / "s.txt", end="\r\n")
    write_answer("abaw7-mtl", write_table(predict(), tmp_path / "p.csv"), sample, tmp_path / "a.txt")
    assert b"\r" not in (tmp_path / "a.txt").read_bytes()
    (tmp_path / "b.txt").write_bytes((tmp_path / "a.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert check_answer("abaw7-mtl", tmp_path / "b.txt", sample).lines == 7


def test_fields_are_in_the_order_of_the_header(tmp_path: Path) -> None:
    rows = predict({"v": (1,)})
    table = write_table(rows, tmp_path / "p.csv")
    sample = tmp_path / "s.txt"
    sample.write_text("image_location,arousal,valence\nv/00001.jpg,\n")
    write_answer("abaw6-va", table, sample, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text().splitlines()[1] == (
        f"v/00001.jpg,{rows[0]['va.arousal']:.6f},{rows[0]['va.valence']:.6f}"
    )
    sample.write_text("image_location,Other,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Neutral\nv/00001.jpg,\n")
    write_answer("abaw6-expr", table, sample, tmp_path / "b.txt")
    best = max(ABAW_8, key=lambda name: float(rows[0][f"expr.{name}"]))
    names = ["other", *ABAW_8[1:7], "neutral"]
    assert (tmp_path / "b.txt").read_text().splitlines()[1] == f"v/00001.jpg,{names.index(best)}"


def test_blank_lines_at_the_end_of_a_sample(tmp_path: Path) -> None:
    sample = write_sample("abaw7-mtl", tmp_path / "s.txt")
    given = sample.read_text()
    sample.write_text(f"{given}\n\n  \n")
    out = tmp_path / "a.txt"
    assert write_answer("abaw7-mtl", write_table(predict(), tmp_path / "p.csv"), sample, out) == Answer(7, 2, 0)
    assert check_answer("abaw7-mtl", out, sample) == Answer(7, 2, 0)
    sample.write_text(given.replace("\n", "\n\n"))
    with pytest.raises(InputError) as caught:
        check_answer("abaw7-mtl", out, sample)
    assert str(caught.value) == f"{sample}, line 2: '' is no picture VIDEO/NUMBER.jpg; give the owners' file"


def test_a_table_that_a_spreadsheet_saved(tmp_path: Path) -> None:
    sample, table = write_sample("abaw7-mtl", tmp_path / "s.txt"), write_table(predict(), tmp_path / "p.csv")
    table.write_bytes(b"\xef\xbb\xbf" + table.read_bytes())
    # the mark of a text in UTF-8 is no part of the first column's name
    video_first = tmp_path / "v.csv"
    video_first.write_bytes(b"\xef\xbb\xbfvideo,frame,va.valence,va.arousal\n01,1,0.5,0\n01,2,0,0\n01,3,0,0\n")
    (tmp_path / "n.txt").write_text("01\n")
    assert write_answer("abaw7-mtl", table, sample, tmp_path / "a.txt") == Answer(7, 2, 0)
    assert write_answer("abaw3-va", video_first, tmp_path / "n.txt", tmp_path / "b") == Answer(3, 1, 0)


def test_missing_frames_are_taken_from_the_nearest_if_asked(tmp_path: Path) -> None:
    rows = [row for row in predict() if row["frame"] not in (8, 2)]
    # nobody knows the value of a frame with a hole
    next(row for row in rows if row["frame"] == 21)["va.valence"] = None
    table = write_table(rows, tmp_path / "p.parquet")
    sample, out = write_sample("abaw5-va", tmp_path / "s.txt"), tmp_path / "a.txt"
    with pytest.raises(InputError) as caught:
        write_answer("abaw5-va", table, sample, out)
    assert str(caught.value) == (
        f"{sample}, line 3: no prediction of '8-24-640x480_left/00008.jpg'; "
        "predict it, or take the nearest frame's with --missing nearest"
    )
    assert not out.exists()
    assert write_answer("abaw5-va", table, sample, out, missing="nearest") == Answer(7, 2, 3)
    given = dict(line.split(",", 1) for line in out.read_text().splitlines()[1:])
    left = [given[f"8-24-640x480_left/{frame:05d}.jpg"] for frame in FRAMES["8-24-640x480_left"]]
    assert left[1] == left[0]
    assert left[3] == left[2] != left[0]
    # frame 2 is as near to 1 as to 3
    assert given["01/00002.jpg"] == given["01/00001.jpg"] != given["01/00003.jpg"]
    rows = [row for row in rows if row["video"] != "01"]
    with pytest.raises(InputError) as caught:
        write_answer("abaw5-va", write_table(rows, table), sample, out, missing="nearest", overwrite=True)
    assert str(caught.value) == (f"{sample}, line 6: no prediction of '01/00001.jpg'; predict the video '01'")
    assert len(out.read_text().splitlines()) == 8


def test_tables_that_analyze_wrote(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    write_analysis(folder / "clip.parquet")
    # their frames count from 0; two of eleven have no face
    sample = tmp_path / "s.txt"
    lines = "".join(f"clip/{frame:05d}.jpg,\n" for frame in (1, 3, 11))
    sample.write_text(f"{HEADERS['va']}\n{lines}")
    for given in (folder, folder / "clip.parquet"):
        write_answer("abaw8-va", given, sample, tmp_path / "a.txt", overwrite=True)
        assert (tmp_path / "a.txt").read_text().splitlines()[1:] == [
            "clip/00001.jpg,0.000000,0.000000", "clip/00003.jpg,0.200000,0.000000",
            "clip/00011.jpg,1.000000,0.000000",
        ]  # fmt: skip
    sample.write_text(f"{HEADERS['va']}\nclip/00004.jpg,\n")
    with pytest.raises(InputError) as caught:
        write_answer("abaw8-va", folder, sample, tmp_path / "b.txt")
    assert str(caught.value) == (
        f"{sample}, line 2: no prediction of 'clip/00004.jpg'; "
        "predict it, or take the nearest frame's with --missing nearest"
    )


def refusal(rows: Rows, tmp_path: Path, track: str = "abaw7-mtl") -> str:
    table = write_table(rows, tmp_path / "p.csv")
    with pytest.raises(InputError) as caught:
        write_answer(track, table, write_sample(track, tmp_path / "s.txt"), tmp_path / "a.txt")
    assert not (tmp_path / "a.txt").exists()
    return str(caught.value)


def test_predictions_that_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    rows = predict()
    assert refusal([*rows, rows[0] | {"video": "01", "frame": 3}], tmp_path) == (
        f"{table}: video '01', frame 3 is there twice; keep one row per frame, of one face"
    )
    assert refusal([rows[0] | {"va.arousal": 1.5}], tmp_path) == (
        f"{table}: video {rows[0]['video']!r}, frame {rows[0]['frame']}: arousal is 1.5; give values from -1 to 1"
    )
    assert refusal([rows[0] | {"au.AU4": -0.25}], tmp_path) == (
        f"{table}: video {rows[0]['video']!r}, frame {rows[0]['frame']}: AU4 is -0.25; give probabilities from 0 to 1"
    )
    assert refusal([rows[0] | {"frame": "x"}], tmp_path) == (
        f"{table}, line 2: is no row of numbers (invalid literal for int() with base 10: 'x'); mend it"
    )
    lacking = [{name: cell for name, cell in row.items() if name != "expr.other"} for row in rows]
    assert refusal(lacking, tmp_path) == f"{table}: no columns 'expr.other'; predict them, or rename yours"
    nameless = [{name: cell for name, cell in row.items() if name != "video"} for row in rows]
    assert refusal(nameless, tmp_path) == f"{table}: no column 'video'; add it, or give a table that analyze wrote"
    # the only output that scores these targets may have any name
    renamed = [{n.replace("expr.", "a."): c for n, c in row.items()} for row in rows]
    sample = write_sample("abaw6-expr", tmp_path / "s.txt")
    write_answer("abaw6-expr", write_table(renamed, table), sample, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text().splitlines()[1:] == expected("abaw6-expr", rows)


def test_of_several_outputs_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A head and the map that smooths it score the same, and only one of them can be answered."""
    rows = predict()
    table, sample, out = tmp_path / "p.csv", write_sample("abaw6-expr", tmp_path / "s.txt"), tmp_path / "a.txt"
    # the map turns every head's score around
    twice = [row | {f"expr_smooth.{name}": 1 - row[f"expr.{name}"] for name in ABAW_8} for row in rows]
    turned = [row | {f"expr.{name}": row[f"expr_smooth.{name}"] for name in ABAW_8} for row in twice]
    hint = "say which counts, such as --use expr_smooth (in Python use=['expr_smooth'])"
    assert refusal(twice, tmp_path, "abaw6-expr") == f"{table}: outputs 'expr', 'expr_smooth' score the same; {hint}"
    write_answer("abaw6-expr", table, sample, out, use=["expr_smooth"])
    assert out.read_text().splitlines()[1:] == expected("abaw6-expr", turned) != expected("abaw6-expr", rows)
    code, _, _ = run(capsys, "submit", "abaw6-expr", table, sample, "--out", out, "--use", "expr", "--overwrite")
    assert code == 0
    assert out.read_text().splitlines()[1:] == expected("abaw6-expr", rows)

    def message(*use: str) -> str:
        with pytest.raises(InputError) as caught:
            write_answer("abaw6-expr", table, sample, out, use=use, overwrite=True)
        return str(caught.value)

    assert message("expr", "expr_smooth") == f"{table}: outputs 'expr', 'expr_smooth' score the same; {hint}"
    assert message("expr", "smooth") == (
        f"{table}: 'smooth' scores nothing that is asked for; "
        "name one for each of 'expr' among 'va', 'expr', 'au', 'compound', 'expr_smooth'"
    )


def test_tables_of_an_evaluation(tmp_path: Path) -> None:
    """They have the truth beside the predictions, and rounding may carry a mean over its bound."""
    rows = [{"video": "01", "frame": 1, "a.valence": 1 + 1e-7, "a.arousal": -1 - 1e-7, "truth.a.valence": 0.5,
             "truth.a.arousal": None}]  # fmt: skip
    sample = tmp_path / "s.txt"
    sample.write_text(f"{HEADERS['va']}\n01/00001.jpg,\n")
    write_answer("abaw6-va", write_table(rows, tmp_path / "p.parquet"), sample, tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text().splitlines()[1] == "01/00001.jpg,1.000000,-1.000000"


def test_tables_that_are_refused(tmp_path: Path) -> None:
    sample = write_sample("abaw6-va", tmp_path / "s.txt")

    def message(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            write_answer("abaw6-va", path, sample, tmp_path / "a.txt")
        return str(caught.value)

    path = tmp_path / "p.parquet"
    assert message(path) == f"{path}: no such file; check the path"
    assert message(tmp_path / "p.npz") == (
        f"{tmp_path / 'p.npz'}: ending '.npz'; give a table of frames (.parquet, .csv), or a folder of them"
    )
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == (
        f"{tmp_path / 'empty'}: no tables *.parquet or *.csv in it; give one of frames, or a folder that analyze wrote"
    )
    write_table([*predict(), {"video": None, "frame": 1}], path)
    assert message(path) == f"{path}: a row without a video or a frame; fill it, or leave the row out"
    write_table([{"video": "a", "frame": 1, "va.valence": "high", "va.arousal": "low"}], path)
    assert message(path) == (f"{path}: Failed to parse string: 'high' as a scalar of type double; write numbers")
    (tmp_path / "p.csv").write_bytes(b"video,frame,va.valence,va.arousal\n" + b"a,1,0,0\n" * 9000 + b"\xff\n")
    assert message(tmp_path / "p.csv").startswith(f"{tmp_path / 'p.csv'}, line ")


def test_samples_that_are_refused(tmp_path: Path) -> None:
    table, sample = write_table(predict(), tmp_path / "p.csv"), tmp_path / "s.txt"

    def message(text: str, track: str = "abaw7-mtl") -> str:
        sample.write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError) as caught:
            write_answer(track, table, sample, tmp_path / "a.txt")
        assert not (tmp_path / "a.txt").exists()
        return str(caught.value)

    assert message("") == (
        f"{sample}, line 1: '' is no header of abaw7-mtl; expected 'image,valence,arousal,expression,aus', "
        "names in any order"
    )
    assert message("image_location,valence,valence\n", "abaw5-va") == (
        f"{sample}, line 1: 'image_location,valence,valence' is no header of abaw5-va; "
        "expected 'image_location,valence,arousal', names in any order"
    )
    assert message("image_location,valence,arousal\n", "abaw5-expr") == (
        f"{sample}, line 1: 'image_location,valence,arousal' is no header of abaw5-expr; expected "
        "'image_location,Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other', names in any order"
    )
    assert message(f"{HEADERS['mtl']}\n00001.jpg,\n") == (
        f"{sample}, line 2: '00001.jpg' is no picture VIDEO/NUMBER.jpg; give the owners' file"
    )
    assert message("\xff") == (
        f"{sample}: can't be read ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte); "
        "give a sample as text"
    )
    sample.unlink()
    with pytest.raises(InputError) as caught:
        write_answer("abaw7-mtl", table, sample, tmp_path / "a.txt")
    assert str(caught.value) == f"{sample}: no such file; check the path"
    with pytest.raises(InputError) as caught:
        find_track("abaw7-expr")
    assert str(caught.value) == (
        "abaw7-expr: no track of that name; did you mean 'abaw8-expr'? tracks: 'abaw3-va', 'abaw3-expr', 'abaw3-au', "
        "'abaw4-mtl', 'abaw5-va', 'abaw5-expr', 'abaw5-au', 'abaw6-va', 'abaw6-expr', 'abaw6-au' and 6 more"
    )


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Path]:
    """An answer of abaw7-mtl and its sample."""
    sample = write_sample("abaw7-mtl", tmp_path / "s.txt")
    write_answer("abaw7-mtl", write_table(predict(), tmp_path / "p.csv"), sample, tmp_path / "a.txt")
    return tmp_path / "a.txt", sample


@pytest.mark.parametrize(
    ("place", "field", "text", "fact"),
    [
        (2, 1, "1.01", "valence is '1.01'; write a number from -1 to 1"),
        (3, 2, "nan", "arousal is 'nan'; write a number from -1 to 1"),
        (3, 2, "low", "arousal is 'low'; write a number from -1 to 1"),
        (4, 3, "8", "the class is '8'; write one index from 0 to 7"),
        (4, 3, "Happiness", "the class is 'Happiness'; write one index from 0 to 7"),
        (8, 4, "0.5", "AU1 is '0.5'; write 0 or 1"),
        (8, 15, "", "AU26 is ''; write 0 or 1"),
        (8, 15, "0,0", "number of fields behind the picture is 16; write 15"),
    ],
)
def test_a_field_that_is_wrong(written: tuple[Path, Path], place: int, field: int, text: str, fact: str) -> None:
    answer, sample = written
    lines = [line.split(",") for line in answer.read_text().splitlines()]
    lines[place - 1][field] = text
    answer.write_text("\n".join(",".join(fields) for fields in lines))
    with pytest.raises(InputError) as caught:
        check_answer("abaw7-mtl", answer, sample)
    assert str(caught.value) == f"{answer}, line {place}: {fact}"


def test_lines_that_are_wrong(written: tuple[Path, Path]) -> None:
    answer, sample = written
    good = answer.read_text().splitlines()

    def message(lines: list[str]) -> str:
        answer.write_text("".join(f"{line}\n" for line in lines))
        with pytest.raises(InputError) as caught:
            check_answer("abaw7-mtl", answer, sample)
        return str(caught.value)

    assert message(good[:-1]) == (f"{answer}: ends before line 8, '01/00003.jpg' in {sample}; answer every line")
    assert message([*good, good[-1]]) == f"{answer}, line 9: {good[-1]!r} is behind the end of {sample}; remove it"
    assert message([good[0], good[2], good[1], *good[3:]]) == (
        f"{answer}, line 2: picture '8-24-640x480_left/00008.jpg', and {sample} has '8-24-640x480_left/00001.jpg'; "
        "keep its order"
    )
    assert message([good[0].replace("aus", "AU1"), *good[1:]]) == (
        f"{answer}, line 1: header 'image,valence,arousal,expression,AU1', and {sample} has "
        "'image,valence,arousal,expression,aus'; keep it"
    )
    answer.unlink()
    with pytest.raises(InputError) as caught:
        check_answer("abaw7-mtl", answer, sample)
    assert str(caught.value) == f"{answer}: no such file; check the path"


def test_eight_classes_are_one_field(tmp_path: Path) -> None:
    sample = write_sample("abaw8-expr", tmp_path / "s.txt")
    rows = sample.read_text().splitlines()
    (tmp_path / "a.txt").write_text("\n".join([rows[0], *(f"{row}0,0,0,0,1,0,0,0" for row in rows[1:])]))
    with pytest.raises(InputError) as caught:
        check_answer("abaw8-expr", tmp_path / "a.txt", sample)
    assert str(caught.value) == f"{tmp_path / 'a.txt'}, line 2: number of fields behind the picture is 8; write 1"


def test_memory_does_not_grow_with_the_number_of_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_tables, "_BATCH", 256)

    def peak(videos: int) -> int:
        names = [f"v{at}" for at in range(videos)]
        lines = [f"{name},{frame},0.5,-0.5\n" for name in names for frame in range(1, 501)]
        table, sample, out = (tmp_path / name for name in ("p.csv", "s.txt", "a.txt"))
        table.write_text("video,frame,va.valence,va.arousal\n" + "".join(lines))
        pictures = [f"{name}/{frame:05d}.jpg,\n" for name in names for frame in range(1, 501)]
        sample.write_text(HEADERS["va"] + "\n" + "".join(pictures))
        del lines, pictures
        tracemalloc.start()
        write_answer("abaw6-va", table, sample, out, overwrite=True)
        check_answer("abaw6-va", out, sample)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(1)
    assert peak(40) < 1.2 * peak(4)


def test_memory_of_a_shuffled_table(tmp_path: Path) -> None:
    """Some bytes for each row, since the video changes from row to row."""
    count = 20_000
    video = np.arange(count) % 7
    names = [f"v{at}" for at in video]
    frames, values = np.arange(count), np.random.default_rng(0).uniform(size=(count, 2))
    with (tmp_path / "store").open("w+b") as file:
        store = FrameStore(2, "p.csv", file)
        tracemalloc.start()
        for at in range(0, count, 500):
            store.add(names[at : at + 500], frames[at : at + 500], values[at : at + 500])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 24 * count + 200_000
        for number in range(7):
            found, own = store.read(f"v{number}")
            assert found.tolist() == frames[video == number].tolist()
            np.testing.assert_array_equal(own, values[video == number])


def test_ties_and_halves() -> None:
    part = Part("class", "expr", ABAW_8)
    assert part.encode(np.full((1, 8), 0.125)) == ["0"]
    bits = Part("bits", "au", ("AU1", "AU2"))
    assert bits.encode(np.array([[0.5, 0.49999]])) == ["1,0"]


@pytest.mark.parametrize("kind", ["va", "expr", "au"])
def test_a_file_per_video(tmp_path: Path, kind: str) -> None:
    track, names = f"abaw3-{kind}", tmp_path / "names.txt"
    names.write_text("01\n8-24-640x480_left.txt\n")
    table = write_table(predict(), tmp_path / "p.parquet")
    out = tmp_path / "answer"
    with pytest.raises(InputError) as caught:
        write_answer(track, table, names, out)
    assert str(caught.value) == (
        f"{names}: no prediction of frame 2 of '8-24-640x480_left'; "
        "predict it, or take the nearest frame's with --missing nearest"
    )
    assert write_answer(track, table, names, out, missing="nearest", overwrite=True) == Answer(24, 2, 17)
    assert check_answer(track, out, names) == Answer(24, 2, 0)
    header, *lines = (out / "8-24-640x480_left.txt").read_text().splitlines()
    assert header == HEADERS[kind].partition(",")[2]
    assert len(lines) == 21
    # the twin: the same predictions as one file of a later challenge
    sample = write_sample(f"abaw5-{kind}", tmp_path / "s.txt")
    write_answer(f"abaw5-{kind}", table, sample, tmp_path / "a.txt")
    same = [line.partition(",")[2] for line in (tmp_path / "a.txt").read_text().splitlines()[1:5]]
    assert [lines[at - 1] for at in FRAMES["8-24-640x480_left"]] == same


def test_a_video_is_as_long_as_its_rows(tmp_path: Path) -> None:
    """Frames at its end that nobody predicted are frames."""
    names, out = tmp_path / "names.txt", tmp_path / "answer"
    names.write_text("01\n")
    rows = predict({"01": range(1, 11)})
    for row in rows:
        if row["frame"] > 7:
            row |= {"va.valence": None, "va.arousal": None}
    for table in (tmp_path / "p.csv", tmp_path / "p.parquet"):
        write_table(rows, table)
        with pytest.raises(InputError) as caught:
            write_answer("abaw3-va", table, names, out)
        assert str(caught.value) == (
            f"{names}: no prediction of frame 8 of '01'; predict it, or take the nearest frame's with --missing nearest"
        )
        assert write_answer("abaw3-va", table, names, out, missing="nearest", overwrite=True) == Answer(10, 1, 3)
        lines = (out / "01.txt").read_text().splitlines()[1:]
        assert len(lines) == 10
        assert set(lines[7:]) == {lines[6]}
        (out / "01.txt").unlink()


def test_a_folder_of_answers_is_whole_or_not_there(tmp_path: Path) -> None:
    names, out = tmp_path / "names.txt", tmp_path / "answer"
    names.write_text("01\n02\n")
    table = write_table(predict({"01": (1, 2)}), tmp_path / "p.parquet")

    def message() -> str:
        with pytest.raises(InputError) as caught:
            write_answer("abaw3-va", table, names, out, overwrite=True)
        return str(caught.value)

    assert message() == f"{names}: no prediction of the video '02'; predict it"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.txt", "p.parquet"]
    out.mkdir()
    (out / "01.txt").write_text("mine")
    assert message() == f"{names}: no prediction of the video '02'; predict it"
    assert [path.read_text() for path in out.iterdir()] == ["mine"]
    write_table(predict({"01": (1, 2), "02": (1,)}), table)
    assert write_answer("abaw3-va", table, names, out, overwrite=True) == Answer(3, 2, 0)
    assert check_answer("abaw3-va", out, names) == Answer(3, 2, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer", "names.txt", "p.parquet"]
    (out / "01.txt").unlink()
    (out / "01.txt").mkdir()
    assert message() == f"{out}: can't be written (Is a directory); choose another folder"


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "a/b", "a\\b", "C:evil", "..", ".txt"])
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    names, out = tmp_path / "names.txt", tmp_path / "x" / "answer"
    out.parent.mkdir()
    names.write_text(f"01\n\n{name}\n")
    table = write_table(predict({"01": (1,), name: (1,)}), tmp_path / "p.parquet")
    with pytest.raises(InputError) as caught:
        write_answer("abaw3-va", table, names, out)
    fact = f"{names}, line 3: {name.removesuffix('.txt')!r} is no name of a video; give the owners' list"
    assert str(caught.value) == fact
    with pytest.raises(InputError) as caught:
        check_answer("abaw3-va", out, names)
    assert str(caught.value) == fact
    assert sorted(path.name for path in tmp_path.iterdir()) == ["names.txt", "p.parquet", "x"]
    assert list(out.parent.iterdir()) == []


def test_files_per_video_that_are_refused(tmp_path: Path) -> None:
    names, out = tmp_path / "names.txt", tmp_path / "answer"
    names.write_text("01\n")
    table = write_table(predict(), tmp_path / "p.parquet")
    write_answer("abaw3-va", table, names, out)

    def message(action: Any, *words: Any) -> str:
        with pytest.raises(InputError) as caught:
            action("abaw3-va", *words)
        return str(caught.value)

    assert message(write_answer, table, names, out) == (
        f"{out}: not an empty folder; add --overwrite (in Python overwrite=True), or name another"
    )
    assert message(write_answer, table, names, table) == (
        f"{table}: is a file; name a folder, since this answer is a file per video"
    )
    far = tmp_path / "x/y"
    assert message(write_answer, table, names, far) == f"{far}: no folder {str(far.parent)!r}; create it"
    path = out / "01.txt"
    good = path.read_text()
    for text, fact in (
        ("", "line 1: header ''; write 'valence,arousal'"),
        ("valence,arousal\n0\n", "line 2: number of fields is 1; write 2"),
        ("valence,arousal\n0,0\n0,-5\n", "line 3: arousal is '-5'; write a number from -1 to 1"),
    ):
        path.write_text(text)
        assert message(check_answer, out, names) == f"{path}, {fact}"
    path.write_text("valence,arousal\n")
    assert message(check_answer, out, names) == f"{path}: no line below its header; write one per frame"
    path.write_text(good)
    (out / "02.txt").write_text(good)
    assert message(check_answer, out, names) == (
        f"{out}: files of videos that the list does not name: '02'; give one file per video of {names}"
    )
    names.write_text("01\n02\n03\n")
    assert message(check_answer, out, names) == f"{out}: no files of '03'; give one file per video of {names}"
    assert message(check_answer, names, names) == f"{names}: no such folder; give the folder with a file per video"
    assert message(write_answer, table, names, tmp_path / "b") == (
        f"{names}: no prediction of the video '02'; predict it"
    )
    names.write_text("01\n01\n")
    assert message(check_answer, out, names) == f"{names}: video '01' is there twice; give the owners' list"
    names.write_text("\n")
    assert message(check_answer, out, names) == f"{names}: names no video; give the owners' list"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in predict() if row["frame"] != 8]
    table, sample, out = write_table(rows, tmp_path / "p.parquet"), tmp_path / "s.txt", tmp_path / "a.txt"
    write_sample("abaw7-mtl", sample)
    code, text, err = run(capsys, "submit", "abaw7-mtl", table, sample, "--out", out, "--missing", "nearest")
    assert (code, err) == (0, "")
    assert text == (
        f"{out}: 7 lines of 2 videos\n1 of them without a prediction, so the nearest frame's stands there\n"
    )
    code, text, err = run(capsys, "submit", "abaw7-mtl", out, sample, "--check")
    assert (code, text, err) == (0, f"{out}: 7 lines of 2 videos, as {sample} asks for\n", "")
    assert run_json(capsys, "submit", "abaw7-mtl", out, sample, "--check") == {"ok": True, "lines": 7, "videos": 2}
    code, _, err = run(capsys, "submit", "abaw7-mtl", out, sample, "--check", "--missing", "nearest")
    assert (code, err) == (
        1, "error: --missing: given with --check, which writes nothing; leave one out\n",
    )  # fmt: skip
    code, _, err = run(capsys, "submit", "abaw7-mtl", table, sample)
    assert code == 2
    assert err.endswith("error: one of the arguments --out --check is required\n")
    code, _, err = run(capsys, "submit", "abaw7-mtl", table, sample, "--out", out)
    assert (code, err) == (
        1, f"error: {out}: already there; add --overwrite (in Python overwrite=True), or name another file\n",
    )  # fmt: skip
