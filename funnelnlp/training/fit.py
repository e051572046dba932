"""From labelled turns to a model: one feature space, one logistic regression a task, one weight matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, sparse, special
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from funnelnlp.errors import TaxonomyError
from funnelnlp.features import STRUCTURE_NAMES, Encoded, EncoderSettings, Layout, TurnEncoder, lay_out, structure_matrix
from funnelnlp.features.conversation import UNKNOWN_ROLE
from funnelnlp.model import Model, Weights
from funnelnlp.model.frames import conversation_codes, frame_columns
from funnelnlp.model.transitions import Transitions
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS, Task, unique_tasks
from funnelnlp.text import Lexicons, read_lexicons
from funnelnlp.training.labelled import Floats, Ints, check_tasks, majority
from funnelnlp.training.measures import alert_threshold
from funnelnlp.training.noise import noisy_copies

# Another strength must be better by this macro-F1, on folds of so many turns, to be taken instead of the usual one.
_CLEARLY_BETTER = 0.005
_JUDGED_ON = 4000
_CALIBRATED_ON = 20_000
# Of a log-count ratio: turns of the usual labels that a feature is taken to have been seen in besides, and its least size.
_PRIOR_TURNS, _LEAST_RATIO = 2.0, 0.05
# Inverse strength of the penalty on transitions: there are so few that it hardly matters.
_TRANSITION_C = 0.5


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a model is fitted.

    Attributes
    ----------
    C : float
        Inverse strength of the L2 penalty of the logistic regressions.
    other_strengths : tuple of float
        What a task may take instead: the one of best macro-F1 in the cross-validation, if that is clearly better there.
        Wrong labels are learnt better with more penalty. Empty: ``C`` without asking.
    balance : float
        Exponent of the class weights: 0 leaves classes as frequent as they are, 1 gives each the same
        total weight.
    ratio : float
        Exponent of the log-count ratios that features are scaled by for each task, so that the penalty spares those that
        tell its labels apart (after Wang & Manning, *Baselines and Bigrams*, 2012); 0 for none. Ordinal tasks do without: what
        marks one label strongly must not outweigh what marks the one above it.
    context_weight : float
        Factor on the features of earlier turns.
    structure_weight : float
        Factor on role, place and length.
    alone : int
        Every so-many-th turn is learnt a second time without its role and context, so that a bare text is
        understood too; 0 for none.
    noise : float
        Share of the conversations that are learnt a second time as hasty typing or speech recognition would have left
        them (`funnelnlp.training.noise`); 0 for none.
    transitions : tuple of (str, str)
        The task whose labels follow one another, and the one that decides how (see `funnelnlp.model.transitions`); the
        transitions are learnt from the cross-validated scores. Empty names for none.
    by_length : tuple of str
        Tasks for which a cue also counts by how much of the turn it is (see `EncoderSettings.cue_density`): what asks in a
        turn of five characters need not in one of fifty. An emotion is no milder for the words around it.
    tolerance : float
        Largest gradient at which a regression counts as fitted.
    folds : int
        Cross-validation folds (by conversation) that the calibration is measured on; below 2 for none. When some of them
        hold 20,000 turns, the others are not run.
    encoder : EncoderSettings
    """

    C: float = 2.0
    other_strengths: tuple[float, ...] = (0.25,)
    balance: float = 0.5
    ratio: float = 0.5
    context_weight: float = 0.5
    structure_weight: float = 0.2
    alone: int = 12
    noise: float = 0.7
    transitions: tuple[str, str] = ("funnel_stage", "question_type")
    by_length: tuple[str, ...] = ("question_type", "spin_type")
    tolerance: float = 1e-4
    folds: int = 5
    encoder: EncoderSettings = field(default_factory=EncoderSettings)


