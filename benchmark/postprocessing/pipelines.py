"""Pipeline, a named tuple of steps, and PIPELINES: what is done to an anomaly map before its threshold and after it.

A pipeline may begin with a score that makes the map anew: `SCORE:NAME`, see `benchmark.postprocessing.scores`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask
from benchmark.postprocessing.scores import SCORES, Score
from benchmark.postprocessing.steps import BrainMap, Stage, Step, components_step, erosion_step, median_step
from datasets.case import read_only
from datasets.errors import BadValue
from datasets.registry import Registry, place_of

LEFT_OUT = "-no-"
SCORED = ":"  # between the names of a score and of the pipeline behind it


@dataclass(frozen=True)
class Pipeline:
    """A named post-processing.

    Attributes:
        steps: in the order in which they are taken, those of the stage `map` first; without any nothing is done.
        origin: a plugin's distribution and version; "" for a built-in.
        score: that makes the map which the steps are taken on; None for the method's own map.

    Examples:
        >>> Pipeline("small", "without small components", (components_step(0.1),)).what_at(2.0)
        'components under 0.1 ml removed (under 13 voxels)'
    """

    name: str
    title: str
    steps: tuple[Step, ...] = ()
    origin: str = ""
    score: Score | None = None

    @property
    def what(self) -> str:
        """Its steps in a line."""
        return self._in_a_line(step.what for step in self.steps)

    def what_at(self, edge: float) -> str:
        """Its steps in a line, with the voxels that they use on a grid of voxels of this edge in mm."""
        return self._in_a_line(step.what_at(edge) for step in self.steps)

    @property
    def revision(self) -> int:
        """Raised with that of its score or any of its steps."""
        return 1 + sum(part.revision - 1 for part in (self.score, *self.steps) if part is not None)

    @property
    def in_key(self) -> list[object]:
        """All of it that can change a number; a plugin's step is also told by where its function is."""
        parts: list[object] = [] if self.score is None else [self.score.in_key]
        for step in self.steps:
            place = [place_of(step.function)] if self.origin else []
            parts.append([step.name, dict(step.values), step.stage, step.revision, *place])
        return [self.origin, *parts]

    def of(self, score: Score) -> "Pipeline":
        """The same steps on the map that a score makes."""
        name, title = f"{score.name}{SCORED}{self.name}", f"{score.title}, {self.title}"
        return replace(self, name=name, title=title, origin=self.origin or score.origin, score=score)

    def filter(
        self, anomaly_map: NDArray[np.float32], brain_mask: Mask, spacing: tuple[float, float, float]
    ) -> BrainMap:
        """The scores that are ranked and thresholded: through the steps `map`.

        Args:
            anomaly_map, brain_mask: `(X, Y, Z)`; z is the axial axis.
            spacing: voxel edges in mm.

        Raises:
            ValueError: the shapes differ or are not 3-D.
        """
        if anomaly_map.shape != brain_mask.shape or anomaly_map.ndim != 3:
            raise ValueError(f"Got a map of shape {anomaly_map.shape}, expected (X, Y, Z) = {brain_mask.shape}.")
        brain_map = BrainMap(np.where(brain_mask, anomaly_map, 0), read_only(brain_mask), spacing)
        return self._through("map", brain_map)

    def finish(self, filtered: BrainMap) -> BrainMap:
        """Scores that exceed a threshold where the prediction at it survives the steps `prediction`.

        The very map that went in where nothing is removed.
        """
        return self._through("prediction", filtered)

    def perfect(self, lesion_mask: Mask, brain_mask: Mask, spacing: tuple[float, float, float]) -> Mask:
        """What the pipeline leaves of a perfect map, the ground truth itself, at threshold 0.5; all `(X, Y, Z)`."""
        return self.finish(self.filter(lesion_mask.astype(np.float32), brain_mask, spacing)).scores > 0.5

    def without_each_step(self, edge: float | None = None) -> dict[str, "Pipeline"]:
        """The pipeline once without each of its steps, by the step's name; of those with an effect on such a grid."""
        steps = [step for step in self.steps if edge is None or step.has_effect(edge)]
        return {step.name: self.without(step.name) for step in steps}

    def without(self, name: str) -> "Pipeline":
        """The pipeline without the step of that name."""
        steps = tuple(step for step in self.steps if step.name != name)
        return replace(self, name=f"{self.name}{LEFT_OUT}{name}", title=f"{self.title}, no {name}", steps=steps)

    def _in_a_line(self, steps: Iterable[str]) -> str:
        told = ", ".join(steps) or "no step"
        return told if self.score is None else f"{self.score.title}, {told}"

    def _through(self, stage: str, brain_map: BrainMap) -> BrainMap:
        for step in self.steps:
            if step.stage == stage:
                brain_map = step(brain_map)
        return brain_map


