"""A pipeline as a file, and a model as a folder. Run: python examples/save_and_load.py [FOLDER]"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from affectkit import load, read_config, save, write_config
from affectkit.presets import starter


def main(folder: Path) -> None:
    # The pipeline alone: TOML for people. It is data, and nothing in it is executed.
    config = starter()
    write_config(config, folder / "pipeline.toml")
    assert read_config(folder / "pipeline.toml") == config
    print((folder / "pipeline.toml").read_text().split("\n\n")[0])

    # The pipeline with its weights: pipeline.json, model.safetensors and a model card.
    torch.manual_seed(0)
    model = config.build().eval()
    save(model, folder / "model", notes="Untrained, for the example.", overwrite=True)
    print("saved:", sorted(path.name for path in (folder / "model").iterdir()))

    loaded = load(folder / "model")
    clip = torch.rand(1, 4, 3, 64, 64)
    with torch.no_grad():
        same = all(torch.equal(value, loaded(clip)[name]) for name, value in model(clip).items())
    print("the same scores:", same)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
