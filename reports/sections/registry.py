"""SECTIONS: the sections of a report in reading order, and where those of plugins stand."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from datasets.errors import BadValue
from datasets.registry import Registry
from reports.model.run_results import RunResults
from reports.sections.at_a_glance import at_a_glance
from reports.sections.changes import changes_section
from reports.sections.cohort_tables import dice_matrices, field_of_view, leaderboards
from reports.sections.data_cards import data_cards
from reports.sections.detection import detection
from reports.sections.efficiency import quality_and_cost
from reports.sections.gallery import gallery
from reports.sections.healthy_false_positives import false_positives
from reports.sections.implants import implanted_lesions
from reports.sections.notes import notes_section
from reports.sections.pairwise_tests import pairwise_tests
from reports.sections.paper_text import methods_section
from reports.sections.patient_detection import patient_detection
from reports.sections.plugin_metrics import plugin_metrics
from reports.sections.reconstruction import reconstructions
from reports.sections.run_setup import configurations, facts
from reports.sections.shifts import under_shift
from reports.sections.subgroups import subgroups

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        title: what it answers, in a line.
        write: Markdown that begins with a heading of level 2 (`results.heading`), "" where there is nothing to show.
            Figures go below `results.run.root / "figures"`.
        after: the built-in section that a plugin's section stands behind; "" for behind all.
        origin: a plugin's distribution and version; "" for a built-in.
    """

    name: str
    title: str
    write: Callable[[RunResults], str]
    after: str = ""
    origin: str = ""


_BUILT_IN = (
    Section("at-a-glance", "which methods may be first, and whether any beats the simple baselines", at_a_glance),
    Section("changes", "what is not as it was in an earlier run", changes_section),
    Section("run-setup", "data, grid, seeds, device, and how much is done", facts),
    Section("pairwise-tests", "every pair of methods under the choice that decides", pairwise_tests),
    Section("leaderboards", "all metrics of the lesion cohorts", leaderboards),
    Section("plugin-metrics", "means of the metrics that plugins define", plugin_metrics),
    Section("dice-by-choice", "what post-processing and threshold cost", dice_matrices),
    Section("detection", "lesions found against false positives, and Dice by lesion size", detection),
    Section("healthy-false-positives", "what is flagged where no lesion is, in and out of domain", false_positives),
    Section("patient-detection", "how well one score tells patients from healthy people", patient_detection),
    Section("subgroups", "means by site, age and sex", subgroups),
    Section("efficiency", "quality against time and memory", quality_and_cost),
    Section("reconstruction", "how close reconstructions of healthy scans are", reconstructions),
    Section("shifts", "what acquisition shifts cost at each dose", under_shift),
    Section("implants", "size and contrast at which half of the implanted lesions are found", implanted_lesions),
    Section("field-of-view", "how much of the lesions lies outside the grid", field_of_view),
    Section("notes", "what is missing or undefined, and why", notes_section),
    Section("gallery", "the best, median, worst and most disagreed case", gallery),
    Section("data-cards", "what each method and threshold has seen", data_cards),
    Section("paper-text", "how the numbers were made, as sentences for a paper", methods_section),
    Section("configuration", "every hyper-parameter and key", configurations),
)


def _check(section: Section) -> None:
    names = [one.name for one in _BUILT_IN]
    if section.after and section.after not in names:
        raise BadValue(
            f"Report section '{section.name}': got after='{section.after}', expected a built-in section: "
            f"{', '.join(names)}."
        )


SECTIONS = Registry("report section", "uadbench.sections", Section, {one.name: one for one in _BUILT_IN}, check=_check)


def in_reading_order() -> list[Section]:
    """All sections that can be used, a plugin's behind the built-in one that it names; a broken one is logged."""
    known = list(_usable())
    plugins = [one for one in known if one.origin]
    built_in = [one for one in known if not one.origin]
    ordered: list[Section] = []
    for first in built_in:
        ordered += [first, *(one for one in plugins if one.after == first.name)]
    return [*ordered, *(one for one in plugins if not one.after)]


def _usable() -> Iterator[Section]:
    for name in SECTIONS:
        try:
            yield SECTIONS[name]
        except BadValue as error:
            log.warning("%s", error)
