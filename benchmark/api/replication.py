"""replicate: a published study run again, and its printed values beside ours on one page."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.api.evaluation import names
from benchmark.api.options import RunOptions, data_folder, options_of
from benchmark.api.study import PlannedRun, make_rows, plan_run
from datasets.grid import PUBLISHED

if TYPE_CHECKING:
    from benchmark.inference.guidance import Guided
    from benchmark.replication.comparison import TierResults
    from benchmark.replication.measured import StatusLine
    from benchmark.replication.published_study import Item, PublishedStudy, Tier, TierRun
    from benchmark.storage.folder import RunFolder
    from benchmark.study.cells import Cell
    from datasets.case import Case

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replicated:
    """A study beside ours.

    Attributes:
        planned: the runs, each with its folder; of a tier that needs another device none.
        absent: by cohort and sequence what is missing for it, in words.
        failed: cells that could not be made.
        statuses: a line for each group of printed values and each figure; () of a dry run.
        pages: of the page its files; () of a dry run.
    """

    planned: tuple[PlannedRun, ...]
    absent: Mapping[tuple[str, str], str]
    failed: "tuple[Cell, ...]" = ()
    statuses: "tuple[StatusLine, ...]" = ()
    pages: tuple[Path, ...] = ()


def replicate(
    study: str,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    tier: str = PUBLISHED,
    items: str | Sequence[str] = (),
    pictures: str | None = None,
    dry_run: bool = False,
    **options: Any,
) -> Replicated:
    """Run a published study again as far as data and device allow, and write the page that compares both.

    Its runs are ordinary run folders below `out`; the same call goes on where it was stopped. Without the device that
    a tier is meant for nothing is computed, unless `device` is given, and the page says so.

    Args:
        study: the name of its data files, such as "cddpm2023".
        data: folder of the prepared cohorts.
        out: default: runs/<study>-<tier>.
        tier: how much is computed; the study says which there are.
        items: names of its tables and figures; () for all.
        pictures: cohorts whose slices the page may show; None for all.
        options: further fields of `RunOptions`, such as `device`, `executor`, `workers`, `threads`.

    Raises:
        UnknownName: no study, tier or item is called so.
        UserError: something in the call or the data has to be mended.
    """
    from benchmark.replication.comparison import EVERYTHING
    from benchmark.replication.published_study import read_study

    wanted = names(items) or () if isinstance(items, str) else tuple(items)
    known = read_study(study).chosen(wanted)
    chosen = known.tier(tier)
    root = Path("runs") / f"{study}-{tier}" if out is None else Path(out)
    folder = data_folder() if data is None else Path(data)
    given = {**options, "data": folder, "dry_run": dry_run, **({} if pictures is None else {"pictures": pictures})}
    absent = _absent(known, chosen, folder, dry_run=dry_run)
    if not dry_run and (reason := _wrong_device(chosen, options)):
        absent[EVERYTHING] = reason
    planned, failed = list[PlannedRun](), list["Cell"]()
    for run in chosen.runs if EVERYTHING not in absent else ():
        for request in _requests(known, chosen, run, absent, root, given):
            one = _with_metrics(plan_run(request), known)
            planned.append(one)
            if not dry_run:
                _take_fits(one, chosen)
                failed += make_rows(one, one.job())
    if dry_run:
        return Replicated(tuple(planned), absent)
    return _compared(known, tier, root, folder, absent, planned, failed, names(pictures))


def _compared(
    study: "PublishedStudy",
    tier: str,
    root: Path,
    data: Path,
    absent: Mapping[tuple[str, str], str],
    planned: Sequence[PlannedRun],
    failed: "Sequence[Cell]",
    pictures: Sequence[str] | None,
) -> Replicated:
    """Every item of whatever the run folders hold, and its page."""
    from benchmark.analysis.compare_methods import Comparable
    from benchmark.inference.settings import pick_device
    from benchmark.replication.comparison import TierResults
    from benchmark.replication.measured import replication_of, status_lines
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.storage.folder import open_run
    from reports.api import write_replication

    chosen, endpoint = study.tier(tier), read_endpoint()
    device = pick_device(planned[0].execution.device if planned else "auto")
    made = [run for run in chosen.runs if (root / run.name / "rows.csv").is_file()]
    runs = {run.name: Comparable(open_run(root / run.name), endpoint) for run in made}
    results = TierResults(study, tier, chosen, runs, absent, endpoint)
    found = replication_of(results)
    guided = {
        item.name: drawn
        for item in study.items
        if item.levels and (drawn := _guided(results, item, data, device, pictures)) is not None
    }
    pages = write_replication(found, root, data, guided=guided, pictures=pictures)
    return Replicated(tuple(planned), absent, tuple(failed), tuple(status_lines(found)), tuple(pages))


def _absent(study: "PublishedStudy", tier: "Tier", data: Path, *, dry_run: bool) -> dict[tuple[str, str], str]:
    """By cohort and sequence what is not below the data folder, in words; a dry run simulates none."""
    from datasets.cohorts.catalog import dataset
    from datasets.spec import lying_there, sequences_there

    wanted = {(name, run.sequence) for run in tier.runs for name in (*run.datasets, run.healthy or study.healthy)}
    wanted |= {
        place
        for cohort, facts in study.cohorts.items()
        for sequence in facts.sequences
        for place in ((cohort, sequence), (study.healthy, sequence))
    }
    found: dict[tuple[str, str], str] = {}
    for name, sequence in sorted(wanted):
        spec = dataset(name)
        if not lying_there(spec, data) and (dry_run or spec.simulate is None):
            found[name, sequence] = (
                spec.title if spec.simulate is None else f"{spec.title}, simulated by the run itself"
            )
        elif sequence not in sequences_there(spec, data):
            found[name, sequence] = f"{sequence.upper()} of {spec.title}"
    return found


def _wrong_device(tier: "Tier", options: Mapping[str, Any]) -> str:
    """Why a tier is not computed here; "" where it is."""
    from benchmark.inference.settings import pick_device

    if (
        not tier.device
        or "device" in options
        or options.get("executor") == "slurm"
        or pick_device("auto") == tier.device
    ):
        return ""
    return "a GPU (or --device cpu)"


def _requests(
    study: "PublishedStudy",
    tier: "Tier",
    run: "TierRun",
    absent: Mapping[tuple[str, str], str],
    root: Path,
    given: Mapping[str, Any],
) -> list[RunOptions]:
    """What is asked of one run folder: the methods of all items, and again under a change of contrast those of some."""
    from benchmark.replication.measured import GAMMA

    healthy = run.healthy or study.healthy
    if (healthy, run.sequence) in absent:
        return []
    there = [name for name in run.datasets if (name, run.sequence) not in absent]
    items = [item for item in study.items if not run.items or item.name in run.items]
    methods = dict.fromkeys(method for item in items for method in study.methods_of(item))
    shared: dict[str, Any] = {
        "datasets": ",".join(there or [healthy]),
        "healthy": healthy,
        "sequence": run.sequence,
        "sampling": run.sampling,
        "preset": tier.preset,
        "seeds": tier.seeds,
        "limit": tier.limit,
        "training_scans": run.training_scans,
        "out": root / run.name,
        "postprocessing": ",".join(study.pipelines),
        "protocols": f"{study.protocol},{study.label_free}",
        "hyperparameters": tier.hyperparameters,
    }
    asked = [{**shared, "methods": ",".join(methods)}] if methods else []
    for item in items:
        levels = [f"{GAMMA}={level:g}" for level in item.contrasts if level != 1]
        if item.kind == "histogram" and levels:
            asked.append({**shared, "methods": ",".join(study.methods_of(item)), "shifts": ",".join(levels)})
    return [options_of({**given, **{name: value for name, value in one.items() if value is not None}}) for one in asked]


def _with_metrics(planned: PlannedRun, study: "PublishedStudy") -> PlannedRun:
    """The same, scored by what the study's items need alone."""
    from benchmark.replication.measured import DIVERGENCES

    metrics = dict.fromkeys([*(one.metric for one in study.quantities.values() if one.metric), *DIVERGENCES])
    return replace(planned, scoring=replace(planned.scoring, metrics=tuple(metrics)))


