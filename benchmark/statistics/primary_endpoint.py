"""Endpoint: what a leaderboard release decides on, read from its frozen file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.statistics.panel import Choice
from datasets.errors import BadFile

RELEASE = Path(__file__).with_name("primary.toml")


@dataclass(frozen=True)
class Endpoint:
    """One choice for all cohorts, and the levels of all tests.

    Attributes:
        margins: by metric, how large a difference still counts as none.
        further_postprocessing: pipelines that stand beside the endpoint's, in this order.
        further_protocols: thresholds that decide where a cohort has no number under the endpoint's, in this order.
        healthy_protocol: the threshold that healthy scans are looked at under first.
    """

    release: str
    metric: str
    postprocessing: str
    protocol: str
    shift: str
    split: str
    alpha: float
    power: float
    margins: Mapping[str, float]
    further_postprocessing: tuple[str, ...] = ()
    further_protocols: tuple[str, ...] = ()
    healthy_protocol: str = ""

    @property
    def pipelines(self) -> tuple[str, ...]:
        return (self.postprocessing, *self.further_postprocessing)

    @property
    def protocols(self) -> tuple[str, ...]:
        return (self.protocol, *self.further_protocols)

    def is_primary(self, choice: Choice) -> bool:
        mine = (self.metric, self.postprocessing, self.protocol, self.split, self.shift)
        return mine == (choice.metric, choice.postprocessing, choice.protocol, choice.split, choice.shift)

    def rank_of(self, choice: Choice) -> str:
        return "primary" if self.is_primary(choice) else "exploratory"

    def margin(self, metric: str) -> float | None:
        return self.margins.get(metric)


def read_endpoint(path: Path = RELEASE) -> Endpoint:
    """The endpoint of a TOML file.

    Raises:
        BadFile: it is not one, or holds a number that no test can be run at.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        stored: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        endpoint = TypeAdapter(Endpoint).validate_python(stored)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: got a file that is not TOML ({error}), expected an endpoint.") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadFile(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    if not (0 < endpoint.alpha < 0.5 and 0.5 < endpoint.power < 1) or min(endpoint.margins.values(), default=1) <= 0:
        raise BadFile(f"{path}: got alpha {endpoint.alpha}, power {endpoint.power}, margins {dict(endpoint.margins)}, "
                      "expected alpha in (0, 0.5), power in (0.5, 1), margins above 0.")  # fmt: skip
    return endpoint
