"""write_report: `report.md`, a study's boards, notes and pictures for a reader who opens it first."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.planning import Study
from benchmark.records import Scoring, cell_state, kept_cells, kept_references, kept_scoring, reopen
from benchmark.registry import methods
from benchmark.results import read_rows
from benchmark.runfolder import RunFolder, read_json, write_text
from benchmark.study import Cell, Fit
from benchmark.thresholds import PROTOCOLS
from datasets.case import Split
from datasets.catalog import dataset
from datasets.errors import BadFile, MissingData, UserError
from reports.gallery import write_gallery
from reports.tables import (
    Board,
    alarm_table,
    cut_off_table,
    dice_table,
    escape,
    healthy_cases,
    l1_table,
    leaderboard,
    lesion_cases,
    nan_table,
    select,
)

log = logging.getLogger(__name__)

LEGEND = (
    "Numbers are means over patients (a patient's scans first), then over training seeds; (sd) is the spread over "
    "patients. `[a/b]`: over a of b cases, all seeds counted; the others are undefined or missing. `n/a`: undefined. "
    "`-`: missing, not computed. **Bold**: best of its column among the methods, floors included, where it is over "
    "all cases; it says nothing of significance. A floor is what any method has to beat. The perfect map is the truth "
    "itself sent through the same chain, the ceiling of that chain: it is no method and takes no part in the order."
)
ABSENT = {
    "healthy-val": "the healthy cohort has no validation scans",
    "lesion-val": "the cohort has no lesion validation cases",
    "lesion-test": "no lesion case of its test split was scored",
}


@dataclass(frozen=True)
class _Findings:
    """What the sections are written from.

    Attributes:
        split: the one that is reported.
        rows: of unshifted cells, all splits.
        lesion, healthy: a cohort's board of its cases with and of those without lesion.
        study: None where the data are not there any more, for the reason in `why_no_study`.
    """

    run: RunFolder
    cells: Sequence[Cell]
    scoring: Scoring
    settings: Mapping[str, Any]
    split: Split
    rows: pd.DataFrame
    lesion: Mapping[str, Board]
    healthy: Mapping[str, Board]
    study: Study | None
    why_no_study: str

    @property
    def fits(self) -> list[Fit]:
        return list({cell.fit.key: cell.fit for cell in self.cells}.values())

    @property
    def cohorts(self) -> list[str]:
        return list(dict.fromkeys(cell.cohort.dataset for cell in self.cells))

    def heading(self, title: str, level: int = 2) -> str:
        return f"{'#' * level} {'VALIDATION: ' if self.split == 'val' else ''}{title}"


def write_report(run: RunFolder, data: Path | None, *, pictures: Sequence[str] | None = None) -> Path:
    """Write `report.md` and its `figures/` into a run folder; the path of the former is returned.

    Args:
        data: where the scans are now, for the pictures; None for where they were.
        pictures: cohorts whose scans may be shown; None for all. Earlier pictures of others are removed.

    Raises:
        MissingData: nothing has been scored yet.
        UnknownName: `pictures` names a cohort that does not exist.
    """
    shown = None if pictures is None else [dataset(name).name for name in pictures]
    findings = _read(run, data)
    sections = [
        _opening(findings),
        _leaderboards(findings),
        _dice_matrices(findings),
        _healthy_scans(findings),
        _reconstructions(findings),
        _field_of_view(findings),
        _notes(findings),
        _gallery(findings, shown),
        _configurations(findings),
    ]
    path = run.root / "report.md"
    write_text(path, "\n\n".join(section for section in sections if section) + "\n")
    return path


def _read(run: RunFolder, data: Path | None) -> _Findings:
    rows, timing = (_table(run, name) for name in ("rows.csv", "timing.csv"))
    cells, settings = kept_cells(run), read_json(run.study)["settings"]
    split = _reported_split(settings)
    with_lesions = {reference.cohort.dataset for reference in kept_references(run)}
    seeds = {
        cell.fit.method: len({one.fit.seed for one in cells if one.fit.method == cell.fit.method}) for cell in cells
    }
    boards = {
        name: Board(_part(rows, name, split), _part(timing, name, split), seeds, _floors(seeds))
        for name in dict.fromkeys(cell.cohort.dataset for cell in cells)
    }
    lesion = {name: _only(board, lesion_cases(board.rows)) for name, board in boards.items() if name in with_lesions}
    healthy = {name: _only(board, healthy_cases(board.rows)) for name, board in boards.items()}
    healthy = {name: one for name, one in healthy.items() if name not in with_lesions or any(one.rows["case_id"] != "")}
    study, why = _reopened(run, data)
    return _Findings(run, cells, kept_scoring(run), settings, split, rows, lesion, healthy, study, why)


def _reported_split(settings: Mapping[str, Any]) -> Split:
    return "test" if "test" in settings["splits"] else "val"


def _table(run: RunFolder, name: str) -> pd.DataFrame:
    path = run.root / name
    if not path.is_file():
        raise MissingData(f"No table {path}. Make it with: python -m benchmark evaluate {run.root}")
    rows = read_rows(path)
    return rows[rows["shift"] == "none"]


def _part(rows: pd.DataFrame, cohort: str, split: Split) -> pd.DataFrame:
    return rows[(rows["dataset"] == cohort) & rows["split"].isin([split, ""])]


def _only(board: Board, rows: pd.DataFrame) -> Board:
    """The board of some of its cases, which the times follow."""
    return replace(board, rows=rows, timing=board.timing[board.timing["case_id"].isin(rows["case_id"])])


def _floors(names: Mapping[str, int]) -> list[str]:
    known = methods()
    return [name for name in names if (base := name.split("[")[0]) in known and "(floor)" in known[base].title]


def _reopened(run: RunFolder, data: Path | None) -> tuple[Study | None, str]:
    """The study with its files, or why there is none; the log has the details, which name local folders."""
    try:
        return reopen(run, data), ""
    except UserError as error:
        log.warning("No pictures: %s", error)
        changed = "have changed since" if isinstance(error, BadFile) else "are not there any more"
        return None, f"the scans that the maps were made of {changed}"


def _opening(findings: _Findings) -> str:
    lines = [findings.heading(f"Run {escape(findings.run.root.resolve().name)}", 1), ""]
    lines += [f"- **{name}**: {text}" for name, text in _facts(findings)]
    single = sorted(name for name, count in _any_board(findings).seeds.items() if count == 1)
    if single:
        whose = "" if len(single) == len(_any_board(findings).seeds) else f" ({', '.join(map(escape, single))})"
        lines += ["", f"> **Single seed**{whose}: these numbers describe these weights, not the recipe."]
    if findings.split == "val":
        lines += ["", "> **VALIDATION**: the test split is closed; all numbers are of validation cases, which a method "
                  "may have been tuned on and on which the threshold `lesion-val` is chosen."]  # fmt: skip
    return "\n".join(lines)


def _facts(findings: _Findings) -> Iterator[tuple[str, str]]:
    fit, settings, board = findings.fits[0], findings.settings, _any_board(findings)
    grid = fit.grid
    yield "Methods", ", ".join(board.label(method) for method in board.seeds)
    yield "Fitted on", f"{_title(fit.healthy.dataset)}, {fit.healthy.sequence}{_sizes(findings)}"
    yield "Scored on", ", ".join(_title(name) for name in findings.cohorts)
    yield "Grid", f"{' x '.join(map(str, grid.shape))} voxels of {grid.spacing:g} mm; intensities from percentile " \
                  f"{grid.percentiles[0]:g} to {grid.percentiles[1]:g} of the brain"  # fmt: skip
    yield "Training seeds", ", ".join(map(str, sorted({one.seed for one in findings.fits})))
    version = read_json(findings.run.study)["version"]
    yield "Computed", f"by uadbench {version} on {_devices(findings)}, inference in {settings['precision']}"
    if settings["limit"] is not None:
        yield "Limit", f"at most {settings['limit']} healthy and as many lesion cases of each split"
    if sorted(settings["splits"]) != ["test", "val"]:
        yield "Splits", ", ".join(settings["splits"])
    done = sum(cell_state(findings.run, cell, findings.scoring) == "done" for cell in findings.cells)
    yield "Cells", f"{done} of {len(findings.cells)} done"


def _any_board(findings: _Findings) -> Board:
    return next(iter([*findings.lesion.values(), *findings.healthy.values()]))


def _title(name: str) -> str:
    return f"{escape(dataset(name).title)} (`{name}`)"


def _sizes(findings: _Findings) -> str:
    if findings.study is None:
        return ""
    fit = findings.fits[0]
    train, val = (len(findings.study.training_cases(fit, split)) for split in ("train", "val"))
    return f": {train} healthy cases to train on, {val} to validate on"


def _devices(findings: _Findings) -> str:
    records = [findings.run.cell(cell) / "cell.json" for cell in findings.cells]
    inferences = [read_json(path).get("inference") for path in records if path.exists()]
    return ", ".join(sorted({inference["device"] for inference in inferences if inference})) or "an unknown device"


def _leaderboards(findings: _Findings) -> str:
    if not findings.lesion:
        return ""
    parts = [findings.heading("Leaderboards"), LEGEND]
    for name, board in findings.lesion.items():
        chain, protocol, why = _headline(findings, board)
        parts += [findings.heading(_title(name), 3), f"{why} Sorted by AUPRC.", leaderboard(board, chain, protocol)]
    return "\n\n".join(parts)


def _headline(findings: _Findings, board: Board) -> tuple[str, str, str]:
    """The chain and the protocol of a cohort's first table, and why these."""
    chain = "paper" if "paper" in findings.scoring.postprocessing else findings.scoring.postprocessing[0]
    deployable = [name for name in findings.scoring.protocols if not _sees_test(name)]
    wanted = [name for name in ("lesion-val", "healthy-fpr-1", *deployable) if name in deployable]
    defined = [name for name in wanted if select(board.rows, "threshold", chain, name)["value"].notna().any()]
    protocol = next(iter([*defined, *wanted]), "")
    if not protocol:
        return chain, "", f"Post-processing `{chain}`; no threshold that could be deployed was asked for."
    why = f"Post-processing `{chain}`, threshold `{protocol}`: {PROTOCOLS[protocol].what}."
    if protocol != "lesion-val" and "lesion-val" in deployable:
        missing = select(board.rows, "threshold", chain, "lesion-val").empty
        reason = "not computed yet" if missing else f"undefined here: {ABSENT['lesion-val']}"
        why += f" The first choice, `lesion-val`, is {reason}."
    return chain, protocol, why


