"""SECTIONS: the sections of a report in reading order, and where those of plugins stand."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from datasets.errors import BadValue
from datasets.registry import Registry
from reports.content.blocks import Block
from reports.model.run_results import RunResults
from reports.sections.changes import changes_section
from reports.sections.cohort_tables import dice_matrices, field_of_view, leaderboards
from reports.sections.data_cards import data_cards
from reports.sections.detection import by_size, detection
from reports.sections.efficiency import quality_and_cost
from reports.sections.explore import explore
from reports.sections.gallery import gallery
from reports.sections.healthy_false_positives import by_postprocessing, false_positives
from reports.sections.implants import implanted_lesions
from reports.sections.notes import notes_section, undefined_section
from reports.sections.pairwise_tests import further_pairs, pairwise_tests
from reports.sections.paper_text import citations, methods_section
from reports.sections.patient_detection import patient_detection
from reports.sections.plugin_metrics import plugin_metrics
from reports.sections.reconstruction import reconstructions
from reports.sections.run_setup import configurations, facts
from reports.sections.scores import anomaly_scores
from reports.sections.shifts import shift_details, under_shift
from reports.sections.subgroups import subgroups
from reports.sections.verdict import verdict

log = logging.getLogger(__name__)


PARTS = {
    "verdict": "Verdict",
    "explore": "Explore",
    "why": "Why",
    "reliability": "How far to trust it",
    "images": "Images",
    "reproduce": "Reproduce and cite",
    "appendix": "Appendix",
}
"""Titles of a report's parts, in reading order; the last is folded on screen and whole in print."""


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        title: what it answers, in a line.
        write: blocks, none where there is nothing to show; the first is a heading (`results.heading`) unless the
            section is its part. Figures go below `results.run.root / "figures"`.
        part: one of `PARTS`.
        after: the built-in section that a plugin's section stands behind, in its part; "" for behind all of `part`.
        origin: a plugin's distribution and version; "" for a built-in.
    """

    name: str
    title: str
    write: Callable[[RunResults], Sequence[Block]]
    part: str = "appendix"
    after: str = ""
    origin: str = ""


_BUILT_IN = (
    Section("verdict", "who leads, whether simple baselines are beaten, and what cannot be said", verdict, "verdict"),
    Section("explore", "every method at each cohort's endpoints, and every other choice", explore, "explore"),
    Section("changes", "what is not as it was in an earlier run", changes_section, "why"),
    Section("pairwise-tests", "every pair of methods under the choice that decides", pairwise_tests, "why"),
    Section("by-size", "Dice and lesions found by lesion size", by_size, "why"),
    Section("dice-by-choice", "what post-processing and threshold cost", dice_matrices, "why"),
    Section("shifts", "what acquisition shifts cost", under_shift, "why"),
    Section("implants", "size and contrast at which half of the implanted lesions are found", implanted_lesions, "why"),
    Section("healthy-false-positives", "what is flagged where no lesion is", false_positives, "reliability"),
    Section(
        "patient-detection", "how well one score tells patients from healthy people", patient_detection, "reliability"
    ),
    Section("notes", "what is missing, and what the audit warns of", notes_section, "reliability"),
    Section("gallery", "the best, median, worst and most disagreed case", gallery, "images"),
    Section("run-setup", "data, grid, seeds, device, and how much is done", facts, "reproduce"),
    Section("paper-text", "how the numbers were made, as sentences for a paper", methods_section, "reproduce"),
    Section("references", "what methods and cohorts cite, as BibTeX", citations, "reproduce"),
    Section("further-pairs", "every pair of methods under the other question and endpoints", further_pairs),
    Section("leaderboards", "all metrics of the lesion cohorts", leaderboards),
    Section("plugin-metrics", "means of the metrics that plugins define", plugin_metrics),
    Section("anomaly-scores", "what other scores make of the same reconstructions", anomaly_scores),
    Section("detection", "lesions found against false positives", detection),
    Section("healthy-by-postprocessing", "false positives after each post-processing", by_postprocessing),
    Section("subgroups", "means by site, age and sex", subgroups),
    Section("efficiency", "quality against time and memory", quality_and_cost),
    Section("reconstruction", "how close reconstructions of healthy scans are", reconstructions),
    Section("shift-details", "what each level of each shift costs", shift_details),
    Section("field-of-view", "how much of the lesions lies outside the grid", field_of_view),
    Section("undefined", "which numbers are undefined, and why", undefined_section),
    Section("data-cards", "what each method and threshold has seen", data_cards),
    Section("configuration", "every hyper-parameter and key", configurations),
)


def _check(section: Section) -> None:
    names = [one.name for one in _BUILT_IN]
    if section.part not in PARTS:
        raise BadValue(
            f"Report section '{section.name}': got part='{section.part}', expected one of: {', '.join(PARTS)}."
        )
    if section.after and section.after not in names:
        raise BadValue(
            f"Report section '{section.name}': got after='{section.after}', expected a built-in section: "
            f"{', '.join(names)}."
        )


SECTIONS = Registry("report section", "uadbench.sections", Section, {one.name: one for one in _BUILT_IN}, check=_check)


def in_reading_order() -> list[tuple[str, Section]]:
    """All sections that can be used with the part that each stands in; a broken one is logged.

    A plugin's stands behind the built-in one that it names, else behind all of its part.
    """
    known = list(_usable())
    plugins = [one for one in known if one.origin]
    ordered: list[tuple[str, Section]] = []
    for part in PARTS:
        for first in (one for one in known if not one.origin and one.part == part):
            ordered += [(part, one) for one in (first, *(one for one in plugins if one.after == first.name))]
        ordered += [(part, one) for one in plugins if not one.after and one.part == part]
    return ordered


def _usable() -> Iterator[Section]:
    for name in SECTIONS:
        try:
            yield SECTIONS[name]
        except BadValue as error:
            log.warning("%s", error)
