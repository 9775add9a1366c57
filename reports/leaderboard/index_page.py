"""First page of a leaderboard: a table for each cohort, all cohorts side by side, upper bounds, entries."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmark.postprocessing.pipelines import idle_text
from benchmark.statistics.panel import FEWEST_SEEDS, TRAINED_MODEL, TRAINING_PROCEDURE
from benchmark.study.cells import PERFECT_MAP
from benchmark.study.protocols import protocol_named
from benchmark.verification.leaderboard.entry import Entry
from datasets.grid import Grid
from datasets.io.atomic import read_json
from reports.leaderboard.results import LeaderboardResults
from reports.markup.markdown import MISSING, escape, folded, github_table
from reports.model.run_results import cohort_title
from reports.sections.cohort_tables import dice_table

BADGES = {
    "single seed": f"trained once: below {FEWEST_SEEDS} training seeds a recipe has no rank",
    "partial": "cases, seeds or cohorts are missing; nothing is averaged over what is not there",
    "leaked": "somebody is in two splits",
    "labels used": "its maps have seen lesion labels: shown, ranked with no other",
    "maps not remade": "no map of it was made again from the weights when it was verified",
    "self-reported": "its numbers are what its authors say: the board does not hold the cohort",
}
SELF_REPORTED = (
    "The board does not hold the cohorts of these entries: their numbers are what their authors say. They are compared "
    "with one another alone."
)
LEGEND = (
    "Means over patients and training seeds with 95 % intervals. **Ranks (recipe)** are the ranks that the data leave "
    "open to a method trained anew, patients and training seeds both drawn again; **ranks (weights)** those of the "
    "very weights that were run. All pairs of a cohort are tested together; sets that overlap are not separated. A "
    "simple baseline is what any method has to beat; the perfect map is the ground truth sent through the same "
    "post-processing. Alarms: the share of healthy people with any alarm (of how many), in the cohort that was fitted "
    "on and in others. Seconds and hardware are as the entries report them."
)


def index_page(groups: Sequence[LeaderboardResults], pages: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """Title and body.

    Args:
        groups: verified entries, then self-reported ones, as far as there are any.
        pages: of each group, by method, where its page lies.
    """
    title, body = _page(groups[0], pages[0])
    below = [part for group, linked in zip(groups[1:], pages[1:], strict=True) for part in _reported(group, linked)]
    opening = [] if groups[0].is_verified else [SELF_REPORTED]
    return title, "\n\n".join([*opening, body, *below])


def _reported(leaderboard: LeaderboardResults, pages: Mapping[str, str]) -> Iterator[str]:
    """The cohorts of entries that the board could not verify."""
    yield "# Self-reported"
    yield SELF_REPORTED
    for dataset in leaderboard.cohorts:
        yield f"## {cohort_title(dataset)}: self-reported"
        yield from _cohort(leaderboard, dataset, pages)
    yield from _entries(leaderboard)


def _page(leaderboard: LeaderboardResults, pages: Mapping[str, str]) -> tuple[str, str]:
    endpoint = leaderboard.endpoint
    title = f"Leaderboard, release {endpoint.release}"
    parts = [folded("What decides, and on which data", "\n".join(_facts(leaderboard))), LEGEND]
    for dataset in leaderboard.cohorts:
        parts += [f"## {cohort_title(dataset)}", *_cohort(leaderboard, dataset, pages)]
    parts += [*_side_by_side(leaderboard, pages), *_upper_bounds(leaderboard), *_badges(), *_entries(leaderboard)]
    return title, "\n\n".join(part for part in parts if part)


def _facts(leaderboard: LeaderboardResults) -> Iterator[str]:
    endpoint, grid = leaderboard.endpoint, leaderboard.release.settings["grid"]
    yield (
        f"- Ordered by {escape(endpoint.metric)}, post-processing `{leaderboard.fixed.postprocessing}`, threshold "
        f"{', then '.join(f'`{one}`' for one in endpoint.protocols)}, unshifted, split `{endpoint.split}`; fixed with "
        "the release. Better is claimed where all of them say so."
    )
    yield f"- Grid: {Grid(**grid).text}."
    if idle := idle_text(leaderboard.fixed.pipelines, grid["spacing"]):
        yield f"- {escape(idle)}"
    for name, digest in leaderboard.release.cohorts.items():
        yield f"- Data: {escape(name)}, `{digest[:12]}`"
    yield f"- {len(leaderboard.entries)} entries, {len(leaderboard.methods)} methods."


def _cohort(leaderboard: LeaderboardResults, dataset: str, pages: Mapping[str, str]) -> Iterator[str]:
    cohort = leaderboard.results.lesion[dataset]
    if cohort.caution:
        yield f"> {cohort.caution}"
    weights, recipe = (leaderboard.primary(dataset, question) for question in (TRAINED_MODEL, TRAINING_PROCEDURE))
    second = leaderboard.primary(dataset, TRAINED_MODEL, 2)
    protocol = next((str(line["protocol"]) for line in weights.values()), leaderboard.endpoint.protocol)
    if weights and not second and len(leaderboard.endpoint.protocols) > 1:
        yield f"This cohort has one endpoint alone, at `{protocol}`."
    body = [
        [
            _linked(leaderboard, method, pages),
            ranks_text(recipe.get(method)) if line["seeds"] >= FEWEST_SEEDS else MISSING,
            ranks_text(line),
            with_interval(line),
            *([_second(second.get(method))] if second else []),
            _area(leaderboard, dataset, method),
            *_alarms(leaderboard, method),
            _seconds(leaderboard, dataset, method),
            f"{int(line['n'])} x {int(line['seeds'])}",
            _as_badges(leaderboard.badges(method, dataset)),
        ]
        for method, line in ((name, weights[name]) for name in map(str, cohort.ordered) if name in weights)
    ]
    body += [
        [
            _linked(leaderboard, method, pages),
            MISSING,
            MISSING,
            "missing",
            *[MISSING] * (6 if second else 5),
            "`partial`",
        ]
        for method in leaderboard.methods
        if method not in weights
    ]
    endpoint = leaderboard.endpoint
    perfect = cohort.numbers(endpoint.metric, endpoint.postprocessing, endpoint.protocol)[PERFECT_MAP]
    if perfect.defined:
        body.append(["*perfect map*", "", "", f"{perfect.value:.3f}", *[""] * (7 if second else 6)])
    headings = [
        "Method", "Ranks: recipe", "weights", f"{endpoint.metric.title()} [95 %], {protocol}",
        *(f"{one}: mean [95 %], ranks (weights)" for one in endpoint.protocols[1:] if second), "AUPRC",
        "Alarms: in-domain", "elsewhere", "s/volume", "n x seeds", "Badges",
    ]  # fmt: skip
    yield github_table(headings, body, 1)


def _linked(leaderboard: LeaderboardResults, method: str, pages: Mapping[str, str]) -> str:
    mark = " (simple baseline)" if method in leaderboard.results.whole.simple_baselines else ""
    return f"[{escape(method)}]({pages[method]}){mark}"


def ranks_text(line: "pd.Series | None") -> str:
    if line is None or pd.isna(line["rank_low"]):
        return MISSING
    low, high = int(line["rank_low"]), int(line["rank_high"])
    return str(low) if low == high else f"{low}-{high}"


def with_interval(line: pd.Series) -> str:
    interval = "" if pd.isna(line["low"]) else f" [{line['low']:.3f}, {line['high']:.3f}]"
    return f"{line['mean']:.3f}{interval}"


def _second(line: "pd.Series | None") -> str:
    """Mean, interval and ranks under the endpoint that the table is not ordered by."""
    return MISSING if line is None else f"{with_interval(line)}, {ranks_text(line)}"


def _area(leaderboard: LeaderboardResults, dataset: str, method: str) -> str:
    pipeline = leaderboard.endpoint.postprocessing
    number = leaderboard.results.lesion[dataset].numbers("auprc", pipeline)[method]
    return f"{number.value:.3f}" if number.defined else MISSING


def _alarms(leaderboard: LeaderboardResults, method: str) -> list[str]:
    """Share of healthy people with any alarm, in the cohort that was fitted on and in the others."""
    own = leaderboard.alarms[(leaderboard.alarms["method"] == method) & (leaderboard.alarms["metric"] == "alarm")]
    return [_shares(own[own["domain"] == domain]) for domain in ("in-domain", "out-of-domain")]


def _shares(lines: pd.DataFrame) -> str:
    shown = [f"{line['mean']:.2f} ({int(line['n'])})" for _, line in lines.iterrows() if not pd.isna(line["mean"])]
    return ", ".join(shown) or MISSING


def _seconds(leaderboard: LeaderboardResults, dataset: str, method: str) -> str:
    own = leaderboard.efficiency
    found = own[(own["dataset"] == dataset) & (own["method"] == method)]["seconds"].dropna()
    return f"{found.iloc[0]:.2f}" if len(found) else MISSING


def _as_badges(names: Sequence[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _side_by_side(leaderboard: LeaderboardResults, pages: Mapping[str, str]) -> Iterator[str]:
    """No mean over cohorts: a method that lacks one would be compared on other patients."""
    if len(leaderboard.cohorts) < 2:
        return
    yield "## All cohorts"
    yield "Each cohort's own number; nothing is averaged over cohorts, and what was not run is missing."
    columns = [leaderboard.primary(dataset, TRAINED_MODEL) for dataset in leaderboard.cohorts]
    body = [
        [
            _linked(leaderboard, method, pages),
            *(with_interval(column[method]) if method in column else "missing" for column in columns),
            _as_badges(leaderboard.badges(method)),
        ]
        for method in leaderboard.methods
    ]
    yield github_table(["Method", *map(escape, leaderboard.cohorts), "Badges"], body, 1)


def _upper_bounds(leaderboard: LeaderboardResults) -> Iterator[str]:
    seen = [name for name in leaderboard.results.scoring.protocols if protocol_named(name).sees_test_labels]
    if not seen:
        return
    yield "## Upper bounds"
    yield "`oracle` These thresholds have seen the test labels: shown apart, ranked nowhere."
    for dataset, cohort in leaderboard.results.lesion.items():
        yield f"### {cohort_title(dataset)}: upper bounds"
        yield dice_table(cohort, [leaderboard.endpoint.postprocessing], seen, marked=False)


def _badges() -> Iterator[str]:
    yield "## Badges"
    yield "\n".join(f"- `{name}`: {what}." for name, what in BADGES.items())


def _entries(leaderboard: LeaderboardResults) -> Iterator[str]:
    yield "## Entries"
    body = [
        [
            escape(entry.name),
            str(len(entry.cells)),
            escape(", ".join(dict.fromkeys(cell.fit.method for cell in entry.cells))),
            _verified(entry),
            escape(_computed_on(entry.folder)),
        ]
        for entry in leaderboard.entries
    ]
    yield github_table(["Entry", "Cells", "Methods", "Verified", "Computed on (self-reported)"], body, 5)


def _verified(entry: Entry) -> str:
    found = entry.attestation
    if found.status != "verified":
        return "nothing"
    return f"rows, and maps of {len(found.remade)} cells (seed {found.seed})" if found.remade else "rows"


def _computed_on(folder: Path) -> str:
    path = folder / "environment.json"
    found = read_json(path) if path.is_file() else {}
    return ", ".join(str(found[name]) for name in ("gpu", "processor") if name in found) or MISSING
