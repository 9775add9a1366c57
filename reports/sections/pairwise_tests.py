"""The report's section of pairs: better, equivalent or not separable, at the choice that each cohort decides by."""

from math import isnan

from benchmark.metrics import METRICS
from reports.figures.forest import draw_forest
from reports.markup.markdown import escape, folded, github_table
from reports.model.answers import choice_told
from reports.model.ranking import RECIPE, WEIGHTS, Decided, decided
from reports.model.run_results import Findings, cohort_title
from reports.sections.signs import SIGNS

LEGEND = (
    f"Mean paired difference, line less column: {SIGNS['better']} the line is better, {SIGNS['worse']} it is worse, "
    f"{SIGNS['equivalent']} equivalent (surely within the margin), {SIGNS['not separable']} not separable, "
    f"`{SIGNS['not testable']}` not testable. Tests are paired by patient and corrected for all pairs of the cohort; "
    "every number of them is in `summaries/comparisons.csv`."
)


def separation(findings: Findings) -> str:
    """Markdown; "" where no cohort has a pair that can be tested. Draws each such cohort's intervals."""
    figures = findings.run.root / "figures"
    parts, drawn = [], set()
    for name, board in findings.lesion.items():
        found = decided(findings, name)
        if found is None or not found.ranks:
            continue
        path = figures / f"standing-{name}.svg"
        draw_forest(found, board, path)
        drawn.add(path)
        parts += _cohort(findings, name, found, path.name)
    for stale in {*figures.glob("standing-*.svg")} - drawn:
        stale.unlink()
    return "\n\n".join([findings.heading("Better, equivalent or not separable"), LEGEND, *parts]) if parts else ""


def _cohort(findings: Findings, name: str, found: Decided, figure: str) -> list[str]:
    margin = found.pairs["margin"].dropna()
    told = (
        f"Margin of equivalence: {margin.iloc[0]:g}."
        if not margin.empty
        else "No margin was fixed, so nothing is called equivalent."
    )
    title = METRICS[found.first["metric"]].title
    parts = [
        findings.heading(cohort_title(name), 3),
        f"{choice_told(found)}. {told}",
        f"![Mean {title} of each method with its interval, {escape(name)}](figures/{figure})",
        matrix(found, found.question),
    ]
    if found.question == RECIPE:
        parts.append(
            folded(f"The same of {WEIGHTS}: patients drawn anew, the fits as they are", matrix(found, WEIGHTS))
        )
    return parts


def matrix(found: Decided, question: str) -> str:
    headers, body = matrix_cells(found, question)
    return github_table(headers, body, 1)


def matrix_cells(found: Decided, question: str) -> tuple[list[str], list[list[str]]]:
    """Headings and cells, a line and a column a method, in the order of the rank sets."""
    pairs = found.pairs[found.pairs["question"] == question]
    known = {*pairs["a"], *pairs["b"]}
    methods = list(dict.fromkeys(method for method in [*found.ranks, *found.methods] if method in known))
    body = [[escape(a), *(_cell(found, a, b, question) for b in methods)] for a in methods]
    return ["Line less column", *map(escape, methods)], body


def _cell(found: Decided, a: str, b: str, question: str) -> str:
    if a == b:
        return ""
    state, effect = found.state(a, b, question), found.effect(a, b, question)
    if state == "not testable" or isnan(effect):
        return SIGNS["not testable"]
    return f"{SIGNS[state]} {effect:+.3f}"
