"""The findings of an audit as a table for the terminal, similar findings in one line, or as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import fill

from datasets.audit.finding import SEVERITIES, Finding
from datasets.audit.splits import PAIRS, Fold
from datasets.words import count_text

WIDTH = 100
EXAMPLES = 3


def findings_text(findings: Sequence[Finding]) -> str:
    """Errors first, how many of each severity last; at most 100 columns wide."""
    return "\n".join([*kinds_text(findings), summary(findings)])


def kinds_text(findings: Sequence[Finding]) -> list[str]:
    """Lines of at most 100 columns: each kind of finding, how often it is, and examples."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.severity, one.code, one.cohort), []).append(one)
    return [line for severity in SEVERITIES for line in _of_severity(severity, groups)]


def summary(findings: Sequence[Finding]) -> str:
    """How many of each severity."""
    counts = [sum(one.severity == severity for one in findings) for severity in SEVERITIES]
    named = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in zip(counts, SEVERITIES, strict=True)]
    return ", ".join(named) + "."


def folds_text(folds: Sequence[Fold]) -> str:
    """One line per fold: sizes, overlaps of splits, repeated rows."""
    head = ("fold", "of", "train", "val", "test", *(f"{one} & {other}" for one, other in PAIRS), "rows twice")
    rows = [
        (
            fold.name or "-",
            f"{fold.unit}s",
            *(str(len(fold.members[split])) for split in ("train", "val", "test")),
            *(str(len(fold.shared(one, other))) for one, other in PAIRS),
            str(sum(fold.repeated.values())),
        )
        for fold in folds
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)
    )


def as_json(findings: Sequence[Finding], folds: Sequence[Fold] = ()) -> str:
    """One object: counts, findings, folds."""
    content = {
        **{f"{severity}s": sum(one.severity == severity for one in findings) for severity in SEVERITIES},
        "findings": [asdict(one) for one in findings],
        "folds": [_fold(fold) for fold in folds],
    }
    return json.dumps(content, indent=1)


def _fold(fold: Fold) -> dict[str, object]:
    return {
        "fold": fold.name,
        "unit": fold.unit,
        "rows": {split: len(names) for split, names in fold.members.items()},
        "shared": {f"{one}-{other}": list(fold.shared(one, other)) for one, other in PAIRS},
        "repeated": dict(fold.repeated),
    }


def _of_severity(severity: str, groups: dict[tuple[str, str, str], list[Finding]]) -> Iterator[str]:
    for (of, code, cohort), group in groups.items():
        if of == severity:
            yield from _group(f"{severity.upper():<8}{code}  {cohort}", group)


def _group(head: str, group: Sequence[Finding]) -> Iterator[str]:
    """The kind and its count, then each distinct finding with its cases."""
    several = f": {count_text(len(group), 'finding')}" if len(group) > 1 else ""
    yield head + several
    sorts: dict[tuple[str, str], list[Finding]] = {}
    for one in group:
        sorts.setdefault((one.got, one.expected), []).append(one)
    for (got, expected), similar in list(sorts.items())[:EXAMPLES]:
        cases = list(dict.fromkeys(_place(one, case) for one in similar for case in one.cases or ("",)))
        shown = ", ".join(filter(None, cases[:EXAMPLES]))
        more = f" and {len(cases) - EXAMPLES} more" if len(cases) > EXAMPLES else ""
        whose = f" [{shown}{more}]" if shown else ""
        text = f"got {got}, expected {expected}{whose}"
        yield fill(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 10, break_on_hyphens=False)
    if len(sorts) > EXAMPLES:
        yield f"{' ' * 8}... and {len(sorts) - EXAMPLES} more of this kind (--json lists all)"


def _place(finding: Finding, case: str) -> str:
    """The file if there is one, since its name contains the case."""
    path = Path(finding.file)
    return f"{path.parent.name}/{path.name}" if finding.file and path.suffix != ".csv" else case
