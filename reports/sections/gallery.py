"""The report's section of pictures: a gallery a cohort, with its attribution, or why there is none."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import has_maps, reopen
from benchmark.study.study import Study
from datasets.cohorts.catalog import dataset
from datasets.errors import BadFile, UserError
from reports.figures.map_gallery import Shown, write_gallery
from reports.markup.markdown import escape
from reports.model.example_cases import case_scores, named_cases, shown_chain
from reports.model.numbers import select
from reports.model.run_results import Findings, cohort_title

log = logging.getLogger(__name__)

EXPLAINED = (
    "Axial slices through the most lesion, or the brain's middle where there is none. Anterior is up and the "
    "patient's left is on the left (L, R). A method's reconstruction, if it makes one, stands above its map, the "
    "image above the lesion's outline. Maps are those of a method's lowest seed, before post-processing, on "
    "one colour scale a method (below its column): 0 to the 99.5th percentile over the brains of the cases shown."
)


@dataclass(frozen=True)
class Scans:
    """The study with the files that its maps were made of; None where they are not, for the reason `why_none`."""

    study: Study | None
    why_none: str = ""


def find_scans(run: RunFolder, data: Path | None) -> Scans:
    """Look below `data` (default: where they were); the log has the details, which name local folders."""
    try:
        return Scans(reopen(run, data))
    except UserError as error:
        log.warning("No pictures: %s", error)
        changed = "have changed since" if isinstance(error, BadFile) else "are not there any more"
        return Scans(None, f"the scans that the maps were made of {changed}")


def gallery(findings: Findings, scans: Scans, shown: Sequence[str] | None) -> str:
    """Draw each cohort that may be `shown`; earlier pictures of others are removed."""
    figures = findings.run.root / "figures"
    parts, drawn = [findings.heading("Gallery"), EXPLAINED], set()
    for name in (name for name in findings.cohorts if name not in findings.empty):
        path = figures / f"gallery-{name}.png"
        picture = _picture(findings, scans, name, shown, path)
        parts += [findings.heading(cohort_title(name), 3), picture]
        drawn |= {path} if picture.startswith("!") else set()
    for stale in {*figures.glob("gallery-*.png")} - drawn:
        stale.unlink()
    return "\n\n".join(parts)


def _picture(findings: Findings, scans: Scans, name: str, shown: Sequence[str] | None, path: Path) -> str:
    """The picture's Markdown, or a line that says why there is none."""
    if shown is not None and name not in shown:
        return "Not shown: this report was asked to show no scan of this cohort."
    if scans.study is None:
        return f"No picture: {scans.why_none}."
    if not any(has_maps(findings.run, cell) for cell in findings.cells if cell.cohort.dataset == name):
        return "No picture: no anomaly map of this cohort is kept."
    rows = findings.whole.rows
    sizes = select(rows[rows["dataset"] == name], "lesion_ml")
    lesion_ml = dict(zip(sizes["case_id"], sizes["value"], strict=True))
    known = Shown(lesion_ml, named_cases(findings, name), case_scores(findings, name))
    try:
        cases = write_gallery(findings.run, scans.study, name, findings.split, known, path)
    except UserError as error:
        log.warning("No picture of %s: %s", name, error)
        return "No picture: a scan or a map is missing or cannot be read."
    return _captioned(name, path, _told(cases, known, shown_chain(findings, name)))


def _told(cases: Sequence[str], known: Shown, chain: str) -> str:
    """Which cases are shown, and why these."""
    listed = ", ".join(
        f"{escape(case)} ({known.named[case]})" if case in known.named else escape(case) for case in cases
    )
    if known.named:
        why = f" by the mean AUPRC (`{chain}`) of all methods but floors; on each map its method's own"
    else:
        why = " (largest, median and smallest lesion)" if known.lesion_ml else " (first, middle and last case)"
    return f"Top down{why}: {listed}."


def _captioned(name: str, path: Path, caption: str) -> str:
    """With the attribution that a cohort's licence asks for."""
    spec = dataset(name)
    source = f"{escape(spec.title)}: {escape(spec.reference)}; licence: {escape(spec.licence)}"
    source += f"; <{spec.url}>" if spec.url else ""
    return f"![{escape(spec.title)}](figures/{path.name})\n\n*{caption} {source}*"
