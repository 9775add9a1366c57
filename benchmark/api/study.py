"""run: from what is asked for to a run folder with maps, rows, summaries and a report."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.api.evaluation import asked_scoring, current_reports, names, scoring_on
from benchmark.api.options import RunOptions, options_of
from benchmark.api.runs import Run
from datasets.case_cache import NO_CACHE
from datasets.errors import BadValue

if TYPE_CHECKING:
    from benchmark.execution.job import Job
    from benchmark.execution.resources import Execution
    from benchmark.storage.admission import Admission
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.run_record import Scoring
    from benchmark.study.cells import Cell
    from benchmark.study.study import Study

log = logging.getLogger(__name__)


def run(methods: str | Sequence[str], datasets: str | Sequence[str], **options: Any) -> Run:
    """Fit methods on healthy brains, map anomalies in cohorts, score them, and write the report.

    The same call goes on where it was stopped, and does nothing twice. Progress is logged by the logger `benchmark`.

    Args:
        methods, datasets: names as on the command line, `"cddpm,ddpm[t_test=250]"`, or a list of them.
        options: further fields of `RunOptions`, such as `data`, `out`, `preset`, `seeds`, `hyperparameters`.

    Returns:
        the run; its `failed` are the cells that could not be made.

    Raises:
        UserError: something in the call or the data has to be mended.

    Examples:
        >>> methods = ["thresh", "zscore"]
        >>> made = run(methods, "phantom-glioma", sequence="t1", preset="quick", data="data", out="second", limit=1)
        >>> made.methods, made.failed
        (['thresh', 'zscore'], [])
    """
    planned = plan_run(options_of({"methods": methods, "datasets": datasets, **options}))
    if planned.execution.executor == "slurm":
        raise BadValue("executor: got slurm, expected another; submit jobs with: python -m benchmark run")
    for reason in planned.study.left_out:
        log.warning("Left out: %s", reason)
    if not planned.options.dry_run:
        compute(planned, planned.job())
    return Run(planned.folder, planned.options.data)


@dataclass(frozen=True)
class PlannedRun:
    """A run whose names are resolved and whose data are audited; nothing is computed yet.

    Attributes:
        folder: of the run; with `dry_run` perhaps not made yet.
    """

    options: RunOptions
    admission: "Admission"
    scoring: "Scoring"
    execution: "Execution"
    folder: "RunFolder"

    @property
    def study(self) -> "Study":
        return self.admission.study

    def job(self) -> "Job":
        options = self.options
        job = job_on(self.study, self.folder, options.data, self.scoring, self.execution, options.rerun, self.admission)
        return replace(job, asked=options.repeatable, pictures=names(options.pictures))


def plan_run(options: RunOptions) -> PlannedRun:
    """Resolve every name, find every file and audit the data, before anything is computed.

    Raises:
        UserError: as `benchmark.study.planning.plan` and `benchmark.storage.admission.admit`.
    """
    from benchmark.postprocessing import pipelines
    from benchmark.storage.admission import admit
    from benchmark.storage.folder import RunFolder, create_run
    from benchmark.storage.run_record import Scoring
    from benchmark.study import protocols
    from benchmark.study.planning import plan

    if options.no_cache:
        os.environ[NO_CACHE] = "1"  # of workers too
    execution, request = options.execution, options.request
    scoring = asked_scoring(options.postprocessing, options.protocols, Scoring(pipelines.STANDARD, protocols.STANDARD))
    study = plan(request)
    scoring = scoring_on(study, scoring)
    root = options.out or _default_out(options, study)
    if not options.dry_run:
        create_run(root)  # a place to write to is known before a long audit
    admission = admit(
        request,
        study,
        root,
        allow_leak=options.allow_leak,
        skip_bad=options.skip_bad,
        read=not options.dry_run,
    )
    folder = RunFolder(root) if options.dry_run else create_run(root)
    return PlannedRun(options, admission, scoring, execution, folder)


def compute(planned: PlannedRun, job: "Job") -> "tuple[list[Cell], Path]":
    """Fit, map and score what is missing, here or in workers; the failed cells and the report's path are returned."""
    failed = make_rows(planned, job)
    (path,), _ = current_reports(job.run, job.data)
    return failed, path


def make_rows(planned: PlannedRun, job: "Job") -> "list[Cell]":
    """Fit, map and score what is missing by the executor that was asked for; the failed cells are returned."""
    from benchmark.execution.dask_cluster import run_study_on_dask
    from benchmark.execution.local import run_study_in_workers
    from benchmark.execution.resources import set_limits
    from benchmark.execution.worker import run_study

    if planned.options.dask is not None:
        return run_study_on_dask(job, planned.execution, planned.options.dask)
    if planned.execution.executor == "local":
        return run_study_in_workers(job, planned.execution)
    set_limits(planned.execution)
    return run_study(job)


def is_idle(job: "Job") -> bool:
    """Whether nothing of a job is left to do."""
    return not any(job.includes(cell) for cell in job.study.cells)


def job_on(
    study: "Study",
    run: "RunFolder",
    data: Path,
    scoring: "Scoring",
    how: "Execution",
    rerun: str,
    admission: "Admission | None" = None,
) -> "Job":
    """A job on the device of this process; on the CPU if a cluster computes it elsewhere."""
    from benchmark.execution.job import Job
    from benchmark.inference.settings import Inference, can_compile, pick_device

    device = pick_device("cpu" if how.executor in ("slurm", "dask") else how.device)
    compiled = how.compiled and how.executor == "inline" and can_compile(device)
    inference = Inference(device, slice_batch=how.slice_batch, compiled=compiled)
    return Job(study, run, data, inference, scoring, rerun, admission)  # type: ignore[arg-type]


def _default_out(options: RunOptions, study: "Study") -> Path:
    healthy = dict.fromkeys(one.dataset for fit in study.fits for one in (fit.healthy, *fit.also_healthy))
    return Path("runs") / f"{'+'.join(healthy)}-{study.cells[0].cohort.sequence}-{options.preset}"
