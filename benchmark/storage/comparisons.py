"""comparisons.csv: every pair of every cohort, a line a question."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.statistics.pairwise.paired_difference import Comparison
from datasets.io.tables import write_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "dataset", "split", "metric", "postprocessing", "protocol", "endpoint", "question", "a", "b", "state", "better",
    "n", "left_out", "seeds", "difference", "low", "high", "level", "interval", "coverage", "se", "sd",
    "test", "p", "p_adjusted", "correction", "comparisons", "margin", "p_equivalent", "p_equivalent_adjusted",
    "detectable", "power", "p_false_claim", "p_false_claim_winner", "methods", "p_published_unpaired",
)  # fmt: skip

NUMBERS = (
    "n", "left_out", "difference", "low", "high", "level", "coverage", "se", "sd", "p", "p_adjusted", "comparisons",
    "margin", "p_equivalent", "p_equivalent_adjusted", "detectable", "power", "p_false_claim", "p_false_claim_winner",
    "methods", "p_published_unpaired",
)  # fmt: skip


def write_comparisons(path: Path, comparisons: Iterable[Comparison]) -> None:
    """Write them as CSV; what is undefined is empty."""
    write_table(path, COLUMNS, map(_line, comparisons))


def read_comparisons(path: Path) -> "pd.DataFrame":
    """Its columns as text and numbers, NaN where undefined; without a line where there is no file."""
    import pandas as pd

    types = {column: float if column in NUMBERS else str for column in COLUMNS}
    if not path.is_file():
        return pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in types.items()})
    return pd.read_csv(path, dtype=types, na_values={name: [""] for name in NUMBERS}, keep_default_na=False)


def _line(one: Comparison) -> tuple[object, ...]:
    choice, effect = one.choice, one.effect
    return (
        choice.dataset, choice.split, choice.metric, choice.postprocessing, choice.protocol, one.endpoint,
        one.question, one.a, one.b, one.state, one.better,
        one.n, one.left_out, " ".join(map(str, one.seeds)), effect.mean, effect.low, effect.high, effect.level,
        effect.method or effect.why_none, effect.coverage, one.se, one.sd,
        one.test, one.p, one.p_adjusted, one.correction, one.comparisons,
        one.margin, one.p_equivalent, one.p_equivalent_adjusted,
        one.detectable, one.power, one.p_false_claim, one.p_false_claim_winner, one.methods, one.p_published,
    )  # fmt: skip
