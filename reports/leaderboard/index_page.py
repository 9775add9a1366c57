"""First page of a leaderboard: a table for each cohort, all cohorts side by side, upper bounds, entries."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan, nan
from pathlib import Path

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import idle_text
from benchmark.statistics.panel import FEWEST_SEEDS, TRAINED_MODEL, TRAINING_PROCEDURE
from benchmark.study.cells import PERFECT_MAP
from benchmark.study.protocols import protocol_named
from benchmark.verification.leaderboard.entry import Entry
from datasets.grid import Grid
from datasets.io.atomic import read_json
from datasets.words import count_text
from reports.content.blocks import Block, Bullets, Folded, Heading, Listing, Notice, Panels, Paragraph, Picture
from reports.content.table import NOT_TESTABLE, Cell, Column, Table, said, text_columns
from reports.content.text import Text, as_text, code, joined, link, prose
from reports.figures.charts import scatter_chart, write_chart
from reports.leaderboard.results import LeaderboardResults
from reports.model.run_results import cohort_title
from reports.sections.cohort_tables import dice_table

BADGES = {
    "single seed": f"trained once: below {FEWEST_SEEDS} training seeds a training procedure has no rank",
    "partial": "cases, seeds or cohorts are missing; nothing is averaged over what is not there",
    "leaked": "somebody is in two splits",
    "labels used": "its maps have seen lesion labels: shown, ranked with no other",
    "transductive": "its map of a scan depends on the scans mapped together with it: shown, ranked with no other",
    "maps not remade": "no map of it was made again from the weights when it was verified",
    "attested": "a site that holds the cohort has verified its numbers and signed them; the board has not",
    "self-reported": "its numbers are what its authors say: the board does not hold the cohort",
}
BELOW = {
    "attested": "The board does not hold the cohorts of these entries. The sites that do have made their rows again "
    "from the maps, and maps from the weights, and have signed that; the board trusts their keys.",
    "self-reported": "The board does not hold the cohorts of these entries: their numbers are what their authors say. "
    "They are compared with one another alone.",
}
MOST_LABELLED = 15  # methods named in a scatter plot
LEGEND = prose(
    "Means over patients and training seeds with 95 % intervals. **Ranks (training procedure)** are the ranks that "
    "the data leave open to a method trained anew, patients and training seeds both drawn again; **ranks (trained "
    "model)** those of the very models that were run. All pairs of a cohort are tested together; sets that overlap "
    "are not separated. A simple baseline is what any method has to beat; the perfect map is the ground truth sent "
    "through the same post-processing. Healthy people flagged: the share with any false positive (of how many), in "
    "the cohort that was fitted on; under *Further numbers*, elsewhere. Seconds and hardware are as the entries report "
    "them."
)


def index_page(groups: Sequence[LeaderboardResults], pages: Sequence[Mapping[str, str]]) -> tuple[str, list[Block]]:
    """Title and body.

    Args:
        groups: verified entries, then attested and self-reported ones, as far as there are any.
        pages: of each group, by method, where its page lies.
    """
    title, body = _page(groups[0], pages[0])
    below = [part for group, linked in zip(groups[1:], pages[1:], strict=True) for part in _reported(group, linked)]
    opening: list[Block] = [] if groups[0].is_verified else [Paragraph(BELOW[groups[0].status])]
    opening += _across(groups[0])
    return title, [*opening, *body, *below]


def _reported(leaderboard: LeaderboardResults, pages: Mapping[str, str]) -> Iterator[Block]:
    """The cohorts of entries that the board could not verify."""
    status = leaderboard.status
    yield Heading(status.capitalize())
    yield Paragraph(BELOW[status])
    for dataset in leaderboard.cohorts:
        yield Heading(joined([cohort_title(dataset), status], ": "), 3)
        yield from _cohort(leaderboard, dataset, pages)
    yield from _across(leaderboard)
    yield from _entries(leaderboard)


def _across(leaderboard: LeaderboardResults) -> Iterator[Block]:
    """Meta-analyses that reach the cohorts of sites."""
    if not leaderboard.across:
        return
    metric = METRICS[leaderboard.endpoint.metric]
    rows = [
        [
            said(one.a), said(one.b), Cell(one.mean, one.low, one.high), Cell(one.p), Cell(one.tau),
            said("" if isnan(one.i2) else f"{one.i2:.0%}"), said(", ".join(one.cohorts)),
            said("; ".join(f"{name} ({why})" for name, why in one.left_out.items())),
        ]
        for one in leaderboard.across
    ]  # fmt: skip
    columns = [
        *text_columns("Method", "Other"), Column(f"{metric.title}, difference", metric.unit, signed=True),
        Column("p", digits=4), Column("Between cohorts, s.d."), *text_columns("I2", "Cohorts", "Left out"),
    ]  # fmt: skip
    told = (
        "Each pair of trained models over the cohorts of the board and of the sites: random effects (DerSimonian and "
        "Laird, interval of Hartung and Knapp). Patients are never mixed: a cohort gives its own difference and error."
    )
    yield Heading("Across cohorts", 3)
    yield Table("across-cohorts", as_text(told), columns, rows, headers=2)


def _page(leaderboard: LeaderboardResults, pages: Mapping[str, str]) -> tuple[str, list[Block]]:
    endpoint = leaderboard.endpoint
    title = f"Leaderboard, release {endpoint.release}"
    whole = leaderboard.results.whole
    kinds = {
        "simple baselines": whole.simple_baselines,
        "methods that use labels": whole.labelled,
        f"methods with fewer than {FEWEST_SEEDS} seeds": [
            one for one, seeds in whole.seeds.items() if seeds < FEWEST_SEEDS
        ],
    }
    ranked_first = sorted(leaderboard.cohorts, key=lambda name: not leaderboard.results.lesion[name].rankable)
    cohorts = [(cohort_title(name), list(_cohort(leaderboard, name, pages))) for name in ranked_first]
    return title, [
        Folded("What decides, and on which data", [Bullets(list(_facts(leaderboard)))]),
        Panels(cohorts, kinds),
        Paragraph(LEGEND),
        *_side_by_side(leaderboard, pages),
        *_upper_bounds(leaderboard),
        *_badges(),
        *_entries(leaderboard),
        *_submitting(leaderboard),
    ]


def _submitting(leaderboard: LeaderboardResults) -> Iterator[Block]:
    """How a run gets onto the board, and the tables behind the pages."""
    endpoint = leaderboard.endpoint
    yield Heading("How to submit")
    yield Paragraph(
        f"Run your method on the board's cohorts with at least {FEWEST_SEEDS} training seeds, verify the run, and give "
        "its folder with maps and weights to the owner of the board, who verifies it anew. A site whose scans may not "
        "leave it verifies and signs the run itself (leaderboard sign)."
    )
    cohorts = ",".join(dict.fromkeys(leaderboard.results.cohorts))
    yield Listing(
        f"python -m benchmark run -m METHOD -d {cohorts} --seeds 0-{FEWEST_SEEDS - 1} -o RUN\n"
        "python -m benchmark verify RUN\n"
        "python -m benchmark leaderboard add BOARD RUN --data DATA  # by the owner",
        "sh",
    )
    yield Heading("Data behind these pages")
    mark = file_mark(leaderboard)
    files = (f"{mark}summary.csv", f"{mark}comparisons.csv", f"{mark}standings.json")
    named = joined([link(name, f"./{name}") for name in files], ", ")
    yield Paragraph(prose("{}. Endpoints of release {}.", named, endpoint.release))


def file_mark(leaderboard: LeaderboardResults) -> str:
    """What the names of a group's tables begin with."""
    return "" if leaderboard.is_verified else f"{leaderboard.status}-"


