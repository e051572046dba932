"""How far the computed summaries and rule hits agree with those that readers wrote.

``python -m tests.references.measure [samples|training|heldout]`` prints the tables. ``--gold`` puts the hand labels of the
transcripts in the place of the model's, so that what is left is the fault of phrases and rules. The bundled model was trained
on the training conversations; its figures there are those of turns it knows, unlike those of ``--model``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import pandas as pd

import funnelnlp
from funnelnlp.conversations.summary import Analysis, analyse
from funnelnlp.model import Model
from funnelnlp.resources import bundled
from funnelnlp.taxonomy import BUILTIN_TASKS
from funnelnlp.transcripts import read_transcripts

HERE = Path(__file__).parent
TRANSCRIPTS = {"samples": "data/samples/chats.jsonl", "training": "data/train", "heldout": "data/heldout"}


class HandLabels:
    """Stands in for a model: the labels are those that the frame brings along."""

    def __init__(self, model: Model) -> None:
        self.tasks, self.encoder, self.min_confidence = model.tasks, model.encoder, 0.0

    def label_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        labels = {task.name: frame[task.name].fillna("") for task in BUILTIN_TASKS}
        return frame.assign(**labels, emotion_phase_confidence=1.0)


def read_conversations(name: str, references: list[dict]) -> pd.DataFrame:
    """The turns of the conversations that the references are about."""
    frame = read_transcripts(bundled(TRANSCRIPTS[name]))
    return frame[frame["conversation_id"].isin([r["conversation_id"] for r in references])].reset_index(drop=True)


def read_references(name: str) -> list[dict]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def _same(computed, reference) -> bool:
    if reference is None or reference == "":
        return computed is None or computed == "" or computed != computed
    return computed == reference


def summary_agreement(summaries: pd.DataFrame, references: list[dict]) -> pd.DataFrame:
    """Per column, the share of equal cells and what always giving the commonest value would reach."""
    rows = summaries.set_index("conversation_id")
    result = []
    for column in references[0]["summary"]:
        pairs = [(rows.at[r["conversation_id"], column], r["summary"][column]) for r in references]
        common = Counter(str(reference) for _, reference in pairs).most_common(1)[0][1]
        result.append((column, sum(_same(a, b) for a, b in pairs) / len(pairs), common / len(pairs)))
    return pd.DataFrame(result, columns=["column", "agreement", "majority"]).set_index("column")


def rule_agreement(hits: pd.DataFrame, references: list[dict], names: list[str]) -> pd.DataFrame:
    """Per rule, precision and recall of (conversation, rule, turn); conversation rules count once."""
    wanted = {
        (r["conversation_id"], hit["rule"], -1 if hit["turn"] is None else hit["turn"]) for r in references for hit in r["rules"]
    }
    whole = {rule for _, rule, turn in wanted if turn == -1}
    found = {
        (conversation, rule, -1 if rule in whole else turn)
        for conversation, rule, turn in hits[["conversation_id", "rule", "turn"]].itertuples(index=False)
        if conversation in {r["conversation_id"] for r in references}
    }
    result = []
    for name in names:
        w, f = ({hit for hit in hits if hit[1] == name} for hits in (wanted, found))
        right = len(w & f)
        result.append((name, len(w), len(f), right, right / len(f) if f else float("nan"), right / len(w) if w else float("nan")))
    return pd.DataFrame(result, columns=["rule", "reference", "found", "right", "precision", "recall"]).set_index("rule")


def examples_frame(examples: list[dict]) -> pd.DataFrame:
    """The mini conversations of rule_examples.jsonl as turns."""
    rows = [(e["conversation_id"], i, t["role"], t["text"]) for e in examples for i, t in enumerate(e["turns"])]
    return pd.DataFrame(rows, columns=["conversation_id", "turn_index", "role", "text"])


def example_agreement(hits: pd.DataFrame, examples: list[dict], names: list[str]) -> pd.DataFrame:
    """Per rule, how many positive examples hit (in the right turn) and how many negative ones do not."""
    found = set(hits[["conversation_id", "rule", "turn"]].itertuples(index=False, name=None))
    result = []
    for name in names:
        positive = [e for e in examples if e["rule"] == name and e["hit"]]
        negative = [e for e in examples if e["rule"] == name and not e["hit"]]
        right = [
            e
            for e in positive
            if any(c == e["conversation_id"] and r == name and (not e["hit_turns"] or t in e["hit_turns"]) for c, r, t in found)
        ]
        wrong = [e for e in negative if any(c == e["conversation_id"] and r == name for c, r, _ in found)]
        missed = [e["conversation_id"] for e in positive if e not in right]
        result.append((name, len(right), len(positive), len(wrong), len(negative), missed, [e["conversation_id"] for e in wrong]))
    columns = ["rule", "found", "positive", "false", "negative", "missed", "wrong"]
    table = pd.DataFrame(result, columns=columns).set_index("rule")
    table.insert(4, "precision", table["found"] / (table["found"] + table["false"]))
    table.insert(5, "recall", table["found"] / table["positive"])
    return table


def show(analysis: Analysis, references: list[dict]) -> None:
    table = summary_agreement(analysis.summaries, references)
    print(table.round(3).to_string())
    print(f"all cells: {table['agreement'].mean():.3f}, majority {table['majority'].mean():.3f}")
    print(rule_agreement(analysis.hits, references, [rule.id for rule in analysis.rules]).round(3).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", default="samples", choices=TRANSCRIPTS)
    parser.add_argument("--gold", action="store_true", help="take the hand labels of the transcripts (training, heldout)")
    parser.add_argument(
        "--model", help="a model folder, such as of one that was trained without the conversations of the references"
    )
    options = parser.parse_args()
    if options.gold and options.name == "samples":
        parser.error("the samples have no hand labels")
    model = funnelnlp.load(options.model) if options.model else funnelnlp.load()
    references = read_references(f"{options.name}.jsonl")
    labeller = HandLabels(model) if options.gold else model
    show(analyse(labeller, read_conversations(options.name, references)), references)
    if options.name == "samples":
        examples = read_references("rule_examples.jsonl")
        analysis = analyse(model, examples_frame(examples))
        print(example_agreement(analysis.hits, examples, [rule.id for rule in analysis.rules]).round(3).to_string())


if __name__ == "__main__":
    main()
