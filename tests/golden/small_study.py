"""The small studies whose numbers are kept, run through the command line of any checkout."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from public_names import Names
from small_cohorts import write_cohorts

ROOT = Path(__file__).parents[2]
METHOD = Path(__file__).with_name("stepped_method.py")
RECIPE = """\
name = "stepped"
title = "Distance to the healthy mean, in steps"
command = ["{python}", "{program}"]
[card]
supervision = "healthy scans"
trained_on = "The mean of the training scans."
tuned_on = "Nothing."
[config]
noise = 16
[presets.quick]
"""
PROTOCOLS = (
    "lesion-val", "lesion-val-mean", "healthy-fpr-1", "healthy-fpr-0.1", "healthy-fpr-5", "healthy-alarm-10",
    "oracle", "oracle-case", "oracle-cross",
)  # fmt: skip
COMMON = ("--healthy=ixi", "--sequence=t1", "--preset=quick", "--pictures=", "--data=data", "--out=run")
FEW_STEPS = """\
[ae]
steps = 4
augment = true
[dae]
steps = 4
[ddpm]
steps = 3
[cddpm]
steps = 3
"""


@dataclass(frozen=True)
class Checkout:
    """A tree of the project, and how its command line is called.

    Attributes:
        environment: on top of this process's.
    """

    tree: Path = ROOT
    environment: Mapping[str, str] | None = None

    def call(self, folder: Path, *command: str) -> None:
        """`python -m` in `folder`, with the names that this tree has for what `command` says.

        Raises:
            RuntimeError: the command failed; what it said.
        """
        variables = {name: value for name, value in os.environ.items() if not name.startswith("UADBENCH_")}
        variables |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.tree), "UADBENCH_CACHE": str(folder / "cache")}
        variables |= self.environment or {}
        arguments = [sys.executable, "-m", *Names.of(self.tree).command(command)]
        result = subprocess.run(arguments, cwd=folder, env=variables, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")


def patients_study(checkout: Checkout, folder: Path) -> Path:
    """A simple baseline and a plugin file, two seeds, gamma, every threshold protocol; the run folder."""
    write_inputs(folder)
    methods = ("--plugin", "stepped.toml", "--methods", "stepped,stepped[noise=256],thresh")
    shifted = ("--seeds", "0-1", "--shifts", "gamma=0.5", "--protocols", ",".join(PROTOCOLS))
    checkout.call(folder, "benchmark", "run", *methods, "--datasets", "msl", *shifted, *COMMON)
    checkout.call(folder, "benchmark", "multiverse", "run")
    return folder / "run"


def implants_study(checkout: Checkout, folder: Path) -> Path:
    """A simple baseline and a plugin file on implants, with the ablation of post-processing; the run folder."""
    write_inputs(folder)
    design = ("--subjects", "6", "--volumes", "4,24", "--contrasts=-1,1")
    checkout.call(folder, "datasets", "implant", "ixi", "--data", "data", *design)
    methods = ("--plugin", "stepped.toml", "--methods", "stepped,thresh", "--datasets", "implant[ixi]")
    checkout.call(folder, "benchmark", "run", *methods, "--protocols", "healthy-fpr-1", *COMMON)
    checkout.call(folder, "benchmark", "evaluate", "run", "--ablation", "postprocessing")
    return folder / "run"


def sites_study(checkout: Checkout, folder: Path) -> Path:
    """A threshold of another cohort, matched histograms, and calibration on another site's scans; the run folder."""
    write_inputs(folder)
    methods = ("--plugin", "stepped.toml", "--methods", "stepped,thresh", "--datasets", "oasis,msl,lgg")
    scored = ("--match", "--protocols", "healthy-fpr-1,transfer:msl", "--postprocessing", "paper")
    checkout.call(folder, "benchmark", "run", *methods, *scored, *COMMON)
    checkout.call(folder, "benchmark", "calibrate", "run", "--healthy", "oasis", "--alpha", "0.2")
    return folder / "run"


def networks_study(checkout: Checkout, folder: Path) -> Path:
    """Networks of a few steps, and simple baselines whose sums torch makes, two scans a split; the run folder."""
    write_inputs(folder)
    (folder / "few_steps.toml").write_text(FEW_STEPS, encoding="utf-8")
    methods = ("--methods", "zscore,smooth,prior,edge,ae,dae,ddpm,cddpm", "--config", "few_steps.toml")
    scored = ("--protocols", "lesion-val,healthy-fpr-1,oracle", "--postprocessing", "paper")
    checkout.call(folder, "benchmark", "run", *methods, "--datasets", "msl", "--limit", "2", *scored, *COMMON)
    return folder / "run"


STUDIES: Mapping[str, Callable[[Checkout, Path], Path]] = {
    "patients": patients_study,
    "implants": implants_study,
    "sites": sites_study,
    "networks": networks_study,
}


def write_inputs(folder: Path) -> None:
    """The cohorts and the plugin file."""
    write_cohorts(folder / "data")
    (folder / "stepped.toml").write_text(RECIPE.format(python=sys.executable, program=METHOD), encoding="utf-8")
