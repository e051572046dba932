"""What a whole log says: counted from an `Analysis`, one table a question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from funnelnlp.errors import FunnelError
from funnelnlp.taxonomy import AGENT, CUSTOMER, EMOTION_PHASE, FUNNEL_STAGE, QUESTION_TYPE

if TYPE_CHECKING:
    import pandas as pd

    from funnelnlp.conversations.summary import Analysis
    from funnelnlp.model import Model

GROUPS = ("rule", "agent", "team", "channel", "industry", "day")
_CALM = EMOTION_PHASE.label_names[0]


def key_figures(analysis: Analysis) -> dict[str, float | None]:
    """Return the figures that describe the log as a whole.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    dict of str to float or None
        ``conversations``, ``turns``, ``median_turns``, ``median_seconds`` (None without times); shares of all
        conversations (0-1): ``resolved``, ``open``, ``unresolved``, ``fell_back``, ``discontent`` (不满 or higher at
        some turn), ``customer_repeats``, ``agent_reasks``, ``transferred``, ``serious`` (a hit of severity 严重);
        ``deescalated``, the share of the discontent ones that end 平静 (None when there are none); ``hits`` per
        conversation.

    Examples
    --------
    >>> import funnelnlp
    >>> from funnelnlp.conversations import analyse
    >>> frame = funnelnlp.read_transcripts(funnelnlp.bundled("data/samples") / "chats.csv")
    >>> analysis = analyse(funnelnlp.load(), frame)
    >>> figures = key_figures(analysis)
    >>> figures["conversations"], figures["turns"]
    (40, 526)
    """
    summaries = analysis.summaries
    n = len(summaries)
    discontent = summaries[~summaries["emotion_peak"].isin(["", _CALM])]
    serious = analysis.hits.loc[analysis.hits["severity"] == "严重", "conversation_id"].nunique()
    seconds = summaries["duration_seconds"].median() if "duration_seconds" in summaries else float("nan")

    def share(rows: pd.Series) -> float:
        return float(rows.astype(bool).mean())

    return {
        "conversations": n,
        "turns": len(analysis.turns),
        "median_turns": float(summaries["n_turns"].median()),
        "median_seconds": None if seconds != seconds else float(seconds),
        "resolved": share(summaries["resolution"] == "已解决"),
        "open": share(summaries["resolution"] == "待跟进"),
        "unresolved": share(summaries["resolution"] == "未解决"),
        "fell_back": share(summaries["fell_back"]),
        "discontent": len(discontent) / n,
        "deescalated": share(discontent["emotion_end"] == _CALM) if len(discontent) else None,
        "customer_repeats": share(summaries["customer_repeats"]),
        "agent_reasks": share(summaries["agent_reasks"]),
        "transferred": share(summaries["transferred"]),
        "serious": serious / n,
        "hits": len(analysis.hits) / n,
    }


def funnel(analysis: Analysis) -> pd.DataFrame:
    """Return how far conversations get in the service funnel and what each stage takes.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    pandas.DataFrame
        A row a stage: ``stage``; ``conversations`` and ``share`` (0-1) that reach it; ``turns``, the median number
        of turns that those conversations spend in it; ``seconds``, the median time (until the next turn, summed over
        the stage), missing when the log has no times.
    """
    import pandas as pd

    summaries = analysis.summaries
    spent = _seconds(analysis)
    rows = []
    for stage in FUNNEL_STAGE.label_names:
        reached = summaries[f"reached_{stage}"].astype(bool)
        rows.append(
            {
                "stage": stage,
                "conversations": int(reached.sum()),
                "share": float(reached.mean()),
                "turns": summaries.loc[reached, f"turns_{stage}"].median(),
                "seconds": float("nan") if spent is None else spent[spent["funnel_stage"] == stage]["seconds"].median(),
            }
        )
    return pd.DataFrame(rows)


def _seconds(analysis: Analysis) -> pd.DataFrame | None:
    """Return the time each conversation spends in each stage, None when there are no times."""
    import pandas as pd

    turns = analysis.turns
    if "time" not in turns:
        return None
    times = pd.to_datetime(turns["time"], errors="coerce", format="mixed", utc=True)
    frame = turns[["conversation_id", "turn", "funnel_stage"]].assign(time=times)
    frame = frame.sort_values(["conversation_id", "turn"], kind="stable")
    until_next = frame.groupby("conversation_id", sort=False)["time"].diff().shift(-1).dt.total_seconds()
    # A clock that runs backwards says nothing about how long a turn took.
    frame["seconds"] = until_next.where(until_next >= 0)
    known = frame[frame["seconds"].notna()]
    return known.groupby(["conversation_id", "funnel_stage"])["seconds"].sum().reset_index()


def emotion_flow(analysis: Analysis) -> pd.DataFrame:
    """Return how many conversations go through which phases of emotion.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    pandas.DataFrame
        ``start``, ``peak``, ``end`` (phases, in their order) and ``conversations``; conversations in which no
        customer speaks are left out.
    """
    columns = {"emotion_start": "start", "emotion_peak": "peak", "emotion_end": "end"}
    told = analysis.summaries[analysis.summaries["emotion_peak"] != ""]
    flow = told.groupby(list(columns), as_index=False).size().rename(columns={**columns, "size": "conversations"})
    return flow.sort_values(list(columns.values()), key=lambda c: c.map(EMOTION_PHASE.label_names.index), ignore_index=True)


def question_mix(analysis: Analysis, by: str = "agent") -> pd.DataFrame:
    """Return which kinds of questions are asked on the service side.

    Parameters
    ----------
    analysis : Analysis
    by : str, default "agent"
        A column of the turns to compare by. Without such a column all agents make one row.

    Returns
    -------
    pandas.DataFrame
        ``by``, ``turns`` (agent turns) and how many of them are 开放式, 封闭式 and 引导式; most turns first.
    """
    turns = analysis.turns[analysis.turns["role"] == AGENT]
    group = turns[by].fillna("").astype(str) if by in turns else turns["role"].map({AGENT: ""})
    counts = turns.groupby([group.rename(by), "question_type"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=QUESTION_TYPE.label_names, fill_value=0)
    table = counts.drop(columns=QUESTION_TYPE.label_names[0])
    table.insert(0, "turns", counts.sum(axis=1))
    table.columns.name = None
    return table.sort_values("turns", ascending=False, kind="stable").reset_index()


def rule_hits(analysis: Analysis, by: str = "rule") -> pd.DataFrame:
    """Return how often each quality rule is hit, in all or in each group.

    Parameters
    ----------
    analysis : Analysis
    by : {"rule", "agent", "team", "channel", "industry", "day"}, default "rule"
        What to compare by; the groups of a conversation are those of its summary, its day that of its first turn.

    Returns
    -------
    pandas.DataFrame
        The group (except for ``by="rule"``), ``rule``, ``severity``, ``hits``, ``conversations`` with a hit, ``of``
        (conversations in the group) and ``share`` (0-1) of them with a hit. Rules without a hit have rows for
        ``by="rule"`` only.

    Raises
    ------
    FunnelError
        When the log does not have what to compare by.
    """
    import pandas as pd

    if by not in GROUPS:
        raise FunnelError(f"rule hits can be compared by {', '.join(GROUPS)}; not by {by!r}")
    summaries = analysis.summaries
    severity = {rule.id: rule.severity for rule in analysis.rules}
    if by == "rule":
        hits = analysis.hits.groupby("rule")["conversation_id"].agg(["size", "nunique"]).reindex(list(severity), fill_value=0)
        table = hits.rename(columns={"size": "hits", "nunique": "conversations"}).rename_axis("rule").reset_index()
        table.insert(1, "severity", table["rule"].map(severity))
        return table.assign(of=len(summaries), share=table["conversations"] / len(summaries))
    column = _groups(summaries, by)
    sizes = column.value_counts()
    hits = analysis.hits.merge(pd.DataFrame({"conversation_id": summaries["conversation_id"], by: column}), on="conversation_id")
    table = hits.groupby([by, "rule"])["conversation_id"].agg(hits="size", conversations="nunique").reset_index()
    table.insert(2, "severity", table["rule"].map(severity))
    table["of"] = table[by].map(sizes)
    return table.assign(share=table["conversations"] / table["of"])


def _groups(summaries: pd.DataFrame, by: str) -> pd.Series:
    if by == "day" and "start_time" in summaries:
        days: pd.Series = summaries["start_time"].dt.strftime("%Y-%m-%d").fillna("")
        return days
    if by not in summaries:
        needs = "times" if by == "day" else f"a column {by!r}"
        raise FunnelError(f"rule hits by {by} need {needs} in the log; there is none")
    return summaries[by].fillna("").astype(str)


def groups_of(analysis: Analysis) -> list[str]:
    """Return what `rule_hits` can compare by in this log, besides the rules."""
    return [by for by in GROUPS[1:] if by in analysis.summaries or (by == "day" and "start_time" in analysis.summaries)]


def worklist(analysis: Analysis, n: int = 20) -> pd.DataFrame:
    """Return the conversations to look at first.

    Parameters
    ----------
    analysis : Analysis
    n : int, default 20

    Returns
    -------
    pandas.DataFrame
        At most ``n`` rows of the summaries with a risk above 0, highest first: ``conversation_id``, ``risk`` (0-100),
        ``risk_reason``, ``n_hits`` and, where the log has them, ``channel``, ``agent``, ``team``.
    """
    columns = ["conversation_id", "risk", "risk_reason", "n_hits", "channel", "agent", "team"]
    summaries = analysis.summaries[analysis.summaries["risk"] > 0]
    picked = summaries.sort_values(["risk", "n_hits"], ascending=False, kind="stable").head(n)
    return picked[[c for c in columns if c in picked]].reset_index(drop=True)


def drift(model: Model, analysis: Analysis) -> pd.DataFrame:
    """Compare the labels given in a log with those that the model learnt from.

    A large difference says that the log is of another kind than the training corpus, so that figures of the model
    card need not hold for it: label some of its conversations and evaluate, or retrain.

    Parameters
    ----------
    model : Model
    analysis : Analysis

    Returns
    -------
    pandas.DataFrame
        A row a label: ``task``, ``label``, ``training`` and ``log`` (shares, 0-1, of the turns that the task applies to),
        ``low`` and ``high`` (95 % interval of ``log``, taking whole conversations as the sample), ``difference``.
        Where the labelled turns have ``familiarity``, a last row with task and label ``familiarity`` holds its mean in ``log``.

    Raises
    ------
    FunnelError
        When the model does not say what it was trained on.
    """
    import pandas as pd

    trained = model.info.get("labels")
    if not trained:
        raise FunnelError("this model does not say which labels it was trained on, so a log cannot be compared with it")
    turns = analysis.turns
    rows: list[dict[str, Any]] = []
    for task in model.tasks:
        labelled = turns[turns[task.name].isin(task.label_names)]
        total = sum(trained[task.name].values())
        for label in task.label_names:
            share, low, high = _share((labelled[task.name] == label).astype(float), labelled["conversation_id"])
            before = trained[task.name][label] / total
            rows.append({"task": task.name, "label": label, "training": before, "log": share, "low": low, "high": high})
    if "familiarity" in turns:
        share, low, high = _share(turns["familiarity"].astype(float), turns["conversation_id"])
        rows.append({"task": "familiarity", "label": "familiarity", "training": None, "log": share, "low": low, "high": high})
    table = pd.DataFrame(rows)
    return table.assign(difference=table["log"] - table["training"].astype(float))


def _share(values: pd.Series, conversations: pd.Series) -> tuple[float, float, float]:
    """Return the mean of the turns with its 95 % interval; turns of one conversation are not independent."""
    if values.empty:
        return float("nan"), float("nan"), float("nan")
    share = float(values.mean())
    grouped = values.groupby(conversations.to_numpy())
    residual = grouped.sum() - share * grouped.size()
    n = len(residual)
    if n < 2:
        return share, 0.0, 1.0
    error = float((residual**2).sum() * n / (n - 1)) ** 0.5 / len(values)
    return share, max(0.0, share - 1.96 * error), min(1.0, share + 1.96 * error)


def emotion_by_progress(analysis: Analysis, parts: int = 10) -> pd.DataFrame:
    """Return how the customers' emotion moves through the conversations.

    Parameters
    ----------
    analysis : Analysis
    parts : int, default 10
        Into how many equal parts each conversation is cut.

    Returns
    -------
    pandas.DataFrame
        ``part`` (from 0) and the share (0-1) of customer turns in each phase.
    """
    size = analysis.turns.groupby("conversation_id")["turn"].transform("size")
    turns = analysis.turns.assign(part=parts * analysis.turns["turn"] // size)
    turns = turns[turns["role"] == CUSTOMER]
    shares = turns.groupby("part")["emotion_phase"].value_counts(normalize=True).unstack(fill_value=0)
    shares = shares.reindex(index=range(parts), columns=EMOTION_PHASE.label_names, fill_value=0.0)
    shares.columns.name = None
    return shares.rename_axis("part").reset_index()
