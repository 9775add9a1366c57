"""LaTeX format: a run's tables with booktabs and its methods text, for a paper to include."""

import re
from pathlib import Path

from datasets.io.atomic import write_text
from reports.content.blocks import tables_of
from reports.content.table import Table
from reports.content.text import Span, Text, as_text
from reports.document import Document
from reports.sections.notes import badges
from reports.sections.paper_text import methods_paragraphs

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "\N{DAGGER}": r"$^\dagger$",
    "\N{DOUBLE DAGGER}": r"$^\ddagger$",
    "\N{BLACK UP-POINTING TRIANGLE}": r"$\triangle$",
    "\N{BLACK DOWN-POINTING TRIANGLE}": r"$\bigtriangledown$",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{MINUS SIGN}": "$-$",
    "\n": " ",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
COMMANDS = {"strong": "textbf", "emphasis": "emph", "code": "texttt"}


def write_latex(document: Document, path: Path) -> None:
    r"""Write a run's tables and methods text.

    A fragment to be `\input`: tables stand in `table` environments and need `\usepackage{booktabs}`; first those of the
    report's main part, then those of its appendix.
    """
    parts = ["% Needs \\usepackage{booktabs}, and T1 fonts for what is not ASCII in names."]
    parts += [f"% {' '.join(str(badge).splitlines())}" for badge in badges(document.results)]
    parts += [tabular(table) for table in tables_of(document.blocks)]
    parts += ["% Methods, made from what the run keeps.", *map(escape, methods_paragraphs(document.results))]
    write_text(path, "\n\n".join(parts) + "\n")


def inline(text: Text | str) -> str:
    return "".join(map(_span, as_text(text).spans))


def _span(span: Span) -> str:
    shown = escape(span.text)
    return f"\\{COMMANDS[span.style]}{{{shown}}}" if span.style else shown


def escape(text: str) -> str:
    """Text that LaTeX prints as it is written; signs that its fonts lack as commands."""
    return "".join(SPECIAL.get(character, character) for character in text)


def tabular(table: Table) -> str:
    """A `table` environment."""
    columns = "".join("l" if column.is_text else "r" for column in table.columns)
    body = [" & ".join(map(inline, row)) + r" \\" for row in table.shown()]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{3.5pt}",
            f"\\caption{{{inline(table.title)}}}",
            f"\\label{{tab:{re.sub('[^a-z0-9]+', '-', table.name.lower()).strip('-')}}}",
            f"\\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            " & ".join(escape(column.heading) for column in table.columns) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )
