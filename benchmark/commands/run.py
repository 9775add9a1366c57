"""The command `run`, and its options of where a study is computed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import (
    MemoryLimit,
    Plugins,
    Threads,
    check_name,
    job_on,
    print_line,
    progress_lines,
    user_mistakes_in_one_line,
    warn_of_shadowed,
)
from benchmark.commands.evaluate import Chains, Pictures, Protocols, asked_scoring, exit_for, names, scoring_on
from datasets.case_cache import NO_CACHE
from datasets.errors import BadValue
from datasets.grid import PUBLISHED, SAMPLINGS, SMALL

if TYPE_CHECKING:
    from benchmark.execution.job import Job
    from benchmark.execution.resources import Execution
    from benchmark.storage.admission import Admission
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.run_record import Scoring
    from benchmark.study.study import Request, Study

app = typer.Typer()

Data = Annotated[
    Path, typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts, each in a folder of its name.")
]

Executor = Annotated[
    str, typer.Option(help="inline: this process; local: workers on this machine; slurm: a job array.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes, or tasks of the array; default: one a GPU, else by --threads.")
]
TimeLimit = Annotated[
    float | None, typer.Option(min=0.001, help="Minutes that a worker may take for one fit, cell or scoring.")
]
SlurmOptions = Annotated[
    list[str] | None, typer.Option("--slurm", metavar="NAME=VALUE", help="Of sbatch, e.g. gres=gpu:1; repeatable.")
]

RERUN = ("missing", "failed", "all")


@app.command()
@user_mistakes_in_one_line
@progress_lines()
def run(
    methods: Annotated[str, typer.Option(help="Names, comma-separated; name[field=value] makes a variant.")],
    datasets: Annotated[
        str, typer.Option(help="Cohorts to map anomalies in, comma-separated; NAME=FOLDER for one of your own.")
    ],
    data: Data = Path("data"),
    out: Annotated[Path | None, typer.Option(help="Run folder; default: runs/<healthy>-<sequence>-<preset>.")] = None,
    healthy: Annotated[
        str | None,
        typer.Option(
            help="Healthy cohorts to fit on, comma-separated; default: ixi, for phantoms the phantom. none: without "
            "any, for methods that need no training."
        ),
    ] = None,
    leave_one_site_out: Annotated[
        bool, typer.Option("--leave-one-site-out", help="Fit once without each of the healthy cohorts in turn.")
    ] = False,
    training_scans: Annotated[
        int | None, typer.Option(min=1, help="Train on so many scans; those of a smaller number are among them.")
    ] = None,
    sequence: Annotated[
        str | None,
        typer.Option(help="t1, t2, flair or t1ce, or several: t1,flair; default: t2 if every cohort has it, else t1."),
    ] = None,
    preset: Annotated[
        str, typer.Option(help=f"{PUBLISHED}: as published; {SMALL}: narrow networks; quick: at 4 mm, too.")
    ] = PUBLISHED,
    sampling: Annotated[
        str, typer.Option(help="average: over voxels, masks keep their volume; spline: as published, for replication.")
    ] = "average",
    seeds: Annotated[str, typer.Option(help="Training seeds, e.g. 0-2; each redraws the validation cases too.")] = "0",
    folds: Annotated[
        int | None, typer.Option(min=2, help="Fit once a fold: so many parts of the healthy subjects validate in turn.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with a table of hyper-parameters a method.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Map at most so many cases of each split.")] = None,
    validation_only: Annotated[bool, typer.Option("--validation-only", help="Leave the test split closed.")] = False,
    precision: Annotated[str, typer.Option(help="Of inference: fp32, bf16 or fp16.")] = "fp32",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="GPUs that one fit trains on; the batch is shared out.")] = 1,
    slice_batch: Annotated[int, typer.Option(min=1, help="Slices processed at once.")] = 32,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile networks, where there is a compiler.")] = False,
    rerun: Annotated[
        str, typer.Option(help="missing; failed: what failed before, too; all: everything anew.")
    ] = "missing",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the cells and what is done; compute nothing.")
    ] = False,
    postprocessing: Chains = None,
    protocols: Protocols = None,
    pictures: Pictures = None,
    plugins: Plugins = None,
    allow_leak: Annotated[
        bool, typer.Option("--allow-leak", help="Go on where the audit finds leaks; every row is marked 'leak'.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out cases that cannot be used; every row is marked 'partial'.")
    ] = False,
    shifts: Annotated[
        str, typer.Option(help="Map all under these too: gamma (its five levels), gamma=0.5, transfer[COHORT].")
    ] = "",
    match: Annotated[
        bool, typer.Option("--match", help="Map all again with histograms matched to the training cases.")
    ] = False,
    executor: Executor = "inline",
    workers: Workers = None,
    threads: Threads = None,
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
    slurm: SlurmOptions = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", envvar=NO_CACHE, help="Load every scan anew; the numbers are the same.")
    ] = False,
) -> None:
    """Fit methods on healthy brains, map anomalies in cohorts, score them, write the report."""
    from benchmark.storage.admission import admit
    from benchmark.storage.folder import create_run
    from benchmark.storage.run_record import ALL
    from benchmark.study.cells import PRECISIONS
    from benchmark.study.planning import plan
    from benchmark.study.study import Request
    from datasets.cohorts.catalog import dataset

    if no_cache:
        os.environ[NO_CACHE] = "1"  # of workers too
    check_name("value of --rerun called", rerun, RERUN)
    check_name("value of --precision called", precision, PRECISIONS)
    check_name("value of --sampling called", sampling, SAMPLINGS)
    request = Request(
        methods=methods,
        datasets=datasets,
        data=data,
        healthy=healthy,
        sequence=sequence,
        preset=preset,
        sampling=sampling,  # type: ignore[arg-type]
        seeds=seeds,
        precision=precision,  # type: ignore[arg-type]
        splits=("val",) if validation_only else ("val", "test"),
        limit=limit,
        config=config,
        simulate=not dry_run,
        plugins=tuple(plugins or ()),
        folds=folds,
        shifts=shifts,
        match=match,
        devices=devices,
        leave_one_site_out=leave_one_site_out,
        training_scans=training_scans,
        skip_bad=skip_bad,
    )
    if devices > 1 and plugins:
        raise BadValue(f"--devices {devices}: got --plugin too, expected an installed method: each GPU has a process.")
    how = _execution(
        executor, workers, threads, time_limit, memory_limit, slurm,
        device=device, devices=devices, batch=slice_batch, compiled=compiled,
    )  # fmt: skip
    scoring = asked_scoring(postprocessing, protocols, _standard_scoring())
    warn_of_shadowed()
    study = plan(request)
    for name in names(pictures) or ():
        if name != ALL:
            dataset(name)  # one that does not exist is refused here
    scoring = scoring_on(study, scoring)
    for reason in study.left_out:
        typer.echo(f"Left out: {reason}", err=True)
    root = out or _default_out(request, study)
    if not dry_run:
        create_run(root)  # a place to write to is known before a long audit
    admission = admit(request, study, root, allow_leak=allow_leak, skip_bad=skip_bad, read=not dry_run)
    if dry_run:
        _show_cells(admission.study, root, scoring)
    else:
        _run(admission, create_run(root), data, scoring, rerun, how, slurm or (), names(pictures), preset)
    if study.left_out:
        raise typer.Exit(1)


def _run(
    admission: "Admission",
    run: "RunFolder",
    data: Path,
    scoring: "Scoring",
    rerun: str,
    how: "Execution",
    slurm: Sequence[str],
    pictures: Sequence[str] | None,
    preset: str,
) -> None:
    from benchmark.analysis.summaries.make import summarise
    from benchmark.execution.local import run_study_in_workers
    from benchmark.execution.resources import set_limits
    from benchmark.execution.worker import run_study
    from reports.api import terminal_text, write_report

    study = admission.study
    job = job_on(study, run, data, scoring, how, rerun, admission, pictures)
    idle = not any(job.includes(cell) for cell in study.cells)
    if idle:
        _print_nothing_to_do(job)
    if how.executor == "slurm":
        _submit(job, how, slurm)
        return
    if how.executor == "inline":
        set_limits(how)
    if preset == PUBLISHED and job.inference.device == "cpu":
        _warn_of_hours(job)
    failed = run_study(job) if how.executor == "inline" else run_study_in_workers(job, how)
    path, changed = run.root / "report.md", summarise(run, data)
    if changed or not idle or pictures is not None or not path.is_file():
        (path,) = write_report(run, data)
    print_line(f"\n{terminal_text(run)}\n\nReport: {path}")
    exit_for(run, failed)


def _warn_of_hours(job: "Job") -> None:
    """Say how long a CPU would train the published networks, where that is more than an hour, and offer `small`."""
    from benchmark.execution.fit_methods import training_seconds
    from benchmark.execution.progress import HOUR

    published = training_seconds(job.fit_context, "")
    total = sum(published.values()) / HOUR
    if total > 1:
        each = ", ".join(f"{name} {seconds / HOUR:.1f} h" for name, seconds in published.items())
        small = sum(training_seconds(job.fit_context, SMALL).values()) / HOUR
        print_line(
            f"Training the published networks on this CPU takes about {total:.0f} h ({each}). On the same grid, "
            f"--preset {SMALL} trains narrower ones in about {small:.1f} h, in a run folder of its own.",
            err=True,
        )


def _print_nothing_to_do(job: "Job") -> None:
    from benchmark.storage.run_record import cell_state

    states = [cell_state(job.run, cell, job.scoring) for cell in job.study.cells]
    failed = states.count("failed")
    rest = f", {failed} failed before (--rerun failed tries them again)" if failed else ""
    print_line(f"Nothing to do: {states.count('done')} of {len(states)} cells are done{rest}.")


def _show_cells(study: "Study", root: Path, scoring: "Scoring") -> None:
    """A line a cell: what it is, how many cases, what is kept of it, and how long mapping it takes."""
    from benchmark.execution.progress import estimate, hours, measured
    from benchmark.storage.folder import RunFolder, open_run
    from benchmark.storage.run_record import cell_state, check_settings

    run = RunFolder(root)
    if run.study.exists():
        check_settings(open_run(root), study)
    states = [cell_state(run, cell, scoring) for cell in study.cells]
    speeds, left = measured(run, study.cells[0]), estimate(run, study)
    width = max(len(cell.fit.method) for cell in study.cells)
    place = max(10, *(len(cell.where) + 1 for cell in study.cells))
    for cell, state in zip(study.cells, states, strict=True):
        cases, seed = len(study.mapped_cases(cell)), cell.fit.seed
        print_line(
            f"{state:<8}{cell.fit.method:<{width}}  seed {seed}  {cell.where:<{place}}{cases:>5} cases  "
            f"{hours(speeds, cell, cases):>8}  {cell.key}"
        )
    print_line(f"{len(states)} cells of {len(study.fits)} fits, {states.count('done')} done. Run folder: {run.root}")
    print_line(left.text())


def _default_out(request: "Request", study: "Study") -> Path:
    healthy = dict.fromkeys(one.dataset for fit in study.fits for one in (fit.healthy, *fit.also_healthy))
    return Path("runs") / f"{'+'.join(healthy)}-{study.cells[0].cohort.sequence}-{request.preset}"


def _standard_scoring() -> "Scoring":
    from benchmark.postprocessing import pipelines
    from benchmark.storage.run_record import Scoring
    from benchmark.study import protocols

    return Scoring(pipelines.STANDARD, protocols.STANDARD)


def _execution(
    executor: str,
    workers: int | None,
    threads: int | None,
    time_limit: float | None,
    memory_limit: float | None,
    slurm: Sequence[str] | None,
    *,
    device: str,
    devices: int,
    batch: int,
    compiled: bool,
) -> "Execution":
    """What the options say of where a run is computed.

    Raises:
        BadValue: options that do not go together.
    """
    from benchmark.execution.resources import EXECUTORS, Execution

    check_name("value of --executor called", executor, EXECUTORS)
    if executor == "inline" and (workers is not None or time_limit is not None):
        option = "--workers" if workers is not None else "--time-limit"
        raise BadValue(f"{option}: got --executor inline, expected local or slurm: it is about worker processes.")
    if slurm and executor != "slurm":
        raise BadValue(f"--slurm: got --executor {executor}, expected slurm.")
    if executor == "slurm" and time_limit is not None:
        raise BadValue(
            "--time-limit: got --executor slurm, expected local; give the jobs' limit as --slurm time=H:MM:SS."
        )
    seconds = None if time_limit is None else 60 * time_limit
    return Execution(executor, workers, threads, seconds, memory_limit, device, devices, batch, compiled)  # type: ignore[arg-type]


def _submit(job: "Job", how: "Execution", options: Sequence[str]) -> None:
    """Prepare a study and leave it to SLURM."""
    from benchmark.execution.job import prepare, tasks_of
    from benchmark.execution.slurm import submit as submit_jobs

    tasks = tasks_of(job.study, job.run, prepare(job))
    fits = [task for task in tasks if task.kind == "fit" and not task.done(job.run, job.scoring)]
    others = [task for task in tasks if task.kind != "fit"]
    if not tasks:
        return
    mend = job.rerun == "failed"
    for one in submit_jobs(job.run, job.data, how, options, fits=len(fits), cells=len(others), mend=mend):
        typer.echo(f"Job {one.id}: {one.what}" + (f", {one.tasks} tasks" if one.tasks > 1 else ""))
    typer.echo(f"See: python -m benchmark status {job.run.root}; end them: python -m benchmark cancel {job.run.root}")
