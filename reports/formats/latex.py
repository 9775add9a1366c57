"""LaTeX format: the tables of a paper with booktabs, its methods text, and the references that both cite."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path

from benchmark.metrics import METRICS
from datasets.cohorts.catalog import dataset
from datasets.io.atomic import write_text
from reports.content.table import Cell, Column, Table, said
from reports.content.text import Span, Text, as_text, joined, prose
from reports.document import Document
from reports.model.ranking import OPEN, Ranking, choice_text, rankings_of
from reports.model.references import bibliography, references_of
from reports.model.run_results import RunResults
from reports.sections.cohort_tables import endpoint_table
from reports.sections.notes import badges
from reports.sections.paper_text import methods_paragraphs
from reports.sections.verdict import in_rank_order

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{DAGGER}": r"$^\dagger$",
    "\N{DOUBLE DAGGER}": r"$^\ddagger$",
    "\N{BLACK UP-POINTING TRIANGLE}": r"$\triangle$",
    "\N{BLACK DOWN-POINTING TRIANGLE}": r"$\bigtriangledown$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{MINUS SIGN}": "$-$",
    "\n": " ",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
COMMANDS = {"strong": "textbf", "emphasis": "emph", "code": "texttt"}
BIBLIOGRAPHY = "references.bib"
NARROW = 4
"""Columns of a table in footnotesize that fits 122 mm, the page of LNCS; a wider one is smaller, over both columns."""
MARKED = prose(
    "Mean over patients and training seeds with its 95 % interval. **Bold**: the best mean of its cohort; {}: not "
    "shown to be worse than it. A dash: not ranked there.",
    OPEN,
)


def write_latex(document: Document, path: Path) -> None:
    r"""Write the tables and methods text of a paper, and beside them what both cite.

    A fragment to be `\input`, which needs `\usepackage{booktabs}`: methods by cohorts at the first endpoint, a table a
    cohort at its endpoints, then the text. `references.bib` holds what the cards of methods and cohorts cite.
    """
    results = document.results
    parts = ["% Needs \\usepackage{booktabs}, and T1 fonts for what is not ASCII in names."]
    parts += [f"% {' '.join(str(badge).splitlines())}" for badge in badges(results)]
    keys = {name: [one.key for one in references] for name, references in references_of(results).items()}
    names = in_rank_order(results)
    cited = {_printed(results, method): keys[method] for method in results.methods}
    parts += [tabular(table, cited) for table in [main_table(results)] if table]
    parts += [tabular(_narrow(endpoint_table(results, name))) for name in names]
    parts += ["% Methods, made from what the run keeps.", *map(escape, methods_paragraphs(results))]
    write_text(path.with_name(BIBLIOGRAPHY), bibliography(references_of(results)) + "\n")
    write_text(path, "\n\n".join(parts) + "\n")


def main_table(results: RunResults) -> Table:
    """A line a method, a column a cohort that ranks any, at its first endpoint."""
    ranked = {
        name: found[0] for name in in_rank_order(results) if (found := rankings_of(results, name)) and found[0].ranks
    }
    columns = [Column("Method", digits=None), *(_cohort_column(name, one) for name, one in ranked.items())]
    rows = [
        [said(_printed(results, method)), *(_mean(one, method) for one in ranked.values())]
        for method in results.methods
        if any(method in one.methods for one in ranked.values())
    ]
    choices = dict.fromkeys(choice_text(one) for one in ranked.values())
    caption = joined([joined(choices, "; ") + ".", MARKED]) if choices else Text()
    return Table("main", caption, columns, rows if ranked else [])


def _cohort_column(name: str, ranking: Ranking) -> Column:
    metric = METRICS[ranking.first["metric"]]
    return Column(f"{dataset(name).title}, {metric.title}", metric.unit, metric.higher_is_better)


def _mean(ranking: Ranking, method: str) -> Cell:
    if method not in ranking.methods or isnan(ranking.line(method)["mean"]):
        return Cell(absent="-")
    low, high, _ = ranking.interval(method)
    mark = OPEN if ranking.open_to(method) else ""
    return Cell(float(ranking.line(method)["mean"]), low, high, note=mark, best=method == ranking.leader)


def _printed(results: RunResults, method: str) -> str:
    """The name that papers print, with what makes it a variant."""
    kept = results.cards.get(method)
    printed = kept.card.printed_name if kept is not None and kept.card is not None else ""
    name, bracket, variant = method.partition("[")
    return f"{printed or name}{' ' * bool(bracket and printed)}{bracket}{variant}"


def _narrow(table: Table) -> Table:
    """What a paper's table has room for: the endpoints."""
    kept = [place for place, one in enumerate(table.columns) if not place or one.title.startswith(("Rank", "Dice"))]
    return replace(
        table,
        columns=[table.columns[place] for place in kept],
        rows=[[row[place] for place in kept] for row in table.rows],
    )


def inline(text: Text | str) -> str:
    return "".join(map(_span, as_text(text).spans))


def _span(span: Span) -> str:
    shown = escape(span.text)
    return f"\\{COMMANDS[span.style]}{{{shown}}}" if span.style else shown


def escape(text: str) -> str:
    """Text that LaTeX prints as it is written; signs that its fonts lack as commands."""
    return "".join(SPECIAL.get(character, character) for character in text)


def tabular(table: Table, cited: Mapping[str, Sequence[str]] | None = None) -> str:
    """A `table` environment, over two columns where it is wide.

    Args:
        cited: keys of what a row cites, by its first cell.
    """
    columns = "".join("l" if column.is_text else "r" for column in table.columns)
    known = {} if cited is None else {name: keys for name, keys in cited.items() if keys}
    body = [
        " & ".join([inline(first) + _cite(known.get(str(first), ())), *map(inline, others)]) + r" \\"
        for first, *others in table.shown()
    ]
    wide = len(table.columns) > NARROW
    environment = "table*" if wide else "table"
    return "\n".join(
        [
            f"\\begin{{{environment}}}",
            r"\centering",
            r"\scriptsize" if wide else r"\footnotesize",
            r"\setlength{\tabcolsep}{2.5pt}",
            f"\\caption{{{inline(table.title)}}}",
            f"\\label{{tab:{re.sub('[^a-z0-9]+', '-', table.name.lower()).strip('-')}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(map(_heading, table.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            f"\\end{{{environment}}}",
        ]
    )


def _heading(column: Column) -> str:
    """In several lines where the title has commas."""
    lines = [escape(line) for line in column.heading.split(", ")]
    side = "l" if column.is_text else "r"
    return f"\\shortstack[{side}]{{{(',' + chr(92) * 2).join(lines)}}}" if len(lines) > 1 else lines[0]


def _cite(keys: Sequence[str]) -> str:
    return f"~\\cite{{{','.join(keys)}}}" if keys else ""
