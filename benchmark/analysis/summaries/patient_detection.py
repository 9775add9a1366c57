"""Patients told from healthy people by one score each: AUROC against every healthy cohort of another site."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import nan

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import healthy_protocols
from benchmark.analysis.summaries.lines import line, single_line
from benchmark.analysis.summaries.subgroups import UNKNOWN, Participant
from benchmark.metrics import METRICS
from benchmark.statistics.panel import TRAINED_MODEL, Choice, Panel
from benchmark.statistics.patient_auroc import WILSON, patient_auroc
from benchmark.storage.fits import sees_labels
from benchmark.storage.run_record import kept_cells
from benchmark.storage.summary_tables import NO_INTERVAL, SummaryLine
from benchmark.study.cells import NOT_AVAILABLE
from datasets.simulation.implants import host_cohort

KIND = "patient auroc"
NO_OTHER_SITE = "not available: no healthy scans of another site than those that it was trained on"
OF_LABELS = "not available: of healthy scans maps that are made of lesion labels say nothing"


def patient_detection_lines(comparable: Comparable, participants: Sequence[Participant]) -> Iterator[SummaryLine]:
    """Of each lesion cohort and method: every patient-level score, pipeline and threshold against each cohort of
    controls, or one line that says why there are none."""
    fits = {cell.fit.method: cell.fit for cell in kept_cells(comparable.run)}
    labelled = {method for method, fit in fits.items() if sees_labels(comparable.run, fit)}
    no_scans = not any(comparable.healthy.values()) and all(comparable.lesion_cases.values())
    for dataset in comparable.facts:
        patients = comparable.lesion_cases[dataset]
        for choice in _choices(comparable, dataset) if patients else ():
            seeds, none = comparable.all_seeds(dataset), comparable.grouped.of(choice, patients).empty
            panels = {} if none else comparable.grouped.panels(choice, seeds, patients)
            for method, planned in seeds.items():
                rankable = method not in labelled and method in panels and not panels[method].is_empty
                controls = _controls(comparable, choice, method, participants) if rankable else {}
                for name, healthy in controls.items():
                    yield _line(comparable, choice, panels[method], healthy, name)
                if not controls:
                    why = OF_LABELS if method in labelled else NO_OTHER_SITE
                    if no_scans or (choice.protocol and not comparable.healthy[method]):
                        why = NOT_AVAILABLE
                    yield single_line(comparable, choice, method, nan, kind=KIND, seeds=0, planned=len(planned),
                                      unavailable=why)  # fmt: skip


def _choices(comparable: Comparable, dataset: str) -> Iterator[Choice]:
    """Each patient-level score after each pipeline; where it needs a threshold, under each taken from healthy scans.

    Others differ from cohort to cohort, so that scores of patients and of healthy people would not compare.
    """
    scoring = comparable.scoring
    for metric in (METRICS[name] for name in scoring.metrics if METRICS[name].patient_score):
        protocols = healthy_protocols(scoring, comparable.endpoint) if metric.needs_threshold else [""]
        for pipeline in scoring.postprocessing:
            for protocol in protocols:
                yield Choice(dataset, metric.name, pipeline, protocol, comparable.split)


def _controls(
    comparable: Comparable, choice: Choice, method: str, participants: Sequence[Participant]
) -> Mapping[str, Panel]:
    """By cohort the healthy people whose scans are of no site that the method was fitted on."""
    trained, found = comparable.healthy[method], dict[str, Panel]()
    sites = {one.site for one in participants if one.dataset in trained} - {UNKNOWN}
    for dataset in comparable.facts:
        if host_cohort(dataset) in trained:
            continue
        known = {one.case_id for one in participants if one.dataset == dataset and one.site in sites}
        own = replace(choice, dataset=dataset)
        cases = {*comparable.grouped.of(own)["case_id"]} - comparable.lesion_cases[dataset] - known
        seeds = {method: comparable.all_seeds(dataset).get(method, [])}
        if cases and not (panel := comparable.grouped.panels(own, seeds, cases)[method]).is_empty:
            found[dataset] = panel
    return found


def _line(comparable: Comparable, choice: Choice, patients: Panel, controls: Panel, name: str) -> SummaryLine:
    absent = {*patients.absent_seeds, *controls.absent_seeds}
    seeds = [seed for seed in patients.seeds if seed in controls.seeds and seed not in absent]
    scores, others = (panel.over(panel.patients, seeds).complete for panel in (patients, controls))
    found = patient_auroc(scores, others, alpha=comparable.endpoint.alpha)
    return replace(
        line(comparable, choice, patients, "lesion", question=None), kind=KIND, group=f"against {name}",
        question=TRAINED_MODEL, n=len(scores), left_out=len(patients.patients) - len(scores), controls=len(others),
        seeds=len(found.by_seed), mean=found.value, sd=nan, lowest_seed=min(found.by_seed, default=nan),
        highest_seed=max(found.by_seed, default=nan), low=found.low, high=found.high,
        interval=f"{NO_INTERVAL}: {found.why_none}" if found.why_none else WILSON,
    )  # fmt: skip
