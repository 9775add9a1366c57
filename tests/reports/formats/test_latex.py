"""LaTeX tables: booktabs, the best bold, everything else text."""

from pathlib import Path

import pytest
from scored_runs import make

from reports.document import compose
from reports.formats.latex import latex
from reports.formats.registry import write_document


@pytest.mark.parametrize(
    ("markdown", "wanted"),
    [
        ("**0.329**", r"\textbf{0.329}"),
        ("*perfect map*", r"\emph{perfect map}"),
        (r"ddpm\[t\_test=250\]", r"ddpm[t\_test=250]"),
        ("5 % & #1 $x$ {y} ~ ^ \\\\", r"5 \% \& \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}"),
        ("n/a", "n/a"),
        ("", ""),
    ],
)
def test_a_cell_keeps_its_emphasis_and_is_text_otherwise(markdown: str, wanted: str) -> None:
    assert latex(markdown) == wanted


def test_a_table_has_the_three_rules_of_booktabs_and_as_many_cells_as_columns(
    tmp_path: Path, data: Path, plugin: None
) -> None:
    text = write_document(compose(make(tmp_path, data).run, data), "latex").read_text(encoding="utf-8")
    tables = text.split(r"\begin{table}")[1:]
    assert tables
    for table in tables:
        assert [table.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\hline")] == [1, 1, 1, 0]
        lines = [line for line in table.splitlines() if line.endswith(r"\\")]
        assert {line.count(" & ") for line in lines} == {lines[0].count("&")}
        assert table.count("{") == table.count("}")


def test_the_single_seed_badge_stands_in_the_file(tmp_path: Path, data: Path, plugin: None) -> None:
    text = write_document(compose(make(tmp_path, data).run, data), "latex").read_text(encoding="utf-8")
    assert "% Single seed" in text
