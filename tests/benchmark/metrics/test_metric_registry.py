"""What holds of every built-in metric."""

import re

from benchmark.metrics import METRICS
from benchmark.metrics.metric import check_metric
from benchmark.metrics.registry import ALWAYS, AS_PUBLISHED, COST, scored

BUILT_IN = [METRICS[name] for name in METRICS.built_in]


def test_a_built_in_metric_is_what_one_of_a_plugin_has_to_be() -> None:
    for metric in BUILT_IN:
        if metric.function is None:
            assert metric.takes == "run"
            assert metric.definition
        else:
            check_metric(metric)


def test_each_has_a_title_of_its_own_a_place_and_a_range_that_is_not_empty() -> None:
    assert len({metric.title for metric in BUILT_IN}) == len(BUILT_IN)
    for metric in BUILT_IN:
        assert metric.title
        assert metric.over
        assert metric.undefined
        assert metric.range[0] < metric.range[1]
        assert metric.higher_is_better in (True, False, None)


def test_titles_are_in_sentence_case() -> None:
    kept = {"Dice", "F1", "FROC", "HD95", "AUPRC", "AUROC", "SSIM", "PSNR", "JS", "KL"}
    for metric in BUILT_IN:
        first, *others = re.findall(r"[A-Za-z]\w*", metric.title)
        for word in {first, *others} - kept:
            assert word == word.lower() or (word == first and word == word.capitalize())


def test_a_share_or_an_overlap_has_no_unit_and_what_has_one_no_bound_of_one() -> None:
    for metric in BUILT_IN:
        assert not (metric.unit and metric.range == (0.0, 1.0))


def test_costs_are_in_no_row_and_facts_in_every_run() -> None:
    assert not {*COST} & {*scored(), *ALWAYS}
    assert {*ALWAYS} <= {*scored()}
    assert {*scored(), *COST, *AS_PUBLISHED} == {*METRICS.usable()}
