"""The contract of a Detector as an executable: `check_detector` for authors' tests, `check_method` for a name.

In the tests of a plugin, with a budget of a few steps:

    check_detector(lambda: MyDetector(MyDetector.Config(steps=3)))

or a test a rule, named after it:

    @pytest.mark.parametrize("check", detector_checks(lambda: MyDetector(MyDetector.Config(steps=3))), ids=str)
    def test_contract(check):
        check()
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from unittest import SkipTest

from benchmark.methods.card import card_of
from benchmark.methods.contract.rules import RULES, Rule
from benchmark.methods.contract.trial import ContractTrial, NotRun
from benchmark.methods.declared import presets_of
from benchmark.methods.detector import Detector
from benchmark.methods.hyperparameters import Variant, build_detector, resolve_here
from benchmark.methods.registry import UnusableMethod, ask, load
from benchmark.methods.told import NoAnswer
from datasets.grid import PUBLISHED

log = logging.getLogger(__name__)

# Whole-number fields that make a fit long, by the ends of their names, and the values that the check gives them.
BUDGETS = {"steps": 3, "epochs": 1}
IMPORTS = "The class can be imported and every preset makes a config"
LIVES = "Its process lives until every rule is tried"
DEPTH = 7  # slices of a simulated brain


class ContractError(AssertionError):
    """A detector breaks its contract; the message says which rules, what was got and what was expected."""


@dataclass(frozen=True)
class RuleOutcome:
    """One rule's verdict on one detector.

    Attributes:
        rule: the rule as a sentence.
        error: what was got and expected where it is broken, else None.
        not_run: why it could not be checked here, else None.
    """

    rule: str
    error: str | None = None
    not_run: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the rule is not known to be broken."""
        return self.error is None

    @property
    def verdict(self) -> Literal["OK", "BROKEN", "not run"]:
        if self.error is not None:
            return "BROKEN"
        return "OK" if self.not_run is None else "not run"


@dataclass(frozen=True)
class ContractReport:
    """Every rule's verdict on a method.

    Attributes:
        settings: the preset and hyper-parameters that it was checked with.
    """

    settings: str
    outcomes: tuple[RuleOutcome, ...]

    @property
    def passed(self) -> bool:
        return all(outcome.passed for outcome in self.outcomes)

    def lines(self) -> Iterator[str]:
        """As text: the settings, one line a rule, a summary."""
        yield self.settings
        for outcome in self.outcomes:
            note = outcome.error or outcome.not_run
            yield f"{outcome.verdict:<9}{outcome.rule}" + (f": {' '.join(note.split())}" if note else "")
        counted = [outcome.verdict for outcome in self.outcomes]
        yield ", ".join(f"{counted.count(verdict)} {verdict}" for verdict in ("OK", "BROKEN", "not run"))


def check_detector(make: Callable[[], Detector], *, shape: tuple[int, int, int] | None = None) -> None:
    """Check a detector against every rule of the contract, on small simulated brains.

    Args:
        make: builds the detector, not fitted, with a budget that takes seconds to fit; `channels=2` among its
            arguments checks it on images of two sequences.
        shape: of the volumes; None for slices of `config.size` where it has one, else 24 x 24.

    Raises:
        ContractError: a rule is broken; the message names all broken ones.

    Examples:
        >>> from baselines.simple.thresh import Thresh
        >>> check_detector(lambda: Thresh(Thresh.Config()), shape=(12, 12, 8))
    """
    broken = [outcome for outcome in check_rules(make, shape=shape) if not outcome.passed]
    if broken:
        raise ContractError("\n".join(f"{outcome.rule}: {outcome.error}" for outcome in broken))


@dataclass(frozen=True)
class DetectorCheck:
    """One rule for one detector; all rules are tried together when the first is called.

    Attributes:
        rule: its name, and that of the test.
    """

    rule: str
    outcomes: Callable[[], Mapping[str, RuleOutcome]]

    def __str__(self) -> str:
        return self.rule

    def __call__(self) -> None:
        """Raise ContractError where the rule is broken, SkipTest where it could not be tried."""
        outcome = self.outcomes()[self.rule]
        if not outcome.passed:
            raise ContractError(f"{outcome.rule}: {outcome.error}")
        if outcome.not_run is not None:
            raise SkipTest(f"{outcome.rule}: {outcome.not_run}")


