"""Endpoint: what a leaderboard release decides on, an ordered list of thresholds, read from its frozen file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.statistics.panel import Choice
from datasets.errors import BadFile

ORDINALS = ("first", "second")
EXPLORATORY = "exploratory"
RELEASE = Path(__file__).with_name("primary.toml")


@dataclass(frozen=True)
class Endpoint:
    """The choices for all cohorts, and the levels of all tests.

    Attributes:
        protocols: the metric under each is an endpoint, the first first.
        margins: by metric, how large a difference still counts as none.
        further_postprocessing: pipelines that stand beside the endpoint's, in this order.
        healthy_protocol: the threshold that healthy scans are looked at under first.
        lowest_perfect_map: mean of the metric below which a perfect map leaves a cohort unranked.
    """

    release: str
    metric: str
    postprocessing: str
    protocols: tuple[str, ...]
    shift: str
    split: str
    alpha: float
    power: float
    margins: Mapping[str, float]
    further_postprocessing: tuple[str, ...] = ()
    healthy_protocol: str = ""
    lowest_perfect_map: float = 0.0

    @property
    def pipelines(self) -> tuple[str, ...]:
        return (self.postprocessing, *self.further_postprocessing)

    @property
    def protocol(self) -> str:
        """The first endpoint's, by which tables are ordered."""
        return self.protocols[0]

    @property
    def labels(self) -> tuple[str, ...]:
        """Each endpoint in words, in their order."""
        return tuple(f"{self.metric} / {self.postprocessing} / {protocol}" for protocol in self.protocols)

    def rank_of(self, choice: Choice) -> str:
        """One of `ORDINALS` for an endpoint, else `EXPLORATORY`."""
        mine = (self.metric, self.postprocessing, self.split, self.shift)
        fixed = mine == (choice.metric, choice.postprocessing, choice.split, choice.shift)
        if not fixed or choice.protocol not in self.protocols:
            return EXPLORATORY
        return ORDINALS[self.protocols.index(choice.protocol)]

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
    known = dict.fromkeys(endpoint.protocols)
    if not 1 <= len(known) <= len(ORDINALS) or len(known) < len(endpoint.protocols):
        raise BadFile(f"{path}: got protocols {', '.join(endpoint.protocols) or 'none'}, expected one or two, not the "
                      "same twice.")  # fmt: skip
    return endpoint
