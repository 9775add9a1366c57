"""A plain training loop, to see what a loss does without the one of the project."""

from torch import Tensor
from torch.optim import Adam

from baselines.reconstruction import SliceReconstruction


def losses_of(detector: SliceReconstruction, slices: Tensor, *, steps: int, rate: float = 3e-3) -> list[float]:
    """The loss before each of some steps on the same `(B, stack, X, Y)` slices."""
    optimizer, losses = Adam(detector.parameters(), lr=rate), []
    for _ in range(steps):
        loss = detector.loss(slices)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def falls(losses: list[float]) -> bool:
    """Whether the last five are less than half of the first five."""
    return sum(losses[-5:]) < 0.5 * sum(losses[:5])
