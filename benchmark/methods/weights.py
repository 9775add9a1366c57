"""Weights of fitted detectors on disk, as safetensors, never as a pickle."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from benchmark.methods.detector import Detector
from datasets.errors import BadFile
from datasets.io.atomic import written_whole

NAME = "weights.safetensors"


def save_weights(detector: Detector, folder: Path) -> None:
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in detector.state_dict().items()}
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
