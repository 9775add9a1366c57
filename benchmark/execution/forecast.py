"""forecast: what is left of a study, and about how long one process of this computer takes for it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from math import isfinite, nan, prod

from benchmark.execution.fit_methods import FitContext, find_same_training, training_key, training_seconds, unfitted
from benchmark.execution.progress import HOUR, Speeds, measured
from benchmark.methods.declared import declared
from benchmark.methods.registry import Method
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import has_maps
from benchmark.study.cells import Fit
from datasets.words import count_text


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
        what = f"{count_text(self.trainings, 'training')}{at_hand}, maps of {count_text(self.cases, 'case')}"
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
    known = speeds(replace(context, study=replace(study, cells=left))).case_seconds if left else {}
    training = sum(training_seconds(replace(context, study=replace(study, cells=untrained)), "").values())
    mapping = sum(known.get(method, nan) * count for method, count in cases)
    return Forecast(trainings, len(found), in_all, training / HOUR, mapping / HOUR)


def speeds(context: FitContext) -> Speeds:
    """What was measured in runs beside this one; on a CPU a moment's trial of each built-in network that never was."""
    study = context.study
    known = measured(context.run, study.cells[0])
    if context.device != "cpu":
        return known
    tried = {}
    for fit in {fit.method: fit for fit in study.fits}.values():
        if fit.method not in known.case_seconds and (trial := _trial(context, fit)):
            tried[fit.method] = trial
    of_fit, of_case, case_bytes, weight_bytes = (
        {name: trial[place] for name, trial in tried.items()} for place in range(4)
    )
    return Speeds(
        {**of_fit, **known.fit_seconds},
        {**of_case, **known.case_seconds},
        {**case_bytes, **known.case_bytes},
        {**weight_bytes, **known.weight_bytes},
        tuple(tried),
    )


def is_trained(fit: Fit) -> bool:
    """Whether a fit needs a training at all."""
    return declared(Method(fit.method, fit.target, "", fit.origin or None)).needs_training


def _trial(context: FitContext, fit: Fit) -> tuple[float, float, float, float] | None:
    """Seconds of a fit, seconds and bytes of a case, bytes of weights, from a few slices of noise.

    None of a plugin, whose code is not run here, and of a method that maps nothing before it is fitted.
    """
    from benchmark.speed.measurement import estimated_seconds

    if not Method(fit.method, fit.target, "").is_built_in:
        return None
    detector = unfitted(context, fit)
    a_case = estimated_seconds(detector, fit.grid.shape)
    a_fit = detector.training_seconds() if is_trained(fit) else 0.0
    if not isfinite(a_case) or a_fit is None:
        return None
    volumes = prod(fit.grid.shape) * (1 + fit.channels)  # the map, and a reconstruction of each sequence
    weights = sum(one.nbytes for one in detector.state_dict().values())
    return a_fit, a_case, float(4 * volumes), float(weights)
