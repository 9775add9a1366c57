"""verify_run: does a finished run hold what it says? Keys, files, data, and rows and maps computed again.

Only the check of maps imports torch.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from math import inf, isnan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark import __version__
from benchmark.execution.score_cells import evaluate_study
from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.storage.checksums import NAME, broken
from benchmark.storage.fits import check_fit_files
from benchmark.storage.folder import RunFolder, check_tree
from benchmark.storage.rows import COLUMNS, blank_row, read_joined_rows, read_rows, reference_row, stamps
from benchmark.storage.run_record import (
    cell_record,
    damaged_tables,
    failure_of,
    has_maps,
    kept_cells,
    kept_references,
    kept_scoring,
    read_record,
    redefined,
    reopen,
)
from benchmark.storage.run_tables import RECORDS, read_run_record, run_table, table_names
from benchmark.storage.summary_tables import summary_record
from benchmark.study.cells import Cell, Evaluation, Reference, as_stored
from benchmark.study.protocols import protocol_named
from benchmark.study.study import Study
from datasets.errors import MissingData, UserError
from datasets.io.atomic import write_json
from datasets.io.files import sha256
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.verification.remap import Sample

NOT_HELD = "cohorts that are not here"
TIMED = ("rows.csv", "timing.csv")
ROUNDING = 1e-9  # beyond a range, that sums of doubles may reach
SHOWN = 5  # faults of one check that are printed; the rest are counted


class _Shared(NamedTuple):
    """What rows of one cell, evaluation and metric share; seeds are NaN for the perfect map."""

    method: str
    dataset: str
    sequence: str
    shift: str
    severity: float
    seed: float
    sampling_seed: float
    postprocessing: str
    protocol: str
    metric: str
    key: str
    flags: str
    revision: str


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: what was checked.
        looked_at: how much of it, in words.
        faults: what does not verify, one line each.
        left_out: what was not looked at, and why, one line each.
        cells: keys of the cells of which maps were made again.
    """

    name: str
    looked_at: str
    faults: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.faults

    def lines(self) -> Iterator[str]:
        yield f"{'ok' if self.passed else 'FAILED':<8}{self.name:<10}{self.looked_at}"
        yield from (f"          {fault}" for fault in self.faults[:SHOWN])
        if len(self.faults) > SHOWN:
            yield f"          and {len(self.faults) - SHOWN} more"
        yield from (f"          {line}" for line in self.left_out)


def verify_run(
    run: RunFolder, data: Path | None, *, sample: "Sample | None", device: str, plugins: Sequence[str] = ()
) -> Iterator[Check]:
    """Check keys, files, table and data; if the data are there, also compute all rows and some maps again.

    Code that the run names is run only if it is built in or among `plugins`.

    Args:
        data: folder of the cohorts; None for the one that the run was made with.
        sample: of the cases to map again; None for none.
        plugins: see `known_methods`.
    """
    yield _tried("keys", "rows and records", lambda: check_keys(run))
    yield _tried("ranges", "values of rows", lambda: check_ranges(run))
    yield _tried("files", "digests", lambda: check_files(run))
    yield _tried("table", "rows of the cells", lambda: check_table(run))
    try:
        study = reopen(run, data)
    except MissingData as error:
        yield Check("data", NOT_HELD, (str(error),))
        return
    except UserError as error:
        yield Check("data", "digests of splits and voxels", (str(error),))
        return
    yield Check("data", f"digests of splits and voxels of {', '.join(study.files)}")
    yield _tried("rows", "rows made again from the maps", lambda: check_rows(run, study))
    if sample is not None:
        from benchmark.inference.settings import pick_device
        from benchmark.methods.registry import known_methods
        from benchmark.verification.remap import map_again

        made = map_again(run, study, sample, known_methods(plugins), pick_device(device))
        yield Check("maps", made.looked_at, made.faults, made.left_out, made.cells)


def check_ranges(run: RunFolder) -> Check:
    """Every value lies in the range of its metric, or is undefined."""
    tables = [read_rows(run.root / name) for name in TIMED if (run.root / name).exists()]
    faults = [fault for table in tables for fault in out_of_range(table)]
    return Check("ranges", count_text(sum(map(len, tables)), "value"), tuple(faults))


def out_of_range(rows: pd.DataFrame) -> Iterator[str]:
    """A line for each method and metric with values that the metric cannot have."""
    for (method, metric), values in rows.groupby(["method", "metric"], sort=False)["value"]:
        low, high = METRICS[str(metric)].range if metric in METRICS else (-inf, inf)
        count = int(((values < low - ROUNDING) | (values > high + ROUNDING)).sum())
        if count:
            yield f"{count_text(count, 'row')} of {method} with {metric} outside its range"


def write_verification(run: RunFolder, checks: Sequence[Check]) -> Path:
    """Write `verification.json`: the results, and the digest of the table that they hold for."""
    path = run.root / "verification.json"
    content = {"version": __version__, "rows": sha256(run.root / "rows.csv"), "checks": list(map(asdict, checks))}
    write_json(path, content)
    return path


