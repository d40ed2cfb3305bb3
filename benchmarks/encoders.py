"""What encoders of faces cost: `python benchmarks/encoders.py`.

Those of POSTER and POSTER2 need affectkit-abaw7; MA-Net, and the ResNet and ViT beside it, affectkit-compound.

Parameters are those of the network that gives the feature; `published` are those of the papers, which count layers too
that it does not need. Operations are for one face, a multiplication and its addition being one. Faces per second are
of one thread by its own clock: scored, and trained (forward and backward), in batches of 32 for the small sizes.

Bars: parameters with those layers within 0.4 %, and operations within 3 % of the published ones; 300 faces/s of 64
pixels for `iresnet` small, 100 for the other small ones.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from affectkit.features.iresnet import IResNetConfig
from affectkit.features.iresnet_net import IResNet
from affectkit.sequences import Sequence
from affectkit.streams import FrameStream

BATCH, TURNS = 32, 5
PARAMETERS_APART, OPERATIONS_APART = 0.004, 0.03


class Row(NamedTuple):
    """An encoder, and what is published or asked of it; `unused` are parameters that only the published count holds."""

    name: str
    make: Callable[[FrameStream], Any]
    side: int
    published: tuple[float, float] | None = None
    unused: float = 0.0
    least: float | None = None


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    columns = ("pixels", "parameters, M", "published", "operations, G", "published", "faces/s", "bar", "trained/s")
    print(f"{'encoder':15}" + "".join(f"{column:>15}" for column in columns))
    held = [_measure(row) for row in _rows()]
    print(f"\nbars: {'held' if all(held) else 'MISSED'}")
    return int(not all(held))


def _rows() -> list[Row]:
    def small(stream: FrameStream) -> IResNet:
        return IResNet(IResNetConfig(size="small"), stream)

    rows = [
        Row("iresnet small", small, 64, least=300),
        Row("iresnet small", small, 112),
        Row("iresnet 50", lambda stream: IResNet(IResNetConfig(size="50"), stream), 112),
        Row("iresnet 100", lambda stream: IResNet(IResNetConfig(size="100"), stream), 112),
    ]
    return [*rows, *_abaw7_rows(), *_compound_rows()]


def _abaw7_rows() -> list[Row]:
    if importlib.util.find_spec("affectkit_abaw7") is None:
        return []
    from affectkit_abaw7 import POSTER2Config, POSTERConfig
    from affectkit_abaw7.poster2_net import POSTER2
    from affectkit_abaw7.poster_net import POSTER

    return [
        Row("poster2 small", lambda stream: POSTER2(POSTER2Config(size="small"), stream), 64, least=100),
        Row("poster2", lambda stream: POSTER2(POSTER2Config(), stream), 112, (43.7, 8.4), unused=0.10),
        Row("poster small", lambda stream: POSTER(POSTERConfig(size="small"), stream), 64, least=100),
        # the paper counts a multiplication and its addition as two, 15.7
        Row("poster", lambda stream: POSTER(POSTERConfig(), stream), 112, (71.8, 15.7 / 2), unused=12.95),
    ]


def _compound_rows() -> list[Row]:
    if importlib.util.find_spec("affectkit_compound") is None:
        return []
    from affectkit_compound import MANetConfig, ResNetConfig, ViTConfig
    from affectkit_compound.manet_net import MANet
    from affectkit_compound.timm_member_net import TimmMember

    # of the published sizes no count is stated that could be compared
    return [
        Row("resnet small", lambda stream: TimmMember(ResNetConfig(size="small"), stream), 112, least=100),
        Row("resnet", lambda stream: TimmMember(ResNetConfig(), stream), 224),
        Row("vit small", lambda stream: TimmMember(ViTConfig(size="small"), stream), 112, least=100),
        Row("vit", lambda stream: TimmMember(ViTConfig(), stream), 224),
        Row("manet small", lambda stream: MANet(MANetConfig(size="small"), stream), 112, least=100),
        Row("manet", lambda stream: MANet(MANetConfig(), stream), 224),
    ]


def _measure(row: Row) -> bool:
    stream = FrameStream(height=row.side, width=row.side)
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        module = row.make(stream).eval()
        module.network(torch.zeros(1, 3, row.side, row.side))
    millions = sum(parameter.numel() for parameter in module.parameters()) / 1e6
    operations = counter.get_total_flops() / 2e9
    cells = [f"{row.side}", f"{millions:.2f}", "", f"{operations:.3f}", "", "", "", ""]
    held = True
    if row.published is not None:
        cells[2], cells[4] = f"{row.published[0]:g}", f"{row.published[1]:g}"
        held = abs((millions + row.unused) / row.published[0] - 1) <= PARAMETERS_APART
        held &= abs(operations / row.published[1] - 1) <= OPERATIONS_APART
    module = row.make(stream)
    scored = _rate(module.eval(), row.side, BATCH if millions < 10 else 2)
    cells[5] = f"{scored:.4g}"
    if row.least is not None:
        cells[6], cells[7] = f"{row.least:g}", f"{_rate(module.train(), row.side, BATCH):.0f}"
        held &= scored >= row.least
    print(f"{row.name:15}" + "".join(f"{cell:>15}" for cell in cells))
    return held


def _rate(module: Any, side: int, batch: int) -> float:
    """Faces per second: scored in evaluation mode, trained in training mode. The best of some turns."""
    faces = Sequence.of(torch.rand(1, batch, 3, side, side))

    def run() -> None:
        with torch.set_grad_enabled(module.training):
            values = module(faces).values
            if module.training:
                torch.autograd.backward(values.square().sum())

    run()
    return batch / min(_seconds(run) for _ in range(TURNS))


def _seconds(call: Callable[[], object]) -> float:
    # of the processor: what else runs on the machine does not count
    started = time.process_time()
    call()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
