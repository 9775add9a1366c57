"""`python -m datasets implant`, called as a user would."""

import sys
from pathlib import Path

import pytest
from heads import write_heads

from datasets.__main__ import main
from datasets.cohorts import catalog

OPTIONS = ["--subjects", "1", "--volumes", "4", "--contrasts=-1,1"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(catalog.COHORTS.built_in, "heads", "heads:HEADS")
    write_heads(tmp_path / "data", 1)
    return tmp_path / "data"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["datasets", "implant", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_implants_are_written_beside_their_hosts(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "heads", "--data", str(data), *OPTIONS) == 0
    assert (data / "implant-heads" / "cases.csv").is_file()
    assert "Wrote implant[heads]" in capsys.readouterr().out


def test_a_read_only_folder_is_refused_with_a_way_out_that_works(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data.chmod(0o555)
    try:
        assert call(monkeypatch, "heads", "--data", str(data), *OPTIONS) == 2
        assert "--out DIR2" in capsys.readouterr().err
        own = tmp_path / "own"
        assert call(monkeypatch, "heads", "--data", str(data), "--out", str(own), *OPTIONS) == 0
    finally:
        data.chmod(0o755)
    assert sorted(path.name for path in data.iterdir()) == ["heads"]
    assert (own / "heads").resolve() == (data / "heads").resolve()
    assert len(catalog.dataset("implant[heads]").files(own, "t1")) == 1 + 1 + 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nobody"], "No dataset 'nobody'"),
        (["lgg"], "expected some as hosts"),
        (["heads", "--volumes", "big"], "--volumes: got 'big', expected numbers"),
        (["heads", "--contrasts", "0"], "got contrasts 0"),
        (["heads", "--shapes", "nowhere"], "--shapes nowhere: no such file"),
    ],
)
def test_a_mistake_is_one_line(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    (data / "lgg").mkdir()
    (data / "lgg" / "cases.csv").write_text("case_id,subject_id,split,sequences\na,a,test,flair\n")
    for kind in ("flair", "brain_mask", "lesion_mask"):
        (data / "lgg" / kind).mkdir()
        (data / "lgg" / kind / "a.nii.gz").write_bytes(b"")
    assert call(monkeypatch, arguments[0], "--data", str(data), *arguments[1:]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.strip().splitlines()) == 1
