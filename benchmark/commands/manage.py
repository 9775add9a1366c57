"""Commands about runs as a whole: `status`, `cancel`, `merge`, `work`."""

import gc
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.api.options import MemoryLimit, Threads
from benchmark.api.study import job_on
from benchmark.commands.common import (
    AsJson,
    RunArgument,
    print_line,
    progress_lines,
    user_mistakes_in_one_line,
)
from datasets.errors import BadValue
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.execution.job import Job
    from benchmark.execution.progress import CellProgress
    from benchmark.storage.folder import RunFolder

app = typer.Typer()

PROGRESS = ("done", "running", "failed", "missing")


@app.command()
@user_mistakes_in_one_line
def status(folder: RunArgument, as_json: AsJson = False) -> None:
    """Show which cells of a run are done, running, failed or missing, and its SLURM jobs."""
    from benchmark.execution.progress import progress_of
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import kept_scoring

    gc.disable()  # it would look through the fields of ten thousand cells again and again
    try:
        run = open_run(folder)
        found = progress_of(run, kept_scoring(run))
    finally:
        gc.enable()
    if as_json:
        typer.echo(json.dumps([_jsonable(one) for one in found], indent=1))
        return
    width = max((len(one.cell.fit.method) for one in found), default=0)
    typer.echo("".join(f"{_line(one, width)}\n" for one in found), nl=False)
    counts = [f"{sum(one.progress == word for one in found)} {word}" for word in PROGRESS]
    typer.echo(f"{count_text(len(found), 'cell')}: {', '.join(counts)}.")
    for line in _job_lines(run):
        typer.echo(line)


@app.command()
@user_mistakes_in_one_line
def cancel(folder: RunArgument) -> None:
    """Cancel the SLURM jobs of a run; unfinished fits are saved, and `run` resumes them later."""
    from benchmark.execution.slurm import cancel as cancel_jobs
    from benchmark.execution.slurm import states, submitted
    from benchmark.storage.folder import open_run

    run = open_run(folder)
    jobs = submitted(run)
    if not jobs:
        raise BadValue(f"{run.root}: got a run without SLURM jobs, expected one of `run --executor slurm`.")
    active = states(jobs)
    cancel_jobs([job for job in jobs if job.id in active])
    typer.echo(f"Cancelled: {', '.join(active) or 'nothing, all have ended'}.")


@app.command()
@user_mistakes_in_one_line
def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders with parts of one study.")],
    out: Annotated[Path, typer.Option(help="Folder of the joined run; must be empty or not exist.")],
) -> None:
    """Join runs that several machines made with the same version and settings."""
    from benchmark.execution.merge import merge_runs
    from benchmark.storage.folder import create_run, open_run

    runs = [open_run(folder) for folder in folders]
    merged = merge_runs(runs, create_run(out))
    typer.echo(
        f"{count_text(merged.cells, 'cell')} and {count_text(merged.fits, 'fit')} of {count_text(len(runs), 'run')}. "
        f"Rows: {out / 'rows.csv'}"
    )
    for line in merged.notes:
        typer.echo(line)


@app.command()
@user_mistakes_in_one_line
def work(
    folder: RunArgument,
    data: Annotated[
        Path | None, typer.Option("--data", help="Where the cohorts are; default: where they were.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    slice_batch: Annotated[int, typer.Option(min=1, help="Slices processed at once.")] = 32,
    compiled: Annotated[bool, typer.Option("--compile", help="Compile networks if there is a compiler.")] = False,
    threads: Threads = None,
    memory_limit: MemoryLimit = None,
    mend: Annotated[bool, typer.Option("--mend", help="Fit again where kept weights cannot be loaded.")] = False,
    only_fits: Annotated[
        bool, typer.Option("--only-fits", help="Make fits only, and leave the cells to others.")
    ] = False,
    only_report: Annotated[bool, typer.Option("--only-report", help="Join rows and write the report.")] = False,
    name: Annotated[str, typer.Option(help="Name at the beginning of each line of output.")] = "",
    parent: Annotated[int | None, typer.Option(help="Process to end with.", hidden=True)] = None,
) -> None:
    """Help to finish a run, together with other processes, on any machine that sees the folder."""
    from benchmark.analysis.summaries.make import summarise
    from benchmark.execution.job import finish
    from benchmark.execution.local import end_with_parent
    from benchmark.execution.resources import Execution, set_limits
    from benchmark.execution.worker import work as work_on
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import kept_scoring, reopen
    from benchmark.storage.storage_errors import as_storage_error
    from reports.api import write_report

    if parent is not None and not end_with_parent(parent):
        return
    run = open_run(folder)
    how = Execution("inline", None, threads, None, memory_limit, device, slice_batch=slice_batch, compiled=compiled)
    set_limits(how)
    rerun = "failed" if mend else "missing"
    job = job_on(reopen(run, data), run, data or _data_folder(run), kept_scoring(run), how, rerun)
    with as_storage_error(run.root), progress_lines(name):
        if not only_report:
            todo = [cell for cell in job.study.cells if not _is_settled(job, cell)]
            work_on(job, todo, ("fit",) if only_fits else ("fit", "map", "score"))
        if parent is None:
            finish(job)
    if only_report:
        summarise(run, data)
        (path,) = write_report(run, data)
        print_line(f"Report: {path}")


def _is_settled(job: "Job", cell: Any) -> bool:
    from benchmark.storage.run_record import cell_state

    return cell_state(job.run, cell, job.scoring) in ("done", "failed")


def _data_folder(run: "RunFolder") -> Path:
    from datasets.io.atomic import read_json

    return Path(read_json(run.study)["data"])


def _line(one: "CellProgress", width: int) -> str:
    cell = one.cell
    what = f"  {one.what}" if one.what else ""
    by = f" by process {one.owner.pid} on {one.owner.host}" if one.owner else ""
    return f"{one.progress:<8} {cell.fit.method:<{width}}  seed {cell.fit.seed}  {cell.where}{what}{by}"


def _jsonable(one: "CellProgress") -> dict[str, Any]:
    cell = one.cell
    return {
        "method": cell.fit.method,
        "seed": cell.fit.seed,
        "dataset": cell.cohort.dataset,
        "cell": cell.name,
        "shift": cell.shift.label,
        "severity": cell.shift.severity,
        "progress": one.progress,
        "what": one.what,
        "owner": one.owner and asdict(one.owner),
    }


def _job_lines(run: "RunFolder") -> Sequence[str]:
    from benchmark.execution.slurm import states, submitted
    from datasets.errors import MissingData

    jobs = submitted(run)
    if not jobs:
        return []
    try:
        active = states(jobs)
    except MissingData as error:
        return [f"{len(jobs)} SLURM jobs: {error}"]
    return [f"Job {job.id} ({job.what}): {active[job.id]}" for job in jobs if job.id in active] or [
        f"{len(jobs)} SLURM jobs, all of them ended."
    ]
