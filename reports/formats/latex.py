"""LaTeX format: a run's tables with booktabs and its methods text, for a paper to include."""

import re
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from datasets.io.atomic import write_text
from reports.document import Document
from reports.markup.markdown import alignment, plain
from reports.model.cohort_results import CohortResults
from reports.model.ranking import Headline, choice_text, headlines, rankings_of
from reports.model.run_results import RunResults, cohort_title
from reports.sections.at_a_glance import LEGEND as GLANCE
from reports.sections.at_a_glance import short_columns, short_lead, standing_columns, standing_lead
from reports.sections.columns import cells, headings
from reports.sections.healthy_false_positives import alarm_cells
from reports.sections.notes import badges
from reports.sections.pairwise_tests import LEGEND as PAIRS
from reports.sections.pairwise_tests import matrix_cells
from reports.sections.paper_text import methods_paragraphs
from reports.sections.plugin_metrics import plugin_tables

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
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def write_latex(document: Document, path: Path) -> None:
    r"""Write a run's tables and methods text.

    A fragment to be `\input`: tables stand in `table` environments and need `\usepackage{booktabs}`; the best of a
    column is bold, what is not separable from the best carries a dagger, what is missing is shown as missing.
    """
    results = document.results
    parts = ["% Needs \\usepackage{booktabs}, and T1 fonts for what is not ASCII in names."]
    parts += [f"% {plain(badge)}" for badge in badges(results)]
    for name, cohort in results.lesion.items():
        parts += [*_standing(results, name, cohort), *_pairs(results, name)]
        parts += [_table(results, name, cohort, first) for first in headlines(results, cohort)]
    parts += [*_alarms(results), *_plugin_metrics(results)]
    parts += ["% Methods, made from what the run keeps.", *map(escape, methods_paragraphs(results))]
    write_text(path, "\n\n".join(parts) + "\n")


def latex(markdown: str) -> str:
    """A cell of a table: bold and emphasis of a whole cell or its first word stay, everything else is text."""
    for mark, command in (("**", "textbf"), ("*", "emph")):
        whole = re.fullmatch(rf"{re.escape(mark)}([^*]+){re.escape(mark)}(.*)", markdown)
        if whole is not None:
            return f"\\{command}{{{escape(plain(whole[1]))}}}{escape(plain(whole[2]))}"
    return escape(plain(markdown))


def escape(text: str) -> str:
    """Text that LaTeX prints as it is written; signs that its fonts lack as commands."""
    return re.sub(r"[\\~^&%$#_{}<>\u2020\u2021\u25b2\u25bc]", lambda found: SPECIAL[found[0]], text)


def _standing(results: RunResults, name: str, cohort: CohortResults) -> list[str]:
    """The endpoints, with intervals and rank sets."""
    rankings = rankings_of(results, name)
    if not rankings:
        return []
    ranking = rankings[0]
    lead, columns = standing_lead(cohort, ranking), standing_columns(cohort, rankings)
    caption = f"{plain(cohort_title(name))}: {plain(choice_text(ranking))}. {plain(GLANCE)} {cohort.caution}".strip()
    body = cells(cohort.ordered, lead, columns)
    return [_tabular(headings(lead, columns), body, len(lead), results.titled(caption), f"{name}-standing")]


def _pairs(results: RunResults, name: str) -> list[str]:
    """Pairs under each endpoint."""
    made = []
    for place, ranking in enumerate(rankings_of(results, name)):
        if ranking.ranks:
            headers, body = matrix_cells(ranking, ranking.question)
            caption = f"{plain(cohort_title(name))}: {plain(choice_text(ranking))}. {plain(PAIRS)}"
            label = f"{name}-pairs" + (f"-{ranking.first['protocol']}" if place else "")
            made.append(_tabular(headers, body, 1, results.titled(caption), label))
    return made


def _alarms(results: RunResults) -> list[str]:
    """What is raised in healthy scans, a table a number."""
    return [
        _tabular(
            headers, body, 1, results.titled(f"False alarms in healthy scans: {title}. {told}"), f"alarms-{metric}"
        )
        for metric, title, told, headers, body in alarm_cells(results)
    ]


def _plugin_metrics(results: RunResults) -> list[str]:
    """Metrics of plugins, a table a cohort and choice."""
    return [
        _tabular(
            *one.cells,
            1,
            results.titled(f"{plain(cohort_title(one.name))}, metrics of plugins. {plain(one.caption)}"),
            f"plugins-{one.name}-{one.cases}-{one.pipeline}",
        )
        for one in plugin_tables(results)
    ]


def _table(results: RunResults, name: str, cohort: CohortResults, first: Headline) -> str:
    lead, columns = short_lead(cohort), short_columns(cohort, first)
    body = cells(cohort.ordered, lead, columns)
    return _tabular(
        headings(lead, columns),
        body,
        len(lead),
        _caption(results, name, cohort, first),
        f"{name}-{first.pipeline}-{first.protocol}",
    )


def _tabular(headers: Sequence[str], body: Sequence[Sequence[str]], texts: int, caption: str, label: str) -> str:
    """A `table` environment of cells as Markdown; `texts` columns of text first."""
    rows = [[latex(cell) for cell in line] for line in body]
    titles = [latex(heading) for heading in headers]
    tabular = tabulate(
        rows, titles, tablefmt="latex_raw", disable_numparse=True, colalign=alignment(len(titles), texts)
    )
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        tabular = tabular.replace(r"\hline", rule, 1)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{3.5pt}",
            f"\\caption{{{escape(caption)}}}",
            f"\\label{{tab:{re.sub('[^a-z0-9]+', '-', label.lower())}}}",
            tabular,
            r"\end{table}",
        ]
    )


def _caption(results: RunResults, name: str, cohort: CohortResults, first: Headline) -> str:
    threshold = f"threshold {first.protocol}" if first.protocol else "no threshold"
    said = f"{plain(cohort_title(name))}: post-processing {first.pipeline}, {threshold}. Means over patients."
    return " ".join(filter(None, (results.titled(said), cohort.caution)))
