"""How large and how often."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes and repeats of one run.

    Attributes
    ----------
    turns : int
        Turns of the batch section.
    slow_turns : int
        What takes milliseconds a turn is timed on so many only.
    repeats : int
        Every figure is the median of at least so many.
    seconds : float
        Short runs repeat until they fill so much CPU time, for a steady median.
    sizes : tuple of int
        Turns of the files of the growth section; the last one is measured with two processes too.
    cold_starts : int
    learn_sizes : tuple of int
        Turns of the files that the training section learns from.
    learn_from, accuracy_on : int or None
        At most so many labelled turns; None for all.
    """

    turns: int = 20_000
    slow_turns: int = 500
    repeats: int = 3
    seconds: float = 5.0
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    cold_starts: int = 7
    learn_sizes: tuple[int, ...] = (12_000, 100_000)
    learn_from: int | None = None
    accuracy_on: int | None = None


QUICK = Settings(
    turns=300,
    slow_turns=20,
    repeats=1,
    seconds=0,
    sizes=(300,),
    cold_starts=1,
    learn_sizes=(400,),
    learn_from=300,
    accuracy_on=300,
)
