"""write_latex: `report.tex`, a run's leaderboards as booktabs tables that a paper can include."""

import re
from collections.abc import Hashable
from pathlib import Path

from tabulate import tabulate

from benchmark.runfolder import write_text
from reports.board import Board
from reports.columns import cells, headings
from reports.document import Document
from reports.findings import Findings, cohort_title
from reports.glance import short_columns, short_lead
from reports.headline import Headline, headlines
from reports.markup import alignment, plain
from reports.notes import badges
from reports.tables import ranked

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def write_latex(document: Document) -> Path:
    r"""Write `report.tex` into the run folder; its path is returned.

    Tables stand in `table` environments and need `\usepackage{booktabs}`; the best of a column is bold, what is
    missing is shown as missing.
    """
    findings = document.findings
    parts = ["% Needs \\usepackage{booktabs}."]
    parts += [f"% {plain(badge)}" for badge in badges(findings)]
    for name, board in findings.lesion.items():
        parts += [_table(findings, name, board, first) for first in headlines(findings, board)]
    path = document.run.root / "report.tex"
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def latex(markdown: str) -> str:
    """A cell of a table: bold and emphasis stay, everything else is text."""
    for mark, command in (("**", "textbf"), ("*", "emph")):
        if len(markdown) > 2 * len(mark) and markdown.startswith(mark) and markdown.endswith(mark):
            return f"\\{command}{{{escape(plain(markdown[len(mark) : -len(mark)]))}}}"
    return escape(plain(markdown))


def escape(text: str) -> str:
    """Text that LaTeX prints as it is written."""
    return re.sub(r"[\\~^&%$#_{}]", lambda found: SPECIAL[found[0]], text)


def _table(findings: Findings, name: str, board: Board, first: Headline) -> str:
    lead, columns = short_lead(board), short_columns(board, first)
    lines: list[Hashable] = ranked(board, first.chain)
    body = [[latex(cell) for cell in line] for line in cells(lines, lead, columns)]
    titles = [escape(heading) for heading in headings(lead, columns)]
    tabular = tabulate(
        body, titles, tablefmt="latex_raw", disable_numparse=True, colalign=alignment(len(titles), len(lead))
    )
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        tabular = tabular.replace(r"\hline", rule, 1)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            f"\\caption{{{_caption(findings, name, board, first)}}}",
            f"\\label{{tab:{re.sub('[^a-z0-9]+', '-', name.lower())}-{first.chain}}}",
            tabular,
            r"\end{table}",
        ]
    )


def _caption(findings: Findings, name: str, board: Board, first: Headline) -> str:
    threshold = f"threshold {first.protocol}" if first.protocol else "no threshold"
    said = f"{plain(cohort_title(name))}: post-processing {first.chain}, {threshold}. Means over patients."
    return escape(" ".join(filter(None, (findings.titled(said), board.caution))))
