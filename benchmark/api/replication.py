"""replicate: a published study run again, and its printed values beside ours on one page."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.api.evaluation import names
from benchmark.api.options import RunOptions, data_folder, options_of
from benchmark.api.study import PlannedRun, make_rows, plan_run
from datasets.errors import BadValue, MissingData
from datasets.grid import PUBLISHED

if TYPE_CHECKING:
    from benchmark.execution.forecast import Forecast
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
        left: of a dry run, by the name of each run what is left to do.
        failed: cells that could not be made.
        statuses: a line for each group of printed values and each figure; () of a dry run.
        pages: of the page its files; () of a dry run.

    Examples:
        >>> import uadbench
        >>> uadbench.replicate("pddpm2023", data="nowhere", dry_run=True).planned
        ()
    """

    planned: tuple[PlannedRun, ...]
    absent: Mapping[tuple[str, str], str]
    failed: "tuple[Cell, ...]" = ()
    statuses: "tuple[StatusLine, ...]" = ()
    pages: tuple[Path, ...] = ()
    left: "Mapping[str, Forecast]" = field(default_factory=dict)


def replicate(
    study: str,
    *,
    data: str | Path | None = None,
    out: str | Path | None = None,
    tier: str = PUBLISHED,
    items: str | Sequence[str] = (),
    pictures: str | None = None,
    training: bool = True,
    dry_run: bool = False,
    **options: Any,
) -> Replicated:
    """Run a published study again as far as data and device allow, and write the page that compares both.

    Its runs are ordinary run folders below `out`; the same call goes on where it was stopped. Without the device that
    a tier is meant for nothing is computed, unless `device` is given, and the page says so.

    Args:
        study: the name of its data files, such as "cddpm2023", or the file NAME.toml of another.
        data: folder of the prepared cohorts.
        out: default: runs/<study>-<tier>.
        tier: how much is computed; the study says which there are.
        items: names of its tables and figures; () for all.
        pictures: cohorts whose slices the page may show; None for all.
        training: whether networks are trained; without, finished fits alone are used.
        dry_run: compute nothing, and say what is left and about how long it takes.
        options: further fields of `RunOptions`, such as `device`, `executor`, `workers`, `threads`.

    Raises:
        UnknownName: no study, tier or item is called so.
        UserError: something in the call or the data has to be mended.

    Examples:
        >>> replicate("pddpm2023", data="nowhere", dry_run=True).absent["brats", "t2"]
        'BraTS21'
    """
    from benchmark.replication.comparison import EVERYTHING
    from benchmark.replication.published_study import read_study

    wanted = names(items) or () if isinstance(items, str) else tuple(items)
    known = read_study(study).chosen(wanted)
    chosen = known.tier(tier)
    root = Path("runs") / f"{known.name}-{tier}" if out is None else Path(out)
    folder = data_folder() if data is None else Path(data)
    given = {**options, "data": folder, "dry_run": dry_run, **({} if pictures is None else {"pictures": pictures})}
    if given.get("executor") == "slurm":
        raise BadValue("--executor: got slurm, expected inline or local: the page is made of what this call computes.")
    absent = _absent(known, chosen, folder, dry_run=dry_run)
    wrong_device = _wrong_device(chosen, options)
    if wrong_device:
        absent[EVERYTHING] = wrong_device
    runs = chosen.runs if dry_run or not wrong_device else ()
    # all of them, so that mistakes are told before anything is computed
    planned = [one for run in runs for one in _planned(known, chosen, run, absent, root, given)]
    if not training:
        planned = [short for one in planned if (short := _without_training(one, chosen)).study.cells]
    if dry_run:
        left = _left(planned, _fits_elsewhere(chosen), timed=not wrong_device)
        return Replicated(tuple(planned), absent, left=left)
    failed = list["Cell"]()
    for one in planned:
        _take_fits(one, chosen)
        failed += make_rows(one, one.job())
    return _compared(known, tier, root, folder, absent, planned, failed, names(pictures))


def _planned(
    study: "PublishedStudy",
    tier: "Tier",
    run: "TierRun",
    absent: dict[tuple[str, str], str],
    root: Path,
    given: Mapping[str, Any],
) -> list[PlannedRun]:
    """What is to be computed for a run; where its data cannot be used, nothing, and `absent` says why."""
    from benchmark.storage.admission import keep

    planned = list[PlannedRun]()
    try:
        for request in _requests(study, tier, run, absent, root, given):
            planned.append(_with_metrics(plan_run(request), study))
            if not request.dry_run:
                keep(planned[-1].folder, planned[-1].admission)  # the next request is of the same cases
        return planned
    except MissingData as error:
        reason = str(error).splitlines()[0].rstrip(".")
        log.warning("Left out: %s: %s", run.name, reason)
        for name in (*run.datasets, run.healthy or study.healthy):
            absent.setdefault((name, run.sequence), reason)
        return []


