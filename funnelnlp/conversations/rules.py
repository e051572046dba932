"""Quality rules as data: what a rule says, where it comes from, and when it hits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from funnelnlp.conversations.checks import CHECKS
from funnelnlp.conversations.dialogue import PHASES, STAGES, Dialogue
from funnelnlp.conversations.phrases import Phrases, Span, bundled_phrases
from funnelnlp.errors import FunnelError
from funnelnlp.taxonomy import QUESTION_TYPE, ROLES, SPIN_TYPE

SEVERITIES = ("严重", "一般", "提示")
KINDS = ("turn", "conversation")
_LABELS = {
    "funnel_stage": STAGES,
    "question_type": QUESTION_TYPE.label_names,
    "spin_type": SPIN_TYPE.label_names,
    "emotion_phase": PHASES,
    "customer_phase": PHASES,
}
_PATTERNS = ("any", "any_if_upset", "unless", "unless_run")


class RuleError(FunnelError):
    """A rule file that cannot be understood (file, rule and field are named)."""


class Hit(NamedTuple):
    """One hit of a rule in a conversation; turn -1 where no single turn shows it."""

    rule: Rule
    turn: int
    span: Span


@dataclass(frozen=True)
class Rule:
    """One quality rule.

    Attributes
    ----------
    id : str
    title, title_en : str
    severity : {"严重", "一般", "提示"}
    kind : {"turn", "conversation"}
        A rule of kind "conversation" hits a conversation once.
    definition : str
        What a hit is.
    source : str
        The chapter of the service handbook that asks for it.
    suggestion : str
        One better way to put it.
    role : {"agent", "customer"}
        Whose turns the patterns are looked for in.
    any : tuple of str
        Regular expressions over the folded text (half width, lower case, Simplified); one must occur.
    any_if_upset : tuple of str
        Expressions that count only where the customer's run before is 不满 or higher.
    unless : tuple of str
        None of these may occur in the same turn.
    unless_run : tuple of str
        Nor these in the turns of the same run of that speaker.
    when : mapping of str to tuple of str
        Labels that the turn must have; ``customer_phase`` is the highest phase of the customer's run before it.
    check : str
        Name of a structural check (`funnelnlp.conversations.checks.CHECKS`) that takes the place of patterns.
    """

    id: str
    title: str
    title_en: str
    severity: str
    kind: str
    definition: str
    source: str
    suggestion: str
    role: str = "agent"
    any: tuple[str, ...] = ()
    any_if_upset: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    unless_run: tuple[str, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    check: str = ""

    def hits(self, d: Dialogue, summary: Mapping[str, Any]) -> list[Hit]:
        """Return the hits in a conversation.

        Parameters
        ----------
        d : Dialogue
        summary : mapping
            Its summary, which structural checks build on.
        """
        if self.check:
            found = [Hit(self, turn, span) for turn, span in CHECKS[self.check](d, summary)]
        else:
            found = [
                Hit(self, turn, span)
                for turn in d.turns_of(self.role)
                if (span := self._span(d, turn)) is not None and self._holds(d, turn)
            ]
        return found[:1] if self.kind == "conversation" else found

    def _span(self, d: Dialogue, turn: int) -> Span | None:
        spans = d.spans(turn, *self.any)
        if not spans and self.any_if_upset and d.upset_before(turn):
            spans = d.spans(turn, *self.any_if_upset)
        return spans[0] if spans else None

    def _holds(self, d: Dialogue, turn: int) -> bool:
        if self.unless and d.says(turn, *self.unless):
            return False
        if self.unless_run and d.saying(d.run_of(turn), *self.unless_run):
            return False
        labels = {
            "funnel_stage": d.stages[turn],
            "question_type": d.questions[turn],
            "spin_type": d.spins[turn],
            "emotion_phase": d.phases[turn],
        }
        if "customer_phase" in self.when:
            labels["customer_phase"] = PHASES[d.severity_before(turn)]
        return all(labels[name] in accepted for name, accepted in self.when.items())


@dataclass(frozen=True)
class Rules:
    """Quality rules in their order, with the phrases that their patterns use.

    Parameters
    ----------
    rules : tuple of Rule
    phrases : Phrases

    Examples
    --------
    >>> rules = read_rules()
    >>> rules["calming_command"].title
    '指令式劝阻'
    >>> len(rules) - len(rules.without("empty_comfort", "closed_opening"))
    2
    """

    rules: tuple[Rule, ...]
    phrases: Phrases

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, name: str) -> Rule:
        for rule in self.rules:
            if rule.id == name:
                return rule
        raise RuleError(f"there is no rule {name!r}; there are {[rule.id for rule in self.rules]}")

    def without(self, *names: str) -> Rules:
        """Return the rules except those of these names.

        Raises
        ------
        RuleError
            For a name that no rule has.
        """
        for name in names:
            self[name]
        return replace(self, rules=tuple(rule for rule in self.rules if rule.id not in names))

    def check(self, d: Dialogue, summary: Mapping[str, Any]) -> list[Hit]:
        """Return all hits in a conversation, by turn."""
        found = [hit for rule in self.rules for hit in rule.hits(d, summary)]
        return sorted(found, key=lambda hit: hit.turn)


@cache
def _bundled() -> Rules:
    path = files("funnelnlp.conversations").joinpath("rules.toml")
    return _add(tomllib.loads(path.read_text(encoding="utf-8")), Rules((), bundled_phrases()), "rules.toml")


def read_rules(path: str | Path | None = None) -> Rules:
    """Return the quality rules, those of a file added to or laid over the bundled ones.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A TOML file with ``[[rule]]`` tables. A rule with the ``id`` of a bundled one changes the fields that it
        gives; ``enabled = false`` takes it out; any other id is a new rule and needs all descriptive fields.
        A table ``[phrases]`` adds expressions to the named phrases that patterns and the summary use.

    Returns
    -------
    Rules

    Raises
    ------
    RuleError
        Names the file, the rule, the field and what is accepted.

    Examples
    --------
    >>> [rule.id for rule in read_rules()][:3]
    ['empty_comfort', 'contradiction', 'blame_shifting']
    """
    if path is None:
        return _bundled()
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RuleError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError as error:
        raise RuleError(f"{path}: not valid TOML in UTF-8 ({error})") from None
    return _add(data, _bundled(), str(path))


def _add(data: Mapping[str, Any], base: Rules, where: str) -> Rules:
    if unknown := sorted(set(data) - {"rule", "phrases"}):
        raise RuleError(f"{where}: unknown tables {unknown}; accepted: [[rule]] and [phrases]")
    phrases = base.phrases
    if added := data.get("phrases", {}):
        for name, expressions in added.items():
            _check_strings(expressions, f"{where}, phrases, {name!r}")
        phrases = phrases.with_more(added)
        for name in added:
            _check_pattern(phrases, (f"<{name}>",), f"{where}, phrases, {name!r}")
    rules = {rule.id: rule for rule in base}
    tables = data.get("rule", [])
    if not isinstance(tables, list):
        raise RuleError(f"{where}: rules are written as [[rule]], with two brackets")
    for number, table in enumerate(tables, 1):
        name = table.get("id")
        if not isinstance(name, str) or not name:
            raise RuleError(f"{where}, rule {number}: field 'id' is missing; it must be a text")
        place = f"{where}, rule {name!r}"
        enabled = table.pop("enabled", True)
        if not isinstance(enabled, bool):
            raise RuleError(f"{place}: field 'enabled' must be true or false, got {enabled!r}")
        rule = _rule(table, rules.get(name), phrases, place)
        if enabled:
            rules[name] = rule
        else:
            rules.pop(name, None)
    return Rules(tuple(rules.values()), phrases)


def _rule(table: Mapping[str, Any], base: Rule | None, phrases: Phrases, where: str) -> Rule:
    known = {f.name for f in fields(Rule)}
    if unknown := sorted(set(table) - known):
        raise RuleError(f"{where}: unknown fields {unknown}; accepted: {sorted(known | {'enabled'})}")
    values: dict[str, Any] = {}
    for name, value in table.items():
        place = f"{where}, field {name!r}"
        if name in _PATTERNS:
            _check_strings(value, place)
            values[name] = tuple(value)
            _check_pattern(phrases, values[name], place)
        elif name == "when":
            values[name] = _when(value, place)
        elif not isinstance(value, str):
            raise RuleError(f"{place}: must be a text, got {value!r}")
        else:
            values[name] = value
    if base is None:
        needed = ["title", "title_en", "severity", "kind", "definition", "source", "suggestion"]
        if missing := [name for name in needed if name not in values]:
            raise RuleError(f"{where}: the fields {missing} are missing; a new rule needs {needed}")
        rule = Rule(**values)
    else:
        # A rule that gets patterns of its own is no longer decided by the structural check, and the other way round.
        if "any" in values:
            values.setdefault("check", "")
        if "check" in values:
            values.setdefault("any", ())
        rule = replace(base, **values)
    for name, accepted in (("severity", SEVERITIES), ("kind", KINDS), ("role", ROLES), ("check", ("", *sorted(CHECKS)))):
        if getattr(rule, name) not in accepted:
            raise RuleError(f"{where}, field {name!r}: got {getattr(rule, name)!r}; accepted: {list(accepted)}")
    if bool(rule.any) == bool(rule.check):
        raise RuleError(f"{where}: give either 'any' (patterns) or 'check' (one of {sorted(CHECKS)})")
    return rule


def _check_strings(value: object, where: str) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise RuleError(f"{where}: must be a list of regular expressions, got {value!r}")


def _check_pattern(phrases: Phrases, patterns: tuple[str, ...], where: str) -> None:
    for pattern in patterns:
        try:
            empty = phrases.compile((pattern,)).search("") is not None
        except (re.error, FunnelError) as error:
            raise RuleError(f"{where}: {pattern!r} is no regular expression that can be used: {error}") from None
        if empty:
            raise RuleError(f"{where}: {pattern!r} matches the empty text, so it would hit every turn")


def _when(value: object, where: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict):
        raise RuleError(f"{where}: must be a table of label lists, such as {{ funnel_stage = ['解决'] }}")
    for name, labels in value.items():
        if name not in _LABELS:
            raise RuleError(f"{where}: unknown label column {name!r}; accepted: {sorted(_LABELS)}")
        if not isinstance(labels, list) or not labels or (bad := [label for label in labels if label not in _LABELS[name]]):
            got = labels if not isinstance(labels, list) or not labels else bad
            raise RuleError(f"{where}, {name!r}: got {got!r}; accepted: a list of {list(_LABELS[name])}")
    return {name: tuple(labels) for name, labels in value.items()}
