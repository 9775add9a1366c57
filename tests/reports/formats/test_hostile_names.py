"""Whatever a name holds, each format shows it as it is and lets it make nothing else."""

import csv
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports.content.blocks import Block, Bullets, Folded, Heading, Listing, Notice, Paragraph
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, code, link, prose
from reports.formats import csv as csv_format
from reports.formats import html, latex, markdown

HOSTILE = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a|b", "`", "``a", "a```b", "**bold**",
    "_x_[y](z)", "# title", "- item", "1. one", "> quote", "=HYPERLINK(1)", "+1", "@x", "-2+3", "\\input{/etc/passwd}",
    "$x^2$ & 5 % #1 {y} ~", "</details>", "&lt;b&gt;", "a\nb", '"quoted"', "<!-- x", "![x](javascript:1)", "~~~", "\\|",
]  # fmt: skip
NAMES = st.one_of(
    st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
)


def table(name: str) -> Table:
    columns = [*text_columns("Method"), Column(name, name), *text_columns("Code")]
    return Table("t", prose("Of {}.", name), columns, [[said(name), Cell(0.5, note=name), said(code(name))]])


def blocks(name: str) -> list[Block]:
    return [
        Heading(name), Paragraph(name), Notice(prose("**{}** `{}`", name, name)), Bullets([name]),
        Listing(f"x\n{name}\ny"), table(name), Folded(name, [Paragraph(name)]),
    ]  # fmt: skip


class Reader(HTMLParser):
    """What elements a page has, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


@settings(deadline=None)
@given(NAMES)
def test_html_has_the_same_elements_whatever_the_name(name: str) -> None:
    page = read(html.Page().render(blocks(name)))
    assert page.elements == read(html.Page().render(blocks("plain"))).elements
    assert read(html.table(table(name))).cells[3].strip() == name


@settings(deadline=None)
@given(NAMES)
def test_markdown_has_the_same_blocks_and_shows_the_name(name: str) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    made, plain = (reader.parse(markdown.markdown(blocks(one), Path())) for one in (name, "plain"))
    assert [token.type for token in made] == [token.type for token in plain]
    flat = " ".join(name.split("\n"))
    inlines = [token for token in made if token.type == "inline"]
    read_back = "".join(child.content for child in inlines[0].children or ())
    assert read_back == flat
    assert {child.type for child in inlines[0].children or ()} <= {"text", "text_special"}
    codes = [child.content for token in inlines for child in token.children or () if child.type == "code_inline"]
    assert len(codes) == 2  # in the notice and in the table
    assert codes == [flat, flat]


@settings(deadline=None)
@given(NAMES)
def test_latex_closes_what_it_opens_and_runs_no_command_of_a_name(name: str) -> None:
    made, plain = latex.tabular(table(name)), latex.tabular(table("plain"))
    assert made.count(" & ") == plain.count(" & ")
    assert made.count("\n") == plain.count("\n")
    for one in "&%$#_{}~^\\<>":
        assert one not in latex.escape(one).removeprefix("\\" + one) or one in "\\{}"
    assert "\\input{" not in made


@pytest.mark.parametrize("name", HOSTILE)
def test_no_cell_of_the_csv_begins_a_formula(name: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows(csv_format.cell_lines(table(name)))
    for row in csv.reader(io.StringIO(stream.getvalue())):
        for place, cell in enumerate(row):
            number = csv_format.COLUMNS[place] in ("value", "low", "high")
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_an_address_of_another_kind_is_no_link() -> None:
    assert "<a" not in html.inline(link("x", "javascript:alert(1)"))
    assert '<a href="https://x/&quot;">' in html.inline(link("x", 'https://x/"'))
    assert markdown.inline(link("x", "https://x/(a)")) == "[x](https://x/%28a%29)"


def test_the_same_text_reads_the_same_in_every_format() -> None:
    text = prose("**{}** leads under `{}`", "ae_1", "healthy-fpr-1")
    assert html.inline(text) == "<strong>ae_1</strong> leads under <code>healthy-fpr-1</code>"
    assert markdown.inline(text) == r"**ae\_1** leads under `healthy-fpr-1`"
    assert latex.inline(text) == r"\textbf{ae\_1} leads under \texttt{healthy-fpr-1}"
    assert str(Text(text.spans)) == "ae_1 leads under healthy-fpr-1"