def _left(planned: Sequence[PlannedRun], fits: "Sequence[RunFolder]", *, timed: bool) -> "dict[str, Forecast]":
    """By the name of a run folder what is left of all that is planned for it."""
    from benchmark.execution.forecast import forecast

    whole = dict[Path, PlannedRun]()
    for one in planned:
        before = whole.get(one.folder.root, one)
        cells = {cell.key: cell for cell in (*before.study.cells, *one.study.cells)}
        study = replace(one.study, cells=tuple(cells.values()))
        whole[one.folder.root] = replace(one, admission=replace(one.admission, study=study))
    return {root.name: forecast(one.job().fit_context, fits, timed=timed) for root, one in whole.items()}


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
    from reports.api import draw_replication, write_replication

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
    figures = draw_replication(found, root, data, guided=guided, pictures=pictures)
    lines = tuple(status_lines(found, [name for name, own in figures.items() if own]))
    pages = write_replication(found, lines, figures, root)
    return Replicated(tuple(planned), absent, tuple(failed), lines, tuple(pages))


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
        there = bool(lying_there(spec, data))
        if not there and spec.simulate is None:
            found[name, sequence] = spec.title
        elif not there and dry_run:
            found[name, sequence] = f"{spec.title}, simulated by the run itself"
        elif sequence not in sequences_there(spec, data):
            found[name, sequence] = f"{sequence.upper()} of {spec.title}"
    return found


def _wrong_device(tier: "Tier", options: Mapping[str, Any]) -> str:
    """Why a tier is not computed here; "" where it is."""
    from benchmark.inference.settings import pick_device

    if not tier.device or "device" in options or pick_device("auto") == tier.device:
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
    """What is asked of one run folder.

    The methods of all items, sweeps of one training, and again under a change of contrast the methods of some items.
    """
    from benchmark.replication.measured import GAMMA
    from benchmark.study.planning import parse_seeds

    healthy = run.healthy or study.healthy
    if (healthy, run.sequence) in absent:
        return []
    there = [name for name in run.datasets if (name, run.sequence) not in absent]
    items = [item for item in study.items if run.serves(item)]
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
    if sweeps := [sweep for item in items for sweep in item.sweeps]:
        asked.append({**shared, "methods": ",".join(sweeps), "seeds": str(parse_seeds(tier.seeds)[0])})
    for item in items:
        levels = [f"{GAMMA}={level:g}" for level in item.contrasts if level != 1]
        if item.kind == "histogram" and levels:
            asked.append({**shared, "methods": ",".join(study.methods_of(item)), "shifts": ",".join(levels)})
    return [options_of({**given, **{name: value for name, value in one.items() if value is not None}}) for one in asked]


def _with_metrics(planned: PlannedRun, study: "PublishedStudy") -> PlannedRun:
    """The same, scored as every run and by what the study's items need besides."""
    from benchmark.metrics import scored

    metrics = dict.fromkeys([*scored(), *(one.metric for one in study.quantities.values() if one.metric)])
    return replace(planned, scoring=replace(planned.scoring, metrics=tuple(metrics)))


def _fits_elsewhere(tier: "Tier") -> "list[RunFolder]":
    """The run folders whose finished fits are taken, of those that are there."""
    from benchmark.storage.folder import RunFolder

    return [RunFolder(path) for path in tier.fits if (path / "fits").is_dir()]


def _finished(planned: PlannedRun, tier: "Tier") -> "dict[str, Path]":
    """By training the folder of a finished fit that was trained so: of the run itself, else of another."""
    from benchmark.execution.fit_methods import find_same_training, training_key

    places = [planned.folder, *_fits_elsewhere(tier)]
    distinct = {training_key(fit): fit for fit in planned.study.fits}
    found = {key: [find_same_training(place, fit) for place in places] for key, fit in distinct.items()}
    return {key: path for key, paths in found.items() if (path := next(filter(None, paths), None)) is not None}


def _without_training(planned: PlannedRun, tier: "Tier") -> PlannedRun:
    """The same with the cells alone that need no further training."""
    from benchmark.execution.fit_methods import training_key
    from benchmark.execution.forecast import is_trained

    finished = _finished(planned, tier)
    kept = [cell for cell in planned.study.cells if training_key(cell.fit) in finished or not is_trained(cell.fit)]
    return replace(planned, admission=replace(planned.admission, study=replace(planned.study, cells=tuple(kept))))


def _take_fits(planned: PlannedRun, tier: "Tier") -> None:
    """Copy finished fits of other run folders that were trained alike into the run's own."""
    for source in _finished(planned, tier).values():
        to = planned.folder.root / "fits" / source.name
        if not to.exists():
            beside = planned.folder.root / f".{source.name}.part"
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(source, beside)
            to.parent.mkdir(exist_ok=True)
            beside.rename(to)
            log.info("Took %s", source)


def _guided(
    results: "TierResults", item: "Item", data: Path, device: str, pictures: Sequence[str] | None
) -> "tuple[Case, Guided] | None":
    """A case of the first lesion cohort that may be shown, with the slices that the item's method makes of it."""
    from benchmark.inference.guidance import guided_slices
    from benchmark.replication.measured import fit_of, shown_cohorts
    from benchmark.storage.fits import read_fit
    from datasets.case import shown_slice

    for run, dataset in shown_cohorts(results, item):
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
