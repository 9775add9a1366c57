"""Section of what changed since an earlier run: settings and data, and each method against itself."""

from collections.abc import Iterator
from math import isnan

from benchmark.analysis.changes import Changes, MethodChange
from benchmark.metrics import METRICS
from benchmark.statistics.panel import Choice
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.run_results import RunResults, cohort_title

EXPLAINED = (
    "Now less before, paired by patient over the seeds that both runs have, with the 95 % interval over patients "
    "(these weights; nothing is corrected, nothing here is a test). Where a method's fits are the same, whatever moved "
    "is of maps, data or scoring."
)


def changes_section(results: RunResults) -> str:
    """Markdown; "" where no earlier run was named."""
    since = results.changes
    if since is None:
        return ""
    facts = [[escape(one.what), _shown(one.before), _shown(one.now)] for one in since.facts]
    table = github_table(["What", "before", "now"], facts, 3)
    numbers = "\n\n".join(_numbers(results, since))
    parts = [
        results.heading(f"Since {escape(since.name)}"),
        table or "Settings, versions, data and hyper-parameters are the same.",
        f"{EXPLAINED}\n\n{numbers}" if numbers else "No method has numbers of the same choice in both runs.",
    ]
    return "\n\n".join(parts)


def _shown(text: str) -> str:
    return escape(text) if text else "(none)"


def _numbers(results: RunResults, since: Changes) -> Iterator[str]:
    for choice in dict.fromkeys(one.choice for one in since.moved):
        own = [one for one in since.moved if one.choice == choice]
        body = [[results.whole.label(one.method), *_cells(one)] for one in own]
        headers = ["Method", "Fits", "n", "Seeds", "before", "now", "difference"]
        yield f"{_choice_text(choice)}\n\n{github_table(headers, body, 2)}"


def _choice_text(choice: Choice) -> str:
    parts = ", ".join(f"`{escape(part)}`" for part in (choice.postprocessing, choice.protocol) if part)
    return f"**{cohort_title(choice.dataset)}**: {METRICS[choice.metric].title} ({parts})"


def _cells(one: MethodChange) -> list[str]:
    fits = "the same" if one.same_fits else "others"
    if not one.n:
        return [fits, "0", str(one.seeds), MISSING, MISSING, MISSING]
    interval = "" if isnan(one.low) else f" ({one.low:+.3f} to {one.high:+.3f})"
    return [fits, str(one.n), str(one.seeds), f"{one.before:.3f}", f"{one.now:.3f}", f"{one.difference:+.3f}{interval}"]