def _sees_test(protocol: str) -> bool:
    return PROTOCOLS[protocol].sees_test_labels


def _dice_matrices(findings: _Findings) -> str:
    parts = []
    chains, protocols = findings.scoring.postprocessing, findings.scoring.protocols
    deployable, upper = ([name for name in protocols if _sees_test(name) is seen] for seen in (False, True))
    for name, board in findings.lesion.items():
        parts.append(findings.heading(_title(name), 3))
        if deployable:
            parts.append(dice_table(board, chains, deployable, ranked=True))
        if upper:
            parts += [
                "Upper bound, never ranked: this threshold has seen the test labels.",
                dice_table(board, chains, upper, ranked=False),
            ]
    return "\n\n".join([findings.heading("Mean Dice by post-processing and threshold"), *parts]) if parts else ""


def _healthy_scans(findings: _Findings) -> str:
    protocol = next((name for name in _healthy_first(findings.scoring) if PROTOCOLS[name].uses == "healthy-val"), None)
    boards = {name: board for name, board in findings.healthy.items() if any(board.rows["case_id"] != "")}
    if protocol is None or not boards:
        return ""
    parts = [
        findings.heading("False alarms in healthy scans"),
        f"Threshold `{protocol}`: {PROTOCOLS[protocol].what}. The unit is the scan; everything raised is false.",
    ]
    for name, board in boards.items():
        home = name == findings.fits[0].healthy.dataset
        domain = "in-domain: the cohort that the methods were fitted on" if home else "out-of-domain: another cohort"
        parts += [
            findings.heading(f"{_title(name)}, {domain}", 3),
            alarm_table(board, findings.scoring.postprocessing, protocol),
        ]
    return "\n\n".join(parts)


