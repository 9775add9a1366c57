"""Declared: what the class of a method says of itself, told by another process if it is a plugin's."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmark.methods.card import Card, card_of
from benchmark.methods.registry import Method, UnusableMethod, ask, load
from datasets.grid import PUBLISHED

if TYPE_CHECKING:
    from benchmark.methods.detector import Detector


@dataclass(frozen=True)
class Declared:
    """What planning and storing a fit need of a method's class; see `Detector`.

    Attributes:
        presets: by name the hyper-parameters that each sets.
        at_test: hyper-parameters that leave the training alone.
        trained_as: the built-in method whose training the class itself says is its own; not inherited.
        several_devices: whether a fit may train on several GPUs.
    """

    card: Card | None
    revision: int
    presets: Mapping[str, tuple[str, ...]]
    needs_training: bool
    trained_as: str
    at_test: tuple[str, ...]
    several_devices: bool

    @property
    def covariates(self) -> tuple[str, ...]:
        return () if self.card is None else self.card.covariates


def declared(method: Method) -> Declared:
    """What a method declares.

    Raises:
        UnusableMethod: it cannot be imported, or declares what cannot be read.
    """
    told = ask(method, _declared, replace(method, title=""))
    try:
        card = None if told["card"] is None else Card(**{name: _tuples(one) for name, one in told["card"].items()})
        presets = {name: tuple(changed) for name, changed in told["presets"].items()}
        return Declared(**{**told, "card": card, "presets": presets, "at_test": tuple(told["at_test"])})
    except (TypeError, AttributeError, KeyError) as error:
        raise UnusableMethod(f"{method} declares what cannot be read: {error}.") from error


def presets_of(cls: type["Detector"]) -> dict[str, Mapping[str, Any]]:
    """Every preset by name; `paper` changes nothing where the class does not say otherwise."""
    return {PUBLISHED: {}, **cls.presets}


def _declared(method: Method) -> dict[str, Any]:
    """The fields of `Declared` of a class that may be imported here."""
    from benchmark.methods.detector import AT_TEST

    cls, config = load(method), load(method).Config
    at_test = [field.name for field in fields(config) if field.metadata.get(AT_TEST)] if is_dataclass(config) else []
    card = card_of(cls)
    return {
        "card": None if card is None else asdict(card),
        "revision": cls.revision,
        "presets": {name: list(values) for name, values in presets_of(cls).items()},
        "needs_training": cls.needs_training,
        "trained_as": vars(cls).get("trained_as", ""),
        "at_test": at_test,
        "several_devices": hasattr(cls, "devices"),
    }


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
