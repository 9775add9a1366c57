"""Names of weights in the published checkpoints, turned into ours."""

import re
from collections.abc import Mapping

from torch import Tensor

from datasets.errors import BadValue

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
# Betas and what follows from them: one name without a dot. We compute them.
SCHEDULE_BUFFER = re.compile(r"^diffusion\.\w+$")


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
            f"Published checkpoint: got key '{key}', wanted diffusion.model.*, encoder.encoder.* or a "
            "buffer of the schedule (diffusion.*)."
        )
    for pattern, replacement in RULES:
        key = re.sub(pattern, replacement, key)
    key = re.sub(r"^unet\.input_blocks\.(\d+)\.0\.", _down, key)
    key = re.sub(r"^unet\.output_blocks\.(\d+)\.(\d+)\.", _up, key)
    return re.sub(r"^encoder\.layer(\d)\.", lambda match: f"encoder.stages.{int(match[1]) - 1}.", key)


def _down(match: re.Match[str]) -> str:
    """The stem is counted as the first input block there, and apart here."""
    return f"unet.down.{int(match[1]) - 1}."


def _up(match: re.Match[str]) -> str:
    """An up-sampling block is the second part of a level's last output block there, a block of its own here."""
    block, part = int(match[1]), int(match[2])
    levels_before = block // (PUBLISHED_RESIDUAL_BLOCKS + 1)
    return f"unet.up.{block + levels_before + part}."
