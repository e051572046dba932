"""One tokeniser: jieba's dictionary and algorithm without the hidden Markov model.

``rjieba`` executes it (the same segmentation at many times the speed); ``jieba`` itself is the reference
and the fallback where no rjieba wheel exists.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

from funnelnlp.errors import FunnelError

ENGINES = ("rjieba", "jieba")


def read_user_dictionary(path: str | Path) -> tuple[tuple[str, int | None], ...]:
    """Read a user dictionary in jieba's format: ``word [frequency] [tag]`` a line.

    Parameters
    ----------
    path : str or pathlib.Path
        UTF-8 text; ``#`` starts a comment line.

    Returns
    -------
    tuple of (str, int or None)
        Words with their frequency, None where the file gives none.

    Raises
    ------
    FunnelError
        When the file cannot be read or a frequency is not a positive whole number.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FunnelError(f"user dictionary {path}: cannot be read as UTF-8 text ({error})") from None
    entries: list[tuple[str, int | None]] = []
    for number, line in enumerate(lines, 1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        frequency = None
        if len(parts) > 1 and parts[1].lstrip("+-").isdigit():
            frequency = int(parts[1])
            if frequency <= 0:
                raise FunnelError(f"user dictionary {path}, line {number}: frequency must be positive, got {frequency}")
        entries.append((parts[0].lower(), frequency))
    return tuple(entries)


def _rjieba() -> Any:
    """Return a cutter of rjieba.

    The package makes one for everybody when it is imported; beside our own that would be a second dictionary of
    24 MiB and 0.1 s. So the compiled module in it is taken without the package.
    """
    package = find_spec("rjieba")
    spec = package and PathFinder.find_spec("rjieba.rjieba", package.submodule_search_locations)
    if spec and spec.loader:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = import_module("rjieba")
    return module.Jieba()


class Tokeniser:
    """Cut normalised turns into words; one-character words are kept, white space is dropped.

    Parameters
    ----------
    user_words : sequence of (str, int or None), default ()
        Extra words with their frequency (see `read_user_dictionary`).
    engine : {"rjieba", "jieba", None}, default None
        None takes rjieba where it is installed and jieba elsewhere.

    Notes
    -----
    The engine is loaded at the first cut, not at import, and is never pickled: a pickled tokeniser
    carries its settings only. jieba's module-level functions are not used, because they share state
    across a process, log through a handler of their own and write a cache into the shared temp folder.

    Examples
    --------
    >>> Tokeniser().cut("我想退款吗")
    ['我', '想', '退款', '吗']
    """

    def __init__(self, user_words: Sequence[tuple[str, int | None]] = (), engine: str | None = None) -> None:
        if engine not in (None, *ENGINES):
            raise FunnelError(f"unknown tokeniser engine {engine!r}; accepted: {list(ENGINES)} or None")
        self.user_words = tuple((str(word), frequency) for word, frequency in user_words)
        self.engine = engine

    def __getstate__(self) -> dict[str, Any]:
        return {"user_words": self.user_words, "engine": self.engine}

    @cached_property
    def _cut(self) -> Callable[[str], list[str]]:
        engine = self.engine
        if engine != "jieba":
            try:
                cutter = _rjieba()
                for word, frequency in self.user_words:
                    cutter.add_word(word, frequency, None)
                return lambda text: cutter.cut(text, False)
            except ImportError:
                if engine == "rjieba":
                    raise FunnelError("the rjieba engine is not installed: pip install rjieba") from None
        import jieba

        reference = jieba.Tokenizer()
        # Reading the dictionary directly skips jieba's cache file in the shared temp folder and its log lines.
        reference.FREQ, reference.total = reference.gen_pfdict(reference.get_dict_file())
        reference.initialized = True
        for word, frequency in self.user_words:
            reference.add_word(word, frequency)
        return lambda text: reference.lcut(text, HMM=False)

    def cut_all(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the words of each of many normalised turns (none may hold a line break)."""
        result: list[list[str]] = [[]]
        words = result[0]
        for token in self.raw(texts):
            if token == "\n":
                words = []
                result.append(words)
            elif token != " ":
                words.append(token)
        return result[: len(texts)]

    def raw(self, texts: Sequence[str]) -> list[str]:
        """Return the tokens of all turns in one list, line breaks between turns and blanks included.

        One call for thousands of turns is what makes batches fast.
        """
        return self._cut("\n".join(texts))

    def cut(self, text: str) -> list[str]:
        """Return the words of one normalised turn."""
        tokens = self._cut(text)
        return [token for token in tokens if token != " "] if " " in text else tokens
