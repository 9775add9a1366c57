"""Which reports of a run stand as they would be written now: known by digests, in a fraction of the time of writing."""

from collections.abc import Iterable, Sequence
from hashlib import sha256 as new_digest
from pathlib import Path
from typing import Any

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.postprocessing.scores import SCORES
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells
from benchmark.study.protocols import PROTOCOLS
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, UserError
from datasets.io.atomic import read_json, write_json
from datasets.io.files import sha256
from datasets.local_code import OURS
from reports.formats.registry import FORMATS
from reports.sections.registry import SECTIONS

RECORD = "figures/.reports.json"
PROGRAM = Path(__file__).parents[1]


def ingredients(run: RunFolder, data: Path | None, *, volumes: bool) -> str:
    """A digest of all that a report is made of: the program, plugins, the run's tables, fits and maps, and the scans.

    The run's tables and records count by their contents; code, maps, weights and scans by name, size and time of
    change. "" where a cohort of the run is not known here.
    """
    reports = {*(one.file for one in FORMATS.usable().values())}
    tables = [path for path in run.root.glob("*.*") if path.suffix in (".json", ".csv") and path.name not in reports]
    root = data or Path(read_json(run.study)["data"])
    cohorts = {healthy.dataset for cell in kept_cells(run) for healthy in (cell.cohort, *cell.fit.healthy_cohorts)}
    try:
        homes = [dataset(name).folder(root) for name in sorted(cohorts)]
    except UserError:
        return ""
    whole = new_digest(repr((volumes, root.absolute(), _origins())).encode())
    for path in sorted(tables):
        whole.update(f"{path.name} {sha256(path)}\n".encode())
    for folder in (*(PROGRAM / name for name in sorted(OURS)), run.root / "cells", run.root / "fits", *homes):
        whole.update("".join(_stamps(folder)).encode())
    return whole.hexdigest()


def standing_reports(run: RunFolder, formats: Sequence[str], made_of: str) -> list[Path]:
    """The paths of the reports, where each is as it was written of the same; else none."""
    kept = _kept(run)
    for name in formats:
        one = kept.get(name, {"made_of": "", "files": {}})
        changed = any(_digest(run.root / file) != known for file, known in one["files"].items())
        if changed or not made_of or one["made_of"] != made_of:
            return []
    return [run.root / FORMATS[name].file for name in formats]


def keep_reports(run: RunFolder, paths: Iterable[Path], made_of: str) -> None:
    """Record what reports that have just been written are made of, and the digests of their files."""
    written = {path.name for path in paths}
    beside = [*(run.root / "figures").glob("[!.]*"), *run.root.glob("*.bib")]
    kept = _kept(run)
    for name, one in FORMATS.usable().items():
        if one.file in written and (run.root / one.file).is_file():
            files = {str(path.relative_to(run.root)): sha256(path) for path in (run.root / one.file, *beside)}
            kept[name] = {"made_of": made_of, "files": files}
    (run.root / RECORD).parent.mkdir(exist_ok=True)
    write_json(run.root / RECORD, kept)


def _kept(run: RunFolder) -> dict[str, Any]:
    """By format what its report was made of, and its files; none where the record is missing or damaged."""
    try:
        return dict(read_json(run.root / RECORD))
    except BadFile:
        return {}


def _digest(path: Path) -> str:
    return sha256(path) if path.is_file() else ""


def _origins() -> list[tuple[str, str]]:
    """All that scores and reports, each with its plugin, version and, of an editable one, the digest of its code."""
    registries = (SECTIONS, FORMATS, METRICS, PROTOCOLS, PIPELINES, SCORES)
    return [(name, registry.origin(name)) for registry in registries for name in registry]


def _stamps(folder: Path) -> Iterable[str]:
    """A line for each file below a folder, bytecode aside."""
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.parts and path.is_file():
            facts = path.stat()
            yield f"{path.relative_to(folder)} {facts.st_size} {facts.st_mtime_ns}\n"
