"""ResNet that turns a slice into the code which conditions the diffusion model."""

from collections.abc import Iterator, Sequence
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.encoders.sparse import SparseBatchNorm2d, SparseConv2d, SparseMaxPool2d, is_sparse

STEM_STRIDE = 4
EXPANSION = 4


class ResNet(nn.Module):
    """Bottleneck residual network with stochastic depth; the defaults are ResNet-50 on one channel.

    Its layers are dense unless called within `sparse`, as pre-training does.

    Args:
        width: channels after the stem; every stage doubles them and, after the first, halves the resolution.
        blocks: one number a stage.
        code: length of the code.
        drop_path: chance of leaving out the last block in training; it grows linearly from 0 at the first.

    Attributes:
        channels: of every stage's output.

    References:
        He et al. 2016, "Deep residual learning for image recognition", with the stride at the 3 x 3
        convolution; Huang et al. 2016, "Deep networks with stochastic depth", eq. 4, for the linear growth.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        code: int = 512,
        drop_path: float = 0.05,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            SparseConv2d(1, width, 7, stride=2, padding=3, bias=False),
            SparseBatchNorm2d(width),
            nn.ReLU(),
            SparseMaxPool2d(3, stride=2, padding=1),
        )
        last = max(sum(blocks) - 1, 1)
        rates = (drop_path * block / last for block in count())
        self.stages = nn.Sequential()
        self.channels = [width * 2**stage * EXPANSION for stage in range(len(blocks))]
        channels = width
        for stage, depth in enumerate(blocks):
            layers = nn.Sequential()
            for block in range(depth):
                stride = 2 if stage and not block else 1
                layers.append(Bottleneck(channels, width * 2**stage, stride=stride, drop_path=next(rates)))
                channels = self.channels[stage]
            self.stages.append(layers)
        self.head = nn.Linear(channels, code)
        _initialise(self)

    def forward(self, slices: Tensor) -> Tensor:
        """Code `(B, code)` of `(B, 1, X, Y)` slices in [0, 1]."""
        return self.head(self.stages(self.stem(slices)).mean(dim=(2, 3)))

    def features(self, slices: Tensor) -> Iterator[Tensor]:
        """Every stage's output, made when asked for: `(B, C, X / stride, Y / stride)` with strides 4, 8, 16, 32."""
        x = self.stem(slices)
        for stage in self.stages:
            x = stage(x)
            yield x


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolution, added to the input."""

    def __init__(self, inputs: int, width: int, *, stride: int, drop_path: float) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.drop_path = drop_path
        self.conv1 = SparseConv2d(inputs, width, 1, bias=False)
        self.norm1 = SparseBatchNorm2d(width)
        self.conv2 = SparseConv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = SparseBatchNorm2d(width)
        self.conv3 = SparseConv2d(width, outputs, 1, bias=False)
        self.norm3 = SparseBatchNorm2d(outputs)
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.skip = nn.Sequential(
                SparseConv2d(inputs, outputs, 1, stride=stride, bias=False), SparseBatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norm1(self.conv1(x)))
        h = F.relu(self.norm2(self.conv2(h)))
        return F.relu(self.skip(x) + self._dropped(self.norm3(self.conv3(h))))

    def _dropped(self, branch: Tensor) -> Tensor:
        """In training, zero for some slices of the batch and larger for the others: the same in the mean.

        Pre-training drops nothing, as the published program's.
        """
        if not self.training or self.drop_path == 0 or is_sparse():
            return branch
        kept = torch.rand(len(branch), 1, 1, 1, device=branch.device) >= self.drop_path
        return branch * kept / (1 - self.drop_path)


def _initialise(network: ResNet) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.norm3.weight)  # every branch starts at zero: Goyal et al. 2017, section 5.1
