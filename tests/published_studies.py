"""A study as its two files, written by a test: three methods on the tiny cohorts."""

from pathlib import Path

from benchmark.replication.published_study import PublishedStudy, study_from

FACTS = """
title = "Tiny"
reference = "Nobody 2026"
healthy = "volunteers"
trainings = 3
postprocessing = "light"
plain = "none"
protocol = "lesion-val"
label_free = "healthy-fpr-1"

[rows]
Intensity = { methods = ["thresh"] }
AE = { methods = ["ae"] }
VAE = { methods = ["vae"], label = "VAE, wide" }

[cohorts]
volunteers = { sequences = ["t1"], patients = 2 }
patients = { sequences = ["t1"], patients = 30 }

[quantities]
dice = { metric = "dice", factor = 100, threshold = true }

[[items]]
name = "table1"
kind = "table"
title = "Table 1"
table = "1"
pairs = [["AE", "VAE"]]
steps = ["Intensity", "AE"]

[[ambiguities]]
what = "a fold"
published = "not said"
decided = "a training seed"

[tiers.paper]
says = "Nothing."
preset = "quick"
seeds = "0-2"
runs = [
    { name = "published", sequence = "t1", sampling = "spline", datasets = ["patients"] },
    { name = "default", sequence = "t1", sampling = "average", datasets = ["patients"] },
]
"""
MEANS = {"Intensity": "30.00", "AE": "45.00", "VAE": "47.00"}


def write_study(folder: Path, means: dict[str, str] = MEANS, facts: str = FACTS) -> tuple[Path, Path]:
    """`tiny.toml` and `tiny.csv`, whose table prints these means of Dice on the patients."""
    paths = folder / "tiny.toml", folder / "tiny.csv"
    paths[0].write_text(facts, encoding="utf-8")
    lines = [f"v1,1,{row},light,patients,dice,percent,{mean},1.00" for row, mean in means.items()]
    header = "version,table,row,postprocessing,dataset,metric,unit,mean,std"
    paths[1].write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return paths


def tiny_study(folder: Path, means: dict[str, str] = MEANS, facts: str = FACTS) -> PublishedStudy:
    return study_from(*write_study(folder, means, facts))
