"""Make the weights of the preset `micro`: run `python benchmarks/train_micro.py` (extra `train`, and ../shared).

Synthetic faces only: clips of train seeds, each class as often as the others. What is printed is measured on people of
choice seeds, classes as they come, and is what the settings below were chosen by; nobody of the report seeds is seen.
Examples are kept in `.cache/micro` and read from there the next time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from micro_examples import render_examples
from safetensors.torch import save_file

from affectkit.data.labels import MICRO_3
from affectkit.metrics.recognition import confusion_matrix, uf1
from affectkit.presets import micro_recipe, recognize_micro
from affectkit.training import Examples, fit
from affectkit.training.examples import read_examples, write_examples
from affectkit.training.folds import probabilities
from affectkit.weights import sha256

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
OUT = ROOT / "affectkit" / "weights_data" / "micro.safetensors"
# Seeds of train and choice people.
TRAIN, CHOICE = range(400), range(5_000, 5_090)
RECIPE = micro_recipe()


def main() -> int:
    """Render, train, measure, write; then the lines that the preset's record needs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=OUT, help="the file of weights (that of the package)")
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        print(f"no {SHARED}: YuNet's weights are not shipped with the project")
        return 1
    os.environ["AFFECTKIT_WEIGHTS"] = str(SHARED / "weights")
    train, choice = _examples(TRAIN, is_balanced=True), _examples(CHOICE, is_balanced=False)
    started = time.perf_counter()
    model = fit(recognize_micro(), train, RECIPE)
    print(f"trained in {time.perf_counter() - started:.0f} s")
    truth = choice.targets["micro"].values
    found = probabilities(model, choice, "micro").argmax(dim=1)
    counts = confusion_matrix(truth.tolist(), found.tolist(), len(MICRO_3))
    print(f"choice seeds: accuracy {(found == truth).double().mean():.3f}, mean F1 {float(uf1(counts)):.3f}")
    print(f"the most frequent class alone: accuracy {truth.bincount().max() / len(truth):.3f}")
    for name, row in zip(MICRO_3, counts.tolist(), strict=True):
        print(f"{name:<10}" + "".join(f"{cell:6d}" for cell in row))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), arguments.out, metadata={"format": "pt", "trained on": "synthetic faces"})
    # Such files are for the user alone; these are for whoever installs the package.
    arguments.out.chmod(0o644)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes, sha256 {sha256(arguments.out)}")
    return 0


def _examples(seeds: range, *, is_balanced: bool) -> Examples:
    path = ROOT / ".cache" / "micro" / f"{seeds.start}-{seeds.stop}.safetensors"
    if path.is_file():
        print(f"{path}: read again; delete it to render anew")
        return read_examples(path)
    started = time.perf_counter()
    examples = render_examples(seeds, is_balanced=is_balanced)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_examples(examples, path)
    print(
        f"{path}: {len(examples)} examples of {len(seeds)} clips in {time.perf_counter() - started:.0f} s", flush=True
    )
    return examples


if __name__ == "__main__":
    sys.exit(main())
