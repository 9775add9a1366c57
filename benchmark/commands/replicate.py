"""The command `replicate`."""

from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.api.options import Threads, Workers
from benchmark.commands.common import print_line, progress_lines, user_mistakes_in_one_line
from datasets.grid import PUBLISHED
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.api.replication import Replicated
    from benchmark.replication.measured import StatusLine

app = typer.Typer()


@app.command()
@user_mistakes_in_one_line
@progress_lines()
def replicate(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="cddpm2023, pddpm2023, or NAME.toml of another.")],
    data: Annotated[Path | None, typer.Option(help="Folder of the prepared cohorts; default: as `run`.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the page and the runs; default: runs/STUDY-TIER.")] = None,
    tier: Annotated[str, typer.Option(help="How much is computed: paper, small or quick.")] = PUBLISHED,
    items: Annotated[str, typer.Option(help="Tables and figures, e.g. table3,fig6; default: all.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be computed; compute nothing.")] = False,
    pictures: Annotated[
        str | None, typer.Option(help="Cohorts whose scans the page may show; default: all. '' for none.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N; default: what the tier needs.")] = None,
    training: Annotated[
        bool,
        typer.Option(
            "--training/--no-training", help="Train networks; without, use finished fits only and name what is missing."
        ),
    ] = True,
    executor: Annotated[str, typer.Option(help="inline: this process; local: workers on this machine.")] = "inline",
    workers: Workers = None,
    threads: Threads = None,
) -> None:
    """Repeat a published study, and show its printed numbers beside the new ones, item by item."""
    from benchmark.api.replication import replicate as replicated

    asked = {"device": device, "workers": workers, "threads": threads}
    given = {name: value for name, value in asked.items() if value is not None}
    found = replicated(
        study,
        data=data,
        out=out,
        tier=tier,
        items=items,
        pictures=pictures,
        training=training,
        dry_run=dry_run,
        executor=executor,
        **given,
    )
    if dry_run:
        _show_plan(found)
        return
    for line in found.statuses:
        print_line(status_text(line))
    print_line("")
    for path in found.pages:
        print_line(f"Page: {path}")
    if found.failed:
        names = ", ".join(dict.fromkeys(f"{cell.fit.method} on {cell.where}" for cell in found.failed))
        print_line(f"{count_text(len(found.failed), 'cell')} not made: {names}. Their cell.json says why.", err=True)
        raise typer.Exit(1)


def status_text(line: "StatusLine") -> str:
    """One line of the status table."""
    within = f"{line.within}/{line.values}" if line.values else ""
    why = f"  missing: {line.why}" if line.why else ""
    return f"{line.item.name:<8}{line.status:<17}{within:>6}  {line.cohort:<10} {line.what}{why}"


def _show_plan(found: "Replicated") -> None:
    """A line a run folder, what is left of it and the hours, and what is missing."""
    planned = {one.folder.root.name: one for one in found.planned}
    for name, left in found.left.items():
        study = planned[name].study
        cohorts = ", ".join(dict.fromkeys(cell.cohort.dataset for cell in study.cells))
        print_line(f"{name}: {cohorts} {study.cells[0].cohort.sequence.upper()}, {study.grid.text}. {left.text}")
    if len(found.left) > 1:
        print_line(f"In all: {reduce(add, found.left.values()).text}")
    for (cohort, sequence), why in found.absent.items():
        print_line(f"Not run: {cohort} {sequence.upper()}: {why}" if cohort else f"Not run: {why}")
