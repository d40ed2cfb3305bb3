"""Interfaces of built components: what a module of each kind takes and returns. Torch from here on.

A class is either abstract (these) or final (a component). A component keeps its config as `self.config`, reads its
dials from there at every forward, changes neither its input nor global state, and treats batch mates independently.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from affectkit.configs import ComponentConfig
from affectkit.records import Event, Face, Index
from affectkit.sequences import Losses, Sequence, Targets
from affectkit.streams import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

C = TypeVar("C", bound=ComponentConfig)
State = Any


class NamedModules(nn.Module):
    """Modules by name. Unlike `nn.ModuleDict`, any name may be used: none is looked up as an attribute."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        # past add_module, which refuses names of nn.Module's own methods: 'half', 'type', 'train'
        self._modules.update(modules)

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules


class Stage(nn.Module, ABC, Generic[C]):
    """Base of the components that are `nn.Module`s.

    Attributes:
        config: the config that it was built from; replaced, never changed, when a dial is set.
    """

    config: C

    def __init__(self, config: C) -> None:
        super().__init__()
        self.config = config

    @property
    def can_stream(self) -> bool:
        """Whether `initial_state` and `step` work. The default stage has neither."""
        return False

    def initial_state(self, batch: int) -> State:
        """State before the first step, for `batch` clips in parallel; any nest of tensors."""
        return None

    def auxiliary(self, inputs: Any, output: Any, targets: Mapping[str, Targets]) -> Losses:
        """Losses of the stage's own, by name, from what one forward took and gave; scalars.

        What a loss needs beside the output travels in `output.extras`: nothing is kept on the module.
        A stage that overrides this has a config field `aux_weight`, by which the model multiplies them.
        """
        return {}


class SequenceStage(Stage[C]):
    """A stage that takes one sequence and returns one."""

    @abstractmethod
    def forward(self, inputs: Sequence) -> Sequence:
        """Sequence in, sequence out; shapes as the config's `output` says."""

    def step(self, x_t: Sequence, state: State) -> tuple[Sequence, State]:
        """One time step (T = 1) and the state after it. Equals `forward` on the whole sequence, step by step.

        The default serves stages that treat every step alone.
        """
        return self(x_t), state


class MotionFrontEnd(SequenceStage[C]):
    """Frames `(B, T, C, H, W)` in, frames out."""


class FeatureExtractor(SequenceStage[C]):
    """Frames `(B, T, C, H, W)` in, features `(B, T, D)` out. Maps frame by frame unless the config changes `steps`."""

    @property
    def can_stream(self) -> bool:
        return True


class TemporalEncoder(SequenceStage[C]):
    """Features `(B, T, D)` in, features of the same T out. Padding (mask False) never changes what is real."""


class Fusion(Stage[C]):
    """Named feature sequences with equal mask and times in, one feature sequence out."""

    @abstractmethod
    def forward(self, inputs: Mapping[str, Sequence]) -> Sequence:
        """Mapping of branch name to `(B, T, D_i)` in; `(B, T, D)` out."""

    @property
    def can_stream(self) -> bool:
        return True

    def step(self, x_t: Mapping[str, Sequence], state: State) -> tuple[Sequence, State]:
        """One time step. The default serves fusions that treat every step alone."""
        return self(x_t), state


def decode(scores: Tensor, problem: Problem) -> Tensor:
    """Raw scores to what a person reads, over the last axis: probabilities, or values; at least float32."""
    # under autocast scores may be bfloat16, in which probabilities have two to three digits
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if problem == "multiclass":
        return torch.softmax(scores, dim=-1)
    return torch.sigmoid(scores) if problem == "multilabel" else scores


class TaskHead(Stage[C]):
    """Features in, raw scores out. Owns the loss and the decoding, since the three must agree."""

    @property
    def can_stream(self) -> bool:
        return True

    @abstractmethod
    def forward(self, inputs: Sequence) -> Tensor:
        """Raw scores `(B, K)` for clip resolution, `(B, T, K)` for frame resolution."""

    @abstractmethod
    def loss(self, scores: Tensor, targets: Targets, mask: Tensor) -> Tensor:
        """Scalar loss over the valid labels of real steps; 0, with zero gradient, where there are none.

        Arguments:
            scores: what `forward` returned.
            targets: labels of this head.
            mask: `(B, T)` of the sequence that was scored, True where real.
        """

    @abstractmethod
    def predict(self, scores: Tensor) -> Tensor:
        """Scores decoded, same shape: probabilities, or values within the target's bounds."""


class LateFusion(Stage[C]):
    """Members' probabilities (multiclass, multilabel) or values in; combined ones out.

    With a config that `can_leave_out`, `forward` takes any of the members that it was built for, one at the least.
    """

    @property
    def can_stream(self) -> bool:
        return True

    @abstractmethod
    def forward(self, members: Mapping[str, Tensor]) -> Tensor:
        """Mapping of member name to `(..., K)` in, `(..., K)` out. Multiclass rows sum to 1, in and out."""


class ScoreMap(SequenceStage[C]):
    """Scores of one head or map in, scores at the same or new targets out. Fitted values are buffers.

    Both are sequences of raw scores, `(B, T, K)` to `(B, T, K')`, with the mask and times of what was scored, so that a
    map may relate steps. Scores of clips have T = 1; a map from frames to clips returns one step.
    """

    @property
    def can_stream(self) -> bool:
        return True


class FaceDetector(ABC, Generic[C]):
    """One picture in, faces out."""

    def __init__(self, config: C) -> None:
        self.config = config

    @property
    def is_thread_safe(self) -> bool:
        """Whether `detect` may run on several frames at once, in threads of one process."""
        return False

    @abstractmethod
    def detect(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces of an RGB image `(H, W, 3)`, largest first, in its pixels; empty where there is none."""

    def detect_at(self, image: NDArray[np.uint8], frame: int, pts: float) -> list[Face]:
        """Faces of frame number `frame`, at `pts` seconds. The default looks at the picture only."""
        return self.detect(image)


class Spotter(ABC, Generic[C]):
    """Frames of one face in, events out, in constant memory: an event is final when it is emitted."""

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def start(self, fps: float | None) -> State:
        """State before the first frame; `fps` is the nominal rate where one is known."""

    @abstractmethod
    def push(self, state: State, frames: Sequence) -> list[Event]:
        """Take the next frames `(1, T, C, H, W)`; return the events that are now final. `state` changes in place."""

    @abstractmethod
    def finish(self, state: State) -> list[Event]:
        """The clip has ended: return what is left."""


class Dataset(ABC, Generic[C]):
    """A folder in, an index out."""

    def __init__(self, config: C) -> None:
        self.config = config

    @abstractmethod
    def scan(self, root: Path) -> Index:
        """Read the annotation below `root` (no pixels). What is odd becomes an issue, never silence.

        Raises:
            InputError: nothing below `root` is this dataset.
        """
