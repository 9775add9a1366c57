"""quiet: what the process says while it trains."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

ANNOUNCERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning's announcements and advice are left out; errors and the detector's own warnings pass."""
    loggers = [logging.getLogger(name) for name in ANNOUNCERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
