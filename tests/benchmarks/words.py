"""jieba as a tokeniser that can be pickled by name, as `jieba.lcut` itself cannot; imports nothing else."""

from __future__ import annotations

import jieba


def jieba_words(text: str) -> list[str]:
    return jieba.lcut(text)