def _healthy_first(scoring: Scoring) -> list[str]:
    return sorted(scoring.protocols, key=lambda name: name != "healthy-fpr-1")


def _reconstructions(findings: _Findings) -> str:
    boards = {name: board for name, board in findings.healthy.items() if any(board.rows["metric"] == "l1")}
    if not boards:
        return ""
    return "\n\n".join(
        [
            findings.heading("Reconstruction of healthy scans"),
            "Mean l1 over the brain, intensities in [0, 1]. Low is no merit by itself: a copy of the input has 0.",
            l1_table(boards),
        ]
    )


def _field_of_view(findings: _Findings) -> str:
    if not findings.lesion:
        return ""
    return "\n\n".join(
        [
            findings.heading("Loss by field of view"),
            "Lesion outside the grid's box cannot be found and counts as missed in every number above.",
            cut_off_table(findings.lesion),
        ]
    )


def _notes(findings: _Findings) -> str:
    notes = [f"- {note}" for note in (*_undefined_protocols(findings), *_unfinished(findings), *_left_out(findings))]
    undefined = nan_table({**findings.healthy, **findings.lesion})
    return "\n\n".join(
        [
            findings.heading("Notes"),
            "\n".join(notes) or "- Every cell is done, every threshold defined.",
            f"Undefined by decision, over all methods, chains and thresholds:\n\n{undefined}" if undefined else "",
        ]
    ).strip()


def _undefined_protocols(findings: _Findings) -> Iterator[str]:
    thresholds = findings.rows[(findings.rows["metric"] == "threshold") & findings.rows["value"].isna()]
    for cohort, rows in thresholds.groupby("dataset", sort=False):
        names = [name for name in rows["protocol"].unique() if name in PROTOCOLS]
        reasons = {name: _why_undefined(findings, str(cohort), name) for name in names}
        for reason in dict.fromkeys(reasons.values()):
            named = ", ".join(f"`{name}`" for name in names if reasons[name] == reason)
            yield f"{_title(str(cohort))}: no threshold {named}, since {reason}."


