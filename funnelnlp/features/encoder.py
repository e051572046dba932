"""The words, characters and cues of one turn as a sparse TF-IDF row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain, pairwise, repeat
from operator import add
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features.ngrams import PACKED, KeyTable, Trie, word_keys
from funnelnlp.text import Lexicons, Tokeniser, normalise, normalise_all, readable

Ints = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float32]
# Of one to three characters: their column, the columns of their classes, the lengths of longer phrases that they begin.
_Meaning = tuple[int | None, tuple[int, ...], tuple[int, ...]]

# Boundary marks make "吗 at the end" a character n-gram; the normaliser lets no such character in.
START, END = "\ue100", "\ue101"
_BOUNDARIES = {START: "⟨", END: "⟩"}
_UNKNOWN, _BLANK, _NEXT_TURN = -1, -2, -3
# The norm of the words of a turn of usual length, whose words weigh the same whatever the exponent.
_USUAL_NORM = 20.0


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What is counted.

    Attributes
    ----------
    min_df_words, min_df_chars : int
        Turns that a word (or word pair), and a character n-gram, must occur in to become a feature.
    max_chars : int
        Character n-grams at most, the commonest: what bounds the size of the model however large the corpus.
    cue_weight : float
        Value of a cue class that occurs once; twice as much for more. 0 leaves cues out.
    cue_density : float
        Characters of a turn in which a cue has that value in its second column too; more in shorter turns, less in longer
        ones: there it counts by how much of the turn it is. 0 leaves the second columns out.
    word_norm : float
        Exponent of the norm that the words of a turn are divided by: 1 makes all turns equally long, with less the
        words of long turns keep more of their weight (pivoted length normalisation, Singhal et al. 1996).
    user_words : tuple of (str, int or None)
        The tokeniser's user dictionary.
    """

    min_df_words: int = 5
    min_df_chars: int = 10
    max_chars: int = 11_000
    cue_weight: float = 0.35
    cue_density: float = 6.0
    word_norm: float = 0.5
    user_words: tuple[tuple[str, int | None], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncoderSettings:
        """Build settings from `to_dict` data."""
        words = tuple((str(word), frequency) for word, frequency in data["user_words"])
        # Models made before this setting have no second columns.
        return cls(**{"cue_density": 0.0, **data, "user_words": words})


@dataclass(frozen=True, slots=True)
class Ragged:
    """Feature numbers of many rows: those of row ``i`` are ``ids[indptr[i]:indptr[i + 1]]``, one per occurrence."""

    indptr: Ints
    ids: Ints

    def rows(self) -> Ints:
        """Return the row of every occurrence, shape (len(ids),)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


@dataclass(frozen=True, slots=True)
class Encoded:
    """The features of many turns, by block.

    Attributes
    ----------
    words, pairs, chars, cues : Ragged
        Feature numbers. A cue is there at most twice.
    lengths : ndarray of int64, shape (n,)
        Characters of each normalised turn.
    known : ndarray of float32, shape (n,)
        Share of a turn's words and pairs of neighbouring characters that the vocabulary has; 0 without any.
    """

    words: Ragged
    pairs: Ragged
    chars: Ragged
    cues: Ragged
    lengths: Ints
    known: Floats


class EncodedTurn(NamedTuple):
    """The features of one turn, by block, as in `Encoded`, and its normalised text."""

    text: str
    words: list[int]
    pairs: list[int]
    chars: list[int]
    cues: list[int]
    known: float

    @property
    def length(self) -> int:
        """Characters of the normalised turn."""
        return len(self.text)


class TurnEncoder:
    """Vocabulary with inverse document frequencies, and the two ways to apply it: to many turns, to one.

    Words with word pairs, and characters, are two blocks. In each, an occurrence of a feature has the value
    ``idf / norm``, where norm is ``sqrt(sum of idf ** 2 over the occurrences of the block)``, for words raised to the power
    ``word_norm`` (and brought to the same size for a turn of usual length); a cue has the value ``cue_weight``, and in its
    second column that value times `cue_share`.

    Columns stand in the order words, cues, second columns of cues, word pairs, character n-grams; the first two groups are
    what later turns remember of a turn (`n_context` columns).

    Parameters
    ----------
    settings : EncoderSettings
    lexicons : Lexicons
    words, pairs, chars : sequence of str
        Features of each kind; a pair is two words joined by a blank.
    idf : ndarray of float32, shape (len(words) + len(pairs) + len(chars),)
        In that order. Defined as in scikit-learn's ``TfidfVectorizer`` (smoothed).
    """

    def __init__(
        self,
        settings: EncoderSettings,
        lexicons: Lexicons,
        words: Sequence[str],
        pairs: Sequence[str],
        chars: Sequence[str],
        idf: Floats,
    ) -> None:
        self.settings = settings
        self.lexicons = lexicons
        self.words, self.pairs, self.chars = tuple(words), tuple(pairs), tuple(chars)
        self.idf = np.asarray(idf, dtype=np.float32)
        self.tokeniser = Tokeniser(settings.user_words)
        n_cues = len(lexicons.names)
        self.n_context = len(self.words) + n_cues
        # From the column of a cue to its second one.
        self.to_dense = n_cues if settings.cue_density else 0
        self.pair_start = self.n_context + self.to_dense
        self.char_start = self.pair_start + len(self.pairs)
        self.n_features = self.char_start + len(self.chars)
        # Per column, what an occurrence of it weighs before its block is scaled.
        self.weight = np.concatenate(
            [
                self.idf[: len(self.words)],
                np.full(n_cues + self.to_dense, settings.cue_weight, dtype=np.float32),
                self.idf[len(self.words) :],
            ]
        )

    @classmethod
    def fit(cls, texts: Sequence[str], lexicons: Lexicons, settings: EncoderSettings) -> TurnEncoder:
        """Count the features of training turns and keep those that occur in enough of them.

        Parameters
        ----------
        texts : sequence of str
            Raw turns.
        lexicons : Lexicons
        settings : EncoderSettings

        Returns
        -------
        TurnEncoder
        """
        normalised = normalise_all(texts)
        words: Counter[str] = Counter()
        pairs: Counter[str] = Counter()
        chars: Counter[str] = Counter()
        for text, tokens in zip(normalised, Tokeniser(settings.user_words).cut_all(normalised), strict=True):
            words.update(set(tokens))
            pairs.update({f"{a} {b}" for a, b in pairwise(tokens)})
            chars.update({*text, *chain(*char_ngrams(START + text + END))})

        def kept(counts: Counter[str], minimum: int, most: int | None = None) -> list[str]:
            # The commonest first: what is looked up often lies side by side, in dictionaries and weights alike.
            common = [feature for feature, count in counts.items() if count >= minimum]
            return sorted(common, key=lambda feature: (-counts[feature], feature))[:most]

        kept_words = kept(words, settings.min_df_words)
        kept_pairs = kept(pairs, settings.min_df_words)
        kept_chars = kept(chars, settings.min_df_chars, settings.max_chars)
        df = np.array(
            [words[w] for w in kept_words] + [pairs[p] for p in kept_pairs] + [chars[c] for c in kept_chars],
            dtype=np.float64,
        )
        idf = np.log((1 + len(texts)) / (1 + df)) + 1
        return cls(settings, lexicons, kept_words, kept_pairs, kept_chars, idf.astype(np.float32))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Readable name of every column."""

        def shown(text: str) -> str:
            for mark, sign in _BOUNDARIES.items():
                text = text.replace(mark, sign)
            return readable(text)

        return (
            *(f"word {shown(w)}" for w in self.words),
            *(f"cue {name}" for name in self.lexicons.names),
            *(f"cue {name} by length" for name in self.lexicons.names[: self.to_dense]),
            *(f"words {shown(p)}" for p in self.pairs),
            *(f"chars {shown(c)}" for c in self.chars),
        )

    # --- many turns -----------------------------------------------------------------------------------------

    @cached_property
    def _word_ids(self) -> dict[str, int]:
        ids = {word: i for i, word in enumerate(self.words)}
        ids[" "], ids["\n"] = _BLANK, _NEXT_TURN
        return ids

    @cached_property
    def _word_table(self) -> KeyTable:
        short = [word for word in self._word_ids if len(word) <= PACKED]
        return KeyTable(word_keys(short)[0], np.array([self._word_ids[word] for word in short]), 1 << 16 * PACKED)

    @cached_property
    def _pair_keys(self) -> list[int]:
        """Number of the first word × number of words + number of the second."""
        ids, n = self._word_ids, len(self.words)
        return [ids[a] * n + ids[b] for a, b in (pair.split(" ") for pair in self.pairs)]

    @cached_property
    def _pair_columns(self) -> dict[int, int]:
        return {key: i for i, key in enumerate(self._pair_keys, self.pair_start)}

    @cached_property
    def _char_columns(self) -> dict[str, int]:
        return {ngram: i for i, ngram in enumerate(self.chars, self.char_start)}

    @cached_property
    def _cue_columns(self) -> dict[str, tuple[int, ...]]:
        """Columns of the classes of every phrase."""
        of_phrase = self.lexicons.of_phrase if self.settings.cue_weight else {}
        columns = {classes: tuple(len(self.words) + c for c in classes) for classes in of_phrase.values()}
        return {phrase: columns[classes] for phrase, classes in of_phrase.items()}

    @cached_property
    def _pair_table(self) -> KeyTable:
        keys = np.array(self._pair_keys, dtype=np.int64)
        return KeyTable(keys, np.arange(self.pair_start, self.char_start), len(self.words) ** 2)

    @cached_property
    def _trie(self) -> Trie:
        return Trie(self._char_columns, self._cue_columns)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the features of many raw turns."""
        n = len(texts)
        normalised = normalise_all(texts)
        tokens = self.tokeniser.raw(normalised) if n else []
        keys, n_chars = word_keys(tokens)
        ids = self._word_table.find(keys)
        for i in np.flatnonzero(n_chars > PACKED).tolist():
            ids[i] = self._word_ids.get(tokens[i], _UNKNOWN)
        ids = ids[ids != _BLANK]
        next_turn = np.flatnonzero(ids == _NEXT_TURN)
        token_starts = np.concatenate([[0], next_turn + 1]) if n else next_turn
        known_words = np.flatnonzero(ids >= 0)
        word_ids = ids[known_words]
        # A pair is two known words side by side; where a turn ends stands a mark between.
        second = np.flatnonzero(np.diff(known_words) == 1) + 1
        pairs = self._pair_table.find(word_ids[second - 1].astype(np.int64) * len(self.words) + word_ids[second])
        hit = np.flatnonzero(pairs >= 0)
        words = Ragged(np.searchsorted(known_words, np.append(token_starts, len(ids))), word_ids)
        found_pairs = Ragged(np.searchsorted(known_words[second[hit]], np.append(token_starts, len(ids))), pairs[hit])
        n_tokens = np.diff(np.append(token_starts, len(ids) + 1)) - 1

        # The normaliser leaves nothing beyond 16 bits.
        codes = np.frombuffer((START + (END + START).join(normalised) + END).encode("utf-16-le"), dtype=np.uint16)
        starts = np.flatnonzero(codes == ord(START))[:n]
        bounds = np.append(starts, len(codes) if n else 0)
        lengths = np.diff(bounds) - 2
        grid, places, cues = self._trie.walk(codes)
        flat = grid.ravel()
        hits = np.flatnonzero(flat >= 0)
        chars = Ragged(np.searchsorted(hits, bounds * grid.shape[1]), flat[hits])
        # Neighbours within a turn only: the pair of its two boundary marks and the next turn's is none.
        inside = np.concatenate([[0], np.cumsum(grid[:, 1] >= 0)])
        known = words.indptr[1:] - words.indptr[:-1] + inside[bounds[1:]] - inside[bounds[:-1]]
        return Encoded(
            words=words,
            pairs=found_pairs,
            chars=chars,
            cues=_at_most_twice(np.searchsorted(bounds, places, side="right") - 1, cues, n),
            lengths=lengths,
            known=np.where(lengths > 0, known / np.maximum(1, n_tokens + lengths + 1), 0).astype(np.float32),
        )

    # --- one turn -------------------------------------------------------------------------------------------

    @cached_property
    def _grams(self) -> tuple[dict[str, int], list[_Meaning], dict[str, tuple[int, ...]]]:
        """Where one to three characters lead: one look-up each is what a turn takes longest for.

        Mostly to their column; where they are or begin a phrase, to ``n_features + 1 +`` a place in the list of meanings.
        Last, the columns of the classes of the longer phrases.
        """
        numbers = {ngram: i for i, ngram in enumerate(self.chars, self.char_start)}
        longer: dict[str, tuple[int, ...]] = {}
        lengths: dict[str, tuple[int, ...]] = {}
        for phrase, classes in self._cue_columns.items():
            if len(phrase) > 3:
                longer[phrase] = classes
                known = lengths.get(phrase[:3], ())
                lengths[phrase[:3]] = known if len(phrase) in known else (*known, len(phrase))
        phrases: dict[_Meaning, int] = {}
        for gram in (*lengths, *self._cue_columns):
            if len(gram) <= 3 and numbers.get(gram, 0) <= self.n_features:
                meaning = numbers.get(gram), self._cue_columns.get(gram, ()), lengths.get(gram, ())
                numbers[gram] = phrases.setdefault(meaning, self.n_features + 1 + len(phrases))
        return numbers, list(phrases), longer

    def encode_one(self, text: str) -> EncodedTurn:
        """Return the features of one raw turn; the same as `encode` gives."""
        normalised = normalise(text)
        tokens = self.tokeniser.cut(normalised)
        n_words = len(self.words)
        # So far below zero that no pair with an unknown word has a key.
        ids = list(map(self._word_ids.get, tokens, repeat(-1 - n_words * (n_words + 1))))
        words = [i for i in ids if i >= 0]
        keys = [first * n_words + second for first, second in pairwise(ids)]
        pairs = [i for i in map(self._pair_columns.get, keys) if i is not None]
        marked = START + normalised + END
        bigrams, trigrams = char_ngrams(marked)
        numbers, phrases, longer = self._grams
        n_bigrams, unknown = len(bigrams), self.n_features
        found = list(map(numbers.get, chain(bigrams, trigrams, normalised), repeat(unknown)))
        chars = [i for i in found if i < unknown]
        known = len(words) + n_bigrams - found[:n_bigrams].count(unknown)
        cues: list[int] = []
        for place, i in [(place, i) for place, i in enumerate(found) if i > unknown]:
            column, classes, lengths = phrases[i - unknown - 1]
            if column is not None:
                chars.append(column)
            elif place < n_bigrams:
                known -= 1
            start = place - n_bigrams
            for n in lengths:
                # What would reach beyond the end holds the boundary mark, so it is no phrase.
                classes += longer.get(marked[start : start + n], ())
            for cue in classes:
                if cues.count(cue) < 2:
                    cues.append(cue)
        share = known / (len(tokens) + n_bigrams) if normalised else 0.0
        return EncodedTurn(normalised, words, pairs, chars, cues, share)

    def word_scale(self, squares: Any) -> Any:
        """Return what the idf of words and pairs are multiplied by, given the sum of their squares (any shape, at least 1)."""
        exponent = self.settings.word_norm
        return squares ** (-exponent / 2) * _USUAL_NORM ** (exponent - 1)

    @staticmethod
    def char_scale(squares: Any) -> Any:
        """Return the same for character n-grams."""
        return squares**-0.5

    def cue_share(self, length: Any) -> Any:
        """Return what a cue counts in its second column, given the length of its turn (any shape): from 2 down to 0."""
        return 2 * self.settings.cue_density / (self.settings.cue_density + length)

    def weigh(self, turn: EncodedTurn) -> tuple[list[int], list[float]]:
        """Return the distinct features of a turn and their values."""
        dense = [column + self.to_dense for column in turn.cues] if self.to_dense else []
        values: dict[int, float] = dict.fromkeys([*turn.words, *turn.pairs, *turn.chars, *turn.cues, *dense], 0.0)
        for block, scale_of in (([*turn.words, *turn.pairs], self.word_scale), (turn.chars, self.char_scale)):
            scale = scale_of(max(1.0, float(np.square(self.weight[block]).sum())))
            for column in block:
                values[column] += float(self.weight[column]) * scale
        for column in turn.cues:
            values[column] += float(self.weight[column])
        for column in dense:
            values[column] += float(self.weight[column]) * self.cue_share(turn.length)
        return list(values), list(values.values())


def _at_most_twice(rows: Ints, cues: Ints, n: int) -> Ragged:
    """Return the cues by row, none more than twice in a row."""
    width = int(cues.max(initial=0)) + 1
    keys = rows * width + cues
    keys.sort()
    kept = np.ones(len(keys), dtype=bool)
    kept[2:] = keys[2:] != keys[:-2]
    rows, cues = np.divmod(keys[kept], width)
    return Ragged(np.searchsorted(rows, np.arange(n + 1)), cues)


def char_ngrams(marked: str) -> tuple[list[str], list[str]]:
    """Return the pairs and triples of neighbouring characters of a normalised turn between its boundary marks.

    Examples
    --------
    >>> char_ngrams("⟨好吗⟩")
    (['⟨好', '好吗', '吗⟩'], ['⟨好吗', '好吗⟩'])
    """
    bigrams = list(map(add, marked, marked[1:]))
    return bigrams, list(map(add, bigrams, marked[2:]))
