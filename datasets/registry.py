"""Registry: objects of one kind by name, built in or of an installed plugin, listed without an import."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from functools import lru_cache, partial
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from datasets.errors import BadValue, UnknownName, one_line
from datasets.local_code import module_digest

Item = TypeVar("Item")
NAME = re.compile(r"[\w.-]+")  # other characters part names from options, or make derived ones
# Modules of earlier versions that plugins import -> where their names are now.
MOVED = {
    "baselines.checkpoint": "baselines.checkpoints.torch_file",
    "baselines.diffusion.keys": "baselines.checkpoints.published",
    "baselines.published": "baselines.checkpoints.published",
    "baselines.ae": "baselines.autoencoders.ae",
    "baselines.dae": "baselines.autoencoders.dae",
    "baselines.svae": "baselines.autoencoders.svae",
    "baselines.vae": "baselines.autoencoders.vae",
    "baselines.windows": "baselines.autoencoders.svae",
    "baselines.ddpm": "baselines.diffusion.ddpm",
    "baselines.pddpm": "baselines.diffusion.pddpm",
    "baselines.fanogan": "baselines.gan.fanogan",
    "baselines.wgan": "baselines.gan.wgan",
    "baselines.gaussian": "baselines.simple.gaussian",
    "baselines.moments": "baselines.simple.moments",
    "baselines.standardise": "baselines.simple.standardise",
    "baselines.smooth": "baselines.simple.smooth",
    "baselines.zscore": "baselines.simple.zscore",
    "baselines.artefacts": "baselines.slices.artefacts",
    "baselines.augmentation": "baselines.slices.augmentation",
    "baselines.philox": "baselines.slices.seeding",
    "baselines.seeding": "baselines.slices.seeding",
    "baselines.slices": "baselines.slices.sampling",  # once a module, now a package
    "baselines.stages": "baselines.training.stage",
    "cddpm.encoder": "baselines.encoders.resnet",
    "cddpm.pretraining": "baselines.encoders.spark",
    "cddpm.sparse": "baselines.encoders.sparse",
    "benchmark.card": "benchmark.methods",
    "benchmark.detector": "benchmark.methods",
    "benchmark.testing": "benchmark.methods",
    "benchmark.exact": "benchmark.methods.exact_float32",
    "benchmark.foreign": "benchmark.methods.subprocess_method",
    "benchmark.termination": "benchmark.methods.termination",
    "datasets.raw": "datasets.case",
    "datasets.unusable": "datasets.errors",
}


@dataclass(frozen=True)
class Entry:
    """A name, and where its object is.

    Attributes:
        kind: what it is a name of, as errors say it, e.g. `metric`.
        target: `module:attribute`; "" for a built-in that is at hand.
        origin: a plugin's distribution and version, of an editable one with a digest of its code; "" for a built-in.
        title: the summary of a plugin's distribution.
        trouble: why it cannot be used, as far as that is known without an import.
    """

    kind: str
    name: str
    target: str
    origin: str = ""
    title: str = ""
    trouble: str = ""

    def __str__(self) -> str:
        """As errors name it."""
        return f"{self.kind.capitalize()} '{self.name}' ({', '.join(filter(None, (self.target, self.origin)))})"

    def load(self) -> object:
        """Import the object.

        Raises:
            BadValue: it cannot be imported.
        """
        if self.trouble:
            raise BadValue(f"{self.kind.capitalize()} '{self.name}': {self.trouble}")
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (Exception, SystemExit) as error:  # whatever a plugin raises while it is imported costs only itself
            raise BadValue(f"{self} cannot be imported: {import_failure(error)}.") from error


class Registry(Generic[Item]):
    """All objects of one kind by name: the built-in ones first, then those of plugins.

    Nothing of a plugin is imported before its object is asked for by name. A plugin cannot replace a built-in object,
    and of two plugins that claim one name neither is used. An object that has a field `origin` is told whose it is.

    Args:
        kind: as errors name it, e.g. `metric`.
        group: of the entry points, e.g. `uadbench.metrics`; each leads to an object of the type, and where the type has
            a `name`, this is the entry point's.
        built_in: by name the object itself, or its `module:attribute`.
        check: raises BadValue for a plugin's object that cannot be used.
        understood: further names that mean something where one of these is asked for, as errors list them.
        reserved: pattern of the names that mean something else in a run, and that no plugin may have.

    Attributes:
        built_in: the built-in objects, or where they are.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        type_: type[Item],
        built_in: Mapping[str, Item | str],
        *,
        check: Callable[[Item], None] = lambda _: None,
        understood: Iterable[str] = (),
        reserved: str = "",
    ) -> None:
        self.kind, self.group, self.built_in = kind, group, dict(built_in)
        self._type, self._check, self._understood = type_, check, tuple(understood)
        self._reserved = re.compile(reserved)

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from (name for name in sorted(self._plugins) if name not in self.built_in)

    def __contains__(self, name: object) -> bool:
        return name in self.built_in or name in self._plugins

    def __getitem__(self, name: str) -> Item:
        """The object called `name`.

        Raises:
            UnknownName: nothing is called so.
            BadValue: a plugin's entry point does not lead to an object that can be used, or two plugins claim the name.
        """
        known = self.built_in.get(name)
        if known is not None and not isinstance(known, str):
            return known
        return self._loaded(self.entry(name))

    def entry(self, name: str) -> Entry:
        """Where the object called `name` is and whose it is; nothing is imported.

        Raises:
            UnknownName: nothing is called so.
        """
        if name in self.built_in:
            known = self.built_in[name]
            return Entry(self.kind, name, known if isinstance(known, str) else "")
        if name not in self._plugins:
            raise UnknownName(self.kind, name, [*self._understood, *self])
        return self._plugins[name]

    def origin(self, name: str) -> str:
        """The distribution and version of a plugin's object; "" for a built-in."""
        return self.entry(name).origin

    def usable(self) -> dict[str, Item]:
        """Every object that can be used, by name; a broken plugin costs only itself."""
        found: dict[str, Item] = {}
        for name in self:
            try:
                found[name] = self[name]
            except BadValue:
                continue
        return found

    def refused(self) -> list[str]:
        """A line for each plugin whose name is a built-in object's."""
        kind = self.kind
        return [
            f"{kind.capitalize()} '{name}' of {entry.origin} is refused: the name is a built-in {kind}'s."
            for name, entry in self._plugins.items()
            if name in self.built_in
        ]

    def trouble_with(self, name: str) -> str:
        """Why no plugin's object may be called so, as part of a line; "" if it may."""
        if not NAME.fullmatch(name):
            return f"got name {name!r}, expected letters, digits, '_', '.' and '-' alone."
        return "got a name that is reserved, expected another." if self._reserved.fullmatch(name) else ""

    @property
    def _plugins(self) -> dict[str, Entry]:
        found = installed(self.kind, self.group)
        return {name: replace(one, trouble=one.trouble or self.trouble_with(name)) for name, one in found.items()}

    def _loaded(self, entry: Entry) -> Item:
        found = entry.load()
        if not isinstance(found, self._type):
            raise BadValue(f"{entry}: got {type(found).__name__}, expected {_with_article(self._type.__name__)}.")
        if getattr(found, "name", entry.name) != entry.name:
            raise BadValue(f"{entry}: got one called '{getattr(found, 'name', '')}', expected the entry point's name.")
        try:
            self._check(found)
        except BadValue:
            raise
        except Exception as error:  # a plugin's object may hold anything, and its trouble costs only itself
            raise BadValue(f"{entry} cannot be used: {one_line(error)}.") from error
        return _of(entry.origin, found)


