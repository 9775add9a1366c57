"""The two questions that a number can answer, and how many patients and seeds each asks for."""

from typing import Literal

Question = Literal["these weights", "this recipe"]
QUESTIONS: tuple[Question, ...] = ("these weights", "this recipe")
FEWEST_PATIENTS = 6
"""Of five patients, the smallest exact two-sided p-value is 2 / 32."""
FEWEST_SEEDS = 3
SEEDS_FOR_A_CLAIM = 5
