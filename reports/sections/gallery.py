"""Section of the gallery: pictures of a few cases of each cohort with attribution, or why there are none."""

import logging
from collections.abc import Sequence
from pathlib import Path

from benchmark.storage.run_record import has_maps
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from reports.figures.map_gallery import CaseFacts, write_gallery
from reports.figures.style import remove_others
from reports.markup.markdown import escape
from reports.model.cohort_results import select
from reports.model.example_cases import case_scores, named_cases, shown_pipeline
from reports.model.run_results import RunResults, cohort_title

log = logging.getLogger(__name__)

EXPLAINED = (
    "Axial slices through the most lesion, or the brain's middle where there is none. Anterior is up and the "
    "patient's left is on the left (L, R). A method's reconstruction, if it makes one, stands above its map, the "
    "image above the lesion's outline. Maps are those of a method's lowest seed, before post-processing, on "
    "one colour scale a method (below its column): 0 to the 99.5th percentile over the brains of the cases shown."
)


def gallery(results: RunResults) -> str:
    """Draw each cohort that may be shown; earlier pictures of others are removed."""
    figures = results.run.root / "figures"
    parts, drawn = [results.heading("Gallery"), EXPLAINED], set()
    for name in (name for name in results.cohorts if name not in results.empty):
        path = figures / f"gallery-{name}.png"
        picture = _picture(results, name, path)
        parts += [results.heading(cohort_title(name), 3), picture]
        drawn |= {path} if picture.startswith("!") else set()
    remove_others(figures, "gallery-*.png", drawn)
    return "\n\n".join(parts)


def _picture(results: RunResults, name: str, path: Path) -> str:
    """The picture's Markdown, or a line that says why there is none."""
    if not results.may_show(name):
        return "Not shown: this report was asked to show no scan of this cohort."
    study = results.scans.study
    if study is None:
        return f"No picture: {results.scans.why_none}."
    if not any(has_maps(results.run, cell) for cell in results.cells if cell.cohort.dataset == name):
        return "No picture: no anomaly map of this cohort is kept."
    rows = results.whole.rows
    sizes = select(rows[rows["dataset"] == name], "lesion_ml")
    lesion_ml = dict(zip(sizes["case_id"], sizes["value"], strict=True))
    known = CaseFacts(lesion_ml, named_cases(results, name), case_scores(results, name))
    try:
        cases = write_gallery(results.run, study, name, results.split, known, path)
    except UserError as error:
        log.warning("No picture of %s: %s", name, error)
        return "No picture: a scan or a map is missing or cannot be read."
    return _captioned(name, path, _choice_text(cases, known, shown_pipeline(results, name)))


def _choice_text(cases: Sequence[str], known: CaseFacts, pipeline: str) -> str:
    """Which cases are shown, and why these."""
    listed = ", ".join(
        f"{escape(case)} ({known.named[case]})" if case in known.named else escape(case) for case in cases
    )
    if known.named:
        why = f" by the mean AUPRC (`{pipeline}`) of all methods but simple baselines; on each map its method's own"
    else:
        why = " (largest, median and smallest lesion)" if known.lesion_ml else " (first, middle and last case)"
    return f"Top down{why}: {listed}."


def _captioned(name: str, path: Path, caption: str) -> str:
    """With the attribution that a cohort's licence asks for."""
    spec = dataset(name)
    source = f"{escape(spec.title)}: {escape(spec.reference)}; licence: {escape(spec.licence)}"
    source += f"; <{spec.url}>" if spec.url else ""
    return f"![{escape(spec.title)}](figures/{path.name})\n\n*{caption} {source}*"
