"""The metadata of `cases.csv`: licence, sequences, age and sex, and their drift between splits."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from datasets.audit.finding import Finding
from datasets.case import SPLITS
from datasets.words import count_text

Row = Mapping[str, str]
Predicate = Callable[[str], bool]
Compare = Callable[[Sequence[str], Sequence[str]], tuple[str, float]]
OLDEST = 120.0  # years
SEXES = {"", "F", "M"}
FEWEST = 3  # subjects of a split for it to be compared
ROUNDS = 9999
LEVEL = 0.05
SEED = 0  # the same table gives the same p values


def column_findings(rows: Sequence[Row], sequences: Sequence[str], cohort: str) -> Iterator[Finding]:
    """Licence, sequences, age and sex; cases with the same defect are one finding."""
    unlicensed = tuple(row["case_id"] for row in rows if not row.get("licence", "").strip())
    if unlicensed:
        got, expected = (
            f"no licence for {len(unlicensed)} of {count_text(len(rows), 'case')}",
            "the column licence, filled",
        )
        yield Finding("warning", "no-licence", cohort, unlicensed, got, expected)
    unknown: dict[str, list[str]] = {}
    for row in rows:
        for name in set(row["sequences"].split()) - set(sequences):
            unknown.setdefault(name, []).append(row["case_id"])
    for name, cases in sorted(unknown.items()):
        known = ", ".join(sequences)
        yield Finding("warning", "unknown-sequence", cohort, tuple(cases), f"sequence '{name}'", f"one of {known}")
    for row in rows:
        yield from _person(row, cohort)


def drift_findings(rows: Sequence[Row], cohort: str) -> list[Finding]:
    """Pairs of splits that differ, after Holm's correction over all tests of the cohort.

    Site and sex: permutation test of the chi-square statistic; age: Kolmogorov-Smirnov. One row a subject.
    """
    subjects = list({row["subject_id"]: row for row in rows}.values())
    tests = list(_tests(subjects))
    return [
        Finding("warning", f"{column}-drift", cohort, (),
                f"{text}, p {_shown(corrected)} ({count_text(len(tests), 'test')}, Holm)", "splits that are alike")
        for (column, text, _), corrected in zip(tests, _holm([p for *_, p in tests]), strict=True)
        if corrected < LEVEL
    ]  # fmt: skip


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


def _tests(subjects: Sequence[Row]) -> Iterator[tuple[str, str, float]]:
    """The column, a description of the comparison, and its p value."""
    kinds: tuple[tuple[str, Predicate, Compare], ...] = (
        ("site", _is_text, _of_names),
        ("sex", _is_text, _of_names),
        ("age", _is_age, _of_ages),
    )
    for column, known, compare in kinds:
        told = [(row["split"], row.get(column, "")) for row in subjects if known(row.get(column, ""))]
        groups = {split: [value for of, value in told if of == split] for split in SPLITS}
        for one, other in combinations(SPLITS, 2):
            here, there = groups[one], groups[other]
            if min(len(here), len(there)) >= FEWEST and len({*here, *there}) > 1:
                text, p = compare(here, there)
                yield column, f"{column} of {one} (n {len(here)}) and {other} (n {len(there)}): {text}", p


def _of_names(here: Sequence[str], there: Sequence[str]) -> tuple[str, float]:
    """The counts of both splits, and p of the chi-square statistic by permutation of the splits."""
    names, codes = np.unique([*here, *there], return_inverse=True)
    whole = np.bincount(codes)
    redrawn = np.random.default_rng(SEED).multivariate_hypergeometric(whole, len(here), ROUNDS)  # labels permuted
    observed = _chi_square(np.bincount(codes[: len(here)], minlength=len(names)), whole)
    hits = int((_chi_square(redrawn, whole) >= observed - 1e-9).sum())
    one, other = Counter(here), Counter(there)
    shares = {name: abs(one[name] / len(here) - other[name] / len(there)) for name in names.tolist()}
    widest = sorted(shares, key=lambda name: -shares[name])[:3]
    told = ", ".join(f"{name} {one[name]} and {other[name]}" for name in widest)
    return told, (hits + 1) / (ROUNDS + 1)


def _chi_square(drawn: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Chi-square of counts `(..., K)` in one group, given those of both groups together, `(K,)`."""
    share = drawn.sum(axis=-1, keepdims=True) / whole.sum()
    return np.asarray(((drawn - whole * share) ** 2 / (whole * share * (1 - share))).sum(axis=-1))


def _of_ages(here: Sequence[str], there: Sequence[str]) -> tuple[str, float]:
    from scipy.stats import ks_2samp

    one, other = ([float(age) for age in ages] for ages in (here, there))
    return f"medians {np.median(one):.0f} and {np.median(other):.0f} years", float(ks_2samp(one, other).pvalue)


def _holm(values: Sequence[float]) -> list[float]:
    order = np.argsort(values, kind="stable")
    corrected, worst = [0.0] * len(values), 0.0
    for rank, index in enumerate(order.tolist()):
        worst = max(worst, min(1.0, values[index] * (len(values) - rank)))
        corrected[index] = worst
    return corrected


def _is_text(value: str) -> bool:
    return bool(value.strip())


def _shown(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
