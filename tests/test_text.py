"""Normalising, placeholders, tokenising, lexicons."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import opencc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelnlp.errors import FunnelError
from funnelnlp.text import Lexicons, Tokeniser, normalise, normalise_all, read_lexicons, read_user_dictionary, readable

CASES = {
    "订单号JD20231107112": "订单号<编号>",
    "手机12655013380，备用 126-5501-3380": "手机<电话>,备用 <电话>",
    "我的号126****3380": "我的号<电话>",
    "身份证990101199001010017": "身份证<证件号>",
    "卡号0000 1234 5678 9012": "卡号<银行卡>",
    "发到abc.d@example.com": "发到<邮箱>",
    "京A00000剐了": "<车牌>剐了",
    "一共199.5元": "一共<金额>",
    "￥1,299": "<金额>",
    "2023-11-07 12:30": "<时间>",
    "11月7日下午3点半": "<时间>下午<时间>",
    "看https://example.com/a?b=1这个": "看<链接>这个",
    "@北屿通信客服你们管不管": "<提及>你们管不管",
    "[微笑][发怒][不认识]": "<joy><angry>[不认识]",
    "#E-s12#E-s[数字x]": "<表情>",
    "😡👍🏻": "<angry><approve>",
    "[数字x]-[数字x]个工作日": "<数字>-<数字>个工作日",
    "1-3个工作日": "<数字>-<数字>个工作日",
    "[姓名]您好 [订单x]": "<姓名>您好 <编号>",
    "密码是***": "密码是<掩码>",
    "打12315还是10010": "打12315还是<热线>",
    "退钱！！！": "退钱<叹号串>",
    "人呢？？？": "人呢<问号串>",
    "什么！？": "什么<问叹串>",
    "好吧……": "好吧<省略号>",
    "好吧。。。": "好吧<省略号>",
    "八八零三 五五幺二六七": "<编号>",
    "4s店的8d报告": "4s店的8d报告",
    "哈哈哈哈哈": "哈哈",
    "您好\r\n在吗\x00": "您好 在吗",
    "\ue000\ue015假的占位": "假的占位",
    "粤B1234挂": "<车牌>",
    "张三@qq.com": "<邮箱>",
    "加微信zhangsan88": "加微信<编号>",
    "订单号AB12CD34": "订单号<编号>",
    "一，三，八，零，零": "<编号>",
    "去了3,000次": "去了<数字>次",
    "嗯，那个 我想问下": "我想问下",
    "嗯": "嗯",
    "那个多少钱": "那个多少钱",
    "帐号登陆不了": "账号登录不了",
    # The longest reading of a number is not always the right one.
    "卡号0000123456789012-123到账": "卡号<银行卡>-<数字>到账",
    "0000 **** **** 1234": "<银行卡>",
    "110101********1234": "<证件号>",
    "+86 12655013380": "<电话>",
    "86-126-5501-3380": "<电话>",
    "a12655013380": "<编号>",
    "010-00000000或者400-123-0000": "<电话>或者<电话>",
    "0900-000-000": "<电话>",
    "hk$3万，rmb 100。3块钱": "<金额>,<金额>。<金额>",
    "3元素": "<数字>元素",
    "v2.3.1": "v2.3.1",
    "@小米 a.b,c": "<提及> a.b,c",
    "编号123 456 789": "编号<编号>",
    "": "",
}

# Each once took time that grew with the square of its length.
LONG = ["1" * 20_000, "12655013380" * 2000, "a" + " " * 50_000 + "b", "0123456789abcdef" * 1500 + "a.b", "a" * 20_000 + "@"]
LONG += ["_" * 20_000, "!" * 50_000, ":" * 20_000, " :" * 20_000, "1," * 20_000, "a.,~" * 10_000 + "b", "a." * 10_000]


@pytest.mark.parametrize(("raw", "expected"), CASES.items())
def test_normalise(raw: str, expected: str) -> None:
    assert readable(normalise(raw)) == expected


@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:6])
def test_time_grows_with_length_only(text: str) -> None:
    def seconds(part: str) -> float:
        start = time.process_time()
        normalise(part)
        return time.process_time() - start

    normalise(text[:100])
    short = min(seconds(text[: len(text) // 8]) for _ in range(3))
    assert seconds(text) < 8 * 4 * short + 0.05


def test_trailing_full_stop_makes_no_difference() -> None:
    assert normalise("好的。") == normalise("好的") == normalise(" 好的 ")
    assert normalise("好的！") != normalise("好的")


def half_to_full(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else ("\u3000" if c == " " else c) for c in text)


def full_to_half(text: str) -> str:
    return "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else (" " if c == "\u3000" else c) for c in text)


def test_traditional_and_width_versions_are_the_same_text(training, heldout) -> None:
    texts = [*training["text"], *heldout["text"]]
    plain = normalise_all(texts)
    for change in (half_to_full, full_to_half):
        assert normalise_all([change(text) for text in texts]) == plain
    for config in ("s2t", "s2tw", "s2hk"):
        convert = opencc.OpenCC(config).convert
        different = sum(a != b for a, b in zip(plain, normalise_all([convert(t) for t in texts]), strict=True))
        # Taiwan's 么 for the spoken digit 幺 and a handful of rare variants cannot be told apart.
        assert different <= 0.002 * len(texts), config


@given(st.lists(st.text(max_size=40), max_size=5))
@settings(max_examples=200, deadline=None)
def test_many_turns_normalise_as_one_by_one(texts: list[str]) -> None:
    # With many more beside them they take the short way.
    together = normalise_all([*texts, *["好"] * 50])[: len(texts)]
    assert together == normalise_all(texts) == [normalise(text) for text in texts]
    assert all("\n" not in text for text in together)


def test_the_short_way_changes_nothing(training, heldout) -> None:
    texts = [*training["text"], *heldout["text"]]
    texts += list(map(opencc.OpenCC("s2t").convert, texts[::5]))
    assert normalise_all(texts) == [normalise(text) for text in texts]


@given(
    st.lists(
        st.text("、;；,，。….:|  1a\u3000！？!?一二x么-·哈~干吗甚么著乾淨瞭解😀☺❤Σσ[微笑]12#e-s@", max_size=12),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=300, deadline=None)
def test_the_short_way_changes_nothing_where_signs_meet(texts: list[str]) -> None:
    assert normalise_all([*texts, *["好"] * 50])[: len(texts)] == [normalise(text) for text in texts]


def test_both_engines_cut_the_whole_corpus_alike(training, heldout) -> None:
    texts = normalise_all([*training["text"], *heldout["text"]])
    assert Tokeniser(engine="rjieba").cut_all(texts) == Tokeniser(engine="jieba").cut_all(texts)


def test_one_character_words_are_kept_and_joined_cutting_is_the_same() -> None:
    tokeniser = Tokeniser()
    texts = ["退吗", "", "我 要 退", "好"]
    assert tokeniser.cut("退吗") == ["退", "吗"]
    assert tokeniser.cut_all(texts) == [tokeniser.cut(text) for text in texts]


@pytest.mark.parametrize("engine", ["rjieba", "jieba"])
def test_user_dictionary(engine: str, tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# 业务词\n退差价\n闪送达 500 n\n", encoding="utf-8")
    words = read_user_dictionary(path)
    assert words == (("退差价", None), ("闪送达", 500))
    assert Tokeniser(words, engine).cut("我要退差价走闪送达") == ["我", "要", "退差价", "走", "闪送达"]


def test_user_dictionary_errors_say_where(tmp_path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("好词 3\n坏词 -2\n", encoding="utf-8")
    with pytest.raises(FunnelError, match="line 2"):
        read_user_dictionary(path)
    with pytest.raises(FunnelError, match="cannot be read"):
        read_user_dictionary(tmp_path / "nowhere.txt")


def test_tokeniser_pickles_without_its_engine() -> None:
    tokeniser = Tokeniser((("退差价", 100),))
    before = tokeniser.cut("我要退差价")
    assert pickle.loads(pickle.dumps(tokeniser)).cut("我要退差价") == before


def test_nothing_is_loaded_at_import_and_no_cache_is_written(tmp_path) -> None:
    code = (
        "import sys, funnelnlp.text as t\n"
        "assert 'jieba' not in sys.modules and 'rjieba' not in sys.modules\n"
        "t.Tokeniser(engine='jieba').cut('我要退款')\n"
        "import tempfile, os; assert os.listdir(tempfile.gettempdir()) == [], os.listdir(tempfile.gettempdir())\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env={"TMPDIR": str(tmp_path), "PATH": ""})


@pytest.mark.parametrize("imported", ["before", "after"])
def test_only_one_dictionary_is_made_and_it_is_our_own(imported: str) -> None:
    code = (
        "import sys, funnelnlp.text as t\n"
        "if sys.argv[1] == 'before': import rjieba; rjieba.add_word('我要退', 10**6, None)\n"
        "cut = t.Tokeniser((('差价我', 10**6),), engine='rjieba').cut\n"
        "assert cut('退差价我要退') == ['退', '差价我', '要', '退'], cut('退差价我要退')\n"
        "assert ('rjieba' in sys.modules) == (sys.argv[1] == 'before')\n"
        "import rjieba\n"
        "assert '差价我' not in rjieba.cut('退差价我要退', False)\n"
    )
    subprocess.run([sys.executable, "-c", code, imported], check=True)


def test_unknown_engine() -> None:
    with pytest.raises(FunnelError, match="rjieba"):
        Tokeniser(engine="hanlp")


def test_lexicons_fold_variants_and_let_classes_share_a_phrase() -> None:
    lexicons = Lexicons.from_phrases({"a": ["投诉", "投诉你们"], "b": ["訴你", "投訴"]})
    assert lexicons.of_phrase == {"投诉": (0, 1), "投诉你们": (0,), "诉你": (1,)}


def test_lexicon_errors(tmp_path) -> None:
    with pytest.raises(FunnelError, match="no lexicon"):
        read_lexicons(tmp_path)
    with pytest.raises(FunnelError, match="1 to 8"):
        Lexicons.from_phrases({"a": ["这一条实在是太长太长了"]})