def check_keys(run: RunFolder) -> Check:
    """Each row has the key of its cell or evaluation, and each `cell.json` holds the cell of the study."""
    cells, rows = kept_cells(run), read_rows(run.root / "rows.csv")
    faults = [*_strange_records(run, cells), *strange_rows(rows, cells, kept_references(run))]
    return Check("keys", f"{count_text(len(rows), 'row')} of {count_text(len(cells), 'cell')}", tuple(faults))


def strange_rows(rows: pd.DataFrame, cells: Sequence[Cell], references: Sequence[Reference]) -> Iterator[str]:
    """A line for each group of rows with another key or revision than those of the study, in this version."""
    of_label = {cell.label: cell for cell in cells}
    digests = {cell.cohort.dataset: cell.cohort.digest for cell in cells}
    of_cohort = {reference.cohort.dataset: reference for reference in references}
    known: list[Cell | Reference] = [*cells, *references]
    keys = {id(one): one.key for one in known}
    of_key = {keys[id(one)]: one for one in known}

    @cache
    def key_of(key: str, postprocessing: str, protocol: str) -> str:
        return _key(of_key[key], postprocessing, protocol, digests)

    blanks = {id(one): reference_row(one) if isinstance(one, Reference) else blank_row(one) for one in known}
    stamp = stamps()

    def trouble(row: _Shared) -> str:
        if isnan(row.seed):
            cell: Cell | Reference | None = of_cohort.get(row.dataset)
        else:
            label = (row.method, row.dataset, row.shift, row.severity, int(row.seed), _whole(row.sampling_seed) or 0)
            cell = of_label.get(label)
        if cell is None or row.sequence != cell.cohort.sequence:
            return "of no cell of the study"
        blank = blanks[id(cell)]
        revision, flags = stamp(blank.revision, blank.flags, row.postprocessing, row.protocol, row.metric)
        if row.revision != revision:
            return f"{row.metric} of revision {row.revision}, expected {revision}"
        alike = (row.key, row.flags) == (key_of(keys[id(cell)], row.postprocessing, row.protocol), flags)
        return "" if alike else f"key {row.key} is not that of the study"

    groups = rows.groupby(list(_Shared._fields), sort=False, dropna=False, observed=True).size()
    for row, count in zip(map(_Shared._make, groups.index), groups, strict=True):
        if found := trouble(row):
            what = " / ".join(filter(None, (row.method, row.dataset, row.shift, row.postprocessing, row.protocol)))
            yield f"{count_text(count, 'row')} of {what}, seed {_whole(row.seed)}: {found}"


def _whole(number: float) -> int | None:
    """A seed as it was written; None where a frame has NaN."""
    return None if isnan(number) else int(number)


def _key(cell: Cell | Reference, postprocessing: str, protocol: str, digests: Mapping[str, str]) -> str:
    """The key that rows of this cell have to have after this post-processing, at this threshold."""
    if not postprocessing:
        return cell.key
    named = protocol_named(protocol) if protocol else None
    source = digests.get(named.cohort, "") if named is not None else ""
    return Evaluation(cell, pipeline_named(postprocessing), named, source).key


def check_files(run: RunFolder) -> Check:
    """Every file of a fit, cell or perfect map, and every table and record of the run, matches its digest."""
    cells, references = kept_cells(run), kept_references(run)
    fits = list({cell.fit.key: cell.fit for cell in cells if has_maps(run, cell)}.values())
    folders = [*map(run.cell, cells), *map(run.healthy_residuals, cells)]
    faults = [fault for folder in folders for fault in broken(folder)]
    faults += [f"{folder}: no {NAME}" for folder in folders if folder.is_dir() and not (folder / NAME).is_file()]
    whole: list[Cell | Reference] = [*cells, *references]
    faults += [fault for what in whole for fault in damaged_tables(run, what)]
    checks: list[Callable[[], object]] = [partial(check_tree, run.root)]  # no links, which may lead anywhere
    checks += [partial(check_fit_files, run.fit(fit), fit) for fit in fits]
    for check in [*checks, *_table_checks(run)]:
        try:
            check()
        except UserError as error:
            faults.append(str(error))
    if (run.root / "summary.json").exists() and not summary_record(run.root):
        faults.append(f"{run.root / 'summary.json'}: a table that it names is damaged; the next report makes it anew")
    counts = {"fit": len(fits), "cell": len(cells), "perfect map": len(references)}
    looked_at = f"{', '.join(count_text(count, noun) for noun, count in counts.items())} and the run's own"
    return Check("files", looked_at, tuple(dict.fromkeys(faults)))


def _table_checks(run: RunFolder) -> Iterator[Callable[[], object]]:
    for name in table_names(run):
        yield partial(run_table, run, name)
    for name in RECORDS:
        yield partial(read_run_record, run, name)


def _tried(name: str, looked_at: str, check: Callable[[], Check]) -> Check:
    """A check; what cannot be read is a fault of it."""
    try:
        return check()
    except (UserError, OSError) as error:
        return Check(name, looked_at, (str(error),))


