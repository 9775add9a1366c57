"""Text for the terminal in which a run ends: tables of cohorts, healthy scans, shifts and notes."""

from collections.abc import Iterator, Sequence
from textwrap import fill

from tabulate import tabulate

from benchmark.storage.fits import LABELS
from benchmark.storage.folder import RunFolder
from reports.markup.markdown import alignment, plain
from reports.model.cohort_results import CohortResults, Number
from reports.model.ranking import Headline, answer, domain, headlines, rankings_of
from reports.model.run_results import RunResults, cohort_title, read_results
from reports.sections.at_a_glance import short_columns, short_lead
from reports.sections.columns import Column, cells, headings
from reports.sections.healthy_false_positives import in_domain_first, realised
from reports.sections.notes import badges, notes
from reports.sections.patient_detection import patient_texts
from reports.sections.shifts import worst_shifts

WIDTH = 100
GAP = 2  # blanks that tabulate leaves between two columns, and adds to a heading
STUCK = "\N{NO-BREAK SPACE}"
LEGEND = (
    "n: patients. Far alarms: alarmed share of the brain more than 10 mm from the lesion. [a/b]: over a of b cases. "
    "n/a: undefined. -: not computed."
)


def terminal_text(run: RunFolder) -> str:
    """Each lesion cohort's leaderboard, the alarms in healthy cohorts, and the notes, in at most 100 columns.

    Raises:
        MissingData: nothing has been scored yet.
    """
    results = read_results(run)
    parts = [
        part
        for name, cohort in results.lesion.items()
        for part in (
            *_verdict(results, name, cohort),
            *(_board(results, name, cohort, first) for first in headlines(results, cohort)),
        )
    ]
    parts += [_wrapped(LEGEND)] if parts else []
    parts.append("\n".join(_wrapped(f"{name}: {text}") for name, text in results.pipelines.items()))
    parts.append("\n".join(_wrapped(line) for line in _healthy_lines(results)))
    parts.append("\n".join(_wrapped(line) for line in _realised_lines(results)))
    parts.append("\n".join(_wrapped(plain(line)) for line in patient_texts(results)))
    parts.append("\n".join(_wrapped(plain(line)) for line in worst_shifts(results)))
    said = [plain(note) for note in (*badges(results), *notes(results))]
    parts.append("\n".join(_wrapped(f"- {note}") for note in said))
    return "\n\n".join(part for part in parts if part)


def _verdict(results: RunResults, name: str, cohort: CohortResults) -> list[str]:
    """What the tests say of a cohort; [] where nothing is tested."""
    rankings = rankings_of(results, name)
    said = answer(cohort, rankings) if rankings else ""
    return [_wrapped(results.titled(f"{plain(cohort_title(name))}: {plain(said)}"))] if said else []


def _board(results: RunResults, name: str, cohort: CohortResults, first: Headline) -> str:
    lines = [_wrapped(_title(results, name, first)), *([_wrapped(cohort.caution)] if cohort.caution else [])]
    return "\n".join([*lines, _table(cohort, first)])


def _title(results: RunResults, name: str, first: Headline) -> str:
    threshold = f"threshold {first.protocol}" if first.protocol else "no threshold"
    return results.titled(f"{plain(cohort_title(name))}: post-processing {first.pipeline}, {threshold}")


def _table(cohort: CohortResults, first: Headline) -> str:
    lead, columns = short_lead(cohort), short_columns(cohort, first)
    body = [[_short(plain(cell)) for cell in line] for line in cells(cohort.ordered, lead, columns)]
    return _narrow(headings(lead, columns), body, len(lead))


def _short(cell: str) -> str:
    """Without the reason why there can be no number, which a note tells."""
    return cell.partition(":")[0] if cell.startswith("not available") else cell


def _narrow(headers: Sequence[str], body: Sequence[Sequence[str]], texts: int) -> str:
    """A table whose first column goes over several lines where the whole would be too wide."""
    widths = [max(len(header) + GAP, *map(len, column)) for header, *column in zip(headers, *body, strict=True)]
    room = WIDTH - sum(width + GAP for width in widths[1:])
    return tabulate(
        body,
        headers,
        tablefmt="simple",
        disable_numparse=True,
        colalign=alignment(len(headers), texts),
        maxcolwidths=[room, *[None] * (len(headers) - 1)],
    )


def _healthy_lines(results: RunResults) -> Iterator[str]:
    """The share of the brain that is flagged, as in the report's table of healthy scans."""
    for name, cohort in results.scanned.items():
        choice = results.summary.healthy_choice(name)
        if choice is None:
            continue
        pipeline, protocol = choice
        numbers = cohort.numbers("alarm_fraction", pipeline, protocol, "median")
        shares = [_share(cohort, method, numbers[method]).replace(" ", STUCK) for method in cohort.seeds]
        title = f"{plain(cohort_title(name))}, healthy, {domain(results, name)}"
        line = f"{title}: median share of the brain alarmed ({pipeline}, {protocol}): {', '.join(shares)}"
        yield results.titled(f"{line}. {cohort.caution}".rstrip(". "))


def _realised_lines(results: RunResults) -> Iterator[str]:
    """The rate that a threshold aims at beside the one that each method gets, by cohort."""
    told: dict[tuple[str, float], list[str]] = {}
    for protocol, aimed, method, shares in realised(results):
        told.setdefault((protocol, aimed), []).append(f"{method} {' / '.join(shares)}".replace(" ", STUCK))
    cohorts = " / ".join(f"{name} ({domain(results, name)})" for name in in_domain_first(results))
    for (protocol, aimed), shown in told.items():
        yield f"Realised rate of {protocol}, nominal {aimed:g}, on healthy scans of {cohorts}: {', '.join(shown)}."


def _share(cohort: CohortResults, method: str, number: Number) -> str:
    """A method, marked where it is ranked with no other, and its number."""
    shown = plain(Column("", {method: number}, show=lambda one: f"{one.value:.2%}").text(method))
    mark = f" (uses {LABELS})" if method in cohort.labelled else " (transductive)" * (method in cohort.transductive)
    return f"{method}{mark} {shown}"


def _wrapped(line: str) -> str:
    """Lines of at most `WIDTH`; a number stays with its method."""
    return fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False).replace(STUCK, " ")
