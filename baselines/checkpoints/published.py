"""Published weights: checkpoints of the authors converted to ours, and methods that use them instead of training."""

import hashlib
import re
from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from baselines.checkpoints.torch_file import read_tensors
from baselines.reconstruction import SliceReconstruction
from datasets.case import Case
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import written_whole

DIGITS = 12
TRAINED_ON = (
    "Nothing here: the weights are those of {name}, trained by their authors on IXI, perhaps on scans of this test. "
    "Seeds do not differ."
)
NAME = re.compile(rf".+-([0-9a-f]{{{DIGITS}}})\.safetensors")
PUBLISHED_RESIDUAL_BLOCKS = 3

RULES: tuple[tuple[str, str], ...] = (
    (r"^diffusion\.model\.", "unet."),
    (r"^unet\.time_embed\.0\.", "unet.time.1."),
    (r"^unet\.time_embed\.2\.", "unet.time.3."),
    (r"^unet\.label_emb\.", "unet.code."),
    (r"^unet\.input_blocks\.0\.0\.", "unet.stem."),
    (r"^unet\.middle_block\.", "unet.middle."),
    (r"^unet\.out\.", "unet.head."),
    (r"\.in_layers\.0\.", ".norm1."),
    (r"\.in_layers\.2\.", ".conv1."),
    (r"\.emb_layers\.1\.", ".scale_shift."),
    (r"\.out_layers\.0\.", ".norm2."),
    (r"\.out_layers\.3\.", ".conv2."),
    (r"\.skip_connection\.", ".skip."),
    (r"\.proj_out\.", ".out."),
    (r"^encoder\.encoder\.", "encoder."),
    (r"^encoder\.conv1\.", "encoder.stem.0."),
    (r"^encoder\.bn1\.", "encoder.stem.1."),
    (r"^encoder\.fc\.", "encoder.head."),
    (r"\.bn(\d)\.", r".norm\1."),
    (r"\.downsample\.", ".skip."),
)
# Betas and what follows from them have names without a further dot; they are computed here.
SCHEDULE_BUFFER = re.compile(r"^diffusion\.\w+$")


