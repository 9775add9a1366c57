"""Markdown, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.markup.markdown import escape, plain


@pytest.mark.parametrize("sign", list("|[]_*`<>#\\"))
def test_escape_takes_every_sign_that_markdown_reads(sign: str) -> None:
    assert escape(f"a{sign}b") == f"a\\{sign}b"


@given(st.text(st.characters(exclude_characters="\n")))
def test_plain_undoes_escape(text: str) -> None:
    assert plain(escape(text)) == text


def test_plain_drops_the_marks_of_emphasis_and_code() -> None:
    assert plain("**failed** in `a-b` (*x*\\_1 \\*)") == "failed in a-b (x_1 *)"
