"""What a plugin says of itself, asked of a process of its own and remembered, so that no other has to import it."""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmark import __version__
from datasets.errors import BadValue, UnknownName, UserError
from datasets.io.atomic import read_json, write_json
from datasets.io.contents import cache_folder
from datasets.registry import place_of

SECONDS = 300.0  # that an import may take
KINDS: dict[str, type[UserError]] = {}
"""Errors that come back as what they were, by the names of their classes; any other is a BadValue."""


class NoAnswer(UserError):
    """The process of a plugin ended without an answer."""


def answers_folder() -> Path:
    return cache_folder() / "plugins"


def told(content: str, question: Callable[..., Any], *arguments: Any) -> Any:
    """What `question(*arguments)` returns where the code of a plugin may be imported.

    Args:
        content: what stands for that code, as a digest of it does: an answer is remembered by it.
        question: importable; returns what JSON can hold.

    Raises:
        UserError: that the question raises.
        NoAnswer: the process ends instead.
    """
    asked = json.dumps([__version__, content, place_of(question), arguments], default=repr, sort_keys=True)
    key = sha256(asked.encode()).hexdigest()
    if key not in _ANSWERS:
        _ANSWERS[key] = _kept(key) or _asked(key, question, arguments)
    return json.loads(_ANSWERS[key])


_ANSWERS: dict[str, str] = {}


def _kept(key: str) -> str:
    """An earlier answer as text; "" where there is none that can be read."""
    place = answers_folder() / f"{key[:32]}.json"
    try:
        return str(read_json(place).get("answer", "")) if place.is_file() else ""
    except UserError:
        return ""


def _asked(key: str, question: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    from benchmark.methods.apart import Apart, Ended

    process = Apart(_Asked)
    try:
        found = process.ask("answer", question, arguments, quiet_seconds=SECONDS)
    except Ended as error:
        raise NoAnswer(str(error)) from error
    finally:
        process.close()
    match found:
        case {"told": answer}:
            kept = json.dumps(answer)
        case {"error": [str(kind), str(message), str(name)]}:
            raise _error(kind, message, name)
        case _:
            raise NoAnswer("Its process sent what is no answer.")
    with suppress(OSError):
        write_json(answers_folder() / f"{key[:32]}.json", {"answer": kept})
    return kept


class _Asked:
    """In the process of a plugin."""

    def answer(self, question: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Any]:
        try:
            return {"told": question(*arguments)}
        except UserError as error:
            return {"error": [type(error).__name__, str(error), getattr(error, "name", "")]}


def _error(kind: str, message: str, name: str) -> UserError:
    if kind == UnknownName.__name__:
        return UnknownName.saying(message, name)
    return KINDS.get(kind, BadValue)(message)
