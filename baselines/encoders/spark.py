"""SparK: pre-training of the encoder on slices of which most patches are removed."""

from itertools import islice, zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from baselines.encoders.resnet import STEM_STRIDE, ResNet
from baselines.encoders.sparse import SparseBatchNorm2d, resized, sparse
from datasets.errors import BadValue

FEWEST_PATCHES = 3  # along an edge of a slice, as published
WEIGHT_DECAY = 0.05
BETAS = (0.9, 0.95)


class SparK(nn.Module):
    """An encoder that sees some patches of a slice, and a light decoder that fills in the removed ones.

    A patch is as large as the stride of the encoder's deepest stage that cuts a slice into 3 x 3 patches
    or more: 32 pixels for slices of 96 with all four stages, 16 for slices of 48 with the first three.
    Deeper stages stay as they were drawn.

    Args:
        size: slices are `(size, size)` pixels.
        removed: share of the patches that the encoder does not see.
        width: channels of the decoder's deepest map; each step up halves them.
        normalised: fill in patches of mean 0 and variance 1, as SparK's authors do, instead of intensities.

    References:
        Tian et al. 2023, "Designing BERT for convolutional networks: sparse and hierarchical masked
        modeling", section 3.
    """

    def __init__(
        self, encoder: ResNet, *, size: int, removed: float = 0.65, width: int = 512, normalised: bool = False
    ) -> None:
        super().__init__()
        self.patch = patch_size(size, len(encoder.stages))
        self.patches = size // self.patch
        self.kept = min(max(round(self.patches**2 * (1 - removed)), 1), self.patches**2 - 1)
        self.normalised = normalised
        self.encoder = encoder
        levels = (self.patch // STEM_STRIDE).bit_length()
        channels = reversed(encoder.channels[:levels])
        self.densify = nn.ModuleList(
            Densify(inputs, width >> level, kernel=3 if level else 1) for level, inputs in enumerate(channels)
        )
        self.decoder = LightDecoder(width, self.patch.bit_length() - 1)

    def loss(self, slices: Tensor) -> Tensor:
        """Mean squared error over patches of `(B, 1, X, Y)` slices that torch's global generators remove."""
        kept = self.draw(slices)
        target = patch_normalised(slices, self.patch) if self.normalised else slices
        error = F.mse_loss(self(slices, kept), target, reduction="none")
        removed = ~resized(kept, slices.shape[-1])[:, None]
        share = 1 - self.kept / self.patches**2  # known without asking the device
        return (error * removed).mean() / share

    def draw(self, slices: Tensor) -> Tensor:
        """`(B, G, G)` bool, true at the patches to keep: equally many in each slice."""
        order = torch.rand(len(slices), self.patches**2, device=slices.device).argsort(dim=1)
        return (order < self.kept).unflatten(1, (self.patches, self.patches))

    def forward(self, slices: Tensor, kept: Tensor) -> Tensor:
        """`(B, 1, X, Y)` slices from their patches `kept` `(B, G, G)`."""
        with sparse(kept):
            features = list(islice(self.encoder.features(visible(slices, kept)), len(self.densify)))
            dense = [densify(x, kept) for densify, x in zip(self.densify, reversed(features), strict=True)]
        return self.decoder(dense)

    def optimizer(self, learning_rate: float) -> Optimizer:
        return AdamW(self.parameters(), lr=learning_rate, weight_decay=WEIGHT_DECAY, betas=BETAS)


class Densify(nn.Module):
    """Fills the removed positions of a sparse map with a learnt token, and projects it to the decoder's width."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int) -> None:
        super().__init__()
        self.norm = SparseBatchNorm2d(inputs)
        self.token = nn.Parameter(nn.init.trunc_normal_(torch.empty(inputs, 1, 1), std=0.02, a=-0.02, b=0.02))
        self.project = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:
        """`(B, outputs, X, Y)` from `(B, inputs, X, Y)`, within `sparse(kept)`."""
        return self.project(torch.where(resized(kept, x.shape[-1])[:, None], self.norm(x), self.token.to(x.dtype)))


class LightDecoder(nn.Module):
    """Doubles the resolution `ups` times, taking in one dense map a step while there are any."""

    def __init__(self, width: int, ups: int) -> None:
        super().__init__()
        self.ups = nn.ModuleList(_up(width >> step, width >> step + 1) for step in range(ups))
        self.head = nn.Conv2d(width >> ups, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=0.02)
            if isinstance(module, nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, dense: list[Tensor]) -> Tensor:
        """`(B, 1, X, Y)` from maps of the encoder's strides, the deepest first."""
        x, *finer = dense
        for up, skip in zip_longest(self.ups, finer):
            x = up(x) if skip is None else up(x) + skip
        return self.head(x)


def visible(slices: Tensor, kept: Tensor) -> Tensor:
    """`(B, 1, X, Y)` slices, 0 outside their patches `kept` `(B, G, G)`."""
    return torch.where(resized(kept, slices.shape[-1])[:, None], slices, 0)


def check_pretraining(size: int, stages: int, width: int) -> None:
    """Refuse what SparK cannot be built for.

    Raises:
        BadValue: slices cannot be cut into patches, or the decoder's width not halved down to the pixels.
    """
    patch = patch_size(size, stages)
    if width < 1 or width % patch:
        raise BadValue(f"Got pretrain_width {width}, expected a multiple of {patch}: it is halved for each doubling.")


def patch_size(size: int, stages: int) -> int:
    """Edge of a patch in pixels: the largest stride of a stage that cuts `size` into 3 patches or more.

    Raises:
        BadValue: no stride does.
    """
    strides = [STEM_STRIDE << stage for stage in range(stages)]
    fitting = [stride for stride in strides if size % stride == 0 and size // stride >= FEWEST_PATCHES]
    if not fitting:
        expected = f"a multiple of {STEM_STRIDE} from {STEM_STRIDE * FEWEST_PATCHES} on"
        raise BadValue(f"Got pretrain true and size {size}, expected {expected}.")
    return fitting[-1]


def patch_normalised(slices: Tensor, patch: int) -> Tensor:
    """`(B, 1, X, Y)` with mean 0 and variance 1 in each patch."""
    cut = slices.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))  # (B, 1, G, patch, G, patch)
    variance, mean = torch.var_mean(cut, dim=(3, 5), keepdim=True)
    return ((cut - mean) / (variance + 1e-6).sqrt()).reshape(slices.shape)


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, inputs, 4, stride=2, padding=1),
        nn.Conv2d(inputs, inputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(inputs),
        nn.ReLU6(),
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
    )
