"""The scikit-learn face of the library: one task, strings in, strings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from funnelnlp.errors import FunnelError
from funnelnlp.features import EncoderSettings, lay_out
from funnelnlp.model.frames import frame_columns
from funnelnlp.taxonomy import Label, Task
from funnelnlp.training.fit import TrainingSettings, train

_CONTEXT = ("conversation_id", "turn_index", "role", "text")


class FunnelClassifier(ClassifierMixin, BaseEstimator):
    """Classify turns into the labels of one task, in scikit-learn's manner.

    Parameters
    ----------
    C : float, default 2.0
        Inverse strength of the L2 penalty.
    balance : float, default 0.5
        Exponent of the class weights; 0 for none, 1 for balanced.
    ratio : float, default 0.5
        Exponent of the log-count ratios that features are scaled by; 0 for none.
    context_weight : float, default 0.5
        Factor on the features of earlier turns.
    min_df_words, min_df_chars : int
        Turns that a word or a character n-gram must occur in.
    cue_weight : float, default 0.35
        Value of a lexicon class; 0 leaves the lexicons out.
    calibration_folds : int, default 0
        Folds of the cross-validation that calibrates ``predict_proba``; 0 leaves it uncalibrated.

    Attributes
    ----------
    classes_ : ndarray
        Sorted labels, strings or whatever ``y`` held, the columns of ``predict_proba``.
    model_ : Model
        The fitted model; ``model_.save(folder)`` keeps it.

    Examples
    --------
    >>> texts = ["怎么还没发货", "什么时候到", "谢谢", "好的"]
    >>> classifier = FunnelClassifier().fit(texts, ["问", "问", "答", "答"])
    >>> classifier.predict(["什么时候发货"]).tolist()
    ['问']
    """

    def __init__(
        self,
        *,
        C: float = 2.0,
        balance: float = 0.5,
        ratio: float = 0.5,
        context_weight: float = 0.5,
        min_df_words: int = 1,
        min_df_chars: int = 1,
        cue_weight: float = 0.35,
        calibration_folds: int = 0,
    ) -> None:
        self.C = C
        self.balance = balance
        self.ratio = ratio
        self.context_weight = context_weight
        self.min_df_words = min_df_words
        self.min_df_chars = min_df_chars
        self.cue_weight = cue_weight
        self.calibration_folds = calibration_folds

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def fit(self, X: Any, y: Any) -> FunnelClassifier:
        """Fit on turns and their labels.

        Parameters
        ----------
        X : sequence of str, or pandas.DataFrame
            Turns on their own, or a frame with ``text`` and, for context, ``role``, ``conversation_id``
            and ``turn_index``.
        y : sequence of labels, shape (n,)

        Returns
        -------
        FunnelClassifier
            Itself.

        Raises
        ------
        FunnelError
            When ``X`` is no such input, lengths differ or a label is missing.
        """
        frame = _as_frame(X)
        labels = np.asarray(y)
        if labels.ndim != 1 or len(labels) != len(frame):
            raise FunnelError(f"y must hold one label per turn: {len(frame)} turns, y has shape {labels.shape}")
        for i, label in enumerate(labels.tolist()):
            if label is None or label == "" or label != label:
                raise FunnelError(f"y: label #{i} is {label!r}; every turn needs one")
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        names = [str(name) for name in self.classes_]
        if any(name != name.strip() for name in names):
            names = [f"class {i}" for i in range(len(names))]
        task = Task("label", tuple(map(Label, names)))
        settings = TrainingSettings(
            C=self.C,
            other_strengths=(),
            balance=self.balance,
            ratio=self.ratio,
            context_weight=self.context_weight,
            folds=self.calibration_folds,
            encoder=EncoderSettings(self.min_df_words, self.min_df_chars, cue_weight=self.cue_weight),
        )
        self.model_ = train(frame.assign(label=np.array(names, dtype=object)[numbers]), [task], settings=settings)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every class, shape (n, n_classes)."""
        check_is_fitted(self, "model_")
        texts, roles, conversation, order = frame_columns(_as_frame(X))
        scores = self.model_.scores(texts, lay_out(conversation, roles, order))
        probabilities = self.model_.probabilities(scores).astype(np.float64)
        result: NDArray[np.float64] = probabilities / probabilities.sum(axis=1, keepdims=True)
        return result

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of every turn."""
        best = self.predict_proba(X).argmax(axis=1)
        result: NDArray[Any] = self.classes_[best]
        return result


def _as_frame(X: Any) -> pd.DataFrame:
    if isinstance(X, pd.DataFrame):
        return X[[name for name in _CONTEXT if name in X.columns]].reset_index(drop=True)
    if isinstance(X, str | Mapping) or not isinstance(X, Sequence | np.ndarray | pd.Series):
        raise FunnelError(f"X must be a sequence of turns or a frame with a column 'text', got {type(X).__name__}")
    values = np.asarray(X, dtype=object)
    if values.ndim != 1:
        raise FunnelError(f"X must have one dimension (turns), got shape {values.shape}")
    for i, text in enumerate(values):
        if not isinstance(text, str):
            raise FunnelError(f"X: turn #{i} is {text!r}; turns are strings")
    return pd.DataFrame({"text": pd.Series(values.tolist(), dtype=object)})