def standings(leaderboard: LeaderboardResults) -> dict[str, object]:
    """What the tables of the cohorts show, of JSON's kinds; None where there is no number."""
    made = [
        _standing(leaderboard, dataset, method, line)
        for dataset in leaderboard.cohorts
        for method, line in leaderboard.primary(dataset, TRAINED_MODEL).items()
    ]
    return {"release": leaderboard.endpoint.release, "standings": made}


def _standing(leaderboard: LeaderboardResults, dataset: str, method: str, line: pd.Series) -> dict[str, object]:
    ranks = ("rank_low", "rank_high")
    procedure = leaderboard.primary(dataset, TRAINING_PROCEDURE).get(method)
    second = leaderboard.primary(dataset, TRAINED_MODEL, 2).get(method)
    flagged = [
        {"cohort": one["dataset"], "domain": one["domain"], "people": int(one["n"]), **_plain(one, "mean")}
        for _, one in _flagged(leaderboard, method).iterrows()
    ]
    return {
        "cohort": dataset, "method": method, "metric": line["metric"], "threshold": line["protocol"],
        **_plain(line, "mean", "low", "high", *ranks), "patients": int(line["n"]), "seeds": int(line["seeds"]),
        "badges": leaderboard.badges(method, dataset), "added": _added(leaderboard, method),
        "training_procedure": None if procedure is None else _plain(procedure, *ranks),
        "second": None if second is None
        else {"threshold": second["protocol"], **_plain(second, "mean", "low", "high", *ranks)},
        "auprc": _known(_area(leaderboard, dataset, method)),
        "seconds": _known(_seconds(leaderboard, dataset, method)),
        "healthy_flagged": flagged,
    }  # fmt: skip