def check_table(run: RunFolder) -> Check:
    """The table of the run holds the rows of its finished cells, unchanged, and no others, whatever their digests."""
    cells = [cell for cell in kept_cells(run) if _counts(cell_record(run, cell))]
    references = [reference for reference in kept_references(run) if _counts(read_record(run, reference))]
    tables = [folder / "rows.csv" for folder in (*map(run.cell, cells), *map(run.cell, references))]
    rows = read_joined_rows([table for table in tables if table.exists()])
    faults = differences(read_rows(run.root / "rows.csv"), rows)
    return Check("table", f"{count_text(len(rows), 'row')} of the cells", tuple(faults))


def _counts(record: Mapping[str, Any]) -> bool:
    """Whether the rows beside a record belong into the table of the run."""
    return bool(record) and record.get("status") != "failed" and not redefined(record)


def check_rows(run: RunFolder, study: Study) -> Check:
    """Scoring the stored maps again gives the same rows."""
    with TemporaryDirectory(prefix="uadbench-verify-") as place:
        again = _with_maps_of(run, study, Path(place))
        unscored = evaluate_study(study, again, kept_scoring(run))
        made = read_rows(again.root / "rows.csv")
    faults = [f"{cell.fit.method} on {cell.where}, seed {cell.fit.seed}: cannot be scored" for cell in unscored]
    faults += differences(read_rows(run.root / "rows.csv"), made)
    return Check("rows", f"{count_text(len(made), 'row')} made again from the maps", tuple(faults))


def differences(kept: pd.DataFrame, made: pd.DataFrame) -> Iterator[str]:
    """A line for each row in which two tables differ; NaN equals NaN, and every digit counts."""
    names = [name for name in COLUMNS if name != "value"]
    number = _numbered(pd.concat([kept[names], made[names]]))
    ours, theirs = number[: len(kept)], number[len(kept) :]
    alike = np.ones(number.max(initial=-1) + 1, dtype=bool)
    values = np.full((2, alike.size), np.nan)
    for own, places, table in zip(values, (ours, theirs), (kept, made), strict=True):
        own[places] = table["value"]
        alike &= np.bincount(places, minlength=alike.size) == 1
    alike &= (values[0] == values[1]) | np.isnan(values).all(axis=0)
    before, after = _by_name(kept[~alike[ours]]), _by_name(made[~alike[theirs]])
    for name in dict.fromkeys([*before, *after]):
        if before.get(name) != after.get(name):
            said = " ".join(str(part) for part in name if part not in ("", None))
            yield f"{said}: kept {before.get(name)}, expected {after.get(name)}"


def _numbered(rows: pd.DataFrame) -> NDArray[np.intp]:
    """`(rows,)` a number for each row, from 0 on, equal of equal rows; column by column, which takes less memory."""
    number = np.zeros(len(rows), dtype=np.intp)
    for _, column in rows.items():
        codes, known = column.factorize(use_na_sentinel=False)
        if len(known) > 1:
            number = pd.factorize(number * len(known) + codes)[0]
    return number


def _by_name(rows: pd.DataFrame) -> dict[tuple[object, ...], str]:
    """Values as text with every digit, by the other fields of their rows; of the same number twice, both."""
    values: dict[tuple[object, ...], list[str]] = {}
    for line in rows.to_dict("records"):
        line |= {name: _whole(line[name]) for name in ("seed", "sampling_seed")}
        value = repr(float(line.pop("value")))
        values.setdefault(tuple(line.values()), []).append(value)
    return {name: " and ".join(sorted(found)) for name, found in values.items()}


def _strange_records(run: RunFolder, cells: Iterable[Cell]) -> Iterator[str]:
    for cell in cells:
        record = cell_record(run, cell)
        if not record:
            yield f"{run.cell(cell).name}: missing"
        elif record.get("status") == "failed":
            yield f"{run.cell(cell).name}: failed {failure_of(run, cell)}"
        elif _as_stored(cell) != record.get("cell"):
            yield f"{run.cell(cell) / 'cell.json'}: got another cell than {cell.key} of the study"


def _as_stored(cell: Cell) -> object:
    return json.loads(json.dumps(as_stored(cell)))


def _with_maps_of(run: RunFolder, study: Study, place: Path) -> RunFolder:
    """A run folder without rows, linked to the maps and data cards of `run`."""
    again = RunFolder(place)
    again.study.write_bytes(run.study.read_bytes())
    (place / "fits").symlink_to((run.root / "fits").resolve())
    for cell in study.cells:
        if not has_maps(run, cell):
            continue
        here, there = run.cell(cell).resolve(), again.cell(cell)
        there.mkdir(parents=True)
        for name in ("maps", "reconstructions", again.healthy_residuals(cell).name):
            if (here / name).is_dir():
                (there / name).symlink_to(here / name)
        for name in ("cell.json", "seen.csv", "timing.csv", NAME):
            if (here / name).is_file():
                (there / name).write_bytes((here / name).read_bytes())
    return again
