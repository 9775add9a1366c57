"""Hyper-parameters: variants written as `ddpm[t_test=250]`, and configs from defaults, presets and overrides."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

from benchmark.methods.declared import declared, presets_of
from benchmark.methods.registry import Method, UnusableMethod, ask, load, method, methods
from datasets.errors import BadValue, UnknownName, one_line
from datasets.grid import GRIDS, PUBLISHED
from datasets.words import count_text

SWEEP = re.compile(r"(-?\d+):(-?\d+):(-?\d+)")  # first, last and step of whole numbers
MOST_SWEPT = 1000  # values of one sweep: more is a typing mistake

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector


@dataclass(frozen=True)
class Variant:
    """A method with the hyper-parameters that override its preset: `ddpm`, or `ddpm[t_test=250]`.

    Attributes:
        preset: named beside the method, `ddpm-small[t_test=250]`; "" where the method's own name says enough.
    """

    method: Method
    overrides: Mapping[str, Any]
    preset: str = ""

    @property
    def name(self) -> str:
        """The name in tables; equal variants are written alike."""
        inside = ",".join(f"{key}={_written(value)}" for key, value in sorted(self.overrides.items()))
        name = f"{self.method.name}-{self.preset}" if self.preset else self.method.name
        return f"{name}[{inside}]" if inside else name


def parse_variants(text: str, known: Mapping[str, Method] | None = None) -> list[Variant]:
    """`"ddpm,cddpm[ensemble=false]"` as variants of `known` methods or all.

    `ddpm[t_test=100:900:100]` stands for the nine variants from 100 to 900, both ends included.

    Raises:
        UnknownName: no such method.
        BadValue: brackets that do not close, a part without `=`, a sweep of no value, or a variant named twice.
    """
    known = methods() if known is None else known
    variants = [variant for part in _split(text) for variant in _parse_variants(part, known)]
    names = [variant.name for variant in variants]
    if not names:
        raise BadValue(f"Got no method in '{text}', expected one or more of {', '.join(known)}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadValue(f"Got method '{twice[0]}' twice, expected every method once.")
    return variants


def method_names(text: str) -> list[str]:
    """The names of methods in the text of `--methods`, known or not."""
    return [part.partition("[")[0].strip() for part in _split(text)]


def parse_variant(text: str, known: Mapping[str, Method] | None = None) -> Variant:
    """The one variant that `text` names."""
    variants = parse_variants(text, known)
    if len(variants) > 1:
        raise BadValue(f"Got {count_text(len(variants), 'method')} in '{text}', expected one.")
    return variants[0]


def resolve_config(variant: Variant, preset: str, tuned: Mapping[str, Any]) -> dict[str, Any]:
    """Every hyper-parameter as plain values: class defaults < preset < `tuned` (a file) < the variant's overrides.

    Raises:
        UnusableMethod: the class cannot be imported, or not even its own defaults make a config.
        UnknownName: a field or preset that the method's Config does not have.
        BadValue: a value that is not of the field's type.
    """
    config: dict[str, Any] = ask(variant.method, resolve_here, variant, preset, tuned)
    return config


def resolve_here(variant: Variant, preset: str, tuned: Mapping[str, Any]) -> dict[str, Any]:
    """The same, of a class that may be imported in this process."""
    cls = load(variant.method)
    presets = own_presets(variant.method, cls)
    if preset not in presets:
        raise UnknownName(f"preset of method '{variant.method.name}' called", preset, presets)
    return _plain_config(variant.name, variant.method.name, cls, {**presets[preset], **tuned, **variant.overrides})


def named_under(variant: Variant, preset: str) -> Variant:
    """The variant as tables name it: on the published grid, a preset that changes the method stands in its name.

    So no other network goes by the name of the published one. Runs on other grids never share a table with it.
    """
    changed = GRIDS[preset] == GRIDS[PUBLISHED] and declared(variant.method).presets[preset]
    return replace(variant, preset=preset) if changed else variant


def build_detector(
    name: str, target: str, config: Mapping[str, Any], revision: int | None = None, *, channels: int = 1
) -> "Detector":
    """A detector with untrained weights from a resolved config.

    Args:
        revision: of the method, where it has to be a certain one: that of a kept fit.
        channels: sequences of its images; more than 1 for a method whose card says how it takes them.

    Raises:
        BadValue: the method has another revision by now.
    """
    cls = load(Method(name, target, ""))
    if revision not in (None, cls.revision):
        raise BadValue(
            f"Method '{name}': got a fit of revision {revision}, expected {cls.revision}, whose numbers are others. "
            f"Fit it anew: python -m benchmark run --methods '{name}' ..."
        )
    return cls.for_channels(_validated(name, cls, config), channels)


def own_presets(method: Method, cls: type["Detector"]) -> dict[str, Mapping[str, Any]]:
    """A class's presets, each of which is checked to make a config."""
    try:
        if not is_dataclass(cls.Config):
            raise BadValue(f"got Config {cls.Config!r}, expected a frozen dataclass")
        presets = presets_of(cls)
        for values in presets.values():
            _plain_config(method.name, method.name, cls, values)
    except Exception as error:  # whatever a plugin's Config raises by itself costs only that plugin
        known_error = isinstance(error, (BadValue, UnknownName))
        reason = str(error).rstrip(".").removeprefix(f"Method '{method.name}', ") if known_error else one_line(error)
        raise UnusableMethod(f"{method} has a Config or presets that cannot be used: {reason}.") from error
    return presets