def _plain(line: pd.Series, *names: str) -> dict[str, float | None]:
    return {name: _known(line[name]) for name in names}


def _known(value: float) -> float | None:
    return None if isnan(value) else float(value)


def _facts(leaderboard: LeaderboardResults) -> Iterator[Text]:
    endpoint, grid = leaderboard.endpoint, leaderboard.release.settings["grid"]
    yield prose(
        "Ordered by {}, post-processing `{}`, threshold {}, unshifted, split `{}`; fixed with the release. Better is "
        "claimed where all of them say so.",
        endpoint.metric, leaderboard.fixed.postprocessing, joined(map(code, endpoint.protocols), ", then "),
        endpoint.split,
    )  # fmt: skip
    yield as_text(f"Grid: {Grid(**grid).text}.")
    if idle := idle_text(leaderboard.fixed.pipelines, grid["spacing"]):
        yield as_text(idle)
    for name, digest in leaderboard.release.cohorts.items():
        yield prose("Data: {}, `{}`", name, digest[:12])
    yield as_text(f"{count_text(len(leaderboard.entries), 'entry')}, {count_text(len(leaderboard.methods), 'method')}.")


def _cohort(leaderboard: LeaderboardResults, dataset: str, pages: Mapping[str, str]) -> Iterator[Block]:
    cohort, endpoint = leaderboard.results.lesion[dataset], leaderboard.endpoint
    if cohort.caution:
        yield Notice(cohort.caution)
    model, procedure = (leaderboard.primary(dataset, question) for question in (TRAINED_MODEL, TRAINING_PROCEDURE))
    second = leaderboard.primary(dataset, TRAINED_MODEL, 2)
    protocol = next((str(line["protocol"]) for line in model.values()), endpoint.protocol)
    if model and not second and len(endpoint.protocols) > 1:
        yield Paragraph(prose("This cohort has one endpoint alone, at `{}`.", protocol))
    metric = METRICS[endpoint.metric]
    first, *others = (
        Column(f"{metric.title}, {one}", metric.unit, metric.higher_is_better)
        for one in (protocol, *(endpoint.protocols[1:] if second else ()))
    )
    columns = [
        *text_columns("Method"), first, *text_columns("Ranks: training procedure", "Ranks: trained model"), *others,
        Column("Healthy people flagged", "", False, 2), Column("Time a volume", "s", False, 2),
        *text_columns("Added", "Badges"),
    ]  # fmt: skip
    ranked = any(not isnan(line["rank_low"]) for line in model.values())
    order = [str(method) for method in cohort.ordered if method in model]
    listed = order if ranked else sorted(order, key=str.casefold)
    rows = [
        _cohort_row(leaderboard, dataset, method, pages, procedure.get(method), model[method], second)
        for method in listed
    ]
    blank = [Cell()] * (len(columns) - 3)
    rows += [
        [_linked(leaderboard, name, pages), said("missing"), *blank, said(code("partial"))]
        for name in leaderboard.methods
        if name not in model
    ]
    perfect = cohort.numbers(endpoint.metric, endpoint.postprocessing, endpoint.protocol)[PERFECT_MAP]
    if perfect.defined:
        rows.append([said(prose("*perfect map*")), Cell(perfect.value), *blank, Cell()])
    caption = cohort_title(dataset) + ("" if ranked else ": in alphabetical order, since nothing here can be ranked.")
    yield Table(f"{dataset}-standing", caption, columns, rows, stamp="endpoint")
    yield from _scatter(leaderboard, dataset, model, order)
    yield Folded(
        "Further numbers", [_further(leaderboard, dataset, pages, {one: model[one] for one in listed}, second)]
    )


