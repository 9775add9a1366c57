"""The signs by which a report tells the states of a pair, whatever the colour they are printed in."""

from reports.markup.markdown import MISSING

SIGNS = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "equivalent": "=",
    "not separable": "?",
    "not testable": MISSING,
}
