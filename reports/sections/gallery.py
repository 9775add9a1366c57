"""Section of the gallery: pictures of a few cases of each cohort with attribution, or why there are none."""

import logging
from collections.abc import Sequence
from pathlib import Path

from benchmark.storage.run_record import has_maps
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from reports.content.blocks import Block, Folded, Paragraph, Picture
from reports.content.text import Text, joined, link, prose
from reports.figures.charts import remove_others
from reports.figures.map_gallery import draw_examples, draw_gallery, read_planes, write_picture
from reports.model.decisions import MOST_METHODS, deciding_choice
from reports.model.example_cases import named_cases
from reports.model.run_results import RunResults, cohort_title

log = logging.getLogger(__name__)

EXPLAINED = (
    "Axial slices through the most lesion, or the brain's middle where there is none. Anterior is up and the patient's "
    "left is on the left (L, R). Below the image with the outline of the ground truth: each method's map after "
    "post-processing, small components removed, drawn up to twice the threshold that decides; and what that threshold "
    "makes of it. Of a method's seeds the lowest is shown. Reconstructions, where any is kept, stand above."
)
MOST_EXAMPLES, MOST_LEADERS = 3, 2


def gallery(results: RunResults) -> list[Block]:
    """Draw each cohort that may be shown; earlier pictures of others are removed."""
    figures = results.run.root / "figures"
    parts: list[Block] = []
    drawn = set()
    for name in (name for name in results.cohorts if name not in results.empty):
        path = figures / f"gallery-{name}.png"
        picture = _picture(results, name, path)
        if isinstance(picture, Picture):
            drawn.add(path)
            parts.append(Folded(cohort_title(name), [picture]))
        else:
            parts.append(Paragraph(prose("{}: {}", cohort_title(name), picture)))
    remove_others(figures, "gallery-*.png", drawn)
    return [Paragraph(EXPLAINED), *parts] if drawn else parts


def example_picture(results: RunResults, name: str, leaders: Sequence[str], path: Path | None = None) -> Picture | None:
    """The best, median and worst case of a lesion cohort with the decisions of its leading methods.

    None where nothing can be shown; the gallery says why.

    Args:
        path: of the picture; None for the run's own.
    """
    path = path or results.run.root / "figures" / f"examples-{name}.png"
    study = results.scans.study
    if study is None or not results.may_show(name) or not leaders:
        return None
    try:
        planes = read_planes(results, study, name, list(leaders)[:MOST_LEADERS], MOST_EXAMPLES)
    except UserError:
        return None
    write_picture(draw_examples(planes), path)
    return Picture(path, f"Example cases of {name}", _attribution(name))


def _picture(results: RunResults, name: str, path: Path) -> Picture | str:
    """The picture, or a sentence that says why there is none."""
    if not results.may_show(name):
        return "Not shown: this report was asked to show no scan of this cohort."
    study = results.scans.study
    if study is None:
        return f"No picture: {results.scans.why_none}."
    if not any(has_maps(results.run, cell) for cell in results.cells if cell.cohort.dataset == name):
        return "No picture: no anomaly map of this cohort is kept."
    try:
        planes = read_planes(results, study, name)
    except UserError as error:
        log.warning("No picture of %s: %s", name, error)
        return "No picture: a scan or a map is missing or cannot be read."
    write_picture(draw_gallery(planes), path)
    caption = joined([_choice_text(results, name, planes.case_ids), _attribution(name)])
    return Picture(path, f"Images, ground truth, maps and decisions of {dataset(name).title}", caption)


def _choice_text(results: RunResults, name: str, cases: Sequence[str]) -> Text:
    """Which cases and methods are shown, under which choice, and why these."""
    pipeline, protocol = deciding_choice(results, name)
    told = prose("Post-processing `{}`, ", pipeline) + (
        prose("threshold `{}`.", protocol) if protocol else "no threshold."
    )
    named = named_cases(results, name)
    if named:
        listed = ", ".join(f"{case} ({named[case]})" if case in named else case for case in cases)
        told += prose(" Top down by the mean AUPRC of all methods but simple baselines: {}.", listed)
    else:
        of_lesions = name in results.lesion
        why = "largest, median and smallest lesion" if of_lesions else "first, middle and last case"
        told += prose(" Top down ({}): {}.", why, ", ".join(cases))
    if len(results.whole.seeds) > MOST_METHODS:
        told += f" The first {MOST_METHODS} methods of this cohort's tables are shown."
    return told


def _attribution(name: str) -> Text:
    """What a cohort's licence asks for."""
    spec = dataset(name)
    source = prose("{}: {}; licence: {}", spec.title, spec.reference, spec.licence)
    return joined([source, link(spec.url, spec.url) if spec.url else ""], "; ")