def own_matrix(encoded: Encoded, encoder: TurnEncoder) -> sparse.csr_matrix:
    """Return the features of turns without their context."""
    n = len(encoded.lengths)
    # In double precision: single leaves the solver short of the optimum.
    weight = encoder.weight.astype(np.float64)
    result = sparse.csr_matrix((n, encoder.n_features))
    for block, scale_of in (((encoded.words, encoded.pairs), encoder.word_scale), ((encoded.chars,), encoder.char_scale)):
        rows = np.concatenate([part.rows() for part in block])
        ids = np.concatenate([part.ids for part in block])
        scale = scale_of(np.maximum(np.bincount(rows, weights=weight[ids] ** 2, minlength=n), 1))
        result += sparse.csr_matrix((weight[ids] * scale[rows], (rows, ids)), shape=result.shape)
    rows, ids = encoded.cues.rows(), encoded.cues.ids
    result += sparse.csr_matrix((weight[ids], (rows, ids)), shape=result.shape)
    if encoder.to_dense:
        share = encoder.cue_share(encoded.lengths)[rows]
        result += sparse.csr_matrix((weight[ids] * share, (rows, ids + encoder.to_dense)), shape=result.shape)
    return result


def design_matrix(encoded: Encoded, layout: Layout, encoder: TurnEncoder, settings: TrainingSettings) -> sparse.csr_matrix:
    """Return the features of turns in their context: own, speaker's last turn, other's last turn, place."""
    n = len(encoded.lengths)
    own = own_matrix(encoded, encoder)
    nobody = sparse.csr_matrix((1, encoder.n_context))
    memory = sparse.vstack([own[:, : encoder.n_context] * settings.context_weight, nobody], format="csr")
    on = structure_matrix(layout, encoded.lengths)
    place = sparse.csr_matrix(
        (
            np.full(on.size, settings.structure_weight),
            on.ravel(),
            np.arange(0, on.size + 1, on.shape[1]),
        ),
        shape=(n, len(STRUCTURE_NAMES)),
    )
    return sparse.hstack([own, memory[layout.same], memory[layout.other], place], format="csr")


def _fit_task(
    matrix: sparse.csr_matrix, shares: Floats, strengths: Sequence[float], settings: TrainingSettings
) -> list[tuple[Floats, Floats]]:
    """Return (coefficients, intercepts) of one task per strength, shapes (n_labels, n_columns) and (n_labels,)."""
    # A turn is learnt once per label that it has votes for: the log-loss expected over the votes.
    rows, y = np.nonzero(shares)
    weight = _class_weights(shares, settings)
    scale = _feature_scale(matrix, shares, settings.ratio)
    learnt = (matrix @ sparse.diags(scale)).tocsr()[rows]
    regression = LogisticRegression(max_iter=4000, tol=settings.tolerance, warm_start=True)
    fitted = []
    for strength in strengths:
        regression.set_params(C=strength).fit(learnt, y, sample_weight=weight[y] * shares[rows, y])
        coefficients, intercepts = _per_label(regression, shares.shape[1])
        fitted.append((coefficients * scale, intercepts))
    return fitted


def _class_weights(shares: Floats, settings: TrainingSettings) -> Floats:
    counts = shares.sum(axis=0)
    weights: Floats = (counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))) ** settings.balance
    return weights


def _feature_scale(matrix: sparse.csr_matrix, shares: Floats, exponent: float) -> Floats:
    """Return a factor for every column: how far apart the labels are in it, by the root mean square of log-count ratios.

    The factors leave the matrix as large as it was, so that the strength of the penalty means the same.
    """
    present = matrix.astype(bool).astype(np.float64)
    counts = present.T @ shares
    prior = shares.sum(axis=0) / shares.sum()
    totals = counts.sum(axis=1, keepdims=True)
    given = prior > 0
    odds = (counts[:, given] + _PRIOR_TURNS * prior[given]) / (totals + _PRIOR_TURNS) / prior[given]
    scale = (np.sqrt((np.log(odds) ** 2 * prior[given]).sum(axis=1)) + _LEAST_RATIO) ** exponent
    energy = np.asarray(matrix.power(2).sum(axis=0)).ravel()
    result: Floats = scale * np.sqrt(energy.sum() / (energy * scale**2).sum())
    return result