def detector_checks(make: Callable[[], Detector], *, shape: tuple[int, int, int] | None = None) -> list[DetectorCheck]:
    """The rules of `check_detector`, each as a check of its own, for `pytest.mark.parametrize`; arguments as there.

    Examples:
        >>> from baselines.simple.thresh import Thresh
        >>> checks = detector_checks(lambda: Thresh(Thresh.Config()))
        >>> "weights_hold_all_that_is_learnt" in map(str, checks)
        True
    """
    names = [rule.__name__ for rule in RULES]

    @cache
    def outcomes() -> Mapping[str, RuleOutcome]:
        return dict(zip(names, check_rules(make, shape=shape), strict=True))

    return [DetectorCheck(name, outcomes) for name in names]


def check_method(variant: Variant) -> ContractReport:
    """Check a method under its preset `quick`, or `paper` where it has no `quick`.

    Its `...steps` and `...epochs` are reduced to a few, unless `variant` gives them.

    Raises:
        UserError: a hyper-parameter of `variant` is not valid.
    """
    from pydantic import TypeAdapter

    try:
        told = ask(variant.method, _checked, variant, remembered=False)
    except UnusableMethod as error:
        ended = isinstance(error.__cause__, NoAnswer)
        return ContractReport(variant.name, (RuleOutcome(LIVES if ended else IMPORTS, str(error)),))
    return TypeAdapter(ContractReport).validate_python(told)


def _checked(variant: Variant) -> dict[str, Any]:
    """The same of a class that may be imported here, as JSON has it."""
    preset = "quick" if "quick" in presets_of(load(variant.method)) else PUBLISHED
    config = resolve_here(variant, preset, {})
    short = _shortened(config, variant.overrides)
    config = resolve_here(Variant(variant.method, {**variant.overrides, **short}), preset, {})
    shape = (config.get("size", 24),) * 2 + (DEPTH,)
    make = partial(build_detector, variant.name, variant.method.target, config)
    outcomes = [RuleOutcome(IMPORTS), *check_rules(make, shape=shape)]
    card = card_of(load(variant.method))
    if card is not None and card.several_sequences:
        of_two = check_rules(partial(make, channels=2), shape=shape)
        outcomes += [replace(one, rule=f"Of two sequences: {one.rule}") for one in of_two]
    return asdict(ContractReport(_settings(variant, preset, short), tuple(outcomes)))


def check_rules(make: Callable[[], Detector], *, shape: tuple[int, int, int] | None = None) -> list[RuleOutcome]:
    """Every rule's verdict, in the order of `RULES`; an exception under one rule does not stop the next.

    Where methods do not take their arguments, nothing else is tried.
    """
    with TemporaryDirectory() as folder:
        trial = ContractTrial(make, shape or _shape_for(make()), Path(folder))
        first, *others = RULES
        begun = _verdict(first, trial)
        if begun.passed:
            return [begun, *(_verdict(rule, trial) for rule in others)]
        return [begun, *(RuleOutcome(_sentence(rule), not_run="nothing can be called") for rule in others)]


def _verdict(rule: Rule, trial: ContractTrial) -> RuleOutcome:
    sentence = _sentence(rule)
    log.debug("  trying: %s", sentence)  # a sign of life
    try:
        return RuleOutcome(sentence, rule(trial))
    except NotRun as reason:
        return RuleOutcome(sentence, not_run=str(reason))
    except (Exception, SystemExit) as error:  # whatever a detector raises is its verdict under this rule
        return RuleOutcome(sentence, f"got {type(error).__name__}: {error}")


def _sentence(rule: Rule) -> str:
    return (rule.__doc__ or rule.__name__).strip().rstrip(".")


def _shape_for(detector: Detector) -> tuple[int, int, int]:
    size = getattr(detector.config, "size", 24)
    return size, size, DEPTH


def _shortened(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, int]:
    """Small values for the fields that make a fit long."""
    return {
        name: few
        for name, value in config.items()
        for ending, few in BUDGETS.items()
        if name not in given and name.split("_")[-1] == ending and isinstance(value, int) and value > few
    }


def _settings(variant: Variant, preset: str, short: Mapping[str, int]) -> str:
    cut = ", ".join(f"{name}={value}" for name, value in short.items())
    return f"{variant.name} ({variant.method.place}), preset {preset}" + (f" with {cut}" if cut else "")
