"""The report's section of the resolved configuration: every hyper-parameter and key, method by method."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Fit
from datasets.io.atomic import read_json
from reports.markup.markdown import escape
from reports.model.run_results import Findings


def configurations(findings: Findings) -> str:
    """TOML tables of what each method was run with, then where each fit's keys."""
    fence = "```"
    tables = "\n\n".join(_tables(findings))
    keys = "\n".join(_keys(findings))
    return "\n\n".join(
        [
            findings.heading("Resolved configuration"),
            "Defaults, preset, TOML file and command line resolved; equal for all seeds of a method.",
            f"{fence}toml\n{tables}\n{fence}",
            f"<details><summary>Keys of {len(findings.fits)} fits and {len(findings.cells)} cells</summary>",
            keys,
            "</details>",
        ]
    )


def toml(value: Any) -> str:
    """A value as TOML writes it; None, which TOML has not, as a comment behind an empty string."""
    if value is None:
        return '"" # none'
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _tables(findings: Findings) -> Iterator[str]:
    settings = {"precision": findings.settings["precision"], "splits": findings.settings["splits"],
                "postprocessing": list(findings.scoring.postprocessing),
                "protocols": list(findings.scoring.protocols)}  # fmt: skip
    yield _table("run", settings)
    yield _table("grid", findings.settings["grid"])
    for fit in {fit.method: fit for fit in findings.fits}.values():
        yield _table(fit.method, fit.config)


def _table(name: str, fields: Mapping[str, Any]) -> str:
    return "\n".join(
        [f"[{json.dumps(name, ensure_ascii=False)}]", *(f"{key} = {toml(fields[key])}" for key in sorted(fields))]
    )


def _keys(findings: Findings) -> Iterator[str]:
    for fit in findings.fits:
        keys = [f"{cell.cohort.dataset} `{cell.key}`" for cell in findings.cells if cell.fit == fit]
        yield (
            f"- **{escape(fit.method)}**, seed {fit.seed}{_training(findings.run, fit)}: fit `{fit.key}`; cells "
            f"{', '.join(keys)}"
        )


def _training(run: RunFolder, fit: Fit) -> str:
    path = run.fit(fit) / "fit.json"
    if not path.exists():
        return ""
    record = read_json(path)
    return f", {record['parameters']:,} parameters, fitted in {record['seconds']:.0f} s on {record['device']}"
