"""Names of methods to their classes, built in or from the entry-point group `uadbench.methods`.

Nothing is imported until a method is named, so that listing is quick and a broken optional
dependency costs only the one who asks for it.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from datasets.errors import BadValue, UnknownName

if TYPE_CHECKING:
    from benchmark.detector import Detector

GROUP = "uadbench.methods"
PRESETS = ("paper", "quick")


@dataclass(frozen=True)
class Method:
    """What is known of a method before it is imported; `target` is `module:attribute`."""

    name: str
    target: str
    title: str


BUILT_IN = (
    Method("thresh", "baselines.thresh:Thresh", "Histogram-equalised intensity as anomaly map (floor)"),
    Method("zscore", "baselines.zscore:ZScore", "Smoothed voxel-wise Gaussian of healthy brains (floor)"),
    Method("ae", "baselines.ae:AE", "Convolutional auto-encoder with a dense latent"),
    Method("ddpm", "baselines.ddpm:DDPM", "Denoising diffusion model, one-step reconstruction"),
    Method("cddpm", "cddpm.detector:CDDPM", "Conditioned denoising diffusion model"),
)


def methods() -> dict[str, Method]:
    """Every known method by name; an installed plugin cannot replace a built-in."""
    plugins = {point.name: Method(point.name, point.value, _summary(point)) for point in entry_points(group=GROUP)}
    return plugins | {method.name: method for method in BUILT_IN}


def method(name: str) -> Method:
    """The method registered as `name`.

    Raises:
        UnknownName: nothing is.
    """
    known = methods()
    if name not in known:
        raise UnknownName("method", name, known)
    return known[name]


@dataclass(frozen=True)
class Choice:
    """A method asked for on the command line: `ddpm` or, with overrides, `ddpm[t_test=250]`."""

    method: Method
    overrides: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name in tables; the same choice is always written the same way."""
        inside = ",".join(f"{key}={_written(value)}" for key, value in sorted(self.overrides.items()))
        return f"{self.method.name}[{inside}]" if inside else self.method.name


def parse_choices(text: str) -> list[Choice]:
    """`"ddpm,cddpm[ensemble=false]"` to choices.

    Raises:
        UnknownName: no such method.
        BadValue: brackets that do not close, a part without `=`, or a choice named twice.
    """
    choices = [_parse_choice(part) for part in _split(text)]
    names = [choice.name for choice in choices]
    if not names:
        raise BadValue(f"Got no method in '{text}', wanted one or more of {', '.join(methods())}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadValue(f"Got method '{twice[0]}' twice, wanted every method once.")
    return choices


def resolve_config(choice: Choice, preset: str, tuned: Mapping[str, Any]) -> dict[str, Any]:
    """Every hyper-parameter as plain values: class defaults < preset < `tuned` (a file) < the choice's own.

    Raises:
        UnknownName: a field or preset that the method's Config does not have.
        BadValue: a value that is not of the field's type.
    """
    cls = load(choice.method)
    presets = {"paper": {}, **cls.presets}
    if preset not in presets:
        raise UnknownName(f"preset of method '{choice.method.name}' called", preset, presets)
    given = {**presets[preset], **tuned, **choice.overrides}
    known = [field.name for field in fields(cls.Config)]
    for name in given:
        if name not in known:
            raise UnknownName(f"hyper-parameter of method '{choice.method.name}' called", name, known)
    config = asdict(_validated(choice.method.name, cls, given))
    try:
        return json.loads(json.dumps(config, allow_nan=False))  # as it comes back from a run folder
    except (TypeError, ValueError) as error:
        raise BadValue(f"Method '{choice.name}': got {config} ({error}), wanted finite, plain values.") from error


def build(name: str, target: str, config: Mapping[str, Any]) -> "Detector":
    """A detector with untrained weights from a resolved config."""
    cls = load(Method(name, target, ""))
    return cls(_validated(name, cls, config))


def load(method: Method) -> type["Detector"]:
    """Import a method's class.

    Raises:
        BadValue: it cannot be imported, or is no Detector.
    """
    from benchmark.detector import Detector

    module, _, attribute = method.target.partition(":")
    try:
        cls = getattr(import_module(module), attribute)
    except Exception as error:  # whatever a plugin raises while it is imported costs only itself
        raise BadValue(f"Method '{method.name}' ({method.target}) cannot be imported: {error}.") from error
    if not (isinstance(cls, type) and issubclass(cls, Detector)):
        raise BadValue(f"Method '{method.name}' ({method.target}): got {cls!r}, wanted a subclass of Detector.")
    return cls


def _validated(name: str, cls: type["Detector"], values: Mapping[str, Any]) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls.Config).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        place = ", ".join((f"Method '{name}'", *map(str, first["loc"])))
        raise BadValue(f"{place}: got {first['input']!r}, wanted: {first['msg'].rstrip('.')}.") from error


def _summary(point: EntryPoint) -> str:
    metadata = point.dist.metadata if point.dist else None
    return str(metadata["Summary"]) if metadata is not None and "Summary" in metadata else f"plugin {point.value}"


def _parse_choice(part: str) -> Choice:
    match = re.fullmatch(r"([\w.-]+)(?:\[(.*)\])?", part)
    if match is None:
        raise BadValue(f"Got method '{part}', wanted NAME or NAME[field=value,...].")
    overrides: dict[str, Any] = {}
    for setting in _split(match[2] or ""):
        field, equals, value = setting.partition("=")
        if not equals:
            raise BadValue(f"Got '{setting}' in '{part}', wanted field=value.")
        overrides[field.strip()] = _value(value.strip())
    return Choice(method(match[1]), overrides)


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
        raise BadValue(f"Got '{text}', wanted every '[' closed by a ']'.")
    return [part.strip() for part in parts if part.strip()]


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
