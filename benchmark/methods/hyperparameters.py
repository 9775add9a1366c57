"""Hyper-parameters: from a class's defaults, its presets and what was asked for to one resolved config."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from benchmark.methods.plugin_file import one_line
from benchmark.methods.registry import Method, UnusableMethod, load
from datasets.errors import BadValue, UnknownName

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector
    from benchmark.methods.variant_syntax import Choice


def presets_of(cls: type["Detector"]) -> dict[str, Mapping[str, Any]]:
    """Every preset by name; `paper` changes nothing where the class does not say otherwise."""
    return {"paper": {}, **cls.presets}


def resolve_config(choice: "Choice", preset: str, tuned: Mapping[str, Any]) -> dict[str, Any]:
    """Every hyper-parameter as plain values: class defaults < preset < `tuned` (a file) < the choice's own.

    Raises:
        UnusableMethod: the class cannot be imported, or not even its own defaults make a config.
        UnknownName: a field or preset that the method's Config does not have.
        BadValue: a value that is not of the field's type.
    """
    cls = load(choice.method)
    presets = own_presets(choice.method, cls)
    if preset not in presets:
        raise UnknownName(f"preset of method '{choice.method.name}' called", preset, presets)
    return _plain_config(choice.name, choice.method.name, cls, {**presets[preset], **tuned, **choice.overrides})


def build(name: str, target: str, config: Mapping[str, Any]) -> "Detector":
    """A detector with untrained weights from a resolved config."""
    cls = load(Method(name, target, ""))
    return cls(_validated(name, cls, config))


def own_presets(method: Method, cls: type["Detector"]) -> dict[str, Mapping[str, Any]]:
    """A class's presets, each of which makes a config without any help."""
    try:
        if not is_dataclass(cls.Config):
            raise BadValue(f"got Config {cls.Config!r}, wanted a frozen dataclass")
        presets = presets_of(cls)
        for values in presets.values():
            _plain_config(method.name, method.name, cls, values)
    except Exception as error:  # whatever a plugin's Config raises by itself costs only that plugin
        told = isinstance(error, (BadValue, UnknownName))
        reason = str(error).rstrip(".").removeprefix(f"Method '{method.name}', ") if told else one_line(error)
        raise UnusableMethod(f"{method} has a Config or presets that cannot be used: {reason}.") from error
    return presets


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
        raise BadValue(f"Method '{shown}': got {config} ({error}), wanted finite, plain values.") from error


def _validated(name: str, cls: type["Detector"], values: Mapping[str, Any]) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(cls.Config).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # the Config's own check, which says what it got and wanted
            raise BadValue(f"Method '{name}': {first['msg'].removeprefix('Value error, ')}") from error
        place = ", ".join((f"Method '{name}'", *map(str, first["loc"])))
        raise BadValue(f"{place}: got {first['input']!r}, wanted: {first['msg'].rstrip('.')}.") from error
    except Exception as error:  # a plugin's own checks may raise anything
        raise BadValue(f"Method '{name}': got {dict(values)}, which its Config refuses: {one_line(error)}.") from error
