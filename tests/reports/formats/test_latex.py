"""LaTeX tables: booktabs, the best bold, everything else text."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from runs_by_hand import write_people, write_run
from scored_runs import make

from benchmark.analysis.summaries.make import summarise
from reports.content.text import prose
from reports.document import compose
from reports.formats.latex import inline
from reports.formats.registry import write_document
from reports.model.references import Reference, bibliography


def test_a_text_keeps_its_emphasis_and_is_text_otherwise() -> None:
    hostile = "5 % & #1 $x$ {y} ~ ^ \\\\"
    shown = r"5 \% \& \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}\textbackslash{}"
    assert inline(hostile) == shown
    assert inline(prose("**{}**", hostile)) == f"\\textbf{{{shown}}}"


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
        bare = table.replace(r"\{", "").replace(r"\}", "")
        assert bare.count("{") == bare.count("}")


def test_a_reference_keeps_its_whole_text_and_what_can_be_told_of_it() -> None:
    texts = {
        "ho2020": "Ho et al. 2020, Denoising diffusion probabilistic models, arXiv 2006.11239, eq. 4",
        "marcus2007": "Marcus et al. 2007, doi:10.1162/jocn.2007.19.9.1498",
        "reference": "1 & 2",
    }
    entries = bibliography({"ae": [Reference(key, text) for key, text in texts.items()], "dae": []})
    assert entries.count("@misc{") == 3
    assert "eprint = {2006.11239}" in entries
    assert "doi = {10.1162/jocn.2007.19.9.1498}" in entries
    assert "note = {{1 \\& 2}}" in entries
    assert entries.count("{") == entries.count("}")


def test_the_single_seed_badge_stands_in_the_file(tmp_path: Path, data: Path, plugin: None) -> None:
    text = write_document(compose(make(tmp_path, data).run, data), "latex").read_text(encoding="utf-8")
    assert "% Single seed" in text


PAGE = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs}
\usepackage[T1]{fontenc}
\usepackage[textwidth=%s,columnsep=5mm,textheight=240mm]{geometry}
\begin{document}
\input{report}
\nocite{*}
\bibliographystyle{plain}
\bibliography{references}
%s
\end{document}
"""
MEASURE = r"\setbox0=\hbox{%s}\typeout{WIDTH \the\wd0}"
TABLE = re.compile(r"(\\\w+size\n\\setlength.*?\n)\\caption.*?(\\begin\{tabular\}.*?\\end\{tabular\})", re.DOTALL)
"""The size of a table's letters and the table."""
MM = 72.27 / 25.4


@pytest.mark.slow
def test_the_tables_compile_and_fit_122_mm(tmp_path: Path, plugin: None) -> None:
    """As LNCS has it in one column, so that they fit two columns of a journal all the more."""
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex; Debian: texlive-latex-recommended")
    write_people(tmp_path / "data")
    names = ("cddpm[steps=60]", "a_long_name&[of=1%]", "patchcore", "f-anogan")
    run = write_run(tmp_path / "run", means={name: 0.5 - place / 20 for place, name in enumerate(names)})
    summarise(run, tmp_path / "data")
    text = write_document(compose(run, None, pictures=[]), "latex").read_text(encoding="utf-8")
    tables = ["".join(found) for found in TABLE.findall(text)]
    (run.root / "page.tex").write_text(PAGE % ("178mm", "".join(MEASURE % table for table in tables)))
    for command in (["pdflatex"], ["bibtex", "page"], ["pdflatex"]):
        options = ["-interaction=nonstopmode", "-halt-on-error", "page"] if command == ["pdflatex"] else []
        done = subprocess.run([*command, *options], cwd=run.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    widths = [float(width) / MM for width in re.findall(r"WIDTH ([\d.]+)pt", done.stdout)]
    assert len(widths) == len(tables) > 1
    assert max(widths) <= 122
    assert "Overfull" not in done.stdout