def _per_label(regression: LogisticRegression, n_labels: int) -> tuple[Floats, Floats]:
    coefficients = np.zeros((n_labels, regression.coef_.shape[1]))
    intercepts = np.full(n_labels, -30.0)  # a label that was never seen is never chosen
    if len(regression.classes_) == 2:
        half = regression.coef_[0] / 2
        coefficients[regression.classes_] = np.stack([-half, half])
        intercepts[regression.classes_] = regression.intercept_[0] / 2 * np.array([-1, 1])
    else:
        coefficients[regression.classes_] = regression.coef_
        intercepts[regression.classes_] = regression.intercept_
    return coefficients, intercepts


def fit_model(
    frame: pd.DataFrame, tasks: Sequence[Task], shares: Sequence[Floats], lexicons: Lexicons, settings: TrainingSettings
) -> Model:
    """Fit the encoder and every task on a frame, with the strength ``settings.C``, uncalibrated."""
    return fit_models(frame, tasks, shares, lexicons, settings, [[settings.C] for _ in tasks])[0]


def fit_models(
    frame: pd.DataFrame,
    tasks: Sequence[Task],
    shares: Sequence[Floats],
    lexicons: Lexicons,
    settings: TrainingSettings,
    strengths: Sequence[Sequence[float]],
) -> list[Model]:
    """Fit one encoder and, for each of the strengths of every task, a model, uncalibrated.

    Regressions after the first start from the one before, so the first is the same as without the others.
    """
    texts, roles, conversation, order = frame_columns(frame)
    layout = lay_out(conversation, roles, order)
    encoder = TurnEncoder.fit(texts, lexicons, settings.encoder)
    matrix = design_matrix(encoder.encode(texts), layout, encoder, settings)
    copies = [np.arange(len(texts))]
    if settings.alone:
        picked = np.arange(0, len(texts), settings.alone)
        unknown = lay_out(picked, np.full(len(picked), UNKNOWN_ROLE))
        bare = design_matrix(encoder.encode([texts[i] for i in picked]), unknown, encoder, settings)
        matrix = sparse.vstack([matrix, bare], format="csr")
        copies.append(picked)
    if settings.noise:
        picked, noisy_texts = noisy_copies(texts, layout, settings.noise)
        again = lay_out(conversation[picked], roles[picked], None if order is None else order[picked])
        matrix = sparse.vstack([matrix, design_matrix(encoder.encode(noisy_texts), again, encoder, settings)], format="csr")
        copies.append(picked)
    copied = np.concatenate(copies)
    kept = np.ones(matrix.shape[1])
    kept[encoder.n_context : encoder.pair_start] = 0
    plain = (matrix @ sparse.diags(kept)).tocsr()
    # On several threads BLAS adds up in another order: with one the bytes depend on neither cores nor processes.
    with threadpool_limits(1):
        fitted = [
            _fit_task(
                matrix if task.name in settings.by_length else plain,
                of_task[copied],
                c,
                replace(settings, ratio=0.0) if task.ordinal else settings,
            )
            for task, of_task, c in zip(tasks, shares, strengths, strict=True)
        ]
    return [Model(tuple(tasks), encoder, _weights(regressions, encoder, settings)) for regressions in zip(*fitted, strict=True)]


def _weights(regressions: Sequence[tuple[Floats, Floats]], encoder: TurnEncoder, settings: TrainingSettings) -> Weights:
    stacked = np.concatenate([coefficients for coefficients, _ in regressions]).T
    own_end, memory_end = encoder.n_features, encoder.n_features + 2 * encoder.n_context
    same, other = np.split(stacked[own_end:memory_end] * settings.context_weight, 2)
    return Weights(
        own=np.ascontiguousarray(stacked[:own_end], dtype=np.float32),
        memory=np.concatenate([same, other], axis=1).astype(np.float32),
        structure=(stacked[memory_end:] * settings.structure_weight).astype(np.float32),
        bias=np.concatenate([intercepts for _, intercepts in regressions]).astype(np.float32),
        temperature=np.ones(stacked.shape[1], dtype=np.float32),
    )


