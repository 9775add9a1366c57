"""Section of pairwise tests: better, equivalent or not separable under the choice that ranks; forest plots."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.metrics import METRICS
from benchmark.statistics.panel import TRAINED_MODEL, TRAINING_PROCEDURE
from benchmark.study.cells import PERFECT_MAP
from reports.figures.style import COLOURS, figure_at, remove_others, tidy
from reports.markup.markdown import escape, folded, github_table
from reports.model.cohort_results import CohortResults
from reports.model.ranking import Ranking, choice_text, rankings_of
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import SIGNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LEGEND = (
    f"Mean paired difference, line less column: {SIGNS['better']} the line is better, {SIGNS['worse']} it is worse, "
    f"{SIGNS['equivalent']} equivalent (surely within the margin), {SIGNS['not separable']} not separable, "
    f"`{SIGNS['not testable']}` not testable. Where a cohort has two endpoints, both have to say so; "
    f"{SIGNS['better here']}, {SIGNS['worse here']} and {SIGNS['equivalent here']} hold under this one only, corrected "
    "for the pairs of both. Tests are paired by patient and corrected for all pairs of the cohort; "
    "every number of them is in `comparisons.csv`."
)


def pairwise_tests(results: RunResults) -> str:
    """Markdown; "" where no cohort has a pair that can be tested. Draws each such cohort's intervals."""
    figures = results.run.root / "figures"
    parts, drawn = [], set()
    for name, cohort in results.lesion.items():
        rankings = rankings_of(results, name)
        if not rankings or not rankings[0].ranks:
            continue
        ranking = rankings[0]
        path = figures / f"standing-{name}.svg"
        draw_forest(ranking, cohort, path)
        drawn.add(path)
        parts += _cohort(results, name, rankings, path.name)
    remove_others(figures, "standing-*.svg", drawn)
    return "\n\n".join([results.heading("Better, equivalent or not separable"), LEGEND, *parts]) if parts else ""


def _cohort(results: RunResults, name: str, rankings: Sequence[Ranking], figure: str) -> list[str]:
    ranking, *others = rankings
    margin = ranking.pairs["margin"].dropna()
    told = (
        f"Margin of equivalence: {margin.iloc[0]:g}."
        if not margin.empty
        else "No margin was fixed, so nothing is called equivalent."
    )
    title = METRICS[ranking.first["metric"]].title
    parts = [
        results.heading(cohort_title(name), 3),
        f"{choice_text(ranking)}. {told}",
        f"![Mean {title} of each method with its interval, {escape(name)}](figures/{figure})",
        matrix(ranking, ranking.question),
        *(sentence for one in rankings for sentence in _only_here(one)),
    ]
    if ranking.question == TRAINING_PROCEDURE:
        parts.append(
            folded(
                f"The same of {TRAINED_MODEL}: patients drawn anew, the fits as they are",
                matrix(ranking, TRAINED_MODEL),
            )
        )
    parts += [folded(f"The same under {one.under}", matrix(one, one.question)) for one in others]
    return parts


def _only_here(ranking: Ranking) -> list[str]:
    """The pairs that are told apart under this endpoint alone."""
    told = [f"{escape(better)} better than {escape(other)}" for better, other in ranking.better_here()]
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return [f"Under {ranking.under} only: {', '.join(told[:MOST_NAMED])}{more}."] if told else []


def matrix(ranking: Ranking, question: str) -> str:
    headers, body = matrix_cells(ranking, question)
    return github_table(headers, body, 1)


def matrix_cells(ranking: Ranking, question: str) -> tuple[list[str], list[list[str]]]:
    """Headings and cells, a line and a column a method, in the order of the rank sets."""
    pairs = ranking.pairs[ranking.pairs["question"] == question]
    known = {*pairs["a"], *pairs["b"]}
    methods = list(dict.fromkeys(method for method in [*ranking.ranks, *ranking.methods] if method in known))
    body = [[escape(a), *(_cell(ranking, a, b, question) for b in methods)] for a in methods]
    return ["Line less column", *map(escape, methods)], body


def _cell(ranking: Ranking, a: str, b: str, question: str) -> str:
    if a == b:
        return ""
    state, effect = ranking.state(a, b, question), ranking.effect(a, b, question)
    if state == "not testable" or isnan(effect):
        return SIGNS["not testable"]
    return f"{SIGNS[state]} {effect:+.3f}"


MOST_NAMED = 12  # pairs
WIDTH, LINE, REST = 6.4, 0.3, 0.9  # inches: the figure, a method, axis and legend
SHAPES = {TRAINED_MODEL: ("s", COLOURS[5], 0.14), TRAINING_PROCEDURE: ("o", COLOURS[0], -0.14)}


def draw_forest(ranking: Ranking, cohort: CohortResults, path: Path) -> None:
    """Write an SVG: circles are of the recipe, squares of the weights; hollow ones have no interval."""
    methods = [*ranking.ranks, *(method for method in ranking.methods if method not in ranking.ranks)]
    with figure_at(path, WIDTH, LINE * len(methods) + REST) as figure:
        axes = figure.subplots()
        for place, method in enumerate(methods):
            for question, (marker, colour, aside) in SHAPES.items():
                _draw(axes, ranking.line(method, question), place + aside, marker, colour)
        labels = [f"{_plain(cohort, method)}, {ranking.rank_text(method)}" for method in methods]
        axes.set_yticks(range(len(methods)), labels, parse_math=False)
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.set_xlabel(f"{METRICS[ranking.first['metric']].title}, {100 * ranking.first['level']:.0f} % interval")
        axes.set_title("method, rank set", loc="left", fontsize=8, color="0.35", x=-0.02, ha="right")
        _perfect(axes, cohort, ranking)
        tidy(axes)
        for question, (marker, colour, _) in SHAPES.items():
            axes.plot([], [], marker, color=colour, label=question)
        axes.legend(loc="best", frameon=False, fontsize=7)


def _draw(axes: "Axes", line: "object", place: float, marker: str, colour: str) -> None:
    mean, low, high = (float(line[name]) for name in ("mean", "low", "high"))  # type: ignore[index]
    if isnan(mean):
        return
    with_interval = not isnan(low)
    if with_interval:
        axes.hlines(place, low, high, color=colour, linewidth=2)
    axes.plot([mean], [place], marker, color=colour, markersize=5, markerfacecolor=colour if with_interval else "none")


def _perfect(axes: "Axes", cohort: CohortResults, ranking: Ranking) -> None:
    """Where the truth itself comes out after the same pipeline."""
    number = cohort.numbers(ranking.first["metric"], ranking.first["postprocessing"])[PERFECT_MAP]
    if number.defined:
        axes.axvline(number.value, color="black", linestyle=":", linewidth=1, label="perfect map")


def _plain(cohort: CohortResults, method: str) -> str:
    return f"{method} (simple baseline)" if method in cohort.simple_baselines else method
