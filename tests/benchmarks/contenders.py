"""Everything that labels turns: this library, what it replaces, and what else one would reach for.

A contender learns from a corpus and returns a function from a frame of turns to the labels per task. All learn from
the same turns. What there was to choose (epochs, n-grams, learning rate, stop words) was chosen for macro-F1 on every
fifth writing batch of ``data/train``.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from sklearn.pipeline import Pipeline

import funnelnlp
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.text import Tokeniser
from funnelnlp.training.baselines import naive_pipeline
from tests.benchmarks.corpus import Corpus

Labels = Mapping[str, Sequence[str]]
Labeller = Callable[[pd.DataFrame], Labels]
INSTALL = "not installed: `pip install -e '.[bench]'`"
SEED = 0


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the tables.

    Attributes
    ----------
    name : str
    learn : callable
        Corpus → labeller.
    module : str
        What must be installed for it.
    slow : bool
        Takes milliseconds a turn.
    """

    name: str
    learn: Callable[[Corpus], Labeller]
    module: str
    slow: bool = False

    @property
    def installed(self) -> bool:
        return find_spec(self.module) is not None


def _bundled_model(_: Corpus) -> Labeller:
    return funnelnlp.load().label_frame


def fit_naive(corpus: Corpus, engine: str) -> dict[str, Pipeline]:
    """Return a fitted pipeline per task; SPIN types are learnt from agents, emotion phases from customers."""
    return {task.name: naive_pipeline(engine).fit(*corpus.labelled(task)) for task in BUILTIN_TASKS}


naive_pipelines = cache(fit_naive)


def _naive(engine: str) -> Callable[[Corpus], Labeller]:
    def learn(corpus: Corpus) -> Labeller:
        pipelines = naive_pipelines(corpus, engine)
        return lambda frame: {name: pipeline.predict(frame["text"].tolist()) for name, pipeline in pipelines.items()}

    return learn


def _words(tokeniser: Tokeniser, texts: Sequence[str]) -> list[list[str]]:
    return tokeniser.cut_all([text.replace("\n", " ") for text in texts])


def _fasttext(corpus: Corpus) -> Labeller:
    import fasttext

    tokeniser = Tokeniser()
    mark = "__label__"
    models = {}
    for task in BUILTIN_TASKS:
        texts, labels = corpus.labelled(task)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "train.txt")
            lines = (f"{mark}{label} {' '.join(words)}\n" for label, words in zip(labels, _words(tokeniser, texts), strict=True))
            path.write_text("".join(lines), encoding="utf-8")
            # The default two million buckets would take 800 MB a task; one thread, or no two runs are alike.
            options = {"wordNgrams": 2, "epoch": 25, "lr": 0.5, "bucket": 200_000, "thread": 1, "seed": SEED, "verbose": 0}
            for attempts_left in (2, 1, 0):
                try:
                    models[task.name] = fasttext.train_supervised(str(path), **options)
                    break
                except RuntimeError:
                    # "Encountered NaN", now and then, where the same call succeeds the next time.
                    if not attempts_left:
                        raise

    def label(frame: pd.DataFrame) -> Labels:
        lines = [" ".join(words) for words in _words(tokeniser, frame["text"].tolist())]
        return {name: [best[0][len(mark) :] for best in model.predict(lines)[0]] for name, model in models.items()}

    return label


def _spacy(corpus: Corpus) -> Labeller:
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.util import fix_random_seed, minibatch

    fix_random_seed(SEED)
    shuffle = random.Random(SEED).shuffle
    tokeniser = Tokeniser()
    nlp = spacy.blank("zh")

    def docs(texts: Sequence[str]) -> list[Doc]:
        return [Doc(nlp.vocab, words=words) for words in _words(tokeniser, texts)]

    # The components share a document and its `cats`, so a label is named with its task.
    names = {task.name: {f"{task.name}:{label}": label for label in task.label_names} for task in BUILTIN_TASKS}
    bag = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1, "no_output_layer": False}
    for task in BUILTIN_TASKS:
        texts, labels = corpus.labelled(task)
        examples = [
            Example.from_dict(doc, {"cats": {key: float(label == known) for key, label in names[task.name].items()}})
            for doc, known in zip(docs(texts), labels, strict=True)
        ]
        component = nlp.add_pipe("textcat", name=task.name, config={"model": bag})
        component.initialize(lambda examples=examples: examples, nlp=nlp)
        optimiser = nlp.create_optimizer()
        for _ in range(5):
            shuffle(examples)
            for batch in minibatch(examples, 32):
                component.update(batch, sgd=optimiser)

    def label(frame: pd.DataFrame) -> Labels:
        scores = [doc.cats for doc in nlp.pipe(docs(frame["text"].tolist()), batch_size=1000)]
        return {task: [labels[max(labels, key=cats.__getitem__)] for cats in scores] for task, labels in names.items()}

    return label


def _snownlp(corpus: Corpus) -> Labeller:
    from snownlp import seg
    from snownlp.classification.bayes import Bayes

    cut = {text: seg.seg(text) for text in corpus.training["text"].unique()}
    models = {}
    for task in BUILTIN_TASKS:
        texts, labels = corpus.labelled(task)
        models[task.name] = Bayes()
        models[task.name].train([(cut[text], label) for text, label in zip(texts, labels, strict=True)])

    def label(frame: pd.DataFrame) -> Labels:
        turns = [seg.seg(text) for text in frame["text"].tolist()]
        return {name: [model.classify(words)[0] for words in turns] for name, model in models.items()}

    return label


NAIVE = Contender("naive scikit-learn pipelines, jieba", _naive("jieba"), "jieba")
OURS = Contender("funnelnlp `Model.label_frame`", _bundled_model, "funnelnlp")
CONTENDERS = (
    NAIVE,
    Contender("naive scikit-learn pipelines, rjieba", _naive("rjieba"), "rjieba"),
    Contender("SnowNLP Bayes, its own tokeniser", _snownlp, "snownlp", slow=True),
    Contender("spaCy `textcat` (TextCatBOW), rjieba", _spacy, "spacy"),
    Contender("fastText supervised, rjieba", _fasttext, "fasttext"),
    OURS,
)
