"""OpenCV's dense flows behind the signature of `lucas_kanade`. OpenCV is imported when a flow is made, not before."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from affectkit.errors import MissingDependencyError

PairFlow = Callable[[Tensor, Tensor], Tensor]


def opencv_flow(method: Literal["farneback", "dual-tv-l1"]) -> PairFlow:
    """A function from gray images `(N, H, W)` in [0, 1], twice, to flows `(N, 2, H, W)` in pixels, without gradient.

    Raises:
        MissingDependencyError: the installed OpenCV has no TV-L1.
    """
    import cv2

    if method == "dual-tv-l1" and not hasattr(cv2, "optflow"):
        raise MissingDependencyError(
            "optical-flow: method 'dual-tv-l1' needs 'cv2.optflow', which this OpenCV does not have; "
            "run pip uninstall opencv-python && pip install --force-reinstall opencv-contrib-python-headless"
        )
    return functools.partial(_flows, _farneback if method == "farneback" else _dual_tv_l1)


@torch.no_grad()
def _flows(flow: Callable[[Any, Any], Any], a: Tensor, b: Tensor) -> Tensor:
    # on the 0..255 scale of OpenCV's constants, but in float: rounding to 8 bits would lose the smallest motions
    first, second = ((images.detach().float() * 255).cpu().numpy() for images in (a, b))
    # OpenCV puts the two components last
    flows = a.new_zeros(len(a), *a.shape[1:], 2)
    for i, (x, y) in enumerate(zip(first, second, strict=True)):
        # Farneback's rounding errors would give an image that stands still a flow
        if (x != y).any():
            flows[i] = torch.from_numpy(flow(x, y))
    return flows.movedim(-1, 1)


def _farneback(first: Any, second: Any) -> Any:
    import cv2

    # pyramid scale, levels, window, iterations, neighborhood, its sigma, flags: OpenCV's usual ones
    return cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def _dual_tv_l1(first: Any, second: Any) -> Any:
    import cv2

    optflow: Any = cv2.optflow
    flow = optflow.DualTVL1OpticalFlow_create()
    # this one multiplies float images by 255 itself
    return flow.calc(first / 255, second / 255, None)