def scores_of(model: Model, frame: pd.DataFrame) -> NDArray[np.float32]:
    """Return the linear scores of a frame, shape (n, labels of all tasks)."""
    texts, roles, conversation, order = frame_columns(frame)
    return model.scores(texts, lay_out(conversation, roles, order))


def out_of_fold(
    frame: pd.DataFrame,
    tasks: Sequence[Task] = BUILTIN_TASKS,
    *,
    settings: TrainingSettings | None = None,
    groups: Any = None,
    folds: int | None = None,
    lexicons: Lexicons | None = None,
    n_jobs: int = -1,
) -> NDArray[np.float32]:
    """Score every turn with a model that has not seen its group.

    Parameters
    ----------
    frame : pandas.DataFrame
        Labelled turns, one column per task; see `train`.
    tasks : sequence of Task
    settings : TrainingSettings, optional
    groups : array-like of shape (n,), optional
        What must not be torn apart: conversations when not given, or larger units such as registers.
    folds : int, optional
        Number of folds; ``settings.folds`` when not given, at most the number of groups (leave one group out).
    lexicons : Lexicons, optional
        The bundled ones when not given.
    n_jobs : int, default -1
        Processes, as in joblib.

    Returns
    -------
    ndarray of float32, shape (n, labels of all tasks)
        Uncalibrated scores in the order of the tasks, with the strengths that `train` would choose on these folds and
        shifted by transitions learnt from the other folds.

    Raises
    ------
    TaxonomyError
        When a label column cannot be used, or a fold leaves fewer than two labels of a task to learn from.
    """
    settings = settings or TrainingSettings()
    frame = frame.reset_index(drop=True)
    pairs = _folds(frame, groups, folds or settings.folds)
    shares = check_tasks(tasks, frame)
    scores = _cross_fit(frame, tasks, shares, pairs, settings, lexicons or bundled_lexicons(), n_jobs)[0]
    _cross_shift(frame, tasks, shares, scores, pairs, settings)
    return scores


def _folds(frame: pd.DataFrame, groups: Any, folds: int) -> list[tuple[Ints, Ints]]:
    units = conversation_codes(frame) if groups is None else pd.factorize(np.asarray(groups))[0]
    return list(GroupKFold(min(folds, int(units.max()) + 1)).split(units, groups=units))


def _enough_folds(pairs: list[tuple[Ints, Ints]], turns: int) -> list[tuple[Ints, Ints]]:
    """Return the first folds, at least two, that leave out so many turns together, or all."""
    left_out = np.cumsum([len(test_rows) for _, test_rows in pairs])
    return pairs[: max(2, int(np.searchsorted(left_out, turns)) + 1)]


def _cross_fit(
    frame: pd.DataFrame,
    tasks: Sequence[Task],
    shares: Sequence[Floats],
    pairs: list[tuple[Ints, Ints]],
    settings: TrainingSettings,
    lexicons: Lexicons,
    n_jobs: int,
    *,
    whole: bool = False,
) -> tuple[NDArray[np.float32], list[float], list[Model]]:
    """Return the scores of left-out turns, the strength chosen for each task, and, if ``whole``, the model of all turns."""
    for task, of_task in zip(tasks, shares, strict=True):
        for train_rows, _ in pairs:
            if len(left := np.flatnonzero(of_task[train_rows].any(axis=0))) < 2:
                raise TaxonomyError(
                    f"task {task.name!r}: with one of {len(pairs)} folds left out, the rest has turns labelled "
                    f"{task.label_names[left[0]] if len(left) else '(nothing)'} only, and at least two labels are needed; "
                    "label more conversations"
                )

    def fitted(rows: Ints, strengths: Sequence[Sequence[float]]) -> list[Model]:
        return fit_models(frame.iloc[rows], tasks, [of_task[rows] for of_task in shares], lexicons, settings, strengths)

    def scored(train_rows: Ints, test_rows: Ints, strengths: Sequence[Sequence[float]]) -> list[NDArray[np.float32]]:
        return [scores_of(model, frame.iloc[test_rows]) for model in fitted(train_rows, strengths)]

    parallel = joblib.Parallel(n_jobs=n_jobs)
    scores = np.zeros((len(frame), sum(len(task.labels) for task in tasks)), dtype=np.float32)
    columns = np.split(np.arange(scores.shape[1]), np.cumsum([len(task.labels) for task in tasks])[:-1])
    chosen = [settings.C for _ in tasks]
    judged = _enough_folds(pairs, _JUDGED_ON) if settings.other_strengths else []
    if judged:
        tried = [settings.C, *settings.other_strengths]
        results = parallel(joblib.delayed(scored)(a, b, [tried for _ in tasks]) for a, b in judged)
        rows = np.concatenate([test_rows for _, test_rows in judged])
        for number, (of_task, part) in enumerate(zip(shares, columns, strict=True)):
            blocks = [np.concatenate(fits)[:, part] for fits in zip(*results, strict=True)]
            best = best_block(blocks, majority(of_task[rows]))
            chosen[number] = tried[best]
            scores[np.ix_(rows, part)] = blocks[best]
    rest = pairs[len(judged) :]
    jobs = [joblib.delayed(scored)(a, b, [[c] for c in chosen]) for a, b in rest]
    if whole:
        jobs.insert(0, joblib.delayed(fitted)(np.arange(len(frame)), [[c] for c in chosen]))
    results = parallel(jobs)
    models = results.pop(0) if whole else []
    for (_, test_rows), (block,) in zip(rest, results, strict=True):
        scores[test_rows] = block
    return scores, chosen, models


