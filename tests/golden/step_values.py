"""What each built-in step of post-processing makes of one map at 2 mm, where every step has an effect."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from public_names import Line

from benchmark.postprocessing.pipelines import PIPELINES, Pipeline
from benchmark.postprocessing.steps import BrainMap

VALUES = Path(__file__).with_name("values") / "steps.csv"
EDGE = 2.0  # mm
DIGITS = 12  # of a digest


def step_values() -> list[Line]:
    """A line a step: its revision, and a digest of the scores that it leaves; whole numbers, so no rounding enters."""
    built_in = [one for one in PIPELINES.built_in.values() if isinstance(one, Pipeline)]
    return [line for pipeline in built_in for line in _values(pipeline)]


def recorded_step_values() -> list[Line]:
    with VALUES.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def unrevised_steps(before: Sequence[Line], now: Sequence[Line]) -> Iterator[str]:
    """A line for each step whose values have changed under the revision that they were recorded under."""
    known = {(line["pipeline"], line["step"]): line for line in before}
    for line in now:
        old = known.get((line["pipeline"], line["step"]), line)
        if old["digest"] != line["digest"] and old["revision"] == line["revision"]:
            yield (
                f"step '{line['step']}' of {line['pipeline']}: got other values under revision {line['revision']}, "
                "expected a higher revision or the same values"
            )


def _values(pipeline: Pipeline) -> Iterator[Line]:
    x, y, z = np.indices((30, 30, 16)) - np.array([15, 15, 8])[:, None, None, None]
    brain = (x / 13) ** 2 + (y / 12) ** 2 + (z / 7) ** 2 < 1
    drawn = np.random.default_rng(0).integers(0, 64, brain.shape) * 2
    brain_map = BrainMap(np.where(brain, drawn, 0).astype(np.float32), brain, (EDGE,) * 3)
    for step in pipeline.steps:
        before, brain_map = brain_map, step(brain_map)
        assert not np.array_equal(before.scores, brain_map.scores)
        digest = hashlib.sha256(brain_map.scores.tobytes()).hexdigest()[:DIGITS]
        yield {"pipeline": pipeline.name, "step": step.name, "revision": str(step.revision), "digest": digest}
