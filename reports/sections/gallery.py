"""Section of the gallery: pictures of a few cases of each cohort with attribution, or why there are none."""

import logging
from collections.abc import Sequence
from pathlib import Path

from benchmark.storage.run_record import has_maps
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from reports.content.blocks import Block, Paragraph, Picture
from reports.content.text import Text, joined, link, prose
from reports.figures.charts import remove_others
from reports.figures.map_gallery import CaseFacts, write_gallery
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


def gallery(results: RunResults) -> list[Block]:
    """Draw each cohort that may be shown; earlier pictures of others are removed."""
    figures = results.run.root / "figures"
    parts: list[Block] = [Paragraph(EXPLAINED)]
    drawn = set()
    for name in (name for name in results.cohorts if name not in results.empty):
        path = figures / f"gallery-{name}.png"
        picture = _picture(results, name, path)
        parts += [results.heading(cohort_title(name), 4), picture]
        drawn |= {path} if isinstance(picture, Picture) else set()
    remove_others(figures, "gallery-*.png", drawn)
    return parts


def _picture(results: RunResults, name: str, path: Path) -> Picture | Paragraph:
    """The picture, or a line that says why there is none."""
    if not results.may_show(name):
        return Paragraph("Not shown: this report was asked to show no scan of this cohort.")
    study = results.scans.study
    if study is None:
        return Paragraph(f"No picture: {results.scans.why_none}.")
    if not any(has_maps(results.run, cell) for cell in results.cells if cell.cohort.dataset == name):
        return Paragraph("No picture: no anomaly map of this cohort is kept.")
    rows = results.whole.rows
    sizes = select(rows[rows["dataset"] == name], "lesion_ml")
    lesion_ml = dict(zip(sizes["case_id"], sizes["value"], strict=True))
    known = CaseFacts(lesion_ml, named_cases(results, name), case_scores(results, name))
    try:
        cases = write_gallery(results.run, study, name, results.split, known, path)
    except UserError as error:
        log.warning("No picture of %s: %s", name, error)
        return Paragraph("No picture: a scan or a map is missing or cannot be read.")
    return _captioned(name, path, _choice_text(cases, known, shown_pipeline(results, name)))


def _choice_text(cases: Sequence[str], known: CaseFacts, pipeline: str) -> Text:
    """Which cases are shown, and why these."""
    listed = ", ".join(f"{case} ({known.named[case]})" if case in known.named else case for case in cases)
    if known.named:
        told = (
            "Top down by the mean AUPRC (`{}`) of all methods but simple baselines; on each map its method's own: {}."
        )
        return prose(told, pipeline, listed)
    why = "largest, median and smallest lesion" if known.lesion_ml else "first, middle and last case"
    return prose("Top down ({}): {}.", why, listed)


def _captioned(name: str, path: Path, caption: Text) -> Picture:
    """With the attribution that a cohort's licence asks for."""
    spec = dataset(name)
    source = prose("{}: {}; licence: {}", spec.title, spec.reference, spec.licence)
    source = joined([source, link(spec.url, spec.url) if spec.url else ""], "; ")
    return Picture(path, f"Images, ground truth and maps of {spec.title}", joined([caption, source]))
