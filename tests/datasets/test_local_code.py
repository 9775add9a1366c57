"""A digest of code covers the local modules that are imported, near or far, and nothing that is installed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from datasets.local_code import code_digest, module_digest

FILES = {
    "plugin.py": "import numpy\nimport helper\nfrom kit.maths import half\nfrom benchmark.methods import Detector\n",
    "helper.py": "def late():\n    import later\n",
    "later.py": "import helper\n",
    "kit/__init__.py": "",
    "kit/maths.py": "from . import constants\nfrom .deep.inner import value\n",
    "kit/constants.py": "import json\nTWO = 2\n",
    "kit/deep/__init__.py": "",
    "kit/deep/inner.py": "from ..far import value\n",
    "kit/far.py": "value = 1\n",
    "kit/unused.py": "",
    "spaces/only.py": "",
    "unused.py": "import spaces.only\n",
}
IMPORTED = set(FILES) - {"plugin.py", "kit/unused.py", "spaces/only.py", "unused.py"}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder / "plugin.py"


@pytest.mark.parametrize("changed", list(FILES))
def test_the_digest_changes_with_the_file_and_with_what_it_imports_alone(tmp_path: Path, changed: str) -> None:
    plugin = write(tmp_path, FILES)
    before = code_digest(plugin, search=[str(tmp_path)])
    write(tmp_path, {changed: FILES[changed] + "# changed\n"})
    assert (code_digest(plugin, search=[str(tmp_path)]) != before) == (changed in IMPORTED | {"plugin.py"})


def test_the_digest_does_not_depend_on_where_the_code_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = write(tmp_path / "here", FILES), write(tmp_path / "there", FILES)
    digest = code_digest(here, search=[str(here.parent)])
    assert code_digest(there, search=[str(there.parent)]) == digest
    assert code_digest(there) == digest  # before the file adds its folder to the import path, and after
    monkeypatch.syspath_prepend(there.parent)
    assert code_digest(there) == digest


def test_a_module_counts_with_its_packages_and_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, FILES)
    monkeypatch.syspath_prepend(tmp_path)
    changes = []
    for name in ("kit/__init__.py", "kit/far.py", "kit/unused.py"):
        before = module_digest("kit.deep.inner")
        write(tmp_path, {name: "# changed\n"})
        changes.append(module_digest("kit.deep.inner") != before)
    assert changes == [True, True, False]


def test_a_namespace_package_and_a_file_that_cannot_be_parsed_count(tmp_path: Path) -> None:
    plugin = write(tmp_path, {"plugin.py": "import spaces.only, broken\n", "broken.py": "def (", "spaces/only.py": ""})
    digests = {code_digest(plugin, search=[str(tmp_path)])}
    for name in ("broken.py", "spaces/only.py"):
        write(tmp_path, {name: "# changed\n"})
        digests.add(code_digest(plugin, search=[str(tmp_path)]))
    assert len(digests) == 3


def test_no_module_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = write(tmp_path, {"plugin.py": "from refuses.inner import x", "refuses/__init__.py": "raise SystemExit"})
    write(tmp_path, {"refuses/inner.py": "raise SystemExit"})
    monkeypatch.syspath_prepend(tmp_path)
    assert code_digest(plugin)
