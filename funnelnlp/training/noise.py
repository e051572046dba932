"""Noisy copies of training conversations: what speech recognition and hasty typing do to text, labels unchanged."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from funnelnlp.features import Layout

_FILLERS = "呃 额 那什么 这个 就 然后呢 我说 我跟你说 哎 诶 唉 喂 其实 反正".split()
_GREETINGS = "您好 你好 亲 亲亲 亲爱的 在吗 老师 师傅 哈喽 hello".split()
_SLIPS = tuple(
    slip.split("→")
    for slip in (
        "已经→己经 账→帐 再→在 在→再 的→得 得→的 地→的 做→作 作→做 他→她 她→他 它→他 哪→那 那→哪 吗→嘛 吧→把 买→卖 "
        "收→受 应该→因该 可能→可捏 没→每 有→由 是→事 时候→时侯 快递→快弟 订单→定单 退款→退宽 为什么→为森么 怎么→咋么 什么→神马"
    ).split()
)
_PARTICLES = "了啊呢吧吗呀哦的"
# With one of these left a question stays one without its mark.
_ASKS = re.compile(r"[吗呢么吧嘛]|谁|哪|什么|怎么|多少|几|为啥|咋|是不是|有没有|能不能|(.)[不没]\1|还是")
_PAUSES = re.compile("[，。、；,;：:~]|(?<![!！])[!！](?![!！])")
_MARK = re.compile("[?？]+")


def _without_marks(text: str) -> str:
    bare = _PAUSES.sub("", text)
    bare = _MARK.sub("", bare) if _ASKS.search(bare) else bare
    return bare if bare.strip() else text


def noisy(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Return the turns of one conversation as a recogniser or a hasty typist would have left them.

    In two conversations of five the punctuation goes, except where it alone makes a question or a shout.
    In three turns of five one of these happens: a filler or a greeting in front, a slip of the keyboard,
    a doubled final particle, a blank inside the turn.

    Parameters
    ----------
    texts : sequence of str
    rng : numpy.random.Generator

    Returns
    -------
    list of str

    Examples
    --------
    >>> noisy(["您好，请问订单号是多少？", "退货！！"], np.random.default_rng(3))
    ['喂您好请问订单号是多少', '额退货！！']
    """
    result = []
    bare = rng.random() < 0.4
    for text in texts:
        text = _without_marks(text) if bare else text
        change = int(rng.integers(5)) if rng.random() < 0.6 else None
        comma = "" if bare else "，" if rng.random() < 0.5 else " "
        if change == 0:
            text = f"{rng.choice(_FILLERS)}{comma}{text}"
        elif change == 1:
            text = f"{rng.choice(_GREETINGS)}{comma}{text}"
        elif change == 2:
            fitting = [slip for slip in _SLIPS if slip[0] in text]
            if fitting:
                right, wrong = fitting[int(rng.integers(len(fitting)))]
                text = text.replace(right, wrong, 1)
        elif change == 3:
            if text and text[-1] in _PARTICLES:
                text += text[-1]
        elif change == 4 and len(text) > 3:
            place = int(rng.integers(1, len(text)))
            text = f"{text[:place]} {text[place:]}"
        result.append(text)
    return result


def noisy_copies(texts: Sequence[str], layout: Layout, share: float) -> tuple[NDArray[np.int64], list[str]]:
    """Draw conversations and return noisy copies of them.

    Parameters
    ----------
    texts : sequence of str, length n
    layout : Layout
    share : float
        Of the conversations.

    Returns
    -------
    rows : ndarray of int64, shape (m,)
        The rows copied, by conversation and turn.
    texts : list of str, length m
    """
    rng = np.random.default_rng(0)
    first = np.flatnonzero(layout.index[layout.order] == 0)
    rows: list[NDArray[np.int64]] = []
    result: list[str] = []
    for conversation in np.split(layout.order, first[1:]):
        if len(conversation) and rng.random() < share:
            rows.append(conversation)
            result += noisy([texts[i] for i in conversation], rng)
    return np.concatenate([np.zeros(0, dtype=np.int64), *rows]), result
