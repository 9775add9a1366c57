"""Commands that start from kept maps and rows: `evaluate`, `report`; and the options of what is scored and shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import RunArgument, check_name, print_line, progress_lines, user_mistakes_in_one_line

if TYPE_CHECKING:
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.run_record import Scoring
    from benchmark.study.cells import Cell
    from benchmark.study.study import Study

app = typer.Typer()

OtherData = Annotated[Path | None, typer.Option("--data", help="Where the cohorts are now; default: where they were.")]
Chains = Annotated[
    str | None, typer.Option("--postprocessing", help="Post-processing pipelines; default: all, or those of the run.")
]
Protocols = Annotated[
    str | None,
    typer.Option(
        "--protocols", help="Threshold protocols; default: three that most studies need, or those of the run."
    ),
]
Metrics = Annotated[
    str | None, typer.Option("--metrics", help="Names that `list metrics` shows; default: all, or those of the run.")
]
Ablation = Annotated[
    str | None, typer.Option("--ablation", help="postprocessing: each pipeline once without each of its steps, too.")
]
Pictures = Annotated[
    str | None,
    typer.Option(help="Cohorts whose slices reports of the run may show from now on; at first all. '' for none."),
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
    ablation: Ablation = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A new run folder with the same maps, scored by what is named here alone; RUN stays."),
    ] = None,
    pictures: Pictures = None,
) -> None:
    """Score the kept maps of a run, without inference: by what it was scored by, and by what is named here.

    Rows are added to those that the run has. Its tables and reports are made again.
    """
    from benchmark.analysis.ablation import ablated, ablation_lines, ablation_text
    from benchmark.analysis.compare_methods import Comparable
    from benchmark.analysis.summaries.make import summarise
    from benchmark.execution.merge import merge_runs
    from benchmark.execution.score_cells import evaluate_study
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.storage.folder import create_run, open_run
    from benchmark.storage.run_record import keep_pictures, kept_scoring, missing_plugins_named, reopen
    from benchmark.storage.storage_errors import as_storage_error
    from benchmark.storage.summary_tables import SummaryLine, add_lines, summary_path
    from reports.api import remove_reports, terminal_text, write_report

    run, endpoint = open_run(folder), read_endpoint()
    with missing_plugins_named(run):
        asked = asked_scoring(postprocessing, protocols, kept_scoring(run), metrics)
    study = reopen(run, data)
    scoring = scoring_on(study, asked)
    if ablation is not None:
        check_name("ablation of", ablation, ("postprocessing",))
        scoring = ablated(scoring, endpoint, study.grid)
    if out is None:
        scoring = kept_scoring(run) | scoring
    else:
        merge_runs([run], create_run(out))
        run = open_run(out)
    with as_storage_error(run.root):
        formats = remove_reports(run)
        keep_pictures(run, names(pictures))
        unscored = evaluate_study(study, run, scoring)
        summarise(run, data)
        told = []
        if ablation is not None:
            lines = list(ablation_lines(Comparable(run, endpoint)))
            add_lines(summary_path(run.root), SummaryLine, lines, ("kind",))
            told.append(ablation_text(lines))
        reports = write_report(run, data, formats=formats)
        written = ", ".join(map(str, (run.root / "rows.csv", summary_path(run.root), *reports)))
        print_line("\n\n".join(["", terminal_text(run), *told, f"Written anew: {written}"]))
    exit_for(run, unscored)


@app.command()
@user_mistakes_in_one_line
def report(
    folder: RunArgument,
    data: OtherData = None,
    pictures: Pictures = None,
    formats: Annotated[str, typer.Option("--format", help="md, html, latex, csv, comma-separated.")] = "md",
    volumes: Annotated[
        bool, typer.Option("--volumes/--no-volumes", help="Put a few scans into the HTML, to be scrolled through.")
    ] = True,
    since: Annotated[
        Path | None, typer.Option(metavar="RUN2", help="An earlier run: say what has changed since.")
    ] = None,
) -> None:
    """Write the report of a run, as Markdown, one HTML file, LaTeX tables or CSV."""
    from benchmark.analysis.changes import changes_since
    from benchmark.analysis.summaries.make import summarise
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import keep_pictures, missing_plugins_named
    from reports.api import FORMATS, write_report

    chosen = names(formats) or ("md",)
    for name in chosen:
        check_name("report format", name, FORMATS)
    run = open_run(folder)
    with missing_plugins_named(run):
        keep_pictures(run, names(pictures))
        summarise(run, data)
        changes = None if since is None else changes_since(run, open_run(since))
        paths = write_report(run, data, formats=chosen, since=changes, volumes=volumes)
    for path in paths:
        print_line(f"Report: {path}")


def exit_for(run: "RunFolder", unfinished: "Sequence[Cell]") -> None:
    """Exit code 1, and which cells failed or are not there yet, where any are."""
    from benchmark.storage.run_record import has_failed

    if not unfinished:
        return
    failed = [cell for cell in unfinished if has_failed(run, cell)]
    missing = [cell for cell in unfinished if cell not in failed]
    if failed:
        why = "Their cell.json says why; try them again with --rerun failed."
        typer.echo(f"{len(failed)} cells failed: {_listed(failed)}. {why}", err=True)
    if missing:
        typer.echo(f"{len(missing)} cells are not finished: {_listed(missing)}. `run` computes them.", err=True)
    raise typer.Exit(1)


def _listed(cells: "Sequence[Cell]") -> str:
    return ", ".join(f"{cell.fit.method} on {cell.where} (seed {cell.fit.seed})" for cell in cells)


def asked_scoring(
    postprocessing: str | None, protocols: str | None, default: "Scoring", metrics: str | None = None
) -> "Scoring":
    """What the options name, each name known; what they leave open is the default's."""
    from benchmark.metrics import COST, METRICS
    from benchmark.postprocessing.pipelines import pipeline_named
    from benchmark.storage.run_record import Scoring
    from benchmark.study.protocols import protocol_named
    from datasets.cohorts.catalog import dataset

    pipelines = names(postprocessing) or default.postprocessing
    chosen = names(protocols) or default.protocols
    measured = names(metrics) or default.metrics
    for pipeline in pipelines:
        pipeline_named(pipeline)
    for protocol in chosen:
        source = protocol_named(protocol).cohort
        if source:
            dataset(source)
    for metric in measured:
        check_name("metric", metric, [name for name in METRICS if name not in COST])
        METRICS[metric]  # a plugin's that cannot be used is refused here
    return Scoring(pipelines, chosen, measured)


def scoring_on(study: "Study", asked: "Scoring") -> "Scoring":
    """What is asked for on a study's grid; prints what has no effect there."""
    from benchmark.postprocessing.pipelines import idle_text

    told = idle_text(asked.postprocessing, study.grid.spacing)
    if told:
        print_line(told)
    return asked.on(study.grid)


def names(text: str | None) -> tuple[str, ...] | None:
    """Comma-separated names, each once."""
    return None if text is None else tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
