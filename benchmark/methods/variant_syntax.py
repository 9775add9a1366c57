"""Choice: a method asked for in text, with the hyper-parameters written behind it in brackets."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.methods.built_in import method, methods
from benchmark.methods.registry import Method
from datasets.errors import BadValue


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


def parse_choices(text: str, known: Mapping[str, Method] | None = None) -> list[Choice]:
    """`"ddpm,cddpm[ensemble=false]"` to choices among `known` methods or all.

    Raises:
        UnknownName: no such method.
        BadValue: brackets that do not close, a part without `=`, or a choice named twice.
    """
    known = methods() if known is None else known
    choices = [_parse_choice(part, known) for part in _split(text)]
    names = [choice.name for choice in choices]
    if not names:
        raise BadValue(f"Got no method in '{text}', wanted one or more of {', '.join(known)}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadValue(f"Got method '{twice[0]}' twice, wanted every method once.")
    return choices


def named(text: str) -> list[str]:
    """The names in it, known or not."""
    return [part.partition("[")[0].strip() for part in _split(text)]


def only_choice(text: str, known: Mapping[str, Method] | None = None) -> Choice:
    """The same for the one method that `text` names."""
    choices = parse_choices(text, known)
    if len(choices) > 1:
        raise BadValue(f"Got {len(choices)} methods in '{text}', wanted one.")
    return choices[0]


def _parse_choice(part: str, known: Mapping[str, Method]) -> Choice:
    match = re.fullmatch(r"([\w.-]+)(?:\[(.*)\])?", part)
    if match is None:
        raise BadValue(f"Got method '{part}', wanted NAME or NAME[field=value,...].")
    overrides: dict[str, Any] = {}
    for setting in _split(match[2] or ""):
        field, equals, value = setting.partition("=")
        if not equals:
            raise BadValue(f"Got '{setting}' in '{part}', wanted field=value.")
        overrides[field.strip()] = _value(value.strip())
    return Choice(method(match[1], known), overrides)


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