def _cross_shift(
    frame: pd.DataFrame,
    tasks: Sequence[Task],
    shares: Sequence[Floats],
    scores: NDArray[np.float32],
    pairs: Sequence[tuple[Ints, Ints]],
    settings: TrainingSettings,
) -> Transitions | None:
    """Shift left-out scores, in place, by transitions learnt from the other folds; return those learnt from all.

    The other folds' scores come from models that saw this fold; transitions are too few numbers for that to matter.
    """
    transitions = Transitions.of(tasks, settings.transitions)
    if transitions is None:
        return None
    _, roles, conversation, order = frame_columns(frame)
    features = transitions.features(scores, lay_out(conversation, roles, order)).astype(np.float64)
    plain = scores[:, transitions.part].astype(np.float64)
    of_task = next(each for task, each in zip(tasks, shares, strict=True) if task == transitions.task)

    def learnt(rows: Ints) -> Floats:
        return _fit_shift(features[rows], plain[rows], of_task[rows], _class_weights(of_task, settings))

    left_out = np.concatenate([test_rows for _, test_rows in pairs])
    for _, test_rows in pairs:
        scores[test_rows, transitions.part] += features[test_rows] @ learnt(np.setdiff1d(left_out, test_rows))
    weights = learnt(left_out).reshape(transitions.weights.shape)
    return replace(transitions, weights=weights.astype(np.float32))


def _fit_shift(features: Floats, plain: Floats, shares: Floats, weights: Floats) -> Floats:
    """Return the logistic regression on features whose scores are added to given ones, shape (features, labels)."""
    votes = shares * weights
    total = votes.sum(axis=1, keepdims=True)
    shape = features.shape[1], plain.shape[1]

    def loss(flat: Floats) -> tuple[float, Floats]:
        scores = plain + features @ flat.reshape(shape)
        log_odds = scores - special.logsumexp(scores, axis=1, keepdims=True)
        gradient = features.T @ (np.exp(log_odds) * total - votes)
        return float((flat @ flat) / (2 * _TRANSITION_C) - (votes * log_odds).sum()), gradient.ravel() + flat / _TRANSITION_C

    result: Floats = optimize.minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B").x.reshape(shape)
    return result


def best_block(blocks: Sequence[NDArray[np.float32]], truth: Ints) -> int:
    """Return which scores have the best macro-F1; the first unless others are clearly better."""
    known = truth >= 0
    if not known.any():
        return 0
    figures = [f1_score(truth[known], block[known].argmax(axis=1), average="macro") for block in blocks]
    figures[0] += _CLEARLY_BETTER
    return int(np.argmax(figures))


