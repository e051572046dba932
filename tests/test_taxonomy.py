"""Tasks as data."""

from __future__ import annotations

import json

import pytest

from funnelnlp.errors import TaxonomyError
from funnelnlp.taxonomy import BUILTIN_TASKS, EMOTION_PHASE, FUNNEL_STAGE, Task, canonical_role, load_tasks


def test_builtin_tasks_are_the_guides() -> None:
    assert {task.name: (task.label_names, task.role) for task in BUILTIN_TASKS} == {
        "funnel_stage": (("引导", "筛选", "确认", "解决"), None),
        "question_type": (("非提问", "开放式", "封闭式", "引导式"), None),
        "spin_type": (("无", "背景", "难点", "暗示", "需求效益"), "agent"),
        "emotion_phase": (("平静", "不满", "愤怒", "对抗"), "customer"),
    }
    for task in (FUNNEL_STAGE, EMOTION_PHASE):
        assert all(label.response and label.definition and label.alias for label in task.labels)


def test_tasks_survive_json() -> None:
    for task in BUILTIN_TASKS:
        assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "x", "labels": ["a"]}, "at least two labels"),
        ({"name": "x", "labels": ["a", "a"]}, "more than once"),
        ({"name": "x", "labels": ["a", ""]}, "empty label"),
        ({"name": "x", "labels": ["a", 3]}, "got 3"),
        ({"name": "x", "labels": "ab"}, "must be a list"),
        ({"name": "", "labels": ["a", "b"]}, "needs a name"),
        ({"labels": ["a", "b"]}, "'name' and 'labels'"),
        ({"name": "x", "labels": ["a", "b"], "role": "boss"}, "boss"),
        ({"name": "x", "labels": ["a", "b"], "colour": 1}, "colour"),
    ],
)
def test_wrong_tasks_are_refused(data: dict, message: str) -> None:
    with pytest.raises(TaxonomyError, match=message):
        Task.from_dict(data)


@pytest.mark.parametrize(("content", "message"), [("{", "not valid JSON"), ("[]", "list of tasks"), ("{}", "list of tasks")])
def test_wrong_task_files_are_refused(content: str, message: str, tmp_path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(content)
    with pytest.raises(TaxonomyError, match=message):
        load_tasks(path)
    with pytest.raises(TaxonomyError, match="cannot be read"):
        load_tasks(tmp_path / "none.json")


def test_two_tasks_of_one_name(tmp_path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{"name": "x", "labels": ["a", "b"]}] * 2))
    with pytest.raises(TaxonomyError, match="must differ"):
        load_tasks(path)


def test_roles() -> None:
    for alias in ("客服", "坐席", "agent", "Assistant", "staff", "商家", " 机器人 "):
        assert canonical_role(alias) == "agent"
    for alias in ("客户", "用户", "买家", "customer", "USER", "客戶"):
        assert canonical_role(alias) == "customer"
    assert canonical_role("月亮") is None
    assert canonical_role(3) is None
