"""What several tests share."""

from __future__ import annotations

import pandas as pd
import pytest

import funnelnlp
from funnelnlp.resources import bundled
from funnelnlp.transcripts import read_transcripts


@pytest.fixture(scope="session")
def model():
    return funnelnlp.load()


@pytest.fixture(scope="session")
def training() -> pd.DataFrame:
    return read_transcripts(bundled("data/train"))


@pytest.fixture(scope="session")
def heldout() -> pd.DataFrame:
    return read_transcripts(bundled("data/heldout"))


@pytest.fixture(scope="session")
def samples():
    return bundled("data/samples")


@pytest.fixture(scope="session")
def small(training: pd.DataFrame) -> pd.DataFrame:
    """A few dozen conversations of several batches, quick to train on."""
    picked = training.drop_duplicates("conversation_id").groupby("batch").head(8)["conversation_id"]
    return training[training["conversation_id"].isin(picked)].reset_index(drop=True)
