"""Page of one method: its data card and configuration, every number, every comparison."""

from collections.abc import Iterator

import pandas as pd

from benchmark.statistics.primary_endpoint import EXPLORATORY
from reports.leaderboard.index_page import BADGES, ranks_text, with_interval
from reports.leaderboard.results import LeaderboardResults
from reports.markup.markdown import MISSING, escape, folded, github_table
from reports.model.run_results import cohort_title


def method_page(leaderboard: LeaderboardResults, method: str) -> tuple[str, str]:
    """Title and body."""
    parts = [
        folded("Its data card", "\n".join(_card(leaderboard, method))),
        *_badges(leaderboard, method),
        *_numbers(leaderboard, method),
        *_compared(leaderboard, method),
    ]
    parts += _configuration(leaderboard, method)
    return method, "\n\n".join(parts)


def _card(leaderboard: LeaderboardResults, method: str) -> Iterator[str]:
    kept = leaderboard.results.cards.get(method)
    if kept is None:
        yield "- No data card is kept."
        return
    if kept.card is not None:
        yield f"- Its map has seen: {escape(kept.card.supervision)}"
        yield f"- Trained on: {escape(kept.card.trained_on)}"
        yield f"- Tuned on: {escape(kept.card.tuned_on)}"
        yield from (f"- Reference: {escape(one)}" for one in kept.card.references)
        yield from (f"- Departure: {escape(one)}" for one in kept.card.departures)
    yield f"- Fitted on {escape(kept.healthy)}, {escape(kept.sequence)}: {kept.train} cases, {kept.val} to validate on"
    yield f"- Parameters: {kept.parameters:,}; steps: {MISSING if kept.steps is None else f'{kept.steps:,}'}"


def _badges(leaderboard: LeaderboardResults, method: str) -> Iterator[str]:
    lines = [f"- `{name}`: {BADGES.get(name, BADGES['single seed'])}." for name in leaderboard.badges(method)]
    if lines:
        yield "\n".join(lines)


def _numbers(leaderboard: LeaderboardResults, method: str) -> Iterator[str]:
    """Every choice that the pool was summed up under; the endpoints are named."""
    lines = leaderboard.lines[leaderboard.lines["method"] == method]
    for dataset in leaderboard.cohorts:
        yield f"## {cohort_title(dataset)}"
        own = lines[(lines["dataset"] == dataset) & lines["mean"].notna()]
        body = [
            [
                line["endpoint"], line["question"],
                " / ".join(part for part in (line["metric"], line["postprocessing"], line["protocol"]) if part),
                with_interval(line), ranks_text(line), str(int(line["n"])), str(int(line["seeds"])),
            ]
            for _, line in own.iterrows()
        ]  # fmt: skip
        headings = ["Endpoint", "Question", "Number", "Mean [95 %]", "Ranks", "Patients", "Seeds"]
        yield github_table(headings, body, 3) or "Missing: not run on this cohort."


def _compared(leaderboard: LeaderboardResults, method: str) -> Iterator[str]:
    """The endpoints against every other method, as this method minus the other."""
    found = leaderboard.comparisons
    found = found[(found["endpoint"] != EXPLORATORY) & ((found["a"] == method) | (found["b"] == method))]
    if found.empty:
        return
    yield "## Compared with the others"
    yield (
        "Mean paired difference under each endpoint, this method minus the other, corrected for all pairs of the "
        "cohort; better needs all endpoints. *These weights*: patients alone are drawn again. *This recipe*: training "
        "seeds, too."
    )
    body = [_comparison(line, method) for _, line in found.iterrows()]
    yield github_table(
        ["Cohort", "Endpoint", "Other", "Question", "State", "Difference [95 %]", "p, corrected"], body, 5
    )


def _comparison(line: pd.Series, method: str) -> list[str]:
    flipped = line["a"] != method
    mean, low, high = (pd.to_numeric(line[name], errors="coerce") for name in ("difference", "low", "high"))
    mean, low, high = (-mean, -high, -low) if flipped else (mean, low, high)
    state = line["state"] if line["better"] in ("", method) else line["state"].replace("better", "worse")
    interval = "" if pd.isna(low) else f" [{low:+.3f}, {high:+.3f}]"
    p = pd.to_numeric(line["p_adjusted"], errors="coerce")
    return [
        escape(line["dataset"]),
        escape(line["protocol"]),
        escape(line["a"] if flipped else line["b"]),
        line["question"],
        state,
        f"{mean:+.3f}{interval}" if not pd.isna(mean) else MISSING,
        MISSING if pd.isna(p) else f"{p:.4f}",
    ]


def _configuration(leaderboard: LeaderboardResults, method: str) -> Iterator[str]:
    cells = [cell for cell in leaderboard.results.cells if cell.fit.method == method]
    fit = cells[0].fit
    yield "## Configuration"
    yield (
        github_table(
            ["Field", "Value"], [[escape(name), escape(str(value))] for name, value in sorted(fit.config.items())], 2
        )
        or "It has no hyper-parameters."
    )
    origin = escape(fit.origin) if fit.origin else "built in"
    keys = ", ".join(f"`{cell.key}`" for cell in cells)
    yield f"Implementation: {origin}. Precision of inference: {', '.join(sorted({one.precision for one in cells}))}."
    yield f"Keys of its cells: {keys}."