def _parse_variants(part: str, known: Mapping[str, Method]) -> list[Variant]:
    """The variant that is written, or one for each value of a sweep."""
    match = re.fullmatch(r"([\w.-]+)(?:\[(.*)\])?", part)
    if match is None:
        raise BadValue(f"Got method '{part}', expected NAME or NAME[field=value,...].")
    values: dict[str, list[Any]] = {}
    for setting in _split(match[2] or ""):
        field, equals, value = setting.partition("=")
        if not equals:
            raise BadValue(f"Got '{setting}' in '{part}', expected field=value.")
        values[field.strip()] = _values(value.strip())
    named = method(match[1], known)
    return [Variant(named, dict(zip(values, chosen, strict=True))) for chosen in product(*values.values())]


def _split(text: str) -> list[str]:
    """Split at the commas that stand outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise BadValue(f"Got '{text}', expected every '[' closed by a ']'.")
    return [part.strip() for part in parts if part.strip()]


def _values(text: str) -> list[Any]:
    """The one value, or all of a sweep `first:last:step`."""
    sweep = SWEEP.fullmatch(text)
    if sweep is None:
        return [_value(text)]
    first, last, step = map(int, sweep.groups())
    found = list(range(first, last + (1 if step > 0 else -1), step))[: MOST_SWEPT + 1] if step else []
    if not 1 <= len(found) <= MOST_SWEPT:
        raise BadValue(f"Got the sweep '{text}', expected first:last:step with 1 to {MOST_SWEPT} values.")
    return found


def _value(text: str) -> Any:
    """Numbers, booleans and lists as TOML writes them; anything else is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(_written(item) for item in value)}]"
    return str(value)


def _plain_config(shown: str, name: str, cls: type["Detector"], given: Mapping[str, Any]) -> dict[str, Any]:
    """A whole config as it comes back from a run folder."""
    known = [field.name for field in fields(cls.Config)]
    for field in given:
        if field not in known:
            raise UnknownName(f"hyper-parameter of method '{name}' called", field, known)
    config = asdict(_validated(name, cls, given))
    try:
        return json.loads(json.dumps(config, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise BadValue(f"Method '{shown}': got {config} ({error}), expected finite, plain values.") from error


def _validated(name: str, cls: type["Detector"], values: Mapping[str, Any]) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls.Config).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # a check of the Config itself, which says what it got and expected
            raise BadValue(f"Method '{name}': {first['msg'].removeprefix('Value error, ')}") from error
        place = ", ".join((f"Method '{name}'", *map(str, first["loc"])))
        raise BadValue(f"{place}: got {first['input']!r}, expected: {first['msg'].rstrip('.')}.") from error
    except Exception as error:  # a plugin's own checks may raise anything
        raise BadValue(f"Method '{name}': got {dict(values)}, which its Config refuses: {one_line(error)}.") from error
