"""One encoder, two ways to apply it; the layout of conversations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelnlp.features import STRUCTURE_NAMES, lay_out, structure_matrix, structure_of
from funnelnlp.features.conversation import positions, role_code
from funnelnlp.features.ngrams import KeyTable


def row_as_dict(rows, i: int) -> dict[int, float]:
    part = slice(rows.indptr[i], rows.indptr[i + 1])
    return dict(zip(rows.ids[part].tolist(), rows.values[part].tolist(), strict=True))


def assert_same(encoder, texts: list[str]) -> None:
    rows = encoder.encode(texts)
    for i, text in enumerate(texts):
        ids, values, length, known = encoder.encode_one(text)
        assert row_as_dict(rows, i) == pytest.approx(dict(zip(ids, values, strict=True)), abs=1e-6), text
        assert (length, known) == (rows.lengths[i], pytest.approx(rows.known[i])), text


def test_batch_and_single_turn_encode_alike(model, heldout) -> None:
    assert_same(model.encoder, heldout["text"].tolist())
    assert_same(model.encoder, ["", "   ", "谢谢谢谢谢谢", "hello", "𠮷野家", "😀", "！", "\n"])


@given(st.lists(st.text(max_size=30), max_size=6))
@settings(max_examples=100, deadline=None)
def test_batch_and_single_turn_encode_alike_whatever_the_text(model, texts: list[str]) -> None:
    assert_same(model.encoder, texts)


def test_every_block_is_normalised(model, heldout) -> None:
    encoder = model.encoder
    rows = encoder.encode(heldout["text"].tolist()[:50])
    for i in range(50):
        row = row_as_dict(rows, i)
        words = [v for c, v in row.items() if c < len(encoder.words) or encoder.pair_start <= c < encoder.char_start]
        chars = [v for c, v in row.items() if c >= encoder.char_start]
        for block in (words, chars):
            assert not block or np.linalg.norm(block) == pytest.approx(1, abs=1e-5)


@given(st.lists(st.integers(0, 10**12), unique=True, max_size=200), st.lists(st.integers(0, 10**12), max_size=50))
def test_key_table_finds_what_it_holds(keys: list[int], others: list[int]) -> None:
    table = KeyTable(np.array(keys, dtype=np.int64))
    wanted = [*keys, *others]
    expected = [keys.index(key) if key in keys else -1 for key in wanted]
    assert table.find(np.array(wanted, dtype=np.int64)).tolist() == expected


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
        assert structure_of(place, int(lengths[i])) == matrix[i].tolist()


def test_rows_may_stand_in_any_order() -> None:
    layout = lay_out(np.array([0, 0, 0]), np.array([0, 1, 0]), np.array([2.0, 1.0, 0.0]))
    assert layout.same.tolist() == [2, -1, -1]
    assert layout.other.tolist() == [1, 2, -1]
    assert layout.index.tolist() == [2, 1, 0]


def test_structure_names_cover_every_number() -> None:
    places = positions(["agent"] * 30 + ["customer"] * 30)
    numbers = {n for place in places for length in (0, 1, 50, 500) for n in structure_of(place, length)}
    assert max(numbers) < len(STRUCTURE_NAMES)
    assert len(set(STRUCTURE_NAMES)) == len(STRUCTURE_NAMES)