def _take_fits(planned: PlannedRun, tier: "Tier") -> None:
    """Copy finished fits of other run folders that were trained alike; their names tell that they are the same."""
    from benchmark.execution.fit_methods import find_same_training
    from benchmark.storage.folder import RunFolder

    for place in (RunFolder(path) for path in tier.fits if (path / "fits").is_dir()):
        for fit in planned.study.fits:
            same = find_same_training(place, fit)
            to = planned.folder.root / "fits" / same.name if same is not None else None
            if same is not None and to is not None and not to.exists():
                shutil.copytree(same, to)
                log.info("Took %s from %s", same.name, place.root)


def _guided(
    results: "TierResults", item: "Item", data: Path, device: str, pictures: Sequence[str] | None
) -> "tuple[Case, Guided] | None":
    """A case of the first lesion cohort that may be shown, with the slices that the item's method makes of it."""
    from benchmark.inference.guidance import guided_slices
    from benchmark.replication.measured import fit_of, shown_cohorts
    from benchmark.storage.fits import read_fit
    from datasets.case import shown_slice

    for run, dataset in shown_cohorts(results):
        fit = fit_of(results, run, item.rows[0])
        if fit is None or (pictures is not None and dataset not in pictures):
            continue
        folder: RunFolder = results.runs[run.name].run
        case = first_case(folder, data, dataset)
        if case is None:
            continue
        image = case.image[0][..., shown_slice(case)]
        made = guided_slices(
            read_fit(folder.fit(fit)), image, levels=item.levels, crops=item.crops, contrasts=item.contrasts,
            device=device, seed=fit.seed,
        )  # fmt: skip
        return case, made
    return None


def first_case(run: "RunFolder", data: Path, dataset: str) -> "Case | None":
    """The first mapped lesion case of a cohort; None without any."""
    from benchmark.storage.run_record import kept_cells, reopen
    from datasets.loading import load_case

    study = reopen(run, data)
    cell = next(cell for cell in kept_cells(run) if cell.cohort.dataset == dataset and cell.shift.is_none)
    files = [one for one in study.mapped_cases(cell) if one.split == "test" and not one.healthy]
    return load_case(files[0], cell.fit.grid) if files else None