class WithPublishedWeights(SliceReconstruction, ABC):
    """A method whose authors published weights, which can replace training."""

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        """Where weights come from.

        Attributes:
            weights: file that `import_published` wrote; `fit` loads its weights and trains nothing. Empty: train.
        """

        weights: str = ""

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.weights:
                _digits(Path(self.weights))

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if config.weights:
            name = Path(config.weights).name
            self.card = replace(type(self).card, trained_on=TRAINED_ON.format(name=name))  # type: ignore[misc]

    def check(self, shape: Sequence[int]) -> None:
        super().check(shape)
        if self.config.weights and not Path(self.config.weights).is_file():
            raise MissingData(f"Weights {self.config.weights}: no file that can be read.")

    def training_seconds(self) -> float | None:
        return None if self.config.weights else super().training_seconds()

    @classmethod
    def import_published(cls, path: Path, folder: Path) -> Path:
        """Write a checkpoint of the authors' program into `folder` as weights of ours, for the published recipe.

        Returns:
            `<folder>/<method>-<first 12 digits of the file's SHA-256>.safetensors`.

        Raises:
            MissingData: there is no checkpoint at `path`.
            BadFile: it is not a checkpoint, or one of another network.
        """
        return import_checkpoint(cls, cls.Config(), path, folder)

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Train as `SliceReconstruction`, or load the file `config.weights`, whatever the cases and the seed.

        Raises:
            MissingData: there is no such file.
            BadFile: it is not what its name says, or holds weights of another network.
        """
        if self.config.weights:
            take_weights(self, Path(self.config.weights))
        else:
            super().fit(train, val, seed=seed, workdir=workdir)


def import_checkpoint(method: type[SliceReconstruction], config: Any, path: Path, folder: Path) -> Path:
    """As `WithPublishedWeights.import_published`, for any `config`."""
    try:
        tensors = from_published(read_tensors(path))
    except BadValue as error:
        raise BadFile(f"{path}: {error}") from error
    detector = method(config)
    _load(detector, tensors, path)
    content = safetensors.torch.save({name: tensor.contiguous() for name, tensor in detector.state_dict().items()})
    digits = hashlib.sha256(content).hexdigest()[:DIGITS]
    written = folder / f"{method.__name__.lower()}-{digits}.safetensors"
    with written_whole(written) as beside:
        beside.write_bytes(content)
    return written


def take_weights(detector: SliceReconstruction, path: Path) -> None:
    """Fill `detector` from a file that `import_checkpoint` wrote.

    Raises:
        MissingData: there is no such file.
        BadFile: its content is not what its name says, or weights of another network.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingData(f"Weights {path}: no file that can be read ({error.strerror}).") from error
    expected, got = _digits(path), hashlib.sha256(content).hexdigest()[:DIGITS]
    if got != expected:
        raise BadFile(f"{path}: got content of SHA-256 {got}..., expected {expected}... as in its name.")
    try:
        tensors = safetensors.torch.load(content)
    except SafetensorError as error:
        raise BadFile(f"{path}: got a file that is not safetensors ({error}).") from error
    _load(detector, tensors, path)
    detector.eval()


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The `state_dict` of `DDPM`, `PDDPM` or `CDDPM` from that of a published checkpoint.

    The schedule's buffers are left out.

    Raises:
        BadValue: a key belongs neither to the U-Net, nor to the encoder, nor to the schedule.
    """
    return {our_key(key): tensor for key, tensor in state.items() if not SCHEDULE_BUFFER.match(key)}


def our_key(key: str) -> str:
    """Our name of one published weight, e.g. `unet.stem.bias`."""
    if not key.startswith(("diffusion.model.", "encoder.encoder.")):
        raise BadValue(
            f"Published checkpoint: got key '{key}', expected diffusion.model.*, encoder.encoder.* or a "
            "buffer of the schedule (diffusion.*)."
        )
    for pattern, replacement in RULES:
        key = re.sub(pattern, replacement, key)
    key = re.sub(r"^unet\.input_blocks\.(\d+)\.0\.", _down, key)
    key = re.sub(r"^unet\.output_blocks\.(\d+)\.(\d+)\.", _up, key)
    return re.sub(r"^encoder\.layer(\d)\.", lambda match: f"encoder.stages.{int(match[1]) - 1}.", key)


def _digits(path: Path) -> str:
    """The first digits of the file's SHA-256, from its name."""
    match = NAME.fullmatch(path.name)
    if match is None:
        raise BadValue(
            f"Got weights '{path.name}', expected a file NAME-{'#' * DIGITS}.safetensors that `import` wrote, "
            f"with the first {DIGITS} digits of its SHA-256."
        )
    return match[1]


def _load(detector: SliceReconstruction, tensors: dict[str, Tensor], path: Path) -> None:
    """Load strictly, into tensors of the detector's own types."""
    expected, method = detector.state_dict(), type(detector).__name__
    for problem, names in (("missing", expected.keys() - tensors), ("unexpected", tensors.keys() - expected)):
        if names:
            first = min(names)
            got = f"{len(names)} {problem} tensors, first '{first}'"
            raise BadFile(f"{path}: got {got}, expected those of {method} with this config.")
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise BadFile(f"{path}: '{name}': got values that are NaN or infinite, expected finite weights.")
        if tensor.shape != expected[name].shape:
            shapes = f"got {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}"
            raise BadFile(f"{path}: '{name}': {shapes} as in {method} with this config.")
    detector.load_state_dict(tensors)


def _down(match: re.Match[str]) -> str:
    """The stem is counted as the first input block there, and apart here."""
    return f"unet.down.{int(match[1]) - 1}."


def _up(match: re.Match[str]) -> str:
    """An up-sampling block is the second part of a level's last output block there, a block of its own here."""
    block, part = int(match[1]), int(match[2])
    levels_before = block // (PUBLISHED_RESIDUAL_BLOCKS + 1)
    return f"unet.up.{block + levels_before + part}."
