"""StageCheckpoints: the state of a fit's stages on disk, from which an interrupted fit resumes."""

import logging
import os
import pickle
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from datasets.io.atomic import written_whole

logger = logging.getLogger(__name__)

IDENTITY = "identity"


@dataclass(frozen=True)
class StageCheckpoints:
    """One file a stage, replaced atomically; reading unpickles nothing but tensors and numbers.

    Attributes:
        folder: holds nothing else.
    """

    folder: Path

    def claim(self, identity: str) -> None:
        """Make the folder this fit's; checkpoints of a fit of another identity are deleted with a warning."""
        marker = self.folder / IDENTITY
        if self.folder.exists() and (not marker.exists() or marker.read_text() != identity):
            logger.warning("%s: ignoring the checkpoints of a fit with another config, seed or data.", self.folder)
            self.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(identity)

    def write(self, name: str, state: Mapping[str, Any]) -> None:
        """Replace the state of a stage; a crash leaves the old one or the new one, each complete."""
        with written_whole(self._path(name)) as beside, beside.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())

    def read(self, name: str) -> dict[str, Any]:
        """The state of a stage on the CPU; empty where none was saved or it cannot be read."""
        path = self._path(name)
        if not path.exists():
            return {}
        try:
            return dict(torch.load(path, map_location="cpu", weights_only=True))
        except (pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError) as error:
            logger.warning("%s: ignoring a checkpoint that cannot be read (%s).", path, str(error).splitlines()[0])
            return {}

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.pt"
