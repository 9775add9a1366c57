"""Post-processing without effect on a grid stands as none, in the endpoint too, and the report says so."""

from types import SimpleNamespace

from benchmark.analysis.compare_methods import endpoint_on
from benchmark.statistics.panel import Choice
from benchmark.statistics.primary_endpoint import read_endpoint
from datasets.grid import Grid
from reports.formats.markdown import inline
from reports.sections.notes import _idle_pipelines
from reports.sections.paper_text import _statistics


def test_the_endpoint_is_that_of_none_where_its_post_processing_has_no_effect() -> None:
    fixed = read_endpoint()
    assert endpoint_on(2.0, fixed) == fixed
    coarse = endpoint_on(4.0, fixed)
    assert coarse.pipelines == ("none", "paper")
    choice = Choice("lgg", fixed.metric, "none", fixed.protocol, fixed.split)
    assert coarse.rank_of(choice) == "first"
    assert fixed.rank_of(choice) == "exploratory"


def test_a_report_says_so_where_the_endpoint_is_read() -> None:
    fixed = read_endpoint()
    for spacing, expected in ((2.0, 0), (4.0, 1)):
        results = SimpleNamespace(grid=Grid(spacing=spacing), endpoint=endpoint_on(spacing, fixed))
        told = list(_idle_pipelines(results))  # type: ignore[arg-type]
        assert len(told) == expected
        assert ("(without effect on this grid: none)" in next(_statistics(fixed, results.endpoint))) == bool(expected)
    assert "is shown as none: light: median of 6 mm within the brain (no effect)" in str(told[0])
    assert inline(told[0]).endswith("**The endpoints use it.**")
