"""Commands that start from kept maps and rows: `evaluate`, `report`; and the options of what is scored and shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.api.evaluation import current_reports, names
from benchmark.commands.common import (
    RunArgument,
    bold,
    print_line,
    progress_lines,
    text_width,
    user_mistakes_in_one_line,
)
from datasets.errors import BadValue, check_name
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.storage.folder import RunFolder
    from benchmark.study.cells import Cell

app = typer.Typer()

OtherData = Annotated[Path | None, typer.Option("--data", help="Where the cohorts are now; default: where they were.")]
Chains = Annotated[
    str | None, typer.Option("--postprocessing", help="Post-processing pipelines; default: all, or those of the run.")
]
Scores = Annotated[
    str | None,
    typer.Option("--scores", help="Scores of reconstructions, see `list scores`, besides the methods' own maps."),
]
Protocols = Annotated[
    str | None,
    typer.Option(
        "--protocols", help="Threshold protocols; default: three that most studies need, or those of the run."
    ),
]
Metrics = Annotated[
    str | None, typer.Option("--metrics", help="Metrics, see `list metrics`; default: those of the run, else all.")
]
Ablation = Annotated[
    str | None, typer.Option("--ablation", help="postprocessing: also score each pipeline without each of its steps.")
]
Pictures = Annotated[
    str | None,
    typer.Option(help="Cohorts whose scans the run's reports may show from now on; at first all. '' for none."),
]


@app.command()
@user_mistakes_in_one_line
@progress_lines()
def evaluate(
    folder: RunArgument,
    data: OtherData = None,
    postprocessing: Chains = None,
    protocols: Protocols = None,
    metrics: Metrics = None,
    scores: Scores = None,
    ablation: Ablation = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new run folder with the same maps, scored only as named here; RUN stays unchanged."),
    ] = None,
    pictures: Pictures = None,
) -> None:
    """Score the kept maps of a run without inference: as it was scored before, and as named here.

    Rows are added to those that the run has. Its tables and reports are made again.
    """
    from benchmark.api.evaluation import evaluate as score_again
    from reports.api import terminal_text

    done = score_again(
        folder,
        data=data,
        postprocessing=postprocessing,
        protocols=protocols,
        metrics=metrics,
        scores=scores,
        ablation=ablation,
        out=out,
        pictures=pictures,
    )
    told = [done.ablation] if done.ablation else []
    written = ", ".join(map(str, done.written))
    print_line("\n\n".join(["", terminal_text(done.run.folder, text_width(), bold), *told, f"Written anew: {written}"]))
    exit_for(done.run.folder, done.failed)


@app.command()
@user_mistakes_in_one_line
@progress_lines()
def residuals(
    folder: RunArgument,
    data: OtherData = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Map a run's healthy training scans once and store mean and spread of the residuals, for --scores standardised."""
    from benchmark.execution.residuals import make_residuals
    from benchmark.inference.settings import Inference, pick_device
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import reopen
    from benchmark.storage.storage_errors import as_storage_error

    run = open_run(folder)
    study = reopen(run, data)
    with as_storage_error(run.root):
        made = make_residuals(study, run, Inference(device=pick_device(device)))
    if not made:
        raise BadValue(f"{folder}: got no method whose maps are |image - reconstruction|, expected one.")
    for cell in made:
        print_line(f"Healthy residuals of {cell.fit.name}: {run.healthy_residuals(cell)}")


@app.command()
@user_mistakes_in_one_line
def report(
    folder: RunArgument,
    data: OtherData = None,
    pictures: Pictures = None,
    formats: Annotated[str, typer.Option("--format", help="md, html, latex, csv, comma-separated.")] = "md",
    volumes: Annotated[
        bool, typer.Option("--volumes/--no-volumes", help="Include a viewer with a few scans in the HTML.")
    ] = True,
    since: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="An earlier run: report what has changed since.")
    ] = None,
) -> None:
    """Write the report of a run, as Markdown, one HTML file, LaTeX tables or CSV.

    Example: python -m benchmark report first --format md,html
    """
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import keep_pictures, missing_plugins_named
    from reports.api import FORMATS

    chosen = names(formats) or ("md",)
    for name in chosen:
        check_name("report format", name, FORMATS)
    run, stood = open_run(folder), False
    with missing_plugins_named(run):
        keep_pictures(run, names(pictures))
        if since is None:
            paths, stood = current_reports(run, data, chosen, volumes=volumes)
        else:
            paths = _written_since(run, data, chosen, open_run(since), volumes=volumes)
    for path in paths:
        print_line(f"Report: {path}" + (" (unchanged)" if stood else ""))


def _written_since(
    run: "RunFolder", data: Path | None, formats: Sequence[str], earlier: "RunFolder", *, volumes: bool
) -> list[Path]:
    """Write reports that say what has changed since an earlier run."""
    from benchmark.analysis.changes import changes_since
    from benchmark.analysis.summaries.make import summarise
    from reports.api import write_report

    summarise(run, data)
    return write_report(run, data, formats=formats, since=changes_since(run, earlier), volumes=volumes)


def exit_for(run: "RunFolder", unfinished: "Sequence[Cell]") -> None:
    """Exit code 1, and which cells failed or are not there yet, where any are."""
    from benchmark.storage.run_record import has_failed

    if not unfinished:
        return
    failed = [cell for cell in unfinished if has_failed(run, cell)]
    missing = [cell for cell in unfinished if cell not in failed]
    if failed:
        why = "Their cell.json says why; try them again with --rerun failed."
        typer.echo(f"{count_text(len(failed), 'cell')} failed: {_listed(failed)}. {why}", err=True)
    if missing:
        typer.echo(
            f"{count_text(len(missing), 'cell')} not finished: {_listed(missing)}. `run` computes the rest.", err=True
        )
    raise typer.Exit(1)


def _listed(cells: "Sequence[Cell]") -> str:
    return ", ".join(f"{cell.fit.method} on {cell.where} (seed {cell.fit.seed})" for cell in cells)
