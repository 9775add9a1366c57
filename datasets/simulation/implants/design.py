"""Design: which lesions each subject receives, a balanced fraction of size x contrast x texture x place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from datasets.errors import BadValue
from datasets.words import count_text

Kind = Literal["lesion", "zero", "seam"]
Texture = Literal["kept", "replaced"]
Place = Literal["white", "cortex"]

# Every other setting differs in both factors, so that each volume and contrast is balanced as early as possible.
SETTINGS: tuple[tuple[Texture, Place], ...] = (
    ("kept", "white"),
    ("kept", "cortex"),
    ("replaced", "cortex"),
    ("replaced", "white"),
)
BLOCK = 2 * len(SETTINGS)
"""This many consecutive subjects cover every volume x contrast x texture x place once."""


@dataclass(frozen=True)
class Treatment:
    """The lesion or control that one scan receives.

    Attributes:
        kind: a `lesion`, or a control: `zero`, with a mask but an unchanged image, or `seam`, with transplanted tissue
            of the same subject.
        volume_ml: of the lesion mask.
        contrast: mean change in grey-white steps, the host's difference between grey and white matter; 0 for controls.
        texture: whether the lesion keeps the host's structure or replaces it.
        place: of the lesion's centre, deep white matter or the cortical ribbon.
    """

    kind: Kind
    volume_ml: float
    contrast: float
    texture: Texture
    place: Place

    @property
    def name(self) -> str:
        """Part of a case's name, unique among the treatments of a subject."""
        if self.kind != "lesion":
            return f"{self.kind}_{self.volume_ml:g}ml_{self.place}"
        side = "dark" if self.contrast < 0 else "bright"
        return f"{side}{abs(self.contrast):g}_{self.volume_ml:g}ml_{self.texture}_{self.place}"


@dataclass(frozen=True)
class Design:
    """The fractional factorial design.

    Attributes:
        subjects: maximum number of hosts; multiples of `BLOCK` are balanced.
        volumes: of lesions in ml, at most 100.
        contrasts: in grey-white steps, negative for dark lesions, in [-4, 4].
        seed: changes shapes and places, not treatments.
    """

    subjects: int = 16
    volumes: tuple[float, ...] = (0.125, 0.5, 2, 8, 32)
    contrasts: tuple[float, ...] = (-2, -1, -0.5, -0.25, 0.25, 0.5, 1, 2)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.subjects < 1:
            raise BadValue(f"Implants: got {count_text(self.subjects, 'subject')}, expected at least one.")
        if self.seed < 0:
            raise BadValue(f"Implants: got seed {self.seed}, expected 0 or more.")
        _check("volumes", self.volumes, "ml above 0 and at most 100", lambda one: 0 < one <= 100)
        _check("contrasts", self.contrasts, "-4 to 4 and not 0", lambda one: 0 < abs(one) <= 4)

    def treatments(self, subject: int) -> list[Treatment]:
        """The treatments of subject number `subject`, independent of the number of subjects.

        Half of the volume x contrast cells, those whose indices and `subject` have an even sum, each in one of the four
        settings of texture and place; a cell's setting advances by one from each of its subjects to the next. The two
        controls alternate over volumes.
        """
        return [*self._lesions(subject), *self._controls(subject)]

    def _lesions(self, subject: int) -> Iterator[Treatment]:
        for v, volume in enumerate(self.volumes):
            for c, contrast in enumerate(self.contrasts):
                if (v + c + subject) % 2 == 0:
                    setting = SETTINGS[(subject // 2 + v + c // 2) % len(SETTINGS)]
                    yield Treatment("lesion", volume, contrast, *setting)

    def _controls(self, subject: int) -> Iterator[Treatment]:
        for v, volume in enumerate(self.volumes):
            place: Place = ("white", "cortex")[(v // 2 + subject // 2) % 2]
            if (v + subject) % 2 == 0:
                yield Treatment("zero", volume, 0, "kept", place)
            else:
                yield Treatment("seam", volume, 0, "replaced", place)


def _check(what: str, values: Sequence[float], expected: str, fits: Callable[[float], bool]) -> None:
    wrong = [value for value in values if not (isfinite(value) and fits(value))]
    if wrong or not values:
        raise BadValue(f"Implants: got {what} {_listed(wrong) or 'none'}, expected {expected}.")
    if len(set(values)) < len(values):
        raise BadValue(f"Implants: got {what} {_listed(values)}, expected each once.")


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
