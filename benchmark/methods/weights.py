"""Weights of fitted detectors on disk, as safetensors, never as a pickle."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmark.methods.detector import Detector
from datasets.errors import BadFile
from datasets.io.atomic import written_whole

NAME = "weights.safetensors"


def save_weights(detector: Detector, folder: Path) -> None:
    """Write a detector's `state_dict()`: as float16, half the size, where all of it is float16 numbers."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in detector.state_dict().items()}
    halved = {name: _half(tensor) for name, tensor in tensors.items()}
    if all(torch.equal(tensor, halved[name].to(tensor.dtype)) for name, tensor in tensors.items()):
        tensors = halved
    with written_whole(folder / NAME) as beside:
        save_file(tensors, beside)


def load_weights(detector: Detector, folder: Path) -> None:
    """Load weights into `detector`; buffers whose size depends on the fit (a mean image) take the stored size.

    Raises:
        BadFile: the file is damaged, not safetensors, or of another network.
    """
    path = folder / NAME
    try:
        tensors = load_file(path)
        for name, buffer in detector.named_buffers():
            if name in tensors:
                buffer.resize_(tensors[name].shape)
        detector.load_state_dict(tensors)
    except (SafetensorError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise BadFile(
            f"{path}: got weights that cannot be loaded ({reason}), expected those of this method."
        ) from error
    detector.eval()


def round_to_half(network: nn.Module) -> None:
    """Round weights and buffers of `network` to the nearest float16 numbers, in place; their types stay.

    Raises:
        FloatingPointError: a number is beyond float16's 65,504.
    """
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            half = _half(tensor)
            if not half.isfinite().all():
                raise FloatingPointError(
                    f"Weight '{name}': got {float(tensor.abs().max()):g}, expected at most 65504 to round to float16."
                )
            tensor.copy_(half)


def _half(tensor: Tensor) -> Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