def _further(
    leaderboard: LeaderboardResults,
    dataset: str,
    pages: Mapping[str, str],
    model: Mapping[str, pd.Series],
    second: Mapping[str, pd.Series],
) -> Table:
    """What the standing has no room for."""
    columns = [
        *text_columns("Method", *(f"Ranks, {one}" for one in leaderboard.endpoint.protocols[1:] if second)),
        Column("AUPRC", "", True), *text_columns("Healthy people flagged elsewhere"),
        Column("Patients", digits=0), Column("Seeds", digits=0),
    ]  # fmt: skip
    rows = []
    for method, line in model.items():
        flagged = _flagged(leaderboard, method)
        rows.append([
            _linked(leaderboard, method, pages),
            *([ranks_cell(second.get(method))] if second else []),
            Cell(_area(leaderboard, dataset, method)),
            said(_shares(flagged[flagged["domain"] != "in-domain"])),
            Cell(line["n"]), Cell(line["seeds"]),
        ])  # fmt: skip
    return Table(f"{dataset}-further", cohort_title(dataset), columns, rows)


def _scatter(
    leaderboard: LeaderboardResults, dataset: str, model: Mapping[str, pd.Series], order: Sequence[str]
) -> Iterator[Block]:
    """Quality against what is flagged in healthy brains, of methods that have both."""
    own = leaderboard.alarms[leaderboard.alarms["metric"] == "alarm_fraction"].sort_values("domain", kind="stable")
    own = own[own["mean"].notna()].drop_duplicates("method")
    flagged = dict(zip(own["method"], own["mean"], strict=True))
    lines = [
        {
            "method": method,
            "quality": round(float(model[method]["mean"]), 4),
            "flagged": round(100 * float(flagged[method]), 4),
            "seconds": None if isnan(seconds := _seconds(leaderboard, dataset, method)) else max(seconds, 1e-3),
            "baseline": method in leaderboard.results.whole.simple_baselines,
        }
        for method in order
        if method in flagged
    ]
    if len(lines) < 2:
        return
    path = leaderboard.run.root / "figures" / f"scatter-{dataset}.svg"
    named = order if len(order) <= MOST_LABELLED else [one for one in order if model[one]["rank_low"] == 1]
    metric = METRICS[leaderboard.endpoint.metric]
    axes = ("healthy brain flagged (%)", metric.title)
    write_chart(scatter_chart(lines, axes, named[:MOST_LABELLED]), path)
    where = ", ".join(own["dataset"].unique())
    told = "the upper left corner is best, simple baselines are grey squares, larger marks take longer"
    alt = f"{metric.title} on {dataset} against healthy brain flagged on {where}"
    yield Picture(
        path, alt, prose("{} against the share of healthy brain flagged on {}; {}.", metric.title, where, told)
    )


def _cohort_row(
    leaderboard: LeaderboardResults,
    dataset: str,
    method: str,
    pages: Mapping[str, str],
    procedure: "pd.Series | None",
    model: pd.Series,
    second: Mapping[str, pd.Series],
) -> list[Cell]:
    enough = model["seeds"] >= FEWEST_SEEDS
    flagged = _flagged(leaderboard, method)
    home = flagged[flagged["domain"] == "in-domain"]
    return [
        _linked(leaderboard, method, pages),
        with_interval(model),
        ranks_cell(procedure) if enough else Cell(absent=NOT_TESTABLE),
        ranks_cell(model),
        *([with_interval(second[method]) if method in second else Cell()] if second else []),
        next((Cell(line["mean"], note=f"({int(line['n'])})") for _, line in home.iterrows()), Cell()),
        Cell(_seconds(leaderboard, dataset, method)),
        said(_added(leaderboard, method)),
        _as_badges(leaderboard.badges(method, dataset)),
    ]


def _flagged(leaderboard: LeaderboardResults, method: str) -> pd.DataFrame:
    """Shares of healthy people with a false positive, a cohort a line."""
    own = leaderboard.alarms
    return own[(own["method"] == method) & (own["metric"] == "alarm") & own["mean"].notna()]


def _area(leaderboard: LeaderboardResults, dataset: str, method: str) -> float:
    """AUPRC; NaN where it is not known."""
    return leaderboard.results.lesion[dataset].numbers("auprc", leaderboard.endpoint.postprocessing)[method].value


def _added(leaderboard: LeaderboardResults, method: str) -> str:
    """The date of a method's latest entry."""
    return max((one.added for one in leaderboard.entries_of(method)), default="")


