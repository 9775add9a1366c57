"""No command makes anything of a damaged file in silence: the table of damage_table.py, cell by cell."""

from pathlib import Path

import pytest
from damage_table import BAD, COMMANDS, DAMAGES, FILES, SoundRuns, sound_runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound(plugged_in: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> SoundRuns:
    return sound_runs(tmp_path_factory.mktemp("sound"), data)


@pytest.mark.parametrize("kind", FILES)
def test_no_damage_of_a_file_is_used_silently(sound: SoundRuns, tmp_path: Path, kind: str) -> None:
    for damage in DAMAGES:
        found = {command: sound.outcome(kind, damage, command, tmp_path) for command in COMMANDS}
        assert not set(found.values()) & set(BAD), (damage, found)
