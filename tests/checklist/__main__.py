"""Print the tables of the behavioural tests of the bundled model."""

from __future__ import annotations

import funnelnlp
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.transcripts import read_transcripts
from tests.checklist import directional, invariance


def main() -> None:
    model = funnelnlp.load()
    labelled = model.label_frame(invariance.bare(read_transcripts(bundled("data/heldout"))))
    print(f"Invariance: share of all labels changed (of those on turns reached), at most {invariance.MOST_CHANGED:.0%}")
    print(f"{'':36} {'rewritten':>9} {'reached':>8} " + " ".join(f"{task.name:>14}" for task in BUILTIN_TASKS))
    for name, suite in invariance.SUITES.items():
        result = invariance.measure(model, labelled, suite)
        shares = " ".join(f"{result.changed[task.name]:6.2%} ({result.of_reached[task.name]:.2%})" for task in BUILTIN_TASKS)
        print(f"{name:36} {result.rewritten:9} {result.reached:8} {shares}")
    print(f"\nDirection: share of cases labelled as expected, at least {directional.LEAST_CORRECT:.0%}")
    for name, family in directional.FAMILIES.items():
        direction = directional.measure(model, family)
        print(f"{direction.cases:6} {direction.correct:8.2%}  {name}")


if __name__ == "__main__":
    main()
