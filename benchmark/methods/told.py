"""What a plugin says of itself, asked of a process of its own and remembered, so that no other has to import it.

`Asked` is for what such a process does beyond a single answer; mistakes come back from it as they were made.
"""

import json
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmark import __version__
from datasets.errors import BadValue, UnknownName, UserError, one_line
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
        content: what stands for that code, as a digest of it does: an answer is remembered by it, without it none.
        question: importable; returns what JSON can hold.

    Raises:
        UserError: that the question raises.
        NoAnswer: the process ends instead.
    """
    if not content:
        return json.loads(_asked(question, arguments))
    asked = json.dumps([__version__, content, place_of(question), arguments], default=repr, sort_keys=True)
    key = sha256(asked.encode()).hexdigest()
    if key not in _ANSWERS:
        _ANSWERS[key] = _kept(key) or _keep(key, _asked(question, arguments))
    return json.loads(_ANSWERS[key])


class Asked:
    """An object in the process of a plugin, as `Apart` has it, whose mistakes are raised here.

    Args:
        make, arguments: as of `Apart`; called with the first question.
    """

    def __init__(self, make: Callable[..., object], *arguments: Any) -> None:
        from benchmark.methods.apart import Apart

        self._process = Apart(_Answering, make, arguments)

    def ask(self, name: str, *arguments: Any, quiet_seconds: float | None = None) -> Any:
        """What the object's method returns; see `Apart.ask`.

        Raises:
            UserError: that the method raises; of any other exception its text.
            NoAnswer: the process ends instead.
        """
        from benchmark.methods.apart import Ended

        try:
            found = self._process.ask("answer", name, arguments, quiet_seconds=quiet_seconds)
        except Ended as error:
            raise NoAnswer(str(error)) from error
        match found:
            case {"told": answer}:
                return answer
            case {"error": [str(kind), str(message), str(name)]}:
                raise _error(kind, message, name)
            case _:
                raise NoAnswer("Its process sent what is no answer.")

    def close(self) -> None:
        self._process.close()


_ANSWERS: dict[str, str] = {}


def _kept(key: str) -> str:
    """An earlier answer as text; "" where there is none that can be read."""
    place = answers_folder() / f"{key[:32]}.json"
    try:
        return str(read_json(place).get("answer", "")) if place.is_file() else ""
    except UserError:
        return ""


def _asked(question: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    with closing(Asked(_Questions)) as asked:
        return json.dumps(asked.ask("answer", question, arguments, quiet_seconds=SECONDS))


def _keep(key: str, answer: str) -> str:
    with suppress(OSError):
        write_json(answers_folder() / f"{key[:32]}.json", {"answer": answer})
    return answer


class _Questions:
    """In the process of a plugin."""

    def answer(self, question: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        return question(*arguments)


class _Answering:
    """Likewise: what `make` returns, and what comes of asking it."""

    def __init__(self, make: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._make = partial(make, *arguments)

    @cached_property
    def _made(self) -> object:
        return self._make()

    def answer(self, name: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
        try:
            return {"told": getattr(self._made, name)(*arguments)}
        except UserError as error:
            return {"error": [type(error).__name__, str(error), getattr(error, "name", "")]}
        except Exception as error:  # a plugin may raise anything
            return {"error": ["", one_line(error), ""]}


def _error(kind: str, message: str, name: str) -> UserError:
    if kind == UnknownName.__name__:
        return UnknownName.saying(message, name)
    return KINDS.get(kind, BadValue)(message)
