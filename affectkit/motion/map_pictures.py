"""Pictures of motion maps: what a pipeline's motion front-ends made of an event, a PNG file each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from affectkit.configs import Events
from affectkit.errors import InputError
from affectkit.model import Model
from affectkit.motion.flow_maps_net import magnitude
from affectkit.motion.mm_cof_net import colored
from affectkit.pipeline_model import Pipeline
from affectkit.results.places import explained, replacing
from affectkit.results.rows import EventRow
from affectkit.sequences import Batch
from affectkit.streams import RGB

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class MapPictures:
    """Draws the maps of events into a folder: `track0-1.235s.png`, by track and onset.

    Where several branches have motion front-ends, there is one file for each, with the branch's name at the end.

    Arguments:
        folder: made if it is not there.
        model: a pipeline that finds events and scores their motion.
        may_replace: whether files may be in the folder; those of the same name are replaced.

    Raises:
        InputError: the pipeline has no events, no motion or maps that can't be drawn; or the folder is not empty or
            can't be written to.
    """

    def __init__(self, folder: str | Path, model: Model, *, may_replace: bool = False) -> None:
        self.folder = Path(folder)
        self._model = _checked(model)
        names = [name for name, branch in self._model.config.branches.items() if branch.motion]
        self._branches = {name: f"-{name}" if len(names) > 1 else "" for name in names}
        with explained(self.folder, "choose another folder"):
            self.folder.mkdir(parents=True, exist_ok=True)
            is_empty = not any(self.folder.iterdir())
        if not is_empty and not may_replace:
            raise InputError(
                f"{self.folder}: is not empty; name another folder for the maps, or add --overwrite (in Python "
                "overwrite=True)"
            )

    def draw(self, row: EventRow, batch: Batch) -> None:
        """Draw one event.

        Arguments:
            row: it.
            batch: what was scored: one clip, `(1, T, C, H, W)` by input.

        Raises:
            InputError: the folder can't be written to.
        """
        import cv2

        for name, ending in self._branches.items():
            maps = batch[self._model.config.branches[name].source]
            with torch.no_grad():
                for stage in self._model.branches[name].motion:
                    maps = stage(maps)
            picture = draw_maps(maps.values[0], _channels(self._model, name))
            path = self.folder / f"track{row.track}-{row.onset:.3f}s{ending}.png"
            _, data = cv2.imencode(".png", picture[..., ::-1])
            with explained(path, "choose another folder"), replacing(path) as file:
                file.write(data.tobytes())


def draw_maps(values: Tensor, channels: tuple[str, ...]) -> NDArray[np.uint8]:
    """Maps `(T, C, H, W)` side by side as one RGB picture `(H, T * W, 3)`.

    Vectors u, v have their direction as hue, red to the right and then clockwise, and their length as value; a single
    channel is gray. The largest of each map is white or in full color. Channels r, g and b are shown as they are.
    """
    import numpy as np

    values = values.detach().float().cpu()
    if channels == RGB:
        shown = values
    elif len(channels) == 1:
        shown = _relative(values[:, 0].abs()).unsqueeze(1).expand(-1, 3, -1, -1)
    else:
        flow = values[:, [channels.index("u"), channels.index("v")]]
        shown = colored(flow, _relative(magnitude(flow)))
    picture = torch.cat(list(shown), dim=-1).permute(1, 2, 0).clamp(0, 1)
    return np.ascontiguousarray((picture * 255).round().to(torch.uint8).numpy())


def _relative(lengths: Tensor) -> Tensor:
    largest = lengths.amax(dim=(-2, -1), keepdim=True)
    return lengths / torch.where(largest > 0, largest, 1)


def _channels(model: Pipeline, name: str) -> tuple[str, ...]:
    count = len(model.config.branches[name].motion)
    channels: tuple[str, ...] = model.traced[f"branches.{name}.motion[{count - 1}]"].output.channels  # type: ignore[union-attr]
    return channels


def _checked(model: Model) -> Pipeline:
    suggestion = "use a pipeline that samples events and has a motion front-end, such as micro"
    if not isinstance(model, Pipeline):
        raise InputError(f"maps: the maps of an ensemble's members are not drawn; {suggestion}")
    if not isinstance(model.config.sampling, Events):
        raise InputError(f"maps: the pipeline looks for no events; {suggestion}")
    moving = [name for name, branch in model.config.branches.items() if branch.motion]
    if not moving:
        raise InputError(f"maps: the pipeline has no motion front-end; {suggestion}")
    for name in moving:
        channels = _channels(model, name)
        if channels != RGB and len(channels) > 1 and not {"u", "v"} <= set(channels):
            shown = "+".join(channels)
            fact = f"branch {name!r} gives {shown}, and u+v, r+g+b or one channel can be drawn"
            raise InputError(f"maps: {fact}; {suggestion}")
    return model
