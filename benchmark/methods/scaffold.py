"""The package of a new method, complete and working, from templates."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path
from string import Template

from benchmark.methods.registry import Method
from datasets.errors import BadValue, UnknownName


@dataclass(frozen=True)
class Kind:
    """A working start.

    Attributes:
        what: it does, in a line.
        budget: arguments of its Config that make its test take seconds.
        channels: numbers of sequences that its test tries.
    """

    what: str
    budget: str = ""
    channels: str = "1, 2"


SMALL = "size=24, batch_size=8, learning_rate=1e-2, augment=False"
KINDS = {
    "volume": Kind("How rare a voxel's intensity is among healthy brains"),
    "reconstruction": Kind("What a narrow auto-encoder of healthy slices cannot copy", f"{SMALL}, steps=100, width=8"),
    "features": Kind(
        "How far the features of a patch lie from healthy ones at the same place",
        f"{SMALL}, steps=20, pixels=24, stages=(0,), encoder_width=8, encoder_blocks=(1,), decoder_width=16",
        channels="1",
    ),
}
"""What a method is made of: whole volumes, slices that a network reconstructs, or features of patches."""
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Package:
    """A written package; `module` is its one file of code."""

    name: str
    root: Path
    module: str

    def lines(self) -> Iterator[str]:
        """What was written, and what to do with it."""
        file = self.root / f"{self.module}.py"
        yield f"Written: {self.root}, a package with method '{self.name}' in {file.name}."
        yield "Edit that file, and try it without installing anything:"
        yield f"  python -m benchmark plugin check {self.name} --plugin {file}"
        yield (
            f"  python -m benchmark run --plugin {file} --methods {self.name} --datasets phantom "
            "--sequence t1 --preset quick"
        )
        yield f"Install it: python -m pip install -e {self.root}"


def write_package(name: str, root: Path, known: Mapping[str, Method], *, kind: str = "volume") -> Package:
    """Write the package of a method called `name` into a new folder `root`.

    Args:
        kind: what it starts from, among `KINDS`.

    Raises:
        UnknownName: there is no such kind.
        BadValue: the name cannot be one or is taken among `known`, or the folder exists.
    """
    if not NAME.fullmatch(name):
        raise BadValue(f"Got name '{name}', expected lower-case letters and digits in words joined by '-': local-z.")
    class_name = "".join(part.capitalize() for part in name.split("-"))
    module = f"uadbench_{name.replace('-', '_')}"
    if kind not in KINDS:
        raise UnknownName("kind of method called", kind, KINDS)
    names = {"name": name, "module": module, "class_name": class_name, **asdict(KINDS[kind])}
    if name in known:
        owner = known[name].origin or "uadbench itself"
        raise BadValue(f"Got name '{name}', which {owner} has; expected one not among {', '.join(sorted(known))}.")
    if iskeyword(class_name) or class_name in _imported(_filled(f"{kind}.py", names)):
        raise BadValue(f"Got name '{name}', whose class {class_name} would hide another one; expected another name.")
    if root.exists():
        raise BadValue(f"--out {root}: got a folder or file that exists, expected a new folder.")
    for path, template in _places(module, kind).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(_filled(template, names), encoding="utf-8")
    return Package(name, root, module)


def _places(module: str, kind: str) -> dict[str, str]:
    """Path in the package -> its template."""
    return {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        f"{module}.py": f"{kind}.py",
        f"tests/test_{module}.py": "test.py",
    }


def _filled(template: str, names: Mapping[str, str]) -> str:
    text = files("benchmark").joinpath("templates", f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(names)


def _imported(source: str) -> set[str]:
    """Names that a module's imports bind."""
    imports = (node for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return {(alias.asname or alias.name) for node in imports for alias in node.names}
