"""StepBar: a stage's steps, losses and time left on one line of stderr."""

import sys
from collections.abc import Mapping

from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm

from baselines.training.stage import Stage

REDRAWN_IN_A_FILE, REDRAWN_IN_A_TERMINAL = 20, 500


class StepBar:
    """Redrawn often in a terminal, seldom in a file."""

    def __init__(self, stage: Stage, first: int) -> None:
        """Goes on from step `first`."""
        redrawn = REDRAWN_IN_A_TERMINAL if sys.stderr.isatty() else REDRAWN_IN_A_FILE
        self.interval = max(stage.steps // redrawn, 1)
        self.last = first
        self.words: dict[str, str] = {}
        self.bar = Tqdm(desc=stage.name, total=stage.steps, initial=first, file=sys.stderr, dynamic_ncols=True)

    def show(self, step: int, losses: Mapping[str, float], *, data: float) -> None:
        """After `step` steps, of whose time the share `data` was spent on drawing slices; other losses stay."""
        self.bar.n = step
        self.words |= {name: f"{loss:.3g}" for name, loss in losses.items()} | {"data": f"{data:.0%}"}
        self.bar.set_postfix(self.words, refresh=False)
        if step - self.last >= self.interval:
            self.bar.refresh()
            self.last = step

    def close(self) -> None:
        self.bar.close()