_PUBLISHED = Pipeline("paper", "as published", (erosion_step(6), median_step(10), components_step(0.056)))
_LIGHT = Pipeline("light", "light", (median_step(6, within_brain=True), components_step(0.03)))
_NONE = Pipeline("none", "none")


def _check(pipeline: Pipeline) -> None:
    """Refuse a plugin's pipeline whose steps are none, cannot be told apart, never run or are out of order.

    Raises:
        BadValue: it is such a one.
    """
    for step in pipeline.steps:
        if not isinstance(step, Step):
            raise BadValue(f"Post-processing '{pipeline.name}': got {step!r} among the steps, expected Step alone.")
        if step.stage not in get_args(Stage):
            raise BadValue(
                f"Post-processing '{pipeline.name}': got stage '{step.stage}' of step '{step.name}', expected "
                f"{' or '.join(get_args(Stage))}."
            )
    names, stages = [step.name for step in pipeline.steps], [step.stage for step in pipeline.steps]
    if len(set(names)) < len(names):
        raise BadValue(f"Post-processing '{pipeline.name}': got steps {', '.join(names)}, expected each name once.")
    if stages != sorted(stages):
        raise BadValue(
            f"Post-processing '{pipeline.name}': got a step before the threshold after one behind it "
            f"({', '.join(names)}), expected those of the stage 'map' first."
        )


PIPELINES = Registry(
    "post-processing",
    "uadbench.postprocessing",
    Pipeline,
    {pipeline.name: pipeline for pipeline in (_PUBLISHED, _LIGHT, _NONE)},
    check=_check,
    reserved=f".+{LEFT_OUT}.+",
)


DEPLOYED = _LIGHT
"""What one would deploy."""
STANDARD = tuple(PIPELINES.built_in)
"""After which a run is scored where none is named."""


def pipeline_named(name: str) -> Pipeline:
    """One of PIPELINES, or `NAME-no-STEP`, one of them without a step; either on another score: `SCORE:NAME`.

    Raises:
        UnknownName: there is none of that name.
        BadValue: it is a plugin's and cannot be used.
    """
    score, _, rest = name.rpartition(SCORED)
    if score:
        return pipeline_named(rest).of(SCORES[score])
    whole, _, step = name.rpartition(LEFT_OUT)
    if name not in PIPELINES and whole in PIPELINES and step in PIPELINES[whole].without_each_step():
        return PIPELINES[whole].without(step)
    return PIPELINES[name]


def pipeline_on(name: str, edge: float) -> Pipeline:
    """The same on a grid of voxels of this edge in mm: `none` where no step of it changes anything there.

    Raises:
        UnknownName, BadValue: as `pipeline_named`.
    """
    pipeline = pipeline_named(name)
    if any(step.has_effect(edge) for step in pipeline.steps):
        return pipeline
    return _NONE if pipeline.score is None else _NONE.of(pipeline.score)


def unscored(name: str) -> str:
    """The name of the same pipeline on the method's own map."""
    return name.rpartition(SCORED)[2]


def scored_by(scores: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names of these pipelines on each score, score by score.

    Raises:
        UnknownName, BadValue: a score that nothing is called by, or a plugin's that cannot be used.
    """
    steps = list(dict.fromkeys(map(unscored, names)))
    return [f"{SCORES[score].name}{SCORED}{name}" for score in scores for name in steps]


def idle_text(names: Iterable[str], edge: float) -> str:
    """Which of these pipelines change nothing on such a grid and stand as `none`, with their steps; "" if none does."""
    idle = [name for name in dict.fromkeys(map(unscored, names)) if pipeline_on(name, edge).name != name]
    told = "; ".join(f"{name}: {pipeline_named(name).what_at(edge)}" for name in idle)
    return f"At {edge:g} mm this post-processing changes nothing and is shown as none: {told}." if idle else ""