def learning_curve(
    frame: pd.DataFrame,
    tasks: Sequence[Task] = BUILTIN_TASKS,
    *,
    fractions: Sequence[float] = (0.125, 0.25, 0.5, 1.0),
    groups: Any = None,
    settings: TrainingSettings | None = None,
    lexicons: Lexicons | None = None,
    folds: int = 5,
    seed: int = 0,
    n_jobs: int = -1,
) -> pd.DataFrame:
    """Measure what more training conversations buy, before transitions.

    Parameters
    ----------
    frame, tasks, groups, settings, lexicons, n_jobs
        As in `out_of_fold`.
    fractions : sequence of float
        Shares of the training conversations of each fold, drawn at random.
    folds : int, default 5
    seed : int
        Of the draw.

    Returns
    -------
    pandas.DataFrame
        One row per fraction: ``conversations`` (mean number trained on) and a macro-F1 per task over all folds.
    """
    settings = settings or TrainingSettings()
    lexicons = lexicons or bundled_lexicons()
    frame = frame.reset_index(drop=True)
    shares = check_tasks(tasks, frame)
    conversation = conversation_codes(frame)
    units = conversation if groups is None else pd.factorize(np.asarray(groups))[0]
    pairs = list(GroupKFold(folds).split(units, groups=units))

    def one(train_rows: Ints, test_rows: Ints, fraction: float) -> tuple[int, NDArray[np.float32]]:
        known = np.unique(conversation[train_rows])
        drawn = np.random.default_rng(seed).permutation(known)[: max(1, round(fraction * len(known)))]
        rows = train_rows[np.isin(conversation[train_rows], drawn)]
        model = fit_model(frame.iloc[rows], tasks, [of_task[rows] for of_task in shares], lexicons, settings)
        return len(drawn), scores_of(model, frame.iloc[test_rows])

    lines = []
    for fraction in fractions:
        results = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(one)(a, b, fraction) for a, b in pairs)
        scores = np.concatenate([block for _, block in results])
        order = np.concatenate([test_rows for _, test_rows in pairs])
        line: dict[str, Any] = {"conversations": round(sum(n for n, _ in results) / len(results))}
        start = 0
        for task, of_task in zip(tasks, shares, strict=True):
            predicted = scores[:, start : start + len(task.labels)].argmax(axis=1)
            start += len(task.labels)
            truth = majority(of_task[order])
            known = truth >= 0
            line[task.name] = f1_score(truth[known], predicted[known], average="macro")
        lines.append(line)
    return pd.DataFrame(lines)


def best_temperature(scores: NDArray[np.floating[Any]], shares: Floats) -> float:
    """Return what to divide scores by so that held-back votes are most likely (Guo et al. 2017)."""
    rows, y = np.nonzero(shares)
    block, weight = scores[rows].astype(np.float64), shares[rows, y]

    def loss(log_t: float) -> float:
        scaled = block / np.exp(log_t)
        return float(np.average(special.logsumexp(scaled, axis=1) - scaled[np.arange(len(y)), y], weights=weight))

    return float(np.exp(optimize.minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))


def _alert_threshold(scaled: NDArray[np.float32], numbers: Ints, task: Task) -> float | None:
    """Return the summed probability of the alert labels from which alerts reach the precision of `alert_figures`."""
    risky = [task.label_names.index(label) for label in task.alert_labels]
    known = numbers >= 0
    probability = special.softmax(scaled[known].astype(np.float64), axis=1)[:, risky].sum(axis=1)
    return alert_threshold(np.isin(numbers[known], risky), probability)


def bundled_lexicons() -> Lexicons:
    """Return the lexicons that come with the library."""
    return read_lexicons(bundled("data/lexicons"))


