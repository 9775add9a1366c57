"""Section of the first screen: what each cohort's endpoints allow to say, with a forest plot."""

from collections.abc import Iterator, Sequence
from math import isnan

from benchmark.metrics import METRICS
from benchmark.study.cells import PERFECT_MAP
from datasets.cohorts.catalog import dataset
from reports.content.blocks import Beside, Block, Paragraph, Picture
from reports.content.text import Text, joined, prose
from reports.figures.charts import FOREST_LINES, Spec, forest_chart, part_text, remove_others, write_chart
from reports.model.cohort_results import CohortResults
from reports.model.ranking import Ranking, choice_text, rankings_of
from reports.model.run_results import RunResults
from reports.model.verdict import verdict_text
from reports.sections.gallery import example_picture


def verdict(results: RunResults) -> list[Block]:
    """A sentence a cohort and what they rest on; a forest plot of each that can be ranked, beside three cases."""
    if not results.lesion:
        return []
    names = in_rank_order(results)
    parts: list[Block] = [Paragraph(cohort_sentence(results, name)) for name in names]
    parts.append(Paragraph(reliability(results)))
    drawn = set()
    for name in names:
        cohort, rankings = results.lesion[name], rankings_of(results, name)
        pictures = [*_forest(results, name, cohort, rankings), *_examples(results, name, cohort)]
        drawn |= {picture.path for picture in pictures}
        parts += [Beside(pictures)] if pictures else []
    for pattern in ("standing-*.svg", "examples-*.png"):
        remove_others(results.run.root / "figures", pattern, drawn)
    return parts


def _forest(results: RunResults, name: str, cohort: CohortResults, rankings: Sequence[Ranking]) -> Iterator[Picture]:
    """The forest plot of a cohort that can be ranked."""
    if not rankings or not rankings[0].ranks:
        return
    first = rankings[0]
    path = results.run.root / "figures" / f"standing-{name}.svg"
    lines = forest_lines(cohort, first)
    write_chart(forest_chart(lines[:FOREST_LINES], _axis(first), _limit(cohort, first)), path)
    part = part_text(FOREST_LINES, len(lines), "; the table has all")
    alt = f"Mean {METRICS[first.first['metric']].title} of each method with its interval and rank set, {name}"
    yield Picture(path, alt, prose("{}; ranks of *{}*.{}", choice_text(first), first.question, part))


def _examples(results: RunResults, name: str, cohort: CohortResults) -> Iterator[Picture]:
    """Three cases with the decisions of the two leading methods."""
    leaders = [str(method) for method in cohort.ordered if method in cohort.seeds and method not in cohort.aside]
    picture = example_picture(results, name, leaders)
    if picture is not None:
        yield picture


def in_rank_order(results: RunResults) -> list[str]:
    """Lesion cohorts, those with patients enough to rank by first."""
    return sorted(results.lesion, key=lambda name: not results.lesion[name].rankable)


def cohort_sentence(results: RunResults, name: str) -> Text:
    """What is said of a cohort: the verdict, or why there is none."""
    cohort, rankings = results.lesion[name], rankings_of(results, name)
    said = verdict_text(cohort, rankings) if rankings else ""
    return results.titled(prose("**{}** (`{}`). {}", dataset(name).title, name, joined([said, cohort.caution])))


def forest_lines(cohort: CohortResults, ranking: Ranking) -> list[Spec]:
    """What `forest_chart` draws: every method with a number, in the order of all tables."""
    lines = []
    for method in map(str, cohort.ordered):
        if method not in ranking.methods or isnan(ranking.line(method)["mean"]):
            continue
        low, high, _ = ranking.interval(method)
        lines.append(
            {
                "method": method,
                "mean": round(float(ranking.line(method)["mean"]), 4),
                "low": None if isnan(low) else round(low, 4),
                "high": None if isnan(low) else round(high, 4),
                "rank": ranking.rank_text(method),
                "baseline": method in cohort.simple_baselines,
                "ranked": method in ranking.ranks,
            }
        )
    return lines


def _axis(ranking: Ranking) -> str:
    return f"{METRICS[ranking.first['metric']].title}, {100 * ranking.first['level']:.0f} % interval"


def _limit(cohort: CohortResults, ranking: Ranking) -> float | None:
    """Where the truth itself comes out after the same pipeline."""
    number = cohort.numbers(ranking.first["metric"], ranking.first["postprocessing"])[PERFECT_MAP]
    return number.value if number.defined else None


def reliability(results: RunResults) -> Text:
    """Patients, seeds, and what is flagged in healthy scans, in a line."""
    patients = ", ".join(f"{name} {cohort.patients}" for name, cohort in results.lesion.items())
    counts = sorted(set(results.whole.seeds.values()))
    seeds = " or ".join(map(str, counts))
    parts = [prose("Patients: {}. Training seeds: {}.", patients, seeds)]
    for name, cohort in results.scanned.items():
        choice = results.summary.healthy_choice(name)
        if choice is None:
            continue
        numbers = cohort.numbers("alarm_fraction", *choice)
        shares = [numbers[method].value for method in cohort.seeds if numbers[method].defined]
        if shares:
            ends = f"{min(shares):.2%}" if len(shares) == 1 else f"{min(shares):.2%} to {max(shares):.2%}"
            parts.append(prose("Healthy brain flagged on {} at `{}`: {}.", name, choice[1], ends))
    return prose("*Reliability.* {}", joined(parts))
