"""Reading and writing transcripts."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from funnelnlp import TranscriptError, read_transcripts, write_transcripts
from funnelnlp.transcripts import load_transcripts, to_records

ROWS = [
    {"会话ID": "c1", "轮次": "1", "角色": "客服", "内容": "您好，请讲", "订单": "00123"},
    {"会话ID": "c1", "轮次": "2", "角色": "客户", "内容": "怎么还没发货,\n急！", "订单": "00123"},
    {"会话ID": "c2", "轮次": "1", "角色": "用户", "内容": '他说"明天"到', "订单": "=1+1"},
]


def write_csv(path, rows=ROWS, encoding="utf-8") -> str:
    pd.DataFrame(rows).to_csv(path, index=False, encoding=encoding)
    return path


@contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def check_frame(frame: pd.DataFrame) -> None:
    assert list(frame.columns) == ["conversation_id", "turn_index", "role", "text", "订单"]
    assert frame["conversation_id"].tolist() == ["c1", "c1", "c2"]
    assert frame["turn_index"].tolist() == [1, 2, 1]
    assert frame["role"].tolist() == ["agent", "customer", "customer"]
    assert frame["text"].tolist() == [row["内容"] for row in ROWS]
    assert frame["订单"].tolist() == ["00123", "00123", "=1+1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_encodings(encoding: str, tmp_path) -> None:
    check_frame(read_transcripts(write_csv(tmp_path / "a.csv", encoding=encoding)))


def test_big5_only_when_asked_for(tmp_path) -> None:
    rows = [
        {"role": "客服", "text": "您好，請問有什麼可以為您服務的嗎"},
        {"role": "客戶", "text": "我的訂單還沒有收到，麻煩幫我查詢"},
    ]
    path = write_csv(tmp_path / "a.csv", rows, "big5")
    with pytest.raises(TranscriptError, match="--encoding"):
        read_transcripts(path)
    assert read_transcripts(path, encoding="big5")["text"].tolist() == [row["text"] for row in rows]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".xlsx"])
def test_what_is_written_is_read_again(suffix: str, tmp_path) -> None:
    frame = read_transcripts(write_csv(tmp_path / "a.csv"))
    for names in ("en", "zh"):
        path = tmp_path / f"{names}{suffix}"
        write_transcripts(frame, path, column_names=names)
        check_frame(read_transcripts(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["a.csv", f"en{suffix}", f"zh{suffix}"])


def test_csv_for_spreadsheets_has_a_bom(tmp_path) -> None:
    write_transcripts(pd.DataFrame({"role": ["agent"], "text": ["好"]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_records(tmp_path) -> None:
    frame = read_transcripts(write_csv(tmp_path / "a.csv")).assign(channel=["chat", "chat", "phone"])
    write_transcripts(frame, tmp_path / "r.jsonl", records=True)
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["conversation_id"] for line in lines] == ["c1", "c2"]
    assert lines[0]["channel"] == "chat" and len(lines[0]["turns"]) == 2
    again = read_transcripts(tmp_path / "r.jsonl")
    assert again["text"].tolist() == frame["text"].tolist()
    assert again["channel"].tolist() == ["chat", "chat", "phone"]
    assert to_records(again) == [{**line, "turns": line["turns"]} for line in lines]


def test_a_cut_emoji_does_not_stop_anything(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"role":"agent","text":"好\\ud83d","tags":["\\ud83d"]}\n', encoding="utf-8")
    frame = read_transcripts(tmp_path / "a.jsonl")
    assert frame["text"].tolist() == ["好\ufffd"]
    for suffix in (".csv", ".jsonl", ".xlsx", ".parquet"):
        write_transcripts(frame.drop(columns="tags"), tmp_path / f"o{suffix}")
        assert read_transcripts(tmp_path / f"o{suffix}")["text"].tolist() == ["好\ufffd"]


def test_line_breaks_inside_cells_survive(tmp_path) -> None:
    texts = ["a\rb", "a\nb", "a\r\nb", '"a"', "a,b"]
    write_transcripts(pd.DataFrame({"role": "agent", "text": texts}), tmp_path / "a.csv")
    assert read_transcripts(tmp_path / "a.csv")["text"].tolist() == texts


def test_what_a_format_cannot_hold_is_said(tmp_path) -> None:
    mixed = pd.DataFrame({"role": ["agent", "agent"], "text": ["a", "b"], "extra": [1, {"a": 2}]})
    with pytest.raises(TranscriptError, match="mixes types"):
        write_transcripts(mixed, tmp_path / "a.parquet")
    with pytest.raises(TranscriptError, match="do not fit a cell"):
        write_transcripts(pd.DataFrame({"role": ["agent"], "text": ["a" * 40_000]}), tmp_path / "a.xlsx")
    with pytest.raises(TranscriptError, match="would be called '内容'"):
        write_transcripts(mixed.assign(内容="x"), tmp_path / "a.csv", column_names="zh")
    zoned = pd.DataFrame({"role": ["agent"], "text": ["a"], "at": [pd.Timestamp("2026-01-01", tz="Asia/Shanghai")]})
    write_transcripts(zoned, tmp_path / "z.xlsx")
    assert [p.name for p in tmp_path.iterdir()] == ["z.xlsx"]


def test_missing_values_stay_missing(tmp_path) -> None:
    frame = pd.DataFrame({"role": ["agent"] * 2, "text": ["a", "b"], "n": pd.array([1, None], dtype="Int64")})
    frame["at"] = pd.to_datetime(["2026-01-01", None])
    write_transcripts(frame, tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[1]["n"] is None
    assert lines[1]["at"] is None


def test_a_parquet_index_is_a_column(tmp_path) -> None:
    frame = pd.DataFrame({"conversation_id": ["c", "c"], "role": ["agent"] * 2, "text": ["a", "b"]})
    frame.set_index("conversation_id").to_parquet(tmp_path / "a.parquet")
    assert read_transcripts(tmp_path / "a.parquet")["conversation_id"].tolist() == ["c", "c"]


def test_rows_without_turn_numbers_are_numbered(tmp_path) -> None:
    rows = [{"session_id": s, "speaker": "agent", "content": "好"} for s in ("a", "b", "a")]
    assert read_transcripts(write_csv(tmp_path / "a.csv", rows))["turn_index"].tolist() == [0, 0, 1]


def test_no_conversation_column_is_fine(tmp_path) -> None:
    frame = read_transcripts(write_csv(tmp_path / "a.csv", [{"role": "agent", "text": "好"}]))
    assert list(frame.columns) == ["role", "text"]


def test_column_overrides(tmp_path) -> None:
    path = tmp_path / "a.csv"
    rows = [{"谁": "客服", "说了": "好"}]
    with pytest.raises(TranscriptError, match="no column for role and text"):
        read_transcripts(write_csv(path, rows))
    frame = read_transcripts(path, columns={"role": "谁", "text": "说了"})
    assert frame.to_dict("records") == [{"role": "agent", "text": "好"}]
    write_csv(tmp_path / "b.csv", [{"role": "agent", "text": "旧", "内容": "新"}])
    frame = read_transcripts(tmp_path / "b.csv", columns={"text": "内容"})
    assert frame.to_dict("records") == [{"role": "agent", "text": "新", "text_original": "旧"}]
    with pytest.raises(TranscriptError, match="no column '话'"):
        read_transcripts(path, columns={"text": "话"})
    with pytest.raises(TranscriptError, match="is not one of"):
        read_transcripts(path, columns={"words": "说了"})


def test_two_columns_of_one_meaning_are_a_question(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", [{"角色": "客服", "内容": "好", "消息": "坏"}])
    with pytest.raises(TranscriptError, match="'内容' and '消息' both look like text"):
        read_transcripts(path)
    assert read_transcripts(path, columns={"text": "消息"})["text"].tolist() == ["坏"]


def test_a_folder_is_read_file_by_file(tmp_path) -> None:
    write_csv(tmp_path / "a.csv")
    write_csv(tmp_path / "b.csv")
    (tmp_path / "notes.txt").write_text("no transcript")
    assert len(read_transcripts(tmp_path)) == 6


# --- what goes wrong ----------------------------------------------------------------------------------------------

BAD_FILES = {
    "empty.csv": (b"", "the file is empty"),
    "header.csv": (b"role,text\n", "no rows in it"),
    "blank.jsonl": (b"\n\n", "no rows in it"),
    "columns.csv": ("谁,话\n客服,好\n".encode(), "no column for role and text; it has"),
    "role.csv": ("role,text\nagent,好\nmoon,好\n".encode(), "role.csv, row 3: unknown role: 'moon'; accepted: customer:"),
    "norole.csv": ("role,text\n,好\n".encode(), "row 2: unknown role: an empty cell"),
    "cells.csv": ("role,text\nagent,好,的\n".encode(), "row 2: 3 cells where the header has 2"),
    "twice.csv": (
        "conversation_id,turn_index,role,text\nc,1,agent,好\nc,1,agent,坏\n".encode(),
        "row 3: conversation 'c' has turn_index 1 twice, first in row 2",
    ),
    "number.csv": (
        "conversation_id,turn_index,role,text\nc,x,agent,好\n".encode(),
        "row 2: turn_index must be a number, got 'x'",
    ),
    "noid.csv": ("conversation_id,role,text\nc,agent,好\n,agent,好\n".encode(), "row 3: conversation_id is an empty cell"),
    "json.jsonl": ('{"role":"agent","text":"好"}\n{"role":\n'.encode(), "json.jsonl, row 2: not valid JSON"),
    "quote.csv": (
        'role,text\nagent,"您好\nagent,好\n'.encode(),
        "row 2: a quotation mark opens a cell here that is",
    ),
    "quotes.csv": ('role,text\nagent,"您好"的\nagent,好\n'.encode(), "row 2: not valid CSV"),
    "inf.csv": ("conversation_id,turn_index,role,text\nc,inf,agent,好\n".encode(), "turn_index must be a number, got 'inf'"),
    "huge.jsonl": (b'{"conversation_id":1,"turn_index":1e999,"role":"agent","text":"a"}\n', "turn_index must be a number"),
    "lists.jsonl": (b'{"conversation_id":[1],"role":"agent","text":"a"}\n', "conversation_id must be a text or a number"),
    "deep.jsonl": (b"[" * 100_000 + b"]" * 100_000 + b"\n", "line 1: not valid JSON"),
    "list.jsonl": ('{"role":"agent","text":"好"}\n[1]\n'.encode(), "row 2: expected an object, got list"),
    "turns.jsonl": (b'{"turns":[3]}\n', "line 1: 'turns' must be a list of objects"),
    "number.jsonl": (b'{"role":"agent","text":5}\n', "row 1: text must be text, got 5"),
    "null.jsonl": (b'{"turns":[{"role":"agent","text":null}]}\n', "row 1.0: text must be text, got an empty cell"),
    "utf8.csv": ("role,text\nagent,好\n".encode()[:-2] + b"\xff\xfe\xff\n", "neither UTF-8"),
    "book.xlsx": (b"this is no workbook", "cannot be read as an Excel workbook"),
    "table.parquet": (b"this is no table", "cannot be read as Parquet"),
    "log.txt": (b"x", "unknown file type '.txt'; accepted: .csv"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_errors_say_what_and_where(name: str, tmp_path) -> None:
    data, message = BAD_FILES[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(TranscriptError) as error:
        read_transcripts(tmp_path / name)
    assert message in str(error.value)
    assert name in str(error.value)


def test_missing_file_and_empty_folder(tmp_path) -> None:
    with pytest.raises(TranscriptError, match="no such file"):
        read_transcripts(tmp_path / "a.csv")
    with pytest.raises(TranscriptError, match="no transcript there"):
        read_transcripts(tmp_path)


def test_wrong_encoding_given(tmp_path) -> None:
    path = write_csv(tmp_path / "a.csv", encoding="gb18030")
    with pytest.raises(TranscriptError, match="not utf-8 text"):
        read_transcripts(path, encoding="utf-8")
    with pytest.raises(TranscriptError, match="unknown encoding"):
        read_transcripts(path, encoding="klingon")


def test_parquet_cells_that_are_no_text(tmp_path) -> None:
    pd.DataFrame({"role": ["agent", "agent"], "text": [1.5, np.nan]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(TranscriptError, match=r"row 1: text must be text, got 1.5"):
        read_transcripts(tmp_path / "a.parquet")


def test_bad_rows_can_be_left_out_but_never_silently(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "conversation_id,turn_index,role,text\nc,1,agent,好\nc,1,agent,坏\nc,2,moon,月\nc,3,agent,完\n", encoding="utf-8"
    )
    with pytest.warns(UserWarning, match="2 rows left out"):
        frame = read_transcripts(path, on_error="skip", rejected_to=tmp_path / "bad.csv")
    assert frame["text"].tolist() == ["好", "完"]
    bad = pd.read_csv(tmp_path / "bad.csv", dtype=str)
    assert bad["row"].tolist() == ["3", "4"]
    assert bad["text"].tolist() == ["坏", "月"]
    assert bad["error"].str.contains("twice|unknown role").all()
    with pytest.raises(TranscriptError, match="2 of 4 rows cannot be used"):
        read_transcripts(path)
    with pytest.raises(TranscriptError, match="'fail' or 'skip'"):
        read_transcripts(path, on_error="ignore")


def test_a_file_of_rejected_rows_can_be_read_again(tmp_path) -> None:
    write_csv(tmp_path / "a.csv", [{"row": 3, "error": "was bad", "role": r, "text": "好"} for r in ("moon", "agent")])
    result = load_transcripts(tmp_path / "a.csv")
    assert result.rejected[["row", "row_original", "error_original"]].to_numpy().tolist() == [[2, "3", "was bad"]]
    assert result.frame["error"].tolist() == ["was bad"]


def test_broken_lines_are_kept_with_the_rejected(tmp_path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"role":"agent","text":"好"}\nnonsense\n{"role":"moon","text":"好"}\n', encoding="utf-8")
    result = load_transcripts(path)
    assert len(result.frame) == 1
    assert result.rejected["row"].astype(str).tolist() == ["2", "3"]
    assert result.rejected["raw"].tolist()[0] == "nonsense"


def test_nothing_is_left_behind_when_writing_fails(tmp_path) -> None:
    frame = pd.DataFrame({"role": ["agent"], "text": ["好"]})
    with pytest.raises(TranscriptError, match="cannot be written"):
        write_transcripts(frame, tmp_path / "nowhere" / "a.csv")
    with pytest.raises(TranscriptError, match="unknown file type"):
        write_transcripts(frame, tmp_path / "a.doc")
    with pytest.raises(TranscriptError, match="jsonl only"):
        write_transcripts(frame, tmp_path / "a.csv", records=True)
    (tmp_path / "old.csv").write_text("old")

    with room_for(1000), pytest.raises(TranscriptError, match="File too large"):
        write_transcripts(pd.concat([frame] * 1000), tmp_path / "old.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"
