"""What a corpus must not hold: near-duplicates across conversations, and data of real people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from funnelnlp.text import normalise_all

NEAR = 0.6
_SHINGLE = 5
_SHORTEST = 13
_BLOCK = 2000

_MOBILE = re.compile(r"(?<!\d)1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")
_IDENTITY = re.compile(r"(?<!\d)(\d{17})([\dXx])(?!\d)")
_CARD = re.compile(r"(?<!\d)(?:\d{4}[ -]?){3,4}\d{1,4}(?!\d)")
_MAIL = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
_RESERVED_DOMAINS = ("example.com", "example.cn", "example.org", "example.net")
_IDENTITY_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def _shingles(text: str) -> set[str]:
    return {text[i : i + _SHINGLE] for i in range(len(text) - _SHINGLE + 1)}


def near_duplicates(frame: pd.DataFrame, other: pd.DataFrame | None = None) -> list[tuple[Any, Any, float]]:
    """Find turns that are nearly the same in two different conversations.

    Parameters
    ----------
    frame : pandas.DataFrame
    other : pandas.DataFrame, optional
        Compare with these turns instead of with each other.

    Returns
    -------
    list of (row, row, similarity)
        Turns of more than twelve characters whose sets of character 5-grams overlap by a Jaccard index of
        0.6 or more (Broder, *On the resemblance and containment of documents*, 1997), most similar first.

    Examples
    --------
    >>> import pandas as pd
    >>> texts = ["您的退款申请已经提交上去了，三天到", "您的退款申请已经提交上去了，请留意"]
    >>> [(a, b) for a, b, _ in near_duplicates(pd.DataFrame({"conversation_id": ["a", "b"], "text": texts}))]
    [(0, 1)]
    """
    second = frame if other is None else other
    texts = [normalise_all(f["text"].tolist()) for f in (frame, second)]
    kept = [[i for i, text in enumerate(part) if len(text) >= _SHORTEST] for part in texts]
    if not kept[0] or not kept[1]:
        return []
    counter = CountVectorizer(analyzer=_shingles, dtype=np.int32).fit([texts[0][i] for i in kept[0]])
    left = counter.transform([texts[0][i] for i in kept[0]])
    right = counter.transform([texts[1][i] for i in kept[1]])
    sizes = [np.array([len(_shingles(part[i])) for i in rows]) for part, rows in zip(texts, kept, strict=True)]
    conversations = [f["conversation_id"].tolist() if "conversation_id" in f else list(range(len(f))) for f in (frame, second)]
    found = []
    for start in range(0, left.shape[0], _BLOCK):
        shared = (left[start : start + _BLOCK] @ right.T).tocoo()
        a, b = shared.row + start, shared.col
        similarity = shared.data / (sizes[0][a] + sizes[1][b] - shared.data)
        for i, j, value in zip(a, b, similarity, strict=True):
            if value < NEAR or (other is None and i >= j):
                continue
            row, twin = kept[0][i], kept[1][j]
            if other is not None or conversations[0][row] != conversations[1][twin]:
                found.append((frame.index[row], second.index[twin], float(value)))
    return sorted(found, key=lambda hit: -hit[2])


def personal_data(frame: pd.DataFrame) -> Iterator[tuple[Any, str, str]]:
    """Find what may belong to a real person: yield (row, kind, text found).

    Numbers count when a real one could look like that: mobile numbers of assigned prefixes, identity cards
    with a right check digit (GB 11643-1999), bank cards with a right check digit (ISO/IEC 7812, Luhn), e-mail
    addresses outside the reserved domains (RFC 2606).

    Parameters
    ----------
    frame : pandas.DataFrame

    Examples
    --------
    >>> import pandas as pd
    >>> [kind for _, kind, _ in personal_data(pd.DataFrame({"text": ["写信到a@example.com", "打12655013380", "a@b.com"]}))]
    ['e-mail address']
    """
    for row, text in frame["text"].items():
        for match in _MOBILE.finditer(text):
            yield row, "mobile number", match[0]
        for match in _IDENTITY.finditer(text):
            total = sum(int(d) * w for d, w in zip(match[1], _IDENTITY_WEIGHTS, strict=True))
            if "10X98765432"[total % 11] == match[2].upper():
                yield row, "identity card", match[0]
        for match in _CARD.finditer(text):
            digits = [int(d) for d in match[0] if d.isdigit()]
            if len(digits) >= 15 and digits[0] and _luhn(digits):
                yield row, "bank card", match[0]
        for match in _MAIL.finditer(text):
            if not match[1].lower().endswith(_RESERVED_DOMAINS):
                yield row, "e-mail address", match[0]


def _luhn(digits: list[int]) -> bool:
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def distinct_n(texts: list[str], n: int) -> float:
    """Return the share of different character n-grams among all of them (distinct-n, Li et al. 2016).

    Examples
    --------
    >>> distinct_n(["好的好的"], 2)
    0.6666666666666666
    """
    grams = [text[i : i + n] for text in normalise_all(texts) for i in range(len(text) - n + 1)]
    return len(set(grams)) / max(1, len(grams))
