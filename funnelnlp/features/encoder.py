"""The words, characters and cues of one turn as a sparse TF-IDF row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features.ngrams import KeyTable
from funnelnlp.text import Lexicons, Tokeniser, normalise_all, readable
from funnelnlp.text.lexicons import MAX_LENGTH

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

    ``known`` is the share of a turn's characters and words that the vocabulary has, shape (n,).
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
    def _char_tables(self) -> tuple[KeyTable, ...]:
        """Per n-gram length 1, 2, 3: table from the key of an n-gram to its column."""
        result = []
        for length in (1, 2, 3):
            columns = [i for i, ngram in enumerate(self.chars) if len(ngram) == length]
            keys = np.zeros(len(columns), dtype=np.int64)
            for place in range(length):
                codes = np.array([ord(self.chars[i][place]) for i in columns], dtype=np.int64)
                keys = keys * self._n_chars + self._char_numbers[codes]
            result.append(KeyTable(keys, np.array(columns, dtype=np.int64) + self.char_start))
        return tuple(result)

    @cached_property
    def _trie(self) -> tuple[Ints, KeyTable, Ints, Ints, Ints]:
        """Lexicon phrases as a trie: character → node, (node × character) → node, then the classes of each node (CSR)."""
        node_of_prefix: dict[str, int] = {}
        edges: list[int] = []
        roots = np.full(self._n_chars, -1, dtype=np.int64)
        inner: list[int] = []
        for phrase in self.lexicons.of_phrase:
            for end in range(1, len(phrase) + 1):
                if phrase[:end] in node_of_prefix:
                    continue
                node = node_of_prefix[phrase[:end]] = len(node_of_prefix)
                number = int(self._char_numbers[ord(phrase[end - 1])])
                if end == 1:
                    roots[number] = node
                else:
                    edges.append(node_of_prefix[phrase[: end - 1]] * self._n_chars + number)
                    inner.append(node)
        classes = [self.lexicons.of_phrase.get(prefix, ()) for prefix in node_of_prefix]
        starts = np.cumsum([0, *map(len, classes)])
        flat = np.array([c for group in classes for c in group], dtype=np.int64)
        return (
            roots,
            KeyTable(np.array(edges, dtype=np.int64), np.array(inner, dtype=np.int64)),
            starts[:-1],
            np.diff(starts),
            flat,
        )

    def _cues(self, numbers: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Return (row, class) of every lexicon phrase found, walking the trie from all places at once."""
        roots, table, starts, counts, classes = self._trie
        node = np.take(roots, numbers, mode="clip")
        place = np.flatnonzero(node >= 0)
        node = node[place]
        places, nodes = [place], [node]
        for depth in range(1, MAX_LENGTH):
            inside = len(numbers) - depth
            if len(place) and place[-1] >= inside:
                kept = place < inside
                place, node = place[kept], node[kept]
            node = table.find(node * self._n_chars + numbers[place + depth])
            alive = np.flatnonzero(node >= 0)
            place, node = place[alive], node[alive]
            places.append(place)
            nodes.append(node)
        found_rows, found = rows[np.concatenate(places)], np.concatenate(nodes)
        times = counts[found]
        nth = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        return np.repeat(found_rows, times), classes[np.repeat(starts[found], times) + nth]

    def encode(self, texts: Sequence[str]) -> Rows:
        """Return the feature rows of many raw turns."""
        n = len(texts)
        if not n:
            nothing = np.zeros(0, dtype=np.int64)
            return Rows(np.zeros(1, dtype=np.int64), nothing, np.zeros(0, np.float32), nothing, np.zeros(0, np.float32))
        normalised = normalise_all(texts)
        tokens = self.tokeniser.raw(normalised)
        ids = np.fromiter(map(self._word_ids.get, tokens, repeat(-1)), dtype=np.int64, count=len(tokens))
        rows = np.cumsum(ids == _NEXT_TURN)
        real = np.flatnonzero(ids >= -1)
        ids, rows = ids[real], rows[real]
        known_words = np.flatnonzero(ids >= 0)
        linked = known_words[1:][np.diff(known_words) == 1]
        linked = linked[rows[linked] == rows[linked - 1]]
        pairs = self._pair_table.find(ids[linked - 1] * len(self.words) + ids[linked])
        hits = np.flatnonzero(pairs >= 0)
        found = [
            rows[known_words] * self.n_features + ids[known_words],
            rows[linked[hits]] * self.n_features + pairs[hits] + self.pair_start,
        ]
        # The normaliser leaves nothing beyond 16 bits.
        codes = np.frombuffer((START + (END + START).join(normalised) + END).encode("utf-16-le"), dtype=np.uint16)
        numbers = np.take(self._char_numbers, codes, mode="clip")
        bounds = np.flatnonzero(codes == ord(START))
        lengths = np.diff(bounds, append=len(codes)) - 2
        char_rows = np.repeat(np.arange(n), lengths + 2)
        key = np.zeros(len(numbers), dtype=np.int64)
        for length, table in enumerate(self._char_tables, 1):
            end = len(numbers) - length + 1
            key = key[:end] * self._n_chars + numbers[length - 1 :]
            columns = table.find(key)
            hits = np.flatnonzero(columns >= 0)
            found.append(char_rows[hits] * self.n_features + columns[hits])
            if length == 1:
                known_chars = np.bincount(char_rows[hits], minlength=n)
        if self.settings.cue_weight:
            cue_rows, cues = self._cues(numbers, char_rows)
            found.append(cue_rows * self.n_features + cues + len(self.words))
        keys = np.concatenate(found)
        if n * self.n_features < 2**31:
            keys = keys.astype(np.int32)  # sorts in half the time
        keys.sort()
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(first, append=len(keys))
        row, column = np.divmod(keys[first].astype(np.int64), max(1, self.n_features))
        is_cue = (column >= len(self.words)) & (column < self.pair_start)
        counts[is_cue] = np.minimum(counts[is_cue], 2)
        values = counts * np.take(self._weight, column, mode="clip")
        # Words and characters are each scaled to length 1; cues, the last block, are not.
        block = np.where(is_cue, 2 * n, 2 * row + (column >= self.char_start))
        squares = np.bincount(block, weights=values * values, minlength=2 * n + 1)
        squares[2 * n] = 1
        squares[squares == 0] = 1
        values *= np.take(1 / np.sqrt(squares), block, mode="clip")
        n_words = np.bincount(rows, minlength=n)
        known = np.bincount(rows[known_words], minlength=n) + known_chars
        return Rows(
            indptr=np.searchsorted(row, np.arange(n + 1)),
            ids=column,
            values=values.astype(np.float32),
            lengths=lengths,
            known=(known / np.maximum(1, n_words + lengths)).astype(np.float32),
        )

    # --- one turn -------------------------------------------------------------------------------------------

    @cached_property
    def _columns(self) -> tuple[dict[str, int], dict[str, int]]:
        pairs = {pair: i + self.pair_start for i, pair in enumerate(self.pairs)}
        return pairs, {ngram: i + self.char_start for i, ngram in enumerate(self.chars)}

    @cached_property
    def _cue_columns(self) -> dict[str, int]:
        return {name: len(self.words) + i for i, name in enumerate(self.lexicons.names)}

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
        columns = list(map(char_ids.get, char_ngrams(normalised)))
        # Single characters come first.
        n_known += len(normalised) - columns[: len(normalised)].count(None)
        char_counts: dict[int, int] = {}
        for found in columns:
            if found is not None:
                char_counts[found] = char_counts.get(found, 0) + 1
        ids: list[int] = []
        values: list[float] = []
        for counts in (word_counts, char_counts):
            weighted = [count * float(self._weight[column]) for column, count in counts.items()]
            norm = sum(value * value for value in weighted) ** 0.5
            ids.extend(counts)
            values.extend(value / norm for value in weighted)
        if self.settings.cue_weight:
            for name, count in self.lexicons.count(normalised).items():
                ids.append(self._cue_columns[name])
                values.append(self.settings.cue_weight * min(count, 2))
        return ids, values, len(normalised), n_known / max(1, len(tokens) + len(normalised))


def char_ngrams(normalised: str) -> list[str]:
    """Return the character n-grams (1 to 3) of a normalised turn, boundary marks included.

    Examples
    --------
    >>> [g.replace(START, "⟨").replace(END, "⟩") for g in char_ngrams("好吗")]
    ['好', '吗', '⟨好', '好吗', '吗⟩', '⟨好吗', '好吗⟩']
    """
    marked = START + normalised + END
    return [
        *normalised,
        *[marked[i : i + 2] for i in range(len(marked) - 1)],
        *[marked[i : i + 3] for i in range(len(marked) - 2)],
    ]
