"""What code of the user's own a file depends on: itself, and the local modules that it imports."""

import ast
import importlib.util
import site
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

OURS = frozenset({"baselines", "benchmark", "cddpm", "datasets", "reports"})


def code_digest(path: Path, *, search: Sequence[str] | None = None) -> str:
    """SHA-256 over a Python file and the local modules that it imports, and those that they import; nothing is run.

    A module is local if it lies neither in the standard library, nor among installed packages, nor in this project: a
    file of the user's own, or a package that is installed as editable. Imports inside functions count, too; those by a
    computed name are not seen.

    Args:
        search: folders of modules; None for the import path of this process, and then the file's own folder, which
            the file may add to it when it is run.

    Raises:
        OSError: a file cannot be read.
    """
    return _digest(_with_imports({"": path}, search))


def module_digest(name: str) -> str:
    """The same of a module by its full name, the packages around it included."""
    return _digest(_with_imports(_local_files(name, None, ()), None))


def _digest(modules: Mapping[str, Path]) -> str:
    """By names and contents, so that a folder may move."""
    lines = [f"{name} {sha256(path.read_bytes()).hexdigest()}\n" for name, path in sorted(modules.items())]
    return sha256("".join(lines).encode()).hexdigest()


def _with_imports(modules: Mapping[str, Path], search: Sequence[str] | None) -> dict[str, Path]:
    """Modules by full name, "" for a file that is none, and all local ones that they import."""
    found, waiting = dict(modules), list(modules)
    beside = [str(modules[""].resolve().parent)] if "" in modules else []
    while waiting:
        name = waiting.pop()
        package = name if found[name].name == "__init__.py" else name.rpartition(".")[0]
        for imported in _imports(found[name], package):
            new = {one: path for one, path in _local_files(imported, search, beside).items() if one not in found}
            found |= new
            waiting += new
    return found


def _imports(path: Path, package: str) -> Iterator[str]:
    """Full names that a file imports; of `from a import b` also `a.b`, which may be a module."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # it cannot be imported either, or is compiled
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            if base and (package or not node.level):
                yield from (f"{base}.{alias.name}" for alias in node.names)


def _local_files(name: str, search: Sequence[str] | None, beside: Sequence[str]) -> dict[str, Path]:
    """The local files that importing a module runs: its own and those of the packages around it."""
    found: dict[str, Path] = {}
    head, *rest = name.split(".")
    spec = None if head in OURS else _top_level(head, search, beside)
    while spec is not None and _is_local(spec):
        if spec.origin is not None and Path(spec.origin).is_file():
            found[spec.name] = Path(spec.origin)
        if not rest or spec.submodule_search_locations is None:
            break
        spec = PathFinder.find_spec(f"{spec.name}.{rest.pop(0)}", list(spec.submodule_search_locations))
    return found


def _top_level(name: str, search: Sequence[str] | None, beside: Sequence[str]) -> ModuleSpec | None:
    if search is not None:
        return PathFinder.find_spec(name, list(search))
    try:
        found = importlib.util.find_spec(name)  # asks the finders of editable installs, too
    except (ImportError, ValueError):  # such as for __main__
        return None
    return found or PathFinder.find_spec(name, list(beside))


def _is_local(spec: ModuleSpec) -> bool:
    place = spec.origin if spec.has_location else next(iter(spec.submodule_search_locations or ()), None)
    return place is not None and not any(Path(place).is_relative_to(folder) for folder in _installed_folders())


@lru_cache(maxsize=1)
def _installed_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return (*(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")), *site.getsitepackages(),
            site.getusersitepackages())  # fmt: skip
