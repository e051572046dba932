"""Behaviour of the bundled model: what must not change a label, and what must move it in a known direction."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.checklist import directional, invariance


@pytest.fixture(scope="module")
def labelled(model, heldout) -> pd.DataFrame:
    return model.label_frame(invariance.bare(heldout))


@pytest.mark.parametrize("name", invariance.SUITES)
def test_labels_survive(model, labelled, name: str) -> None:
    result = invariance.measure(model, labelled, invariance.SUITES[name])
    assert result.rewritten >= 30
    most = invariance.WEAK_SPOTS.get(name, invariance.MOST_CHANGED)
    too_many = {task: f"{share:.2%}" for task, share in result.changed.items() if share > most}
    assert not too_many, "\n".join(result.examples[task].head(5).to_string() for task in too_many)


@pytest.mark.parametrize("name", directional.FAMILIES)
def test_labels_move_as_expected(model, name: str) -> None:
    direction = directional.measure(model, directional.FAMILIES[name])
    assert direction.cases >= 30
    least = directional.WEAK_SPOTS.get(name, directional.LEAST_CORRECT)
    assert direction.correct >= least, direction.wrong[:10]


def test_nearly_all_cases_move_as_expected(model) -> None:
    directions = [directional.measure(model, family) for family in directional.FAMILIES.values()]
    cases = sum(direction.cases for direction in directions)
    assert sum(direction.correct * direction.cases for direction in directions) / cases >= directional.LEAST_CORRECT
