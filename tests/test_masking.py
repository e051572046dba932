"""Personal data in raw texts: found where the normaliser finds it, and spans kept on their words."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnelnlp.text import NAME_OF_CHAR, mask, normalise_all, personal_data

KINDS = "编号 电话 证件号 银行卡 邮箱 车牌 链接 提及".split()
PLACEHOLDERS = {char for char, name in NAME_OF_CHAR.items() if name.strip("<>") in KINDS}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话１２６５５０１３３８０，明天到", "电话<电话>，明天到"),
        ("订单号：ZN20231107112没发货", "订单号：<编号>没发货"),
        ("身份证11010119900307001X", "身份证<证件号>"),
        ("发到a.b@example.com吧", "发到<邮箱>吧"),
        ("幺三八零零幺三八零零零", "<编号>"),
        ("见https://example.com/a?b=1 谢谢", "见<链接> 谢谢"),
        ("3天了，花了200块，13号到，打12315", "3天了，花了200块，13号到，打12315"),
        ("", ""),
    ],
)
def test_what_is_masked(text: str, masked: str) -> None:
    assert mask(text)[0] == masked


def test_finds_what_the_normaliser_finds(heldout: pd.DataFrame) -> None:
    # What a log has masked itself ("[电话x]") is no personal data any more.
    texts = [text for text in heldout["text"] if "[" not in text and "【" not in text]
    for text, normalised in zip(texts, normalise_all(texts), strict=True):
        assert len(personal_data(text)) == sum(char in PLACEHOLDERS for char in normalised), text


@given(st.text(alphabet="电话订单0123456789@.a-zx，\n😀（", max_size=60), st.data())
def test_spans_stay_on_their_words(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found = personal_data(text)
    assert all(a < b <= c < d for (a, b, _), (c, d, _) in pairwise(found))
    masked, [(new_start, new_end)] = mask(text, [(start, end)])
    if start < end:
        assert masked[new_start:new_end] == masked_part(text, found, start, end)


def masked_part(text: str, found: list[tuple[int, int, str]], start: int, end: int) -> str:
    """Return the masked form of a part, put together the slow way."""
    shown = {place: text[place] for place in range(start, end)}
    for first, last, kind in found:
        if first < end and start < last:
            shown.update(dict.fromkeys(range(first, last), ""))
            shown[first] = f"<{kind}>"
    return "".join(shown[place] for place in sorted(shown))
