"""What a training reports: the log of each stage, its step bar on stderr, and `training.json` with what it took."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from baselines.training.stage import Stage
from datasets.io.atomic import write_text
from datasets.progress import bar

TABLE = "metrics.csv"
MAIN_STAGE = "train"
REFRESHES = 500  # of a bar, over a stage


class TrainingLog:
    """A stage's losses as a table, as TensorBoard events where that is installed, and as pictures.

    Each row is flushed, so that a running training can be watched and a killed one loses nothing.
    """

    def __init__(self, folder: Path, columns: Sequence[str], *, step: int) -> None:
        """Continue after `step`: later rows are of a training that was interrupted, and are dropped."""
        folder.mkdir(parents=True, exist_ok=True)
        if step == 0:
            _remove_old_log(folder)
        self.folder = folder
        self.columns = ("step", *columns)
        rows = _rows_up_to(folder / TABLE, step)
        self.stream = (folder / TABLE).open("w", newline="", encoding="utf-8")
        self.table = csv.DictWriter(self.stream, self.columns)
        self.table.writeheader()
        self.table.writerows(rows)
        self.events = _event_writer(folder, step)

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """One row; columns without a number stay empty."""
        self.table.writerow({"step": step, **numbers})
        self.stream.flush()
        if self.events is not None:
            for name, number in numbers.items():
                self.events.add_scalar(name, number, step)

    def show(self, step: int, slices: Tensor, reconstructions: Tensor) -> None:
        """A picture of `(B, stack, X, Y)` slices above their reconstructions."""
        # matplotlib takes half a second to import.
        from matplotlib.image import imsave

        picture = slices_above_reconstructions(slices, reconstructions)
        imsave(self.folder / f"step-{step:06d}.png", picture, cmap="gray", vmin=0, vmax=1)
        if self.events is not None:
            self.events.add_image("reconstructions", picture, step, dataformats="HW")

    def close(self) -> None:
        self.stream.close()
        if self.events is not None:
            self.events.close()


class StepBar:
    """A stage's steps, losses and time left on one line of a terminal, nowhere else: a file has the table of losses."""

    def __init__(self, stage: Stage, first: int) -> None:
        """Continue from step `first`."""
        self.interval = max(stage.steps // REFRESHES, 1)
        self.last = first
        self.postfix: dict[str, str] = {}
        self.bar = bar(stage.name, stage.steps, initial=first)

    def show(self, step: int, losses: Mapping[str, float], *, data: float) -> None:
        """Show the losses after `step` steps; `data` is the share of time spent on drawing slices, in [0, 1]."""
        self.bar.n = step
        self.postfix |= {name: f"{loss:.3g}" for name, loss in losses.items()} | {"data": f"{data:.0%}"}
        self.bar.set_postfix(self.postfix, refresh=False)
        if step - self.last >= self.interval:
            self.bar.refresh()
            self.last = step

    def close(self) -> None:
        self.bar.close()


@dataclass(frozen=True)
class StageRecord:
    """What a stage's training took; kept in a fit's `training.json`.

    Attributes:
        name: of the stage.
        steps: completed; fewer than planned where patience ran out.
        seconds: of the steps alone, without validation, logging and checkpoints.
        steps_per_second: mean over the steps.
        data_wait_fraction: share of the seconds in which slices were drawn; see StepStopwatch.
        best_step: the step at which the kept weights were reached.
        best_validation_loss: None where the last weights are kept.
    """

    name: str
    steps: int
    seconds: float
    steps_per_second: float
    data_wait_fraction: float
    best_step: int
    best_validation_loss: float | None


def write_records(records: Sequence[StageRecord], workdir: Path) -> None:
    """`training.json`: a list, one record a stage in the order of training."""
    content = json.dumps([asdict(record) for record in records], indent=1)
    write_text(workdir / "training.json", content + "\n")


def log_folder(workdir: Path, stage: str) -> Path:
    """`workdir/log` for a method's main stage, a folder below it for any other."""
    return workdir / "log" if stage == MAIN_STAGE else workdir / "log" / stage


def slices_above_reconstructions(slices: Tensor, reconstructions: Tensor) -> NDArray[np.float32]:
    """`(2 Y, B X)` in [0, 1]: the middle slice of each `(B, stack, X, Y)` input above its reconstruction."""
    middle = slices.shape[1] // 2
    rows = [images[:, middle].float().clamp(0, 1).cpu() for images in (slices, reconstructions)]
    turned = [images.transpose(1, 2).flip(1).transpose(0, 1).flatten(1) for images in rows]  # (Y, B X)
    return np.concatenate([row.numpy() for row in turned])


def _remove_old_log(folder: Path) -> None:
    """Remove what an earlier training left and this one would not overwrite."""
    for pattern in ("step-*.png", "events.out.tfevents.*"):
        for path in folder.glob(pattern):
            path.unlink()


def _rows_up_to(path: Path, step: int) -> list[dict[str, Any]]:
    if step == 0 or not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    whole = [row for row in rows if None not in row.values()]  # the last one may be torn
    return [row for row in whole if int(row["step"]) <= step]


def _event_writer(folder: Path, step: int) -> Any:
    """A writer of TensorBoard events, or None without TensorBoard; events after `step` are purged."""
    if not find_spec("tensorboard"):
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(folder, purge_step=step + 1 if step else None)
