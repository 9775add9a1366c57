"""The command `run`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.api.options import RunOptions
from benchmark.commands.common import (
    bold,
    print_line,
    progress_lines,
    takes_options_of,
    text_width,
    user_mistakes_in_one_line,
    warn_of_shadowed,
)
from benchmark.commands.evaluate import exit_for
from datasets.grid import PUBLISHED, SMALL
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.api.study import PlannedRun
    from benchmark.execution.job import Job
    from benchmark.execution.resources import Execution
    from benchmark.storage.folder import RunFolder
    from benchmark.study.cells import Cell

app = typer.Typer()

Config = Annotated[
    Path | None,
    typer.Option(help="TOML file: these options in the table [run], hyper-parameters in a table per method."),
]
Like = Annotated[
    Path | None, typer.Option(metavar="RUN", help="Take the options of an earlier run, except for those given here.")
]


@app.command()
@user_mistakes_in_one_line
@progress_lines()
@takes_options_of(RunOptions, config=Config, like=Like)
def run(given: Mapping[str, Any], files: Mapping[str, Path | None]) -> None:
    """Fit methods on healthy brains, map anomalies in cohorts, score them, write the report.

    Example: python -m benchmark run -m "thresh,smooth[smoothing=2]" -d phantom-ms -p quick -s 0-2 -o first
    """
    from benchmark.api.options import options_of, options_of_run, read_options
    from benchmark.api.study import plan_run

    config, like = files["config"], files["like"]
    written = [] if config is None else [read_options(config)]
    left_out, unfinished = 0, list[tuple["RunFolder", "Sequence[Cell]"]]()
    for earlier in [{}] if like is None else options_of_run(like):
        options = options_of(given, *written, earlier)
        warn_of_shadowed()
        planned = plan_run(options)
        for reason in planned.study.left_out:
            typer.echo(f"Left out: {reason}", err=True)
        left_out += len(planned.study.left_out)
        if options.dry_run:
            show_cells(planned)
        else:
            unfinished.append((planned.folder, _run(planned)))
    for folder, cells in unfinished:
        exit_for(folder, cells)
    if left_out:
        raise typer.Exit(1)


def _run(planned: "PlannedRun") -> "Sequence[Cell]":
    """Compute what is missing, or submit it; the cells that failed are returned."""
    from benchmark.api.study import compute, is_idle
    from reports.api import terminal_text

    job = planned.job()
    if is_idle(job):
        _print_nothing_to_do(job)
    if planned.execution.executor == "slurm":
        _submit(job, planned.execution, planned.options.slurm or ())
        return []
    if planned.options.preset == PUBLISHED and job.inference.device == "cpu":
        _warn_of_hours(job)
    failed, path = compute(planned, job)
    print_line(f"\n{terminal_text(job.run, text_width(), bold)}\n\nReport: {path}")
    return failed


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
    print_line(f"Nothing to do: {states.count('done')} of {count_text(len(states), 'cell')} done{rest}.")


def show_cells(planned: "PlannedRun") -> None:
    """A line a cell: what it is, how many cases, what is kept of it, and how long mapping it takes."""
    from benchmark.execution.forecast import speeds
    from benchmark.execution.progress import estimate, hours
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import cell_state, check_settings

    study, run = planned.study, planned.folder
    if run.study.exists():
        check_settings(open_run(run.root), study)
    states = [cell_state(run, cell, planned.scoring) for cell in study.cells]
    known = speeds(planned.job().fit_context)
    left = estimate(run, study, known)
    width = max(len(cell.fit.method) for cell in study.cells)
    place = max(10, *(len(cell.where) + 1 for cell in study.cells))
    for cell, state in zip(study.cells, states, strict=True):
        cases, seed = len(study.mapped_cases(cell)), cell.fit.seed
        print_line(
            f"{state:<8}{cell.fit.method:<{width}}  seed {seed}  {cell.where:<{place}}{cases:>5} cases  "
            f"{hours(known, cell, cases):>8}  {cell.key}"
        )
    cells, fits = count_text(len(states), "cell"), count_text(len(study.fits), "fit")
    print_line(f"{cells} of {fits}, {states.count('done')} done. Run folder: {run.root}")
    print_line(left.text())


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
