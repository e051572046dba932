"""The words, characters and cues of one turn as a sparse TF-IDF row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features.ngrams import KeyTable
from funnelnlp.text import Lexicons, Tokeniser, normalise_all, readable

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]

# Boundary marks make "吗 at the end" a character n-gram; the normaliser lets no such character in.
START, END = "\ue100", "\ue101"
_BOUNDARIES = {START: "⟨", END: "⟩"}
_BLANK, _NEXT_TURN = -2, -3


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What is counted.

    Attributes
    ----------
    min_df_words, min_df_chars : int
        Turns that a word (or word pair), and a character n-gram, must occur in to become a feature.
    cue_weight : float
        Value of a cue class that occurs once; twice as much for more. 0 leaves cues out.
    user_words : tuple of (str, int or None)
        The tokeniser's user dictionary.
    """

    min_df_words: int = 3
    min_df_chars: int = 8
    cue_weight: float = 0.25
    user_words: tuple[tuple[str, int | None], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-ready data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EncoderSettings:
        """Build settings from `to_dict` data."""
        words = tuple((str(word), frequency) for word, frequency in data["user_words"])
        return cls(**{**data, "user_words": words})


@dataclass(frozen=True, slots=True)
class Rows:
    """Sparse rows: the features of row ``i`` are ``ids[indptr[i]:indptr[i + 1]]``, ascending, with their values.

    ``known`` is the share of a turn's distinct characters and words that the vocabulary has, shape (n,).
    ``lengths`` counts the characters of each normalised turn.
    """

    indptr: Ints
    ids: Ints
    values: Floats
    lengths: Ints
    known: Floats


class TurnEncoder:
    """Vocabulary with inverse document frequencies, and the two ways to apply it: to many turns, to one.

    Columns stand in the order words, cues, word pairs, character n-grams; the first two groups are what
    later turns remember of a turn (`n_context` columns).

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
        self.pair_start = self.n_context
        self.char_start = self.pair_start + len(self.pairs)
        self.n_features = self.char_start + len(self.chars)
        self._weight = np.concatenate(
            [
                self.idf[: len(self.words)],
                np.full(n_cues, settings.cue_weight, dtype=np.float32),
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
            chars.update(set(char_ngrams(text)))

        def kept(counts: Counter[str], minimum: int) -> list[str]:
            return sorted(feature for feature, count in counts.items() if count >= minimum)

        kept_words = kept(words, settings.min_df_words)
        kept_pairs = kept(pairs, settings.min_df_words)
        kept_chars = kept(chars, settings.min_df_chars)
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
    def _pair_table(self) -> KeyTable:
        ids = self._word_ids
        keys = [ids[a] * len(self.words) + ids[b] for a, b in (pair.split(" ") for pair in self.pairs)]
        return KeyTable(np.array(keys, dtype=np.int64))

    @cached_property
    def _char_numbers(self) -> Ints:
        """Code point → small number; 0 for characters that no feature and no lexicon has."""
        alphabet = sorted(set("".join(self.chars)) | set("".join(self.lexicons.of_phrase)) | {START, END})
        numbers = np.zeros(0x10000, dtype=np.int64)
        numbers[[ord(char) for char in alphabet]] = np.arange(1, len(alphabet) + 1)
        return numbers

    @cached_property
    def _n_chars(self) -> int:
        return int(self._char_numbers.max()) + 1

    @cached_property
    def _char_tables(self) -> tuple[tuple[KeyTable, Ints], ...]:
        """Per n-gram length 1, 2, 3: table of keys, and the column of each."""
        result = []
        for length in (1, 2, 3):
            columns = [i for i, ngram in enumerate(self.chars) if len(ngram) == length]
            keys = np.zeros(len(columns), dtype=np.int64)
            for place in range(length):
                codes = np.array([ord(self.chars[i][place]) for i in columns], dtype=np.int64)
                keys = keys * self._n_chars + self._char_numbers[codes]
            result.append((KeyTable(keys), np.array(columns, dtype=np.int64) + self.char_start))
        return tuple(result)

    @cached_property
    def _trie(self) -> tuple[KeyTable, Ints, Ints, Ints]:
        """Lexicon phrases as a trie: edges (node × character → node), then per node its classes (CSR)."""
        node_of_prefix: dict[str, int] = {"": 0}
        edges: list[tuple[int, str]] = []
        for phrase in self.lexicons.of_phrase:
            for end in range(1, len(phrase) + 1):
                if phrase[:end] not in node_of_prefix:
                    node_of_prefix[phrase[:end]] = len(edges) + 1
                    edges.append((node_of_prefix[phrase[: end - 1]], phrase[end - 1]))
        keys = np.array([node * self._n_chars + self._char_numbers[ord(c)] for node, c in edges], dtype=np.int64)
        classes = [self.lexicons.of_phrase.get(prefix, ()) for prefix in node_of_prefix]
        starts = np.cumsum([0, *map(len, classes)])
        flat = np.array([c for group in classes for c in group], dtype=np.int64)
        return KeyTable(keys), flat, starts[:-1], np.diff(starts)

    def _cues(self, numbers: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Return (row, class) of every lexicon phrase found, walking the trie from all places at once."""
        table, classes, starts, counts = self._trie
        place, node = np.arange(len(numbers)), np.zeros(len(numbers), dtype=np.int64)
        found_rows, found = [], []
        depth = 0
        while len(place):
            node = table.find(node * self._n_chars + numbers[place + depth])
            alive = node >= 0
            place, node = place[alive], node[alive] + 1
            hits = counts[node] > 0
            for nth in range(int(counts[node].max()) if len(node) else 0):
                more = hits & (counts[node] > nth)
                found_rows.append(rows[place[more]])
                found.append(classes[starts[node[more]] + nth])
            depth += 1
            inside = place + depth < len(numbers)
            place, node = place[inside], node[inside]
        if not found:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        return np.concatenate(found_rows), np.concatenate(found)

    def encode(self, texts: Sequence[str]) -> Rows:
        """Return the feature rows of many raw turns."""
        n = len(texts)
        normalised = normalise_all(texts)
        tokens = self.tokeniser.raw(normalised) if n else []
        ids = np.fromiter(map(self._word_ids.get, tokens, repeat(-1)), dtype=np.int64, count=len(tokens))
        rows = np.cumsum(ids == _NEXT_TURN)
        real = ids >= -1
        ids, rows = ids[real], rows[real]
        if len(ids):
            linked = (rows[1:] == rows[:-1]) & (ids[1:] >= 0) & (ids[:-1] >= 0)
            pairs = np.full(len(ids) - 1, -1, dtype=np.int64)
            pairs[linked] = self._pair_table.find((ids[:-1] * len(self.words) + ids[1:])[linked])
            pairs[pairs >= 0] += self.pair_start
        else:
            pairs = ids
        # The normaliser leaves nothing beyond 16 bits.
        codes = np.frombuffer((START + (END + START).join(normalised) + END).encode("utf-16-le"), dtype=np.uint16)
        numbers = self._char_numbers[codes]
        char_rows = np.cumsum(codes == ord(START)) - 1
        features = [ids, pairs]
        feature_rows = [rows, rows[1:]]
        key = np.zeros(len(numbers), dtype=np.int64)
        for length, (table, columns) in enumerate(self._char_tables, 1):
            end = len(numbers) - length + 1
            key = key[:end] * self._n_chars + numbers[length - 1 :]
            found = table.find(key)
            if len(columns):
                found = np.where(found >= 0, columns[found], -1)
            features.append(found)
            feature_rows.append(char_rows[:end])
            if length == 1:
                inside = (codes != ord(START)) & (codes != ord(END))
                lengths = np.bincount(char_rows[inside], minlength=n)[:n]
                seen = np.bincount(char_rows[inside & (found >= 0)], minlength=n)[:n]
        n_words = np.bincount(rows, minlength=n)[:n]
        n_known = np.bincount(rows[ids >= 0], minlength=n)[:n]
        if self.settings.cue_weight:
            cue_rows, cues = self._cues(numbers, char_rows)
            features.append(cues + len(self.words))
            feature_rows.append(cue_rows)
        flat, flat_rows = np.concatenate(features), np.concatenate(feature_rows)
        kept = flat >= 0
        keys = np.sort(flat_rows[kept] * self.n_features + flat[kept])
        first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else keys
        counts = np.diff(first, append=len(keys))
        row, column = np.divmod(keys[first], max(1, self.n_features))
        values = counts.astype(np.float64) * self._weight[column]
        is_cue = (column >= len(self.words)) & (column < self.pair_start)
        values[is_cue] = self._weight[column[is_cue]] * np.minimum(counts[is_cue], 2)
        block = 2 * row + (column >= self.char_start)
        squares = np.where(is_cue, 0, values * values)
        norms = np.sqrt(np.bincount(block, weights=squares, minlength=2 * n))
        values[~is_cue] /= norms[block[~is_cue]]
        return Rows(
            indptr=np.searchsorted(row, np.arange(n + 1)),
            ids=column,
            values=values.astype(np.float32),
            lengths=lengths if n else np.zeros(0, dtype=np.int64),
            known=((n_known + seen) / np.maximum(1, n_words + lengths)).astype(np.float32)
            if n
            else np.zeros(0, dtype=np.float32),
        )

    # --- one turn -------------------------------------------------------------------------------------------

    @cached_property
    def _columns(self) -> tuple[dict[str, int], dict[str, int]]:
        pairs = {pair: i + self.pair_start for i, pair in enumerate(self.pairs)}
        return pairs, {ngram: i + self.char_start for i, ngram in enumerate(self.chars)}

    def encode_one(self, text: str) -> tuple[list[int], list[float], int, float]:
        """Return (ids, values, length, known share) of one raw turn; the same features as `encode`."""
        (normalised,) = normalise_all([text])
        word_ids, (pair_ids, char_ids) = self._word_ids, self._columns
        tokens = self.tokeniser.cut(normalised)
        word_counts: dict[int, int] = {}
        n_known = 0
        for token in tokens:
            column = word_ids.get(token, -1)
            if column >= 0:
                n_known += 1
                word_counts[column] = word_counts.get(column, 0) + 1
        for a, b in pairwise(tokens):
            column = pair_ids.get(f"{a} {b}", -1)
            if column >= 0:
                word_counts[column] = word_counts.get(column, 0) + 1
        char_counts: dict[int, int] = {}
        for ngram in char_ngrams(normalised):
            column = char_ids.get(ngram, -1)
            if column >= 0:
                char_counts[column] = char_counts.get(column, 0) + 1
        n_known += sum(char in char_ids for char in normalised)
        ids: list[int] = []
        values: list[float] = []
        for counts in (word_counts, char_counts):
            weighted = [count * float(self._weight[column]) for column, count in counts.items()]
            norm = sum(value * value for value in weighted) ** 0.5
            ids.extend(counts)
            values.extend(value / norm for value in weighted)
        if self.settings.cue_weight:
            offset = {name: len(self.words) + i for i, name in enumerate(self.lexicons.names)}
            for name, count in self.lexicons.count(normalised).items():
                ids.append(offset[name])
                values.append(self.settings.cue_weight * min(count, 2))
        return ids, values, len(normalised), n_known / max(1, len(tokens) + len(normalised))


def char_ngrams(normalised: str) -> Iterable[str]:
    """Yield the character n-grams (1 to 3) of a normalised turn, boundary marks included.

    Examples
    --------
    >>> [g.replace(START, "⟨").replace(END, "⟩") for g in char_ngrams("好吗")]
    ['好', '吗', '⟨好', '好吗', '吗⟩', '⟨好吗', '好吗⟩']
    """
    yield from normalised
    marked = START + normalised + END
    for length in (2, 3):
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]
