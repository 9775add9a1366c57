"""A plugin that is one file, whose detectors are methods without being installed.

A TOML file describes a method in another interpreter; see `benchmark.methods.subprocess_method`.
"""

import hashlib
import re
import sys
from collections.abc import Mapping
from inspect import isabstract
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from datasets.errors import BadValue
from datasets.local_code import code_digest
from datasets.registry import NAME, import_failure

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector

TOML = ".toml"
TARGET = re.compile(r"(?P<path>.+):(?P<name>[\w.-]+)@(?P<digest>[0-9a-f]{12})")


def detectors(path: Path) -> dict[str, type["Detector"]]:
    """A file's methods by name: its `METHODS`, or else every public Detector that it defines, in kebab case.

    A TOML file has one method, under the name it gives.

    Raises:
        BadValue: the file cannot be imported or holds no Detector.
    """
    if path.suffix == TOML:
        from benchmark.methods.subprocess_method import read_description, subprocess_method

        return {read_description(path).name: subprocess_method(path)}
    module = _imported(path)
    found = getattr(module, "METHODS", None)
    if found is None:
        found = _defined_in(module, path)
    wrong = _wrong(found)
    if wrong:
        raise BadValue(f"--plugin {path}: got METHODS with {wrong}, expected names of subclasses of Detector.")
    return dict(found)


def target_of(path: Path, name: str) -> str:
    """`FILE.py:name@digest`: where a method is and, since the code decides a fit, a digest of it; see `local_code`."""
    return f"{path.resolve()}:{name}@{file_digest(path)}"


def detector_at(target: str) -> type["Detector"] | None:
    """The class that a target of `target_of` means; None for a target of another form.

    Raises:
        BadValue: the file is missing, has changed, or lacks the method.
    """
    match = TARGET.fullmatch(target)
    if match is None:
        return None
    path = Path(match["path"])
    found = file_digest(path)
    if found != match["digest"]:
        raise BadValue(
            f"--plugin {path}: got content {found}, expected {match['digest']}: the file has changed since, or a local "
            "module that it imports."
        )
    known = detectors(path)
    if match["name"] not in known:
        raise BadValue(f"--plugin {path}: got methods {', '.join(known)}, expected '{match['name']}'.")
    return known[match["name"]]


def kebab(name: str) -> str:
    """`LocalZScore` to `local-z-score`, `DDPMPlus` to `ddpm-plus`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_+", "-", name)
    return words.strip("-").lower()


def _imported(path: Path) -> ModuleType:
    """The file as a module, once per content of it and of what it imports."""
    digest, source = file_digest(path), path.read_bytes()
    name = f"uadbench_plugin_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:12]}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    module = sys.modules[name] = ModuleType(name)  # dataclasses look up their module there
    module.__file__ = str(path.resolve())
    try:
        exec(compile(source, module.__file__, "exec"), vars(module))
    except (Exception, SystemExit) as error:  # whatever a plugin raises concerns that plugin alone
        del sys.modules[name]
        raise BadValue(f"--plugin {path} cannot be imported: {import_failure(error)}.") from error
    return module


def _defined_in(module: ModuleType, path: Path) -> dict[str, type["Detector"]]:
    from benchmark.methods.detector import Detector

    own = [one for one in vars(module).values() if _is_detector(one) and one.__module__ == module.__name__]
    named = {kebab(one.__name__): one for one in own if not isabstract(one) and not one.__name__.startswith("_")}
    if not named:
        unfinished = [f"{one.__name__} without {', '.join(sorted(one.__abstractmethods__))}" for one in own]
        got = "; ".join(unfinished) or "none"
        raise BadValue(
            f"--plugin {path}: got {got}, expected a complete subclass of {Detector.__name__} defined there."
        )
    return named


def _wrong(found: Any) -> str | None:
    """The part of a file's METHODS that cannot be used; None if there is none."""
    if not isinstance(found, Mapping) or not found:
        return repr(found)
    for name, one in found.items():
        if not (isinstance(name, str) and NAME.fullmatch(name) and _is_detector(one)):
            return f"{name!r}: {one!r}"
    return None


def _is_detector(one: object) -> bool:
    from benchmark.methods.detector import Detector

    return isinstance(one, type) and issubclass(one, Detector)


def file_digest(path: Path) -> str:
    """Twelve hexadecimal digits of all code that a file's methods depend on."""
    if path.suffix == TOML:
        from benchmark.methods.subprocess_method import program_digest

        return program_digest(path)[:12]
    try:
        return code_digest(path)[:12]
    except OSError as error:
        raise BadValue(f"--plugin {path}: no file that can be read ({error.strerror}).") from error
