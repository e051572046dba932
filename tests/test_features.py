"""One encoder, two ways to apply it; the layout of conversations."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelnlp.features import STRUCTURE_NAMES, lay_out, structure_matrix
from funnelnlp.features.conversation import positions, role_code
from funnelnlp.features.ngrams import _MULTIPLIERS, PACKED, KeyTable, Trie, word_keys
from funnelnlp.features.structure import LENGTH_FEATURES, PLACE_FEATURES, kinds_of
from funnelnlp.training.fit import own_matrix


def of_row(block, i: int) -> list[int]:
    return sorted(block.ids[block.indptr[i] : block.indptr[i + 1]].tolist())


def assert_same(encoder, texts: list[str]) -> None:
    rows = encoder.encode(texts)
    for i, text in enumerate(texts):
        turn = encoder.encode_one(text)
        for block in ("words", "pairs", "chars", "cues"):
            assert of_row(getattr(rows, block), i) == sorted(getattr(turn, block)), (text, block)
        assert (turn.length, turn.known) == (rows.lengths[i], pytest.approx(rows.known[i])), text


def test_batch_and_single_turn_encode_alike(model, heldout) -> None:
    assert_same(model.encoder, heldout["text"].tolist())
    assert_same(model.encoder, ["", "   ", "谢谢谢谢谢谢", "hello", "𠮷野家", "😀", "！", "\n"])


@given(st.lists(st.text(max_size=30), max_size=6))
@settings(max_examples=100, deadline=None)
def test_batch_and_single_turn_encode_alike_whatever_the_text(model, texts: list[str]) -> None:
    assert_same(model.encoder, texts)


def test_batch_and_single_turn_find_the_same_phrases_however_they_overlap(model) -> None:
    choose = Random(0)
    phrases = sorted(model.encoder.lexicons.of_phrase)
    texts = [
        "".join(phrase[: choose.randint(1, len(phrase))] for phrase in choose.choices(phrases, k=choose.randint(1, 6)))
        for _ in range(2000)
    ]
    assert_same(model.encoder, texts)
    assert sum(len(model.encoder.encode_one(text).cues) for text in texts) > 2000


def test_every_block_is_scaled_by_its_occurrences(model, heldout) -> None:
    encoder = model.encoder
    texts = heldout["text"].tolist()[:50]
    matrix = own_matrix(encoder.encode(texts), encoder)
    for i, text in enumerate(texts):
        turn = encoder.encode_one(text)
        row = dict(zip(*encoder.weigh(turn), strict=True))
        assert dict(zip(matrix[i].indices.tolist(), matrix[i].data.tolist(), strict=True)) == pytest.approx(row, abs=1e-6)
        for block, is_words in (([*turn.words, *turn.pairs], True), (turn.chars, False)):
            counts = Counter(block)
            # The squares of all occurrences add up to 1; for words, to the share of their norm in the usual one.
            usual = float(np.linalg.norm(encoder.weight[block])) / 20 if is_words else 1
            assert not block or sum(row[c] ** 2 / n for c, n in counts.items()) == pytest.approx(usual, abs=1e-5)
        for cue, n in Counter(turn.cues).items():
            assert n <= 2 and row[cue] == pytest.approx(n * encoder.settings.cue_weight)
            assert row[cue + encoder.to_dense] == pytest.approx(row[cue] * encoder.cue_share(turn.length))


def test_a_cue_counts_by_length_as_much_as_by_itself_in_a_turn_of_the_set_length(model) -> None:
    encoder = model.encoder
    usual = encoder.settings.cue_density
    assert encoder.cue_share(usual) == 1
    shares = encoder.cue_share(np.array([1, usual, 10 * usual]))
    assert 2 > shares[0] > shares[1] > shares[2] > 0


@pytest.mark.parametrize("limit", [2**31 - 1, 10**12])
@given(data=st.data())
def test_key_table_finds_what_it_holds(limit: int, data) -> None:
    keys = data.draw(st.lists(st.integers(0, limit - 1), unique=True, max_size=200))
    others = data.draw(st.lists(st.integers(0, limit - 1), max_size=50))
    table = KeyTable(np.array(keys, dtype=np.int64), np.arange(len(keys)), limit)
    wanted = [*keys, *others]
    expected = [keys.index(key) if key in keys else -1 for key in wanted]
    assert table.find(np.array(wanted, dtype=np.int64)).tolist() == expected


def test_key_table_takes_more_room_where_keys_collide() -> None:
    limit = 2**31 - 1
    small = KeyTable(np.arange(3), np.arange(3), limit)
    keys = np.arange(20_000, dtype=np.int32)
    first, second = (small._slots(keys, multiplier) for multiplier in _MULTIPLIERS)
    # Three keys for two slots.
    three = keys[(first == first[0]) & (second == second[0])][:3]
    assert len(three) == 3
    assert KeyTable(three, np.arange(3), limit).find(np.array([*three, 1])).tolist() == [0, 1, 2, -1]


@given(st.lists(st.text("退款吗啊\ue000 \n", min_size=1, max_size=5), max_size=20))
def test_words_of_up_to_three_characters_have_keys_of_their_own(words: list[str]) -> None:
    keys, lengths = word_keys(words)
    assert lengths.tolist() == list(map(len, words))
    short = {word: int(key) for word, key in zip(words, keys, strict=True) if len(word) <= PACKED}
    assert len(set(short.values())) == len(short)
    assert [short.get(word[:PACKED], key) for word, key in zip(words, keys.tolist(), strict=True)] == keys.tolist()


@given(st.dictionaries(st.text("abcd", min_size=1, max_size=3), st.integers(0, 99), max_size=20), st.text("abcde", max_size=30))
def test_trie_finds_every_ngram_and_phrase(columns: dict[str, int], text: str) -> None:
    classes = {"abcd": [1, 2], "bb": [3], "cab": [2]}
    codes = np.frombuffer(text.encode("utf-16-le"), dtype=np.uint16)
    grid, places, found = Trie(columns, classes).walk(codes)
    for place in range(len(text)):
        for length in range(1, grid.shape[1] + 1):
            gram = text[place : place + length]
            assert grid[place, length - 1] == (columns.get(gram, -1) if len(gram) == length else -1)
    expected = [
        (i, c) for i in range(len(text)) for phrase, group in classes.items() if text.startswith(phrase, i) for c in group
    ]
    assert sorted(zip(places.tolist(), found.tolist(), strict=True)) == sorted(expected)


TURNS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["customer", "agent", None])), max_size=40)


@given(TURNS)
def test_layout_equals_a_plain_walk(turns: list[tuple[int, str | None]]) -> None:
    conversation = np.array([c for c, _ in turns], dtype=np.int64)
    roles = np.array([role_code(r) for _, r in turns], dtype=np.int64)
    layout = lay_out(conversation, roles)
    lengths = np.arange(len(turns))
    matrix = structure_matrix(layout, lengths) if turns else np.zeros((0, 5), dtype=np.int64)
    seen: dict[int, list[int]] = {}
    for i, (c, _) in enumerate(turns):
        before = seen.setdefault(c, [])
        same = [j for j in before if roles[j] == roles[i]]
        assert layout.same[i] == (same[-1] if same else -1)
        others = list(before)
        while others and roles[others[-1]] == roles[i]:
            others.pop()
        assert layout.other[i] == (others[-1] if others else -1)
        before.append(i)
        place = positions([turns[j][1] for j in before])[-1]
        assert (place.index, place.run) == (layout.index[i], layout.run[i])
        kind, size = kinds_of(place, int(lengths[i]))
        assert [*PLACE_FEATURES[kind], *LENGTH_FEATURES[size]] == matrix[i].tolist()


def test_rows_may_stand_in_any_order() -> None:
    layout = lay_out(np.array([0, 0, 0]), np.array([0, 1, 0]), np.array([2.0, 1.0, 0.0]))
    assert layout.same.tolist() == [2, -1, -1]
    assert layout.other.tolist() == [1, 2, -1]
    assert layout.index.tolist() == [2, 1, 0]


def test_structure_names_cover_every_number() -> None:
    places = positions(["agent"] * 30 + ["customer"] * 30)
    on = [kinds_of(place, length) for place in places for length in (0, 1, 50, 500)]
    assert max(kind for kind, _ in on) < len(PLACE_FEATURES) and max(size for _, size in on) < len(LENGTH_FEATURES)
    assert {*PLACE_FEATURES.ravel().tolist(), *LENGTH_FEATURES.ravel().tolist()} == set(range(len(STRUCTURE_NAMES)))
    assert len(set(STRUCTURE_NAMES)) == len(STRUCTURE_NAMES)
