"""DeepBET: the encoder of deepbet's 3-D network, with the weights that its wheel ships."""

from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, files
from math import prod
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from datasets.errors import BadFile, MissingData
from datasets.words import count_text

PACKAGE = "deepbet"
FILE = "data/models/model.pt"
SHA256 = "de8ee7c69654d0dd3935dc4a5d84571d8ecf4637a6bfc01df399c4c2bc86e0fd"
INSTALL = "Install it with: python -m pip install --no-deps deepbet==1.0.2 (MIT)."
CHANNELS = (16, 32, 64, 128)
# deepbet's own scaling of what goes in.
MEAN, DEVIATION = 0.449, 0.226


class DeepBET(nn.Module):
    """A residual network of 18 layers in 3-D with instance normalisation; nothing of it is trained here.

    Attributes:
        channels: of every stage's output.

    References:
        Fisch et al. 2024, "deepbet: Fast brain extraction of T1-weighted MRI using convolutional neural networks",
        Computers in Biology and Medicine 179:108845; Chaurasia and Culurciello 2017, "LinkNet".
    """

    channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(1, CHANNELS[0], 7, stride=2, padding=3, bias=False)
        self.stages = nn.ModuleList()
        inputs = CHANNELS[0]
        for stage, outputs in enumerate(CHANNELS):
            first = BasicBlock(inputs, outputs, stride=2 if stage else 1)
            self.stages.append(nn.Sequential(first, BasicBlock(outputs, outputs, stride=1)))
            inputs = outputs

    def features(self, volumes: Tensor) -> Iterator[Tensor]:
        """Every stage's output, made when asked for: `(B, C, X / s, Y / s, Z / s)` for strides s of 4, 8, 16, 32.

        Args:
            volumes: `(B, 1, X, Y, Z)`, scaled as `scaled` does.
        """
        x = F.max_pool3d(F.relu(F.instance_norm(self.stem(volumes))), 3, stride=2, padding=1)
        for stage in self.stages:
            x = stage(x)
            yield x

    @torch.no_grad()
    def take_published(self) -> None:
        """Read the weights of the installed wheel: numbers alone, no code of it is run.

        Raises:
            MissingData: deepbet is not installed.
            BadFile: its file is not that of version 1.0.2.
        """
        path = published_weights()
        content = path.read_bytes()
        if sha256(content).hexdigest() != SHA256:
            raise BadFile(f"{path}: got another file than that of deepbet 1.0.2. {INSTALL}")
        read_weights(self, path)


class BasicBlock(nn.Module):
    """Two 3 x 3 x 3 convolutions, added to the input, or to its strided projection."""

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.conv2 = nn.Conv3d(outputs, outputs, 3, padding=1, bias=False)
        self.skip = None if inputs == outputs else nn.Conv3d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))
        return F.relu(h + (x if self.skip is None else F.instance_norm(self.skip(x))))


def scaled(volumes: Tensor) -> Tensor:
    """`(B, 1, X, Y, Z)` with the mean and s.d. over the box that deepbet's network has learnt from."""
    deviation, mean = torch.std_mean(volumes, dim=(1, 2, 3, 4), keepdim=True)
    return DEVIATION * (volumes - mean) / deviation.clamp(min=torch.finfo(volumes.dtype).tiny) + MEAN


def published_weights() -> Path:
    """The file of weights in the installed wheel; deepbet itself is not imported.

    Raises:
        MissingData: it is not there.
    """
    try:
        held = [file for file in files(PACKAGE) or () if file.as_posix() == FILE]
    except PackageNotFoundError:
        held = []
    path = Path(str(held[0].locate())) if held else Path()
    if not path.is_file():
        raise MissingData(f"No deepbet in this environment, whose weights encoder='deepbet' takes. {INSTALL}")
    return path


@torch.no_grad()
def read_weights(encoder: DeepBET, path: Path) -> None:
    """Fill an encoder from a TorchScript archive, whose first arrays are its weights in their order.

    Raises:
        BadFile: the archive is damaged, or its arrays are of other sizes.
    """
    try:
        with ZipFile(path) as archive:
            folder = archive.namelist()[0].split("/")[0]
            for index, weight in enumerate(encoder.parameters()):
                content = bytearray(archive.read(f"{folder}/data/{index}"))
                if len(content) != 4 * prod(weight.shape):
                    got = f"got {count_text(len(content), 'byte')}, expected {4 * prod(weight.shape)}"
                    raise BadFile(f"{path}: array {index}: {got}, as deepbet's encoder has.")
                weight.copy_(torch.frombuffer(content, dtype=torch.float32).view(weight.shape))
    except (BadZipFile, IndexError, KeyError, OSError) as error:
        raise BadFile(f"{path}: got a file that cannot be read ({error}), expected deepbet's weights.") from error
