"""What tests of patch features share: a tiny config and volumes of its size."""

import torch
from torch import Tensor

from benchmark.methods.contract.trial import simulated_case

SHAPE = (16, 16, 7)
ENCODER = {
    "size": 16,
    "pixels": 16,
    "steps": 2,
    "batch_size": 4,
    "encoder_width": 4,
    "encoder_blocks": (1, 1),
    "stages": (0, 1),
    "decoder_width": 16,
}


def image(index: int = 0) -> tuple[Tensor, Tensor]:
    """A simulated brain and its mask, `(1, X, Y, Z)`."""
    case = simulated_case(index, SHAPE)
    return torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None]
