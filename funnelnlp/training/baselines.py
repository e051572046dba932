"""What a model must beat: the most frequent label, and the script that everybody writes first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from funnelnlp.taxonomy import Task
from funnelnlp.text import Tokeniser
from funnelnlp.training.labelled import label_numbers


def naive_pipeline(engine: str = "jieba") -> Pipeline:
    """Return the naive pipeline: words of each turn alone, TF-IDF, logistic regression.

    Parameters
    ----------
    engine : {"jieba", "rjieba"}
        ``jieba`` is what ``tokenizer=jieba.lcut`` would run, without its global state.

    Returns
    -------
    sklearn.pipeline.Pipeline
        For one task; strings in, label numbers out.
    """
    if engine == "jieba":
        import jieba

        reference = jieba.Tokenizer()
        reference.FREQ, reference.total = reference.gen_pfdict(reference.get_dict_file())
        reference.initialized = True
        cut: Any = reference.lcut
    else:
        cut = Tokeniser(engine=engine).cut
    vectoriser = TfidfVectorizer(tokenizer=cut, token_pattern=None, ngram_range=(1, 2))
    return make_pipeline(vectoriser, LogisticRegression(max_iter=1000))


def naive_predictions(train: pd.DataFrame, test: pd.DataFrame, task: Task) -> NDArray[np.int64]:
    """Return the naive pipeline's label numbers for the turns of ``test``, shape (n,)."""
    y = label_numbers(train, task)
    known = y >= 0
    pipeline = naive_pipeline().fit(train["text"][known].tolist(), y[known])
    result: NDArray[np.int64] = pipeline.predict(test["text"].tolist())
    return result


def most_frequent(train: pd.DataFrame, n: int, task: Task) -> NDArray[np.int64]:
    """Return the most frequent label number of ``train``, ``n`` times."""
    y = label_numbers(train, task)
    return np.full(n, np.bincount(y[y >= 0]).argmax())
