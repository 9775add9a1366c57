"""docs/metrics.md says of every metric what the program knows of it."""

from pathlib import Path

from benchmark.metrics import METRICS, Metric

PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
DIRECTIONS = {True: "higher", False: "lower", None: ""}


def line(metric: Metric) -> str:
    formula = metric.what.replace("|", "\\|")
    unit = f" [{metric.unit}]" if metric.unit else ""
    better = DIRECTIONS[metric.higher_is_better]
    return f"| `{metric.name}`{unit} | {formula} | {metric.over} | {better} | {metric.per} | {metric.undefined} |"


def test_the_table_has_a_line_for_every_metric_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").split("\n## ")[0]
    written = [text for text in table.splitlines() if text.startswith("| `")]
    assert written == [line(metric) for metric in METRICS.usable().values()]


def test_the_matching_rule_is_named() -> None:
    assert "`overlap-10`" in PAGE.read_text(encoding="utf-8")
