"""Text from templates: values are shown as they are, whatever they hold."""

from hypothesis import given, settings
from hypothesis import strategies as st

from reports.content.text import Span, Text, code, joined, prose


def test_marks_are_read_in_the_template_alone() -> None:
    made = prose("The best is **{}** under `{}`, *perhaps*.", "a*b", "`x`")
    assert made.spans == (
        Span("The best is "), Span("a*b", "strong"), Span(" under "), Span("`x`", "code"), Span(", "),
        Span("perhaps", "emphasis"), Span("."),
    )  # fmt: skip


@settings(deadline=None)
@given(st.text())
def test_any_value_is_read_as_it_was_given(value: str) -> None:
    assert str(prose("{} and **{}** and `{}`", value, value, value)) == f"{value} and {value} and {value}"


def test_numbers_have_their_format_and_text_keeps_its_style() -> None:
    assert str(prose("{:.2f}", 0.333)) == "0.33"
    assert prose("**{}**", prose("a `b`")).spans == (Span("a ", "strong"), Span("b", "code"))


def test_what_says_nothing_is_not_joined() -> None:
    assert str(joined(["a", "", Text(), code("b")], ", ")) == "a, b"
    assert not joined([])
