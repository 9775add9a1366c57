"""What a cohort's numbers answer, in a sentence or two; and in which words a choice is told."""

from collections.abc import Sequence

from benchmark.metrics import METRICS
from reports.markup.markdown import escape
from reports.model.cohort_results import Board
from reports.model.ranking import RECIPE, Decided

MOST_NAMED = 4


def answer(board: Board, found: Decided) -> str:
    """Who may be first, and whether anything is shown to beat the floors."""
    if not found.ranks:
        return "" if board.caution else f"No pair can be tested: {escape(_why_none(found))}."
    return " ".join(filter(None, (_first(found), _floors(board, found))))


def choice_told(found: Decided) -> str:
    """What the numbers are of, and whether it was fixed beforehand."""
    one = found.first
    parts = [METRICS[one["metric"]].title]
    parts += [f"post-processing `{one['postprocessing']}`"] if one["postprocessing"] else []
    parts += [f"threshold `{escape(one['protocol'])}`"] if one["protocol"] else []
    standing = "primary endpoint" if found.primary else "exploratory"
    return f"{', '.join(parts)} ({standing})" + (f"; ranks of *{found.question}*" if found.ranks else "")


def _first(found: Decided) -> str:
    may_lead = [method for method, (low, _) in found.ranks.items() if low == 1]
    count = len(found.ranks)
    if len(may_lead) == 1:
        return f"**{escape(may_lead[0])}** is shown to be better than each of the {count - 1} others."
    if len(may_lead) == count:
        return f"Nothing is shown to be best or worst: each of {count} methods may be first."
    return f"{_listed(may_lead)} may each be first; the other {count - len(may_lead)} may not."


def _floors(board: Board, found: Decided) -> str:
    """Which methods are shown to beat every floor; "" where there are no floors or nothing else."""
    floors = [method for method in found.ranks if method in board.floors]
    others = [method for method in found.ranks if method not in board.floors]
    if not floors or not others:
        return ""
    winners = [one for one in others if all(found.state(one, floor) == "better" for floor in floors)]
    if winners:
        return f"Shown to beat every floor: {_listed(winners)}."
    return f"None of the {len(others)} methods is shown to beat every floor."


def _listed(names: Sequence[str]) -> str:
    """At most a few by name."""
    shown = [f"**{escape(name)}**" for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _why_none(found: Decided) -> str:
    known = found.lines[found.lines["question"] != RECIPE]["why_none"]
    return next((why for why in known if why), "fewer than two methods have numbers")
