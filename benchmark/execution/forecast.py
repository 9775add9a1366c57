"""forecast: what is left of a study, and about how long one process of this computer takes for it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import isfinite, nan

from benchmark.execution.fit_methods import FitContext, find_same_training, training_key, training_seconds, unfitted
from benchmark.execution.progress import HOUR, measured
from benchmark.methods.declared import declared
from benchmark.methods.registry import Method
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import has_maps
from benchmark.study.cells import Fit


@dataclass(frozen=True)
class Forecast:
    """What is left of a study.

    Attributes:
        trainings, at_hand: distinct trainings to do, and finished ones that are taken as they are.
        cases: to map.
        training_hours, mapping_hours: of these; NaN where they cannot be timed here.
    """

    trainings: int
    at_hand: int
    cases: int
    training_hours: float
    mapping_hours: float

    @property
    def text(self) -> str:
        at_hand = f" ({self.at_hand} more at hand)" if self.at_hand else ""
        what = f"{self.trainings} trainings{at_hand}, maps of {self.cases} cases"
        if not isfinite(self.training_hours + self.mapping_hours):
            return f"{what}; hours unknown."
        hours = f"{self.training_hours:.1f} h of training and {self.mapping_hours:.1f} h of mapping"
        return f"{what}; about {hours} in one process on this CPU."

    def __add__(self, other: "Forecast") -> "Forecast":
        return Forecast(
            *(mine + theirs for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def forecast(context: FitContext, fits: Collection[RunFolder] = (), *, timed: bool = True) -> Forecast:
    """Count what is left of a study in its run folder, and time each network for a moment.

    Args:
        fits: further run folders whose finished fits are taken.
        timed: whether anything is timed; only a CPU is, and what was measured in runs beside this one counts first.
    """
    study, run = context.study, context.run
    distinct = {training_key(fit): fit for fit in study.fits if is_trained(fit)}
    found = {key for key, fit in distinct.items() if any(find_same_training(one, fit) for one in (run, *fits))}
    left = tuple(cell for cell in study.cells if not has_maps(run, cell))
    untrained = tuple(cell for cell in left if is_trained(cell.fit) and training_key(cell.fit) not in found)
    cases = [(cell.fit.method, len(study.mapped_cases(cell))) for cell in left]
    in_all = sum(count for _, count in cases)
    trainings = len({training_key(cell.fit) for cell in untrained})
    if not timed or context.device != "cpu":
        return Forecast(trainings, len(found), in_all, nan, nan)
    known = dict(measured(run, study.cells[0]).case_seconds)
    for fit in {cell.fit.method: cell.fit for cell in left if cell.fit.method not in known}.values():
        known[fit.method] = _case_seconds(context, fit)
    training = sum(training_seconds(replace(context, study=replace(study, cells=untrained)), "").values())
    mapping = sum(known[method] * count for method, count in cases)
    return Forecast(trainings, len(found), in_all, training / HOUR, mapping / HOUR)


def is_trained(fit: Fit) -> bool:
    """Whether a fit needs a training at all."""
    return declared(Method(fit.method, fit.target, "", fit.origin or None)).needs_training


def _case_seconds(context: FitContext, fit: Fit) -> float:
    """Of a built-in method; NaN of another, whose code is not run here."""
    from benchmark.speed.measurement import estimated_seconds

    built_in = Method(fit.method, fit.target, "").is_built_in
    return estimated_seconds(unfitted(context, fit), fit.grid.shape) if built_in else nan
