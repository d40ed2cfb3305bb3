"""Examples whose pictures lie on the disk: equal to those in memory, and in constant memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from affectkit import InputError
from affectkit.caching import clear_cache, measure_cache
from affectkit.motion.frame_difference import FrameDifferenceConfig
from affectkit.sequences import Sequence
from affectkit.training import Examples, fit
from affectkit.training.examples import join_examples, read_examples, write_examples
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.pictures import Pictures, join_pictures
from affectkit.training.tails import cut_tail
from tests.picture_examples import RECIPE, STILLS, gather, make_index


def in_memory(examples: Examples) -> Examples:
    """The same, with all pictures read."""
    return replace(examples, inputs=examples.batch(torch.arange(len(examples)))[0], pictures=None)


def test_pictures_are_what_was_cut(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    inputs, targets = examples.batch(torch.tensor([5, 0, 5]))
    values, mask, times = inputs["clip"][:3]
    assert values.shape == (3, 1, 3, 16, 16)
    assert values.dtype == torch.float32
    assert torch.equal(values[0], values[2])
    assert mask.all()
    assert not times.any()
    import numpy as np

    stored = np.load(tmp_path / "pictures.npy")
    assert torch.equal((values[1, 0, 0] * 255).round().to(torch.uint8), torch.from_numpy(stored[0]))
    assert targets["expression"].values.tolist() == [[2], [0], [2]]


def test_training_equals_that_in_memory(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    lazy = fit(STILLS, examples, RECIPE, seed=1)
    whole = fit(STILLS, in_memory(examples), RECIPE, seed=1)
    for one, other in zip(lazy.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)
    found = lazy.predict(examples.batch(torch.arange(len(examples)))[0])["expression"].argmax(dim=-1)
    assert (found == examples.targets["expression"].values).float().mean() > 0.8


def test_some_of_them_and_the_way_over_the_disk(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    some = examples.take([7, 3])
    assert some.keys == ("007", "003")
    assert some.halves == (examples.halves[7], examples.halves[3])
    assert some.mask.tolist() == [[True], [True]]
    both = examples.batch(torch.tensor([7, 3]))[0]["clip"].values
    assert torch.equal(some.batch(torch.arange(2))[0]["clip"].values, both)
    write_examples(some, tmp_path / "some.safetensors")
    back = read_examples(tmp_path / "some.safetensors")
    assert back.digest() == some.digest() != examples.digest()
    assert torch.equal(back.batch(torch.arange(2))[0]["clip"].values, both)
    # the name of a file says what is in it, wherever it lies
    assert some.pictures is not None
    moved = replace(some.pictures, files=tuple(Path("elsewhere") / path.name for path in some.pictures.files))
    assert replace(some, pictures=moved).digest() == some.digest()
    assert (tmp_path / "some.safetensors").stat().st_size < 3000


def test_sets_are_joined(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    parts = [examples.take(range(10)), replace(examples.take(range(10, 36)), halves=())]
    joined = join_examples(parts)
    assert joined.halves == (*examples.halves[:10], *("",) * 26)
    rows = torch.tensor([3, 30])
    assert torch.equal(joined.batch(rows)[0]["clip"].values, examples.batch(rows)[0]["clip"].values)
    with pytest.raises(InputError) as caught:
        join_examples([examples, replace(in_memory(examples), subjects=tuple("abc" * 12))])
    assert str(caught.value) == "examples: one set is of pictures, another of clips; give sets of one kind"
    assert examples.pictures is not None
    gray: Pictures = replace(examples.pictures, shapes={"clip": (1, 16, 16)})
    with pytest.raises(InputError) as caught:
        join_pictures([examples.pictures, gray])
    assert str(caught.value) == (
        "examples: pictures of {'clip': (3, 16, 16)} and of {'clip': (1, 16, 16)}; give sets for one pipeline"
    )


def test_files_that_are_gone_or_cut_short(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    examples = gather_pictures(index, STILLS, faces="whole-frame", folder=tmp_path / "cut").examples
    assert examples.pictures is not None
    path = examples.pictures.files[0]
    content = path.read_bytes()
    path.write_bytes(content[:1000])
    with pytest.raises(InputError) as caught:
        examples.batch(torch.tensor([4]))
    assert str(caught.value) == f"{path}: cut short; remove it, and cut the pictures again"
    # one that is damaged is made anew
    gather_pictures(index, STILLS, faces="whole-frame", folder=tmp_path / "cut")
    assert path.read_bytes() == content
    assert measure_cache(tmp_path / "cut").entries == 1
    clear_cache(tmp_path / "cut")
    with pytest.raises(InputError) as caught:
        examples.batch(torch.tensor([4]))
    assert str(caught.value) == f"{path}: can't be read (No such file or directory); cut the pictures again"


def test_pictures_have_no_motion(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    branch = replace(STILLS.branches["face"], motion=(FrameDifferenceConfig(),))
    with pytest.raises(InputError) as caught:
        cut_tail(replace(STILLS, branches={"face": branch}), examples)
    assert str(caught.value) == "examples: single pictures, which have no motion; train branches with motion on clips"


def test_lengths_are_checked(tmp_path: Path) -> None:
    examples = gather(tmp_path).examples
    assert examples.pictures is not None
    with pytest.raises(InputError) as caught:
        replace(examples, pictures=examples.pictures.take(torch.arange(3)))
    assert str(caught.value) == "examples: pictures has 3, subjects 36; give one each"
    with pytest.raises(InputError) as caught:
        replace(examples, halves=("train",))
    assert str(caught.value) == "examples: halves has 1, subjects 36; give one each"
    assert isinstance(in_memory(examples).inputs["clip"], Sequence)


# 6000 pictures of 96 x 96 in color are 166 MB as bytes and 664 MB as floats.
CONSTANT = """
import resource, sys
from pathlib import Path
import torch
from affectkit import FrameStream
from affectkit.training.learner import make_loader
from affectkit.training.picture_reading import gather_pictures
from affectkit.training.sampling import Shuffled
from tests.picture_examples import CLASSES, STILLS, make_index
from dataclasses import replace

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def run(count):
    folder = Path(sys.argv[1]) / str(count)
    folder.mkdir()
    config = replace(STILLS, inputs={"clip": FrameStream(height=96, width=96)})
    index = make_index(folder, count)
    found = gather_pictures(index, config, names={"expression": CLASSES}, faces="whole-frame", folder=folder).examples
    for inputs, targets in make_loader(found, 32, Shuffled(len(found), 0)):
        inputs["clip"].values.mean()
    return sum(path.stat().st_size for path in found.pictures.files) / 2**20

run(600)
before = peak()
size = run(6000)
print(size, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_memory_stays_constant(tmp_path: Path) -> None:
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = subprocess.run([sys.executable, "-c", CONSTANT, str(tmp_path)], check=True, capture_output=True, text=True)
    size, more = map(float, done.stdout.split())
    assert size > 155
    # what an index and its labels take, and nothing that grows with the pictures
    assert more < 40
