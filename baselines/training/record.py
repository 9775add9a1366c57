"""StageRecord: what a stage's training came to."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class StageRecord:
    """Kept in a fit's `training.json`.

    Attributes:
        name: of the stage.
        steps: taken; fewer than planned where patience ran out.
        seconds: of the steps alone, without looks, logs and checkpoints.
        steps_per_second: their mean.
        data_wait_fraction: share of the seconds in which slices were drawn; see Stopwatch.
        best_step: after how many steps the kept weights were reached.
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
    """`training.json`: a list, a record a stage in the order of training."""
    content = json.dumps([asdict(record) for record in records], indent=1)
    beside = workdir / ".training.json"
    beside.write_text(content + "\n", encoding="utf-8")
    beside.replace(workdir / "training.json")
