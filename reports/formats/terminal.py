"""Text for the terminal in which a run ends: the verdict, tables at the endpoints, healthy scans, shifts and notes."""

from collections.abc import Callable, Sequence
from textwrap import fill, wrap

from tabulate import tabulate

from benchmark.storage.folder import RunFolder
from reports.content.blocks import (
    Beside,
    Block,
    Bullets,
    Explorer,
    Folded,
    Heading,
    Listing,
    Notice,
    Panels,
    Paragraph,
    Picture,
)
from reports.content.table import Table
from reports.content.text import prose
from reports.model.run_results import read_results
from reports.sections.cohort_tables import LEGEND, endpoint_table
from reports.sections.healthy_false_positives import compared, realised
from reports.sections.implants import audiogram_blocks
from reports.sections.notes import badges, notes
from reports.sections.patient_detection import patient_reasons, patient_tables
from reports.sections.shifts import worst_shifts
from reports.sections.verdict import cohort_sentence, in_rank_order

WIDTH = 100
GAP = 2  # blanks between two columns, and in a heading beside its text
REASONED = "not available:"
"""What a cell begins with that says why there can be no number: the reason stands below the table."""
NARROWEST = 12  # of a column of text that is wrapped


def terminal_text(run: RunFolder, width: int = WIDTH, emphasised: Callable[[str], str] = str) -> str:
    """What each cohort's endpoints allow to say, its table, what is flagged in healthy scans, and the notes.

    Args:
        emphasised: a line of a verdict, or the best number of a column, in the terminal's bold; default: as it is.

    Raises:
        MissingData: nothing has been scored yet.
    """
    results = read_results(run)
    cohorts = in_rank_order(results)
    verdicts = plain([Paragraph(cohort_sentence(results, name)) for name in cohorts], width)
    first = "\n".join(emphasised(line) if line else line for line in verdicts.splitlines())
    blocks: list[Block] = [endpoint_table(results, name) for name in cohorts]
    blocks += [Paragraph(LEGEND)] if cohorts else []
    blocks += [Bullets([prose("{}: {}", *one) for one in results.pipelines.items()])]
    if results.scanned:
        blocks += [compared(results), realised(results)]
    blocks += [*patient_tables(results), *map(Paragraph, [*patient_reasons(results), *worst_shifts(results)])]
    blocks.append(Bullets([*badges(results), *notes(results)]))
    return "\n\n".join(filter(None, (first, plain(blocks, width, emphasised))))


def audiogram_text(run: RunFolder, width: int = WIDTH) -> str:
    """The tables of a run's implanted lesions."""
    return plain(audiogram_blocks(run), width)


def plain(blocks: Sequence[Block], width: int, emphasised: Callable[[str], str] = str) -> str:
    """Blocks as text in lines of at most so many characters, but for what cannot be broken."""
    return "\n\n".join(filter(None, (_block(block, width, emphasised) for block in blocks)))


def _block(block: Block, width: int, emphasised: Callable[[str], str]) -> str:
    match block:
        case Heading() | Paragraph() | Notice():
            return _wrapped(str(block.text), width)
        case Bullets():
            return "\n".join(_wrapped(f"- {item}", width) for item in block.items)
        case Listing():
            return block.text
        case Picture():
            return ""
        case Explorer():
            return plain(block.fallback, width, emphasised)
        case Beside() | Panels():
            return plain(block.blocks, width, emphasised)
        case Folded():
            return plain([Heading(block.summary), *block.blocks], width, emphasised)
        case Table():
            return f"{_wrapped(str(block.title), width)}\n{table(block, width, emphasised)}" if block else ""


def table(one: Table, width: int, emphasised: Callable[[str], str] = str) -> str:
    """A table whose headings go over several lines, and names where it is too wide; then it loses its last columns."""
    whole = [[str(cell) for cell in row] for row in one.shown()]
    reasons = dict.fromkeys(text for row in whole for text in row if text.startswith(REASONED))
    body = [[REASONED.rstrip(":") if text in reasons else text for text in row] for row in whole]
    headings = [column.heading for column in one.columns]
    widths = [
        max(GAP + max(len(heading) // 2, *map(len, heading.split())), *map(len, cells))
        for heading, *cells in zip(headings, *body, strict=True)
    ]
    first = min(widths[0], max(NARROWEST, width // 3))
    kept = _fitting([first, *widths[1:]], width)
    room = min(widths[0], width - sum(widths[place] + GAP for place in kept[1:]))
    wraps = [max(room, NARROWEST), *(widths[place] for place in kept[1:])]
    lines = tabulate(
        [
            [
                "\n".join(emphasised(line) if cells[place].best else line for line in wrap(row[place], limit) or [""])
                for place, limit in zip(kept, wraps, strict=True)
            ]
            for row, cells in zip(body, one.rows, strict=True)
        ],
        ["\n".join(wrap(headings[place], limit - GAP)) for place, limit in zip(kept, wraps, strict=True)],
        tablefmt="simple",
        disable_numparse=True,
        colalign=["left" if one.columns[place].is_text else "right" for place in kept],
    )
    lost = [headings[place] for place in range(len(headings)) if place not in kept]
    told = [f"{reason[0].upper()}{reason[1:]}." for reason in reasons]
    told += [f"Not shown at this width: {'; '.join(lost)}."] if lost else []
    return "\n".join([lines, *(_wrapped(text, width) for text in told)])


def _fitting(widths: Sequence[int], width: int) -> list[int]:
    """The places of the leading columns that fit, the first at any rate."""
    kept, used = [0], widths[0]
    for place, one in enumerate(widths[1:], 1):
        used += one + GAP
        if used > width:
            break
        kept.append(place)
    return kept


def _wrapped(text: str, width: int) -> str:
    return fill(text, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ")