def train(
    frame: pd.DataFrame,
    tasks: Sequence[Task] = BUILTIN_TASKS,
    *,
    settings: TrainingSettings | None = None,
    lexicons: Lexicons | None = None,
    groups: Any = None,
    n_jobs: int = -1,
) -> Model:
    """Train a model on labelled turns.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `read_transcripts` returns it, with one column of labels per task; empty cells are not learnt from. A turn that
        several people labelled may keep all their votes (``不满:2|愤怒:1``, see `funnelnlp.training.labelled.votes`): it
        counts for each label by its share, in the regressions, in class weights and in the calibration.
    tasks : sequence of Task
        The four built-in tasks, or your own.
    settings : TrainingSettings, optional
    lexicons : Lexicons, optional
        The bundled ones when not given.
    groups : array-like of shape (n,), optional
        What the calibration leaves out together: conversations when not given. Leaving out whole channels or
        teams gives confidences that hold for new ones.
    n_jobs : int, default -1
        Processes for the cross-validation behind the calibration.

    Returns
    -------
    Model
        Calibrated by temperature (Guo et al., *On Calibration of Modern Neural Networks*, 2017) on
        cross-validated scores, which choose the strength of each task's penalty, too (``settings.other_strengths``).
        Neither is done with too few conversations.

    Raises
    ------
    TaxonomyError
        When a label column is missing or holds something else than its task's labels, or fewer than two of them.

    Examples
    --------
    >>> import pandas as pd
    >>> from funnelnlp.taxonomy import Task
    >>> frame = pd.DataFrame({"text": ["马上退钱", "立刻退钱给我", "谢谢你", "好的谢谢"], "urgent": ["yes", "yes", "no", "no"]})
    >>> urgent = Task.from_dict({"name": "urgent", "labels": ["no", "yes"]})
    >>> model = train(frame, [urgent], settings=TrainingSettings(folds=0))
    >>> model.label("快点退钱")[0].urgent
    'yes'
    """
    settings = settings or TrainingSettings()
    lexicons = lexicons or bundled_lexicons()
    tasks = unique_tasks(tasks)
    frame = frame.reset_index(drop=True)
    shares = check_tasks(tasks, frame)
    n_conversations = int(conversation_codes(frame).max()) + 1
    calibrated = 2 <= settings.folds <= n_conversations and _enough(shares, frame, settings.folds)
    alerts: dict[str, float] = {}
    transitions = None
    if not calibrated:
        model, strengths = fit_model(frame, tasks, shares, lexicons, settings), [settings.C for _ in tasks]
        temperature = np.ones_like(model.weights.temperature)
    else:
        pairs = _enough_folds(_folds(frame, groups, settings.folds), _CALIBRATED_ON)
        left_out = np.sort(np.concatenate([test_rows for _, test_rows in pairs]))
        scores, strengths, [model] = _cross_fit(frame, tasks, shares, pairs, settings, lexicons, n_jobs, whole=True)
        transitions = _cross_shift(frame, tasks, shares, scores, pairs, settings)
        temperature = np.ones_like(model.weights.temperature)
        for task, of_task in zip(tasks, shares, strict=True):
            part = model.slices[task.name]
            block, votes = scores[left_out, part], of_task[left_out]
            temperature[part] = best_temperature(block, votes)
            scaled = block / temperature[part]
            if task.alert_labels and (threshold := _alert_threshold(scaled, majority(votes), task)):
                alerts[task.name] = threshold
    from funnelnlp import __version__

    info = {
        "funnelnlp": __version__,
        "conversations": n_conversations,
        "turns": len(frame),
        "labels": {
            task.name: {name: round(count) for name, count in zip(task.label_names, of_task.sum(axis=0).tolist(), strict=True)}
            for task, of_task in zip(tasks, shares, strict=True)
        },
        "settings": {k: v for k, v in asdict(settings).items() if k not in ("encoder", "other_strengths")}
        | ({"C": {task.name: c for task, c in zip(tasks, strengths, strict=True)}} if settings.other_strengths else {}),
        "calibrated": calibrated,
        "alert_thresholds": alerts,
    }
    return Model(model.tasks, model.encoder, replace(model.weights, temperature=temperature), info, transitions)


def _enough(shares: Sequence[Floats], frame: pd.DataFrame, folds: int) -> bool:
    """Tell whether every fold is sure to train on two labels of each task."""
    conversation = conversation_codes(frame)
    return all(sum(len(np.unique(conversation[given])) >= folds for given in (of_task > 0).T) >= 2 for of_task in shares)
