"""MethodDescription of a method before it is run: its data card, hyper-parameters, size and memory."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from inspect import cleandoc
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from benchmark.methods.card import Card, card_of
from benchmark.methods.declared import presets_of
from benchmark.methods.hyperparameters import Variant, build_detector, resolve_here
from benchmark.methods.registry import UnusableMethod, ask, load
from datasets.errors import one_line
from datasets.grid import GRIDS

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector

WIDTH = 110  # characters of a line of text
ATTRIBUTE = re.compile(r"(\w[\w, ]*): (.*)")


@dataclass(frozen=True)
class Budget:
    """A method under one preset.

    Attributes:
        config: every hyper-parameter.
        parameters: of its networks before fitting.
        memory_bytes: bound on mapping one volume of the preset's grid, beyond weights and inputs; None for a
            preset without a grid of its own.
        slice_batch: slices at once that `memory_bytes` is stated for.
    """

    config: Mapping[str, Any]
    parameters: int
    memory_bytes: int | None
    slice_batch: int


@dataclass(frozen=True)
class MethodDescription:
    """What `show` prints of a method.

    Attributes:
        origin: a plugin's distribution or file; None for a built-in.
        card: its data card; None where it has none.
        meanings: of its hyper-parameters, where the docstring of its Config has them.
        budgets: by the name of the preset.
    """

    name: str
    title: str
    target: str
    origin: str | None
    card: Card | None
    meanings: Mapping[str, str]
    budgets: Mapping[str, Budget]


def describe(variant: Variant) -> MethodDescription:
    """Describe a method; overrides of `variant` hold under every preset.

    Raises:
        UserError: it cannot be imported, or a hyper-parameter is not valid.
    """
    from pydantic import TypeAdapter

    told = ask(variant.method, _described, variant)
    return TypeAdapter(MethodDescription).validate_python(told)


def _described(variant: Variant) -> dict[str, Any]:
    """The same of a class that may be imported here, as JSON has it."""
    method, cls = variant.method, load(variant.method)
    budgets = {preset: _budget(variant, preset) for preset in presets_of(cls)}
    card = card_of(cls)
    return asdict(
        MethodDescription(variant.name, method.title, method.place, method.origin, card, meanings(cls), budgets)
    )


def lines(shown: MethodDescription) -> Iterator[str]:
    """The description as text."""
    yield f"{shown.name}: {shown.title}"
    yield _facts({"origin": shown.origin or "built in", "class": shown.target})
    yield "no data card" if shown.card is None else _facts(asdict(shown.card))
    yield ""
    first = next(iter(shown.budgets.values()))
    rows = [("", *shown.budgets, "")]
    for name in first.config:
        values = (_text(budget.config[name]) for budget in shown.budgets.values())
        rows.append((name, *values, shown.meanings.get(name, "")))
    rows.append(("parameters", *(f"{budget.parameters:,}" for budget in shown.budgets.values()), "before fitting"))
    memory = f"one volume, {first.slice_batch} slices at once, beyond weights and inputs"
    rows.append(("memory bound", *(_mebibytes(budget.memory_bytes) for budget in shown.budgets.values()), memory))
    yield from _columns(rows)


def meanings(cls: type["Detector"]) -> dict[str, str]:
    """Field -> its entry in the `Attributes` section of the Config or of a Config that it inherits from."""
    found: dict[str, str] = {}
    for config in reversed(cls.Config.__mro__):
        found |= _attributes(config.__doc__ or "")
    return {field.name: found[field.name] for field in fields(cls.Config) if field.name in found}


def _budget(variant: Variant, preset: str) -> Budget:
    config = resolve_here(variant, preset, {})
    try:
        detector = build_detector(variant.name, variant.method.target, config)
    except (Exception, SystemExit) as error:  # whatever a plugin raises concerns that method alone
        raise UnusableMethod(f"{variant.method} cannot be built under preset '{preset}': {one_line(error)}.") from error
    parameters = sum(parameter.numel() for parameter in detector.parameters())
    memory = detector.memory_bound(GRIDS[preset].shape, 1) if preset in GRIDS else None
    return Budget(config, parameters, memory, detector.slice_batch)


def _attributes(doc: str) -> dict[str, str]:
    """The entries of a Google-style `Attributes:` section, each on one line."""
    _, _, section = cleandoc(doc).partition("Attributes:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        entry = ATTRIBUTE.fullmatch(line[4:]) if line.startswith("    ") and line[4:5].strip() else None
        if line and not line.startswith(" "):
            break
        if entry is not None:
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        else:
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return found


def _facts(known: Mapping[str, object]) -> str:
    """A line each, lists with a line an item."""
    rows = list[str]()
    for name, value in known.items():
        items = value if isinstance(value, tuple) else (value,)
        for index, item in enumerate(items):
            head = "" if index else name.replace("_", " ")
            rows += wrap(f"{item}", WIDTH, initial_indent=f"  {head:<12} ", subsequent_indent=" " * 17)
    return "\n".join(rows)


def _columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _mebibytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:,.0f} MiB"