def _why_undefined(findings: _Findings, cohort: str, protocol: str) -> str:
    uses = PROTOCOLS[protocol].uses
    if cohort not in findings.lesion and uses != "healthy-val":
        return "a healthy cohort has no lesions"
    return ABSENT[uses]


def _unfinished(findings: _Findings) -> Iterator[str]:
    meaning = {
        "missing": "missing, not computed yet",
        "mapped": "mapped, but not scored under every chain and threshold of the study",
    }
    for cell in findings.cells:
        state = cell_state(findings.run, cell, findings.scoring)
        if state == "done":
            continue
        text = meaning.get(state) or _failure(findings.run, cell)
        yield f"{escape(cell.fit.method)} on {_title(cell.cohort.dataset)}, seed {cell.fit.seed}: {text}."


def _failure(run: RunFolder, cell: Cell) -> str:
    record = read_json(run.cell(cell) / "cell.json")
    last = record["traceback"].strip().splitlines()[-1]
    kept = "; numbers of it above are of an earlier evaluation" if record["stage"] == "evaluate" else ""
    return f"**failed** in {record['stage']} ({escape(last.rstrip('.'))}){kept}"


def _left_out(findings: _Findings) -> Iterator[str]:
    shifted = sorted({cell.shift.name for cell in findings.cells} - {"none"})
    if shifted:
        yield f"Cells under a shift ({', '.join(map(escape, shifted))}) are in `rows.csv` and in no table here."


def _gallery(findings: _Findings, shown: Sequence[str] | None) -> str:
    figures = findings.run.root / "figures"
    parts, drawn = [], []
    for name in findings.cohorts:
        path = figures / f"gallery-{name}.png"
        parts += [findings.heading(_title(name), 3), _picture(findings, name, shown, path)]
        drawn += [path] if parts[-1].startswith("!") else []
    for stale in {*figures.glob("gallery-*.png")} - {*drawn}:
        stale.unlink()
    explained = (
        "Axial slices through the most lesion, or the brain's middle where there is none. Anterior is up and the "
        "patient's left is on the left (L, R). Maps are those of a method's lowest seed, before post-processing, on "
        "one colour scale a method (below its column): 0 to the 99.5th percentile over the brains of the cases shown."
    )
    return "\n\n".join([findings.heading("Gallery"), explained, *parts])


def _picture(findings: _Findings, name: str, shown: Sequence[str] | None, path: Path) -> str:
    """The picture's Markdown, or a line that says why there is none."""
    if shown is not None and name not in shown:
        return "Not shown: this report was asked to show no scan of this cohort."
    if findings.study is None:
        return f"No picture: {findings.why_no_study}."
    sizes = select(findings.rows[findings.rows["dataset"] == name], "lesion_ml")
    lesion_ml = dict(zip(sizes["case_id"], sizes["value"], strict=True))
    try:
        cases = write_gallery(findings.run, findings.study, name, findings.split, lesion_ml, path)
    except UserError as error:
        log.warning("No picture of %s: %s", name, error)
        return "No picture: a scan or a map is missing or cannot be read."
    spec = dataset(name)
    order = "largest, median and smallest lesion" if lesion_ml else "first, middle and last case"
    caption = f"Top down ({order}): {', '.join(map(escape, cases))}. "
    caption += f"{escape(spec.title)}: {escape(spec.reference)}; licence: {escape(spec.licence)}; <{spec.url}>"
    return f"![{escape(spec.title)}](figures/{path.name})\n\n*{caption}*"


def _configurations(findings: _Findings) -> str:
    parts = [findings.heading("Hyper-parameters and keys")]
    for fit in findings.fits:
        config = ", ".join(f"`{name}={value}`" for name, value in sorted(fit.config.items())) or "none"
        keys = [f"{cell.cohort.dataset} `{cell.key}`" for cell in findings.cells if cell.fit == fit]
        parts.append(
            f"- **{escape(fit.method)}**, seed {fit.seed}{_training(findings.run, fit)}\n"
            f"  - {config}\n"
            f"  - fit `{fit.key}`; cells: {', '.join(keys)}"
        )
    return "\n".join([parts[0], "", *parts[1:]])


def _training(run: RunFolder, fit: Fit) -> str:
    path = run.fit(fit) / "fit.json"
    if not path.exists():
        return ""
    record = read_json(path)
    return f": {record['parameters']:,} parameters, fitted in {record['seconds']:.0f} s on {record['device']}"
