"""Section of what changed since an earlier run: settings and data, and each method against itself."""

from collections.abc import Iterator

from benchmark.analysis.changes import Changes, MethodChange
from benchmark.metrics import METRICS
from benchmark.statistics.panel import Choice
from reports.content.blocks import Block, Paragraph
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, as_text, joined, prose
from reports.model.run_results import RunResults, cohort_title

EXPLAINED = (
    "Now less before, paired by patient over the seeds that both runs have, with the 95 % interval over patients "
    "(this trained model; nothing is corrected, nothing here is a test). Where a method's fits are the same, whatever "
    "moved is of maps, data or scoring."
)


def changes_section(results: RunResults) -> list[Block]:
    """What is not as it was; nothing where no earlier run was named."""
    since = results.changes
    if since is None:
        return []
    rows = [[said(one.what), said(one.before or "(none)"), said(one.now or "(none)")] for one in since.facts]
    caption = as_text("Settings, versions, data and hyper-parameters that changed.")
    facts: Block = Table("changes", caption, text_columns("What", "before", "now"), rows)
    tables = list(_numbers(results, since))
    return [
        results.heading(prose("Since {}", since.name)),
        facts if rows else Paragraph("Settings, versions, data and hyper-parameters are the same."),
        Paragraph(EXPLAINED if tables else "No method has numbers of the same choice in both runs."),
        *tables,
    ]


def _numbers(results: RunResults, since: Changes) -> Iterator[Table]:
    for choice in dict.fromkeys(one.choice for one in since.moved):
        metric = METRICS[choice.metric]
        columns = [
            *text_columns("Method", "Fits"), Column("n", digits=0), Column("Seeds", digits=0),
            Column("before", metric.unit, metric.higher_is_better), Column("now", metric.unit, metric.higher_is_better),
            Column("difference", metric.unit, metric.higher_is_better, signed=True),
        ]  # fmt: skip
        rows = [[said(results.whole.label(one.method)), *_cells(one)] for one in since.moved if one.choice == choice]
        label = f"changes-{choice.dataset}-{choice.metric}-{choice.postprocessing}-{choice.protocol}"
        yield Table(label, _choice_text(choice), columns, rows, stamp="exploratory")


def _choice_text(choice: Choice) -> Text:
    parts = joined([prose("`{}`", part) for part in (choice.postprocessing, choice.protocol) if part], ", ")
    return prose("{}: {} ({}).", cohort_title(choice.dataset), METRICS[choice.metric].title, parts)


def _cells(one: MethodChange) -> list[Cell]:
    fits, seeds = said("the same" if one.same_fits else "others"), Cell(one.seeds)
    if not one.n:
        return [fits, Cell(0), seeds, Cell(), Cell(), Cell()]
    return [fits, Cell(one.n), seeds, Cell(one.before), Cell(one.now), Cell(one.difference, one.low, one.high)]
