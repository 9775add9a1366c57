"""References: what a run's methods and cohorts cite, by keys that a paper can use."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from datasets.cohorts.catalog import dataset
from reports.model.run_results import RunResults

YEAR = re.compile(r"\b(?:19|20)\d\d\b")
ARXIV = re.compile(r"arXiv[: ](\d{4}\.\d{4,5})")
DOI = re.compile(r"doi:(10\.\S+?)[,;.]?(?:\s|$)")


@dataclass(frozen=True)
class Reference:
    """A reference as a card states it.

    Attributes:
        key: for `\\cite`; the first author's name and the year, with a letter where two share them.
    """

    key: str
    text: str

    @property
    def bibtex(self) -> str:
        """An entry whose note is the whole reference; a title cannot be told from the rest for sure."""
        fields = {"author": f"{{{_author(self.text)}}}", "year": _year(self.text), "note": f"{{{self.text}}}"}
        arxiv, doi = ARXIV.search(self.text), DOI.search(self.text)
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"} if arxiv else {}
        fields |= {"doi": doi[1]} if doi else {}
        lines = "".join(f"  {name} = {{{escape(value)}}},\n" for name, value in fields.items() if value)
        return f"@misc{{{self.key},\n{lines}}}"


def escape(text: str) -> str:
    """Text for a field; braces stay, which protect capitals."""
    return re.sub(r"([&%$#_])", r"\\\1", text)


def references_of(results: RunResults) -> dict[str, list[Reference]]:
    """By method and by cohort what it cites, in the order of their tables."""
    cited = {method: list(_of_card(results, method)) for method in results.methods}
    cited |= {name: dataset(name).reference.split("; ") for name in [*results.fitted_on, *results.cohorts]}
    keys = _keys(dict.fromkeys(text for texts in cited.values() for text in texts if text))
    return {name: [Reference(keys[text], text) for text in texts if text] for name, texts in cited.items()}


def bibliography(cited: Mapping[str, list[Reference]]) -> str:
    """A BibTeX file of all of them, each once."""
    entries = {one.key: one.bibtex for references in cited.values() for one in references}
    return "\n\n".join(entries.values())


def _of_card(results: RunResults, method: str) -> Iterator[str]:
    kept = results.cards.get(method)
    yield from kept.card.references if kept is not None and kept.card is not None else ()


def _keys(texts: Mapping[str, None]) -> dict[str, str]:
    """One key an author and year; the same work under several eq. numbers keeps keys of its own."""
    keys: dict[str, str] = {}
    for text in texts:
        plain = re.sub("[^a-z]", "", _author(text).split()[-1].lower()) or "reference"
        first = f"{plain}{_year(text)}"
        free = (
            name
            for name in (first, *(f"{first}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz"))
            if name not in keys.values()
        )
        keys[text] = next(free)
    return keys


def _author(text: str) -> str:
    """The first author's name: what stands before the first comma, year or full stop."""
    return re.split(r",| et al| and |\.| \d{4}", text.removeprefix("standardise: "))[0].strip() or text


def _year(text: str) -> str:
    found = YEAR.search(text)
    return found[0] if found else ""