def installed(kind: str, group: str) -> dict[str, Entry]:
    """What installed distributions offer under a group of entry points, by name; nothing is imported.

    A name that two distributions claim stands once, as one that cannot be used: which of them is meant would depend on
    the import path order.
    """
    return _installed(kind, group, tuple(sys.path))


def place_of(function: object) -> str:
    """`module:qualname` of a plugin's function, as keys hold it, of a partial one with its arguments; "" for None."""
    if function is None:
        return ""
    if isinstance(function, partial):
        return f"{place_of(function.func)} {function.args} {sorted(function.keywords.items())}"
    owner = function if hasattr(function, "__qualname__") else type(function)
    return f"{owner.__module__}:{getattr(owner, '__qualname__', '')}"


def import_failure(error: BaseException) -> str:
    """Why a plugin cannot be imported, as part of a line; of a module that has moved, where it is now."""
    missing = error.name if isinstance(error, ImportError) else None
    if missing not in MOVED:
        return one_line(error)
    return f"{missing} has moved, import it from {MOVED[missing]} ({one_line(error)})"


@lru_cache(maxsize=64)
def _installed(kind: str, group: str, _path: tuple[str, ...]) -> dict[str, Entry]:
    """The same, once for each import path, since every search opens the metadata of all distributions."""
    points: dict[str, list[Entry]] = {}
    for point in entry_points(group=group):
        points.setdefault(point.name, []).append(_entry(kind, point))
    return {name: _only(rivals) for name, rivals in points.items()}


def _entry(kind: str, point: EntryPoint) -> Entry:
    if point.dist is None:
        return Entry(kind, point.name, point.value, "an unknown distribution", f"plugin {point.value}")
    metadata = point.dist.metadata
    title = str(metadata["Summary"]) if "Summary" in metadata else f"plugin {point.value}"
    try:
        version, trouble = _version(point, point.dist), ""
    except (OSError, ValueError) as error:
        version, trouble = point.dist.version, f"its code cannot be read ({one_line(error)})."
    return Entry(kind, point.name, point.value, f"{point.dist.name} {version}", title, trouble)


def _version(point: EntryPoint, distribution: Distribution) -> str:
    """A distribution's version; of one that is installed as editable with a digest of the code behind a name."""
    direct = distribution.read_text("direct_url.json")
    if direct is None or not json.loads(direct).get("dir_info", {}).get("editable"):
        return distribution.version
    return f"{distribution.version}+editable.{module_digest(point.module)[:12]}"


def _only(rivals: Sequence[Entry]) -> Entry:
    first = rivals[0]
    if len(rivals) == 1:
        return first
    owners = " and ".join(sorted(f"{one.origin} ({one.target})" for one in rivals))
    trouble = f"got it from {owners}, expected one of them: uninstall the other."
    return Entry(first.kind, first.name, first.target, owners, f"claimed by {owners}", trouble)


def _of(origin: str, found: Item) -> Item:
    """A plugin's object with its distribution and version in its field `origin`, where it has one."""
    if not origin or isinstance(found, type) or not is_dataclass(found) or not hasattr(found, "origin"):
        return found
    plain: Any = found  # which dataclass it is, only the caller knows
    return replace(plain, origin=origin)


def _with_article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
