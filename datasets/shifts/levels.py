"""The five levels of each built-in kind, and the doses measured at them; numbers only, to be made again.

`python -m datasets doses --calibrate` and, for what is not calibrated, `python -m datasets doses` make them, of
the 113 healthy IXI T1 training scans on the published grid (2 mm).
"""

from collections.abc import Mapping

LEVELS: Mapping[str, tuple[float, ...]] = {
    "bias": (0.053, 0.11, 0.21, 0.31, 0.41),
    "noise": (0.01, 0.02, 0.04, 0.059, 0.079),
    "blur": (2.0, 2.3, 3.1, 4.1, 5.5),
    "thickness": (1.6, 2.3, 4.3, 7.0, 11.0),
    "motion": (0.17, 0.38, 0.94, 2.1, 4.0),
    "ghosting": (0.13, 0.25, 0.48, 0.71, 0.93),
    "gamma": (0.3, 0.5, 0.7, 1.5, 2.0),
    "inversion": (0.022, 0.044, 0.087, 0.13, 0.17),
    "window": (0.36, 0.65, 0.972, 0.996, 1.0),
    "transfer": (0.2, 0.4, 0.6, 0.8, 1.0),
}

DOSES: Mapping[str, tuple[float, ...]] = {
    "bias": (0.0096, 0.02, 0.0389, 0.0587, 0.0791),
    "noise": (0.0097, 0.0195, 0.04, 0.0597, 0.0802),
    "blur": (0.0113, 0.0201, 0.0409, 0.0593, 0.0792),
    "thickness": (0.0095, 0.0197, 0.0392, 0.0598, 0.0804),
    "motion": (0.01, 0.0206, 0.0418, 0.0648, 0.0799),
    "ghosting": (0.0095, 0.0186, 0.037, 0.056, 0.0742),
    "gamma": (0.2176, 0.1428, 0.0792, 0.1018, 0.178),
    "inversion": (0.0101, 0.0202, 0.0399, 0.0596, 0.0779),
    "window": (0.0099, 0.0196, 0.0384, 0.0624, 0.0847),
}
