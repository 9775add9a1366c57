"""The small changes of the code that tests have to notice: mutmut's, of the modules that make or check a number."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import Mutation, MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

ROOT = Path(__file__).resolve().parents[2]
SEED = 15
AREAS = {
    "metrics": ["benchmark/metrics/*.py"],
    "thresholds": ["benchmark/scoring/*.py", "benchmark/study/protocols.py"],
    "post-processing": ["benchmark/postprocessing/*.py"],
    "statistics": [
        "benchmark/statistics/**/*.py",
        "benchmark/analysis/endpoints.py",
        "benchmark/analysis/compare_methods.py",
    ],
    "keys": ["benchmark/study/cells.py", "benchmark/storage/run_record.py"],
    "planning": ["benchmark/study/planning.py", "benchmark/study/requested_cohorts.py", "benchmark/study/study.py"],
    "checks": [
        "benchmark/methods/contract/*.py",
        "benchmark/storage/admission.py",
        "benchmark/storage/checksums.py",
        "benchmark/verification/verify.py",
        "datasets/audit/*.py",
        "datasets/io/atomic.py",
    ],
}
"""The modules of each area."""

BY_HAND = (
    # ranks by what no correction has touched, and equivalence shown from one side only
    ("benchmark/statistics/pairwise/paired_difference.py", "one.p_adjusted <= one.alpha /", "one.p <= one.alpha /"),
    ("benchmark/statistics/pairwise/equivalence.py", "_at_least(-values, margin", "_at_least(values, margin"),
    (
        "benchmark/statistics/pairwise/paired_difference.py",
        "one_sided_p(-values, -margin)",
        "one_sided_p(values, -margin)",
    ),
    # detectable effects as if there were one pair
    (
        "benchmark/statistics/pairwise/paired_difference.py",
        "alpha = endpoint.alpha / max(testable.size, 1)",
        "alpha = endpoint.alpha",
    ),
    # a file that is half written for whoever reads it meanwhile
    ("datasets/io/atomic.py", "beside.replace(path)", "shutil.copyfile(beside, path)"),
    # a check of runs that passes rows which no map gives, folders without digests, other maps
    ("benchmark/verification/verify.py", 'how="outer", on=names', 'how="right", on=names'),
    ("benchmark/verification/verify.py", "folder.is_dir() and not (folder / NAME).is_file()", "False"),
    ("benchmark/verification/remap.py", '"fp32": 1e-4', '"fp32": 1e-2'),
    # lesions in what is learnt from
    ("benchmark/study/study.py", "case.split == split and case.healthy]", "case.split == split]"),
)
"""File, text and what stands there instead: changes that no test noticed once, tried beside every sample."""

WITHOUT_EFFECT = {"cast", "TypeVar", "NewType", "ParamSpec"}
"""Calls that only a type checker reads."""


@dataclass(frozen=True)
class Change:
    """One change of one place.

    Attributes:
        number: its place among the changes of the file, as mutmut lists them; None for one by hand.
        before, after: the expression or statement that is changed.
        order: a hash of the seed and the change, which is the same whatever else changes in the project.
    """

    area: str
    path: str
    number: int | None
    line: int
    before: str
    after: str
    order: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line} {self.before} -> {self.after}"


class Visitor(MutationVisitor):
    """mutmut's, which also goes into decorated functions, and past what is only read by people and type checkers.

    mutmut passes over decorated functions, as it keeps all changes of a function in one file; here a file has one.
    """

    def __init__(self) -> None:
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.FunctionDef():
                return False
            case cst.Raise():  # the words of a message; when it is raised stands in the condition above
                return True
            case cst.SimpleString() if " " in node.value:  # a sentence
                return True
            case cst.Call(func=cst.Name(value=name)) if name in WITHOUT_EFFECT:
                return True
            case cst.Call(func=cst.Attribute(value=cst.Name("log"))):  # the words of a line that is told
                return True
            case cst.Assign(targets=[cst.AssignTarget(cst.Name(value=name))], value=value) if _is_type(value):
                return re.fullmatch("_?([A-Z][a-z]+)+", name) is not None and name not in _read_at_run_time()
        return super()._skip_node_and_children(node)


def _is_type(value: cst.CSTNode) -> bool:
    return isinstance(value, cst.Subscript) or m.matches(value, m.BinaryOperation(operator=m.BitOr()))


@cache
def _read_at_run_time() -> set[str]:
    """The type aliases whose words the code takes apart, so that a change of them can be seen."""
    texts = (path.read_text() for path in (*ROOT.glob("benchmark/**/*.py"), *ROOT.glob("datasets/**/*.py")))
    return {name for text in texts for name in re.findall(r"get_args\((\w+)\)", text)}


def by_hand(root: Path) -> Iterator[Change]:
    for path, before, after in BY_HAND:
        text = (root / path).read_text()
        if text.count(before) != 1:
            raise ValueError(f"{path}: got {text.count(before)} times {before!r}, expected it once")
        line = text[: text.index(before)].count("\n") + 1
        yield Change("by hand", path, None, line, before, after, f"{path} {before} {after}")


def changes_of(root: Path, cache: Path) -> list[Change]:
    """Of all areas, in a random order that the seed decides; those of a file that has not changed are in the cache."""
    kept = json.loads(cache.read_text()) if cache.exists() else {}
    rules = Path(__file__).read_bytes()
    found: dict[str, list[dict[str, Any]]] = {}
    for area, patterns in AREAS.items():
        for path in sorted(path for pattern in patterns for path in root.glob(pattern) if path.name != "__init__.py"):
            digest = hashlib.sha256(repr((rules, area, str(path), path.read_bytes())).encode()).hexdigest()
            found[digest] = kept.get(digest) or [vars(change) for change in _changes_of_file(root, path, area)]
    cache.write_text(json.dumps(found))
    changes = [Change(**fields) for part in found.values() for fields in part]
    return sorted(changes, key=lambda change: change.order)


def sample_of(changes: Sequence[Change], number: int) -> list[Change]:
    """A sample that has of each area as large a part as the area has of all, ordered so that its beginning has too."""
    sizes = Counter(change.area for change in changes)
    exact = {area: number * size / len(changes) for area, size in sizes.items()}
    taken = {area: int(part) for area, part in exact.items()}
    for area in sorted(exact, key=lambda area: taken[area] - exact[area])[: number - sum(taken.values())]:
        taken[area] += 1
    placed: list[tuple[float, Change]] = []
    for area, count in taken.items():
        own = [change for change in changes if change.area == area][:count]
        placed += [((place + 0.5) / count, change) for place, change in enumerate(own)]
    return [change for _, change in sorted(placed, key=lambda pair: (pair[0], pair[1].order))]


def source_with(root: Path, change: Change) -> str:
    """The file's text after the change."""
    text = (root / change.path).read_text()
    if change.number is None:
        return text.replace(change.before, change.after)
    module, mutations, _ = _mutations(text)
    mutation = mutations[change.number]
    return module.deep_replace(mutation.original_node, mutation.mutated_node).code  # type: ignore[arg-type]


@cache
def _mutations(source: str) -> tuple[cst.Module, list[Mutation], MetadataWrapper]:
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Visitor()
    return wrapper.visit(visitor), visitor.mutations, wrapper


def _changes_of_file(root: Path, path: Path, area: str) -> Iterator[Change]:
    module, mutations, wrapper = _mutations(path.read_text())
    places = wrapper.resolve(PositionProvider)
    where = path.relative_to(root).as_posix()
    met: Counter[tuple[str, str]] = Counter()
    for number, mutation in enumerate(mutations):
        before, after = (
            " ".join(module.code_for_node(node).split()) for node in (mutation.original_node, mutation.mutated_node)
        )
        met[before, after] += 1
        order = hashlib.sha256(repr((SEED, where, before, after, met[before, after])).encode()).hexdigest()
        place = places.get(mutation.original_node)
        yield Change(area, where, number, place.start.line if place else 0, before, after, order)