def _linked(leaderboard: LeaderboardResults, method: str, pages: Mapping[str, str]) -> Cell:
    mark = " (simple baseline)" if method in leaderboard.results.whole.simple_baselines else ""
    return said(link(method, pages[method]) + mark)


def ranks_cell(line: "pd.Series | None") -> Cell:
    if line is None or pd.isna(line["rank_low"]):
        return Cell(absent=NOT_TESTABLE)
    low, high = int(line["rank_low"]), int(line["rank_high"])
    return said(low if low == high else f"{low}-{high}", low)


def with_interval(line: pd.Series) -> Cell:
    return Cell(line["mean"], line["low"], line["high"])


def _shares(lines: pd.DataFrame) -> str:
    return ", ".join(f"{line['mean']:.2f} ({int(line['n'])})" for _, line in lines.iterrows())


def _seconds(leaderboard: LeaderboardResults, dataset: str, method: str) -> float:
    own = leaderboard.efficiency
    found = own[(own["dataset"] == dataset) & (own["method"] == method)]["seconds"].dropna()
    return float(found.iloc[0]) if len(found) else nan


def _as_badges(names: Sequence[str]) -> Cell:
    return said(joined(map(code, names)))


def _side_by_side(leaderboard: LeaderboardResults, pages: Mapping[str, str]) -> Iterator[Block]:
    """No mean over cohorts: a method that lacks one would be compared on other patients."""
    if len(leaderboard.cohorts) < 2:
        return
    yield Heading("All cohorts")
    found = [leaderboard.primary(dataset, TRAINED_MODEL) for dataset in leaderboard.cohorts]
    rows = [
        [
            _linked(leaderboard, method, pages),
            *(with_interval(one[method]) if method in one else said("missing") for one in found),
            _as_badges(leaderboard.badges(method)),
        ]
        for method in leaderboard.methods
    ]
    higher = METRICS[leaderboard.endpoint.metric].higher_is_better
    columns = [
        *text_columns("Method"),
        *(Column(name, "", higher) for name in leaderboard.cohorts),
        *text_columns("Badges"),
    ]
    told = "Each cohort's own number; nothing is averaged over cohorts, and what was not run is missing."
    yield Table("all-cohorts", as_text(told), columns, rows, stamp="endpoint")


def _upper_bounds(leaderboard: LeaderboardResults) -> Iterator[Block]:
    seen = [name for name in leaderboard.results.scoring.protocols if protocol_named(name).sees_test_labels]
    if not seen:
        return
    yield Heading("Upper bounds")
    yield Paragraph(prose("`oracle`: these thresholds have seen the test labels; shown apart, ranked nowhere."))
    for dataset, cohort in leaderboard.results.lesion.items():
        yield dice_table(dataset, cohort, [leaderboard.endpoint.postprocessing], seen, marked=False)


def meaning(badge: str) -> str:
    """What a badge says; those of few seeds and of sites have a number or name in them."""
    return BADGES.get("attested" if badge.startswith("attested by ") else badge, BADGES["single seed"])


def _badges() -> Iterator[Block]:
    yield Heading("Badges")
    yield Bullets([prose("`{}`: {}.", name, what) for name, what in BADGES.items()])


def _entries(leaderboard: LeaderboardResults) -> Iterator[Block]:
    rows = [
        [
            said(entry.name),
            said(entry.added),
            Cell(len(entry.cells)),
            said(", ".join(dict.fromkeys(cell.fit.method for cell in entry.cells))),
            said(verified_how(entry)),
            said(_computed_on(entry.folder)),
        ]
        for entry in leaderboard.entries
    ]
    yield Heading("Entries")
    columns = [
        *text_columns("Entry", "Added"),
        Column("Cells", digits=0),
        *text_columns("Methods", "Verified", "Computed on (self-reported)"),
    ]
    yield Table("entries", as_text("Runs that this board is made of."), columns, rows)


def verified_how(entry: Entry) -> str:
    found = entry.attestation
    if found.status == "self-reported":
        return "nothing"
    by = f" by {found.site}" if found.site else ""
    return (
        f"rows, and maps of {count_text(len(found.remade), 'cell')} (seed {found.seed}){by}"
        if found.remade
        else f"rows{by}"
    )


def _computed_on(folder: Path) -> str:
    path = folder / "environment.json"
    found = read_json(path) if path.is_file() else {}
    return ", ".join(str(found[name]) for name in ("gpu", "processor") if name in found)
