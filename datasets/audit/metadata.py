"""Columns: what `cases.csv` says of each case beside its splits."""

from collections.abc import Iterator, Mapping, Sequence

from datasets.audit.finding import Finding

Row = Mapping[str, str]
OLDEST = 120.0  # years
SEXES = {"", "F", "M"}


def column_findings(rows: Sequence[Row], sequences: Sequence[str], cohort: str) -> Iterator[Finding]:
    """Licence, sequences, age and sex; cases alike are one finding."""
    unlicensed = tuple(row["case_id"] for row in rows if not row.get("licence", "").strip())
    if unlicensed:
        got, wanted = f"no licence for {len(unlicensed)} of {len(rows)} cases", "the column licence, filled"
        yield Finding("warning", "no-licence", cohort, unlicensed, got, wanted)
    unknown: dict[str, list[str]] = {}
    for row in rows:
        for name in set(row["sequences"].split()) - set(sequences):
            unknown.setdefault(name, []).append(row["case_id"])
    for name, cases in sorted(unknown.items()):
        known = ", ".join(sequences)
        yield Finding("warning", "unknown-sequence", cohort, tuple(cases), f"sequence '{name}'", f"one of {known}")
    for row in rows:
        yield from _person(row, cohort)


def _person(row: Row, cohort: str) -> Iterator[Finding]:
    age, sex, whose = row.get("age", "").strip(), row.get("sex", "").strip(), (row["case_id"],)
    if age and not _is_age(age):
        yield Finding("warning", "odd-age", cohort, whose, f"age '{age}'", f"years from 0 to {OLDEST:g}, or nothing")
    if sex not in SEXES:
        yield Finding("warning", "odd-sex", cohort, whose, f"sex '{sex}'", "F, M or nothing")


def _is_age(text: str) -> bool:
    try:
        return 0 < float(text) <= OLDEST
    except ValueError:
        return False
