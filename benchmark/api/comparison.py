"""compare: two methods of a run, patient by patient."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.errors import MissingData

if TYPE_CHECKING:
    from benchmark.analysis.compare_methods import Comparable, Standing
    from benchmark.statistics.pairwise.paired_difference import Comparison


@dataclass(frozen=True)
class Compared:
    """What is known of two methods.

    Attributes:
        pairs: one for each cohort, choice and question; differences are a - b.
        verdicts: a line for each choice and cohort, for the trained models at hand.
        remarks: what the reader should know: steps without effect, cohorts without numbers.
        paragraphs: tests, intervals, parts of variance, ranks and meta-analyses, in sentences.
        table: `comparisons.csv`, to which all pairs of the choices have been added.
        pictures: of the differences, patient by patient.

    Examples:
        >>> import uadbench
        >>> found = uadbench.compare("first", "lowrank", "zscore")
        >>> {(pair.a, pair.b, pair.choice.dataset) for pair in found.pairs}
        {('lowrank', 'zscore', 'phantom-glioma')}
    """

    pairs: "tuple[Comparison, ...]"
    verdicts: tuple[str, ...]
    remarks: tuple[str, ...]
    paragraphs: tuple[str, ...]
    table: Path
    pictures: tuple[Path, ...]


def compare(
    path: str | Path,
    a: str,
    b: str,
    *,
    dataset: str | None = None,
    metric: str | None = None,
    postprocessing: str | None = None,
    protocol: str | None = None,
    out: str | Path | None = None,
) -> Compared:
    """Compare two methods patient by patient, corrected for all pairs; write the table and a picture.

    Args:
        path: of the run.
        a, b: methods of the run; the start of a name stands for it, if only it begins so.
        dataset: a cohort; default: all in which both have numbers.
        metric, postprocessing, protocol: default: those of the endpoints.
        out: folder of the table and the picture; default: that of the run.

    Raises:
        UnknownName: the run has no such method, cohort or choice.
        MissingData: there are no numbers to compare.

    Examples:
        >>> found = compare("first", "lowrank", "zscore")
        >>> found.table.name
        'comparisons.csv'
    """
    from benchmark.analysis.compare_methods import Comparable, pooled
    from benchmark.analysis.summaries.make import add_standings, summarise
    from benchmark.postprocessing.pipelines import idle_text
    from benchmark.statistics.panel import QUESTIONS, TRAINED_MODEL
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.storage.folder import open_run
    from reports.api import pooled_text, verdict_line

    comparable = Comparable(open_run(Path(path)), read_endpoint())
    folder = comparable.run.root if out is None else Path(out)
    found = _standings(comparable, dataset, metric, postprocessing, protocol)
    a, b = (_full_name(one, [name for standing in found[0] for name in standing.panels]) for one in (a, b))
    told = idle_text([postprocessing] if postprocessing else comparable.fixed.pipelines, comparable.edge)
    remarks = [told] if told else []
    verdicts, paragraphs, pairs = list[str](), list[str](), list["Comparison"]()
    for standings in found:
        both = [one for one in standings if {a, b} <= one.panels.keys()]
        if not both or a == b:
            standings[0].of(TRAINED_MODEL, a, b)  # says which name is unknown
        without = [name for name in comparable.seeds if name not in {one.choice.dataset for one in both}]
        if without and dataset is None:
            remarks.append(f"Without numbers under {both[0].choice.what}: {', '.join(without)}.")
        for standing in both:
            verdicts.append(verdict_line(standing.of(TRAINED_MODEL, a, b)))
            pairs += [standing.of(question, a, b) for question in QUESTIONS]
            paragraphs += _texts(standing, comparable, a, b)
        for question in QUESTIONS if len(standings) > 1 else ():
            paragraphs.append(pooled_text(pooled(standings, question, a, b), question))
    if out is None:
        summarise(comparable.run, None)
    table = add_standings(comparable, [one for standings in found for one in standings], folder)
    pictures = [_draw(standings, a, b, folder) for standings in found]
    return Compared(tuple(pairs), tuple(verdicts), tuple(remarks), tuple(paragraphs), table, tuple(pictures))


def _full_name(name: str, known: Sequence[str]) -> str:
    """The one known name that begins so, variants of a method included; else the name as it is."""
    begun = list(dict.fromkeys(one for one in known if one.startswith(name)))
    return begun[0] if name not in known and len(begun) == 1 else name


def _standings(
    comparable: "Comparable", dataset: str | None, metric: str | None, pipeline: str | None, protocol: str | None
) -> "list[list[Standing]]":
    """Those of each choice that is asked for, by default of each endpoint."""
    protocols = comparable.endpoint.protocols if protocol is None else (protocol,)
    names = list(comparable.seeds) if dataset is None else [dataset]
    choices = dict.fromkeys(comparable.choice(names[0], metric, pipeline, one) for one in protocols)
    found: list[list[Standing]] = []
    missing: list[str] = []
    for choice in choices:
        standings: list[Standing] = []
        for name in names:
            try:
                standings.append(comparable.standing(replace(choice, dataset=name)))
            except MissingData as error:
                missing.append(str(error))
        found += [standings] if standings else []
    if not found:
        raise MissingData(missing[0])
    return found


def _texts(standing: "Standing", comparable: "Comparable", a: str, b: str) -> Iterator[str]:
    """A cohort's paragraph, each method's parts of variance, and the ranks that are open."""
    from benchmark.statistics.intervals.crossed_effects import variance_parts
    from benchmark.statistics.panel import QUESTIONS
    from reports.api import paragraph, parts_text, ranks_text

    model, procedure = (standing.of(question, a, b) for question in QUESTIONS)
    one = standing.pair(a, b)
    yield paragraph(model, procedure, one.means, standing.panels[a].scans, comparable.endpoint)
    level = 1 - comparable.endpoint.alpha
    for method in (a, b):
        parts = variance_parts(standing.panels[method], alpha=comparable.endpoint.alpha)
        yield parts_text(method, parts, level)
    for question in QUESTIONS:
        if any(one.state != "not testable" for one in standing.comparisons[question]):
            yield ranks_text(standing.ranks(question), question, level)


def _draw(standings: "Sequence[Standing]", a: str, b: str, folder: Path) -> Path:
    from benchmark.statistics.panel import QUESTIONS
    from reports.api import PairDifferences, write_differences

    shown = [
        PairDifferences(standing.pair(a, b).differences, [standing.of(question, a, b) for question in QUESTIONS])
        for standing in standings
        if {a, b} <= standing.panels.keys() and standing.pair(a, b).n
    ]
    if not shown:
        raise MissingData(f"No patient has a number of both {a} and {b}: nothing to draw.")
    choice = standings[0].choice
    where = choice.dataset if len(shown) == 1 else "all"
    parts = (a, b, where, choice.metric, choice.postprocessing, choice.protocol)
    name = "-".join(re.sub(r"[^\w.=]+", "_", part).strip("_") for part in parts if part)
    path = folder / "figures" / f"differences-{name}.png"
    write_differences(path, shown)
    return path
