/* One conversation, as a chat with what was found in it. */

let hitAt = -1;

/** Return a text cut at the given spans and search words, each part in its marks. */
function marked(text, hits) {
  const spans = hits.filter((hit) => hit.end > hit.start).map((hit) => ({ ...hit }));
  if (view.query) {
    const low = text.toLowerCase();
    for (let at = low.indexOf(view.query); at >= 0 && low.length === text.length; at = low.indexOf(view.query, at + view.query.length)) spans.push({ start: at, end: at + view.query.length });
  }
  const edges = [...new Set([0, text.length, ...spans.flatMap((span) => [span.start, span.end])])].filter((x) => x <= text.length).sort((a, b) => a - b);
  return edges.slice(1).map((end, i) => {
    const covering = spans.filter((span) => span.start <= edges[i] && span.end >= end);
    const part = text.slice(edges[i], end);
    if (!covering.length) return part;
    const rules = covering.filter((span) => span.rule);
    const title = rules.map((span) => ruleTitle(span.rule)).join(" · ");
    return make("mark", { class: rules.length ? "" : "found", "data-severity": rules[0]?.rule.severity, title: title || null }, part);
  });
}

function chip(task, turn, kind) {
  const label = turn[task];
  const sure = turn.confidence[task];
  const title = `${state.english ? task.replace("_", " ") : TASKS[task].title} · ${word("confidence", `${sure}%`)}`;
  return make("span", { class: `chip ${kind}${sure !== null && sure < 50 ? " unsure" : ""}`, "data-label": NAMES[task].indexOf(label), title: sure < 50 ? `${title}, ${word("unsure")}` : title }, value(label));
}

function hitNote(hit) {
  return make(
    "div",
    { class: "hit-note", "data-severity": hit.rule.severity, role: "note" },
    make("p", { class: "rule" }, make("b", {}, ruleTitle(hit.rule)), make("span", { class: "tag", "data-severity": hit.rule.severity }, value(hit.rule.severity))),
    make("p", {}, definitionOf(hit.rule)),
    hit.rule.suggestion && make("p", { class: "suggestion" }, make("b", {}, word("suggestion")), " ", make("q", {}, hit.rule.suggestion)),
  );
}

function adviceNote(turn) {
  const advice = adviceOf(turn);
  if (!advice) return null;
  return make(
    "details",
    { class: "advice" },
    make("summary", {}, make("b", {}, word("advice")), " ", advice.title),
    make("p", {}, advice.action),
    advice.reason && make("p", { class: "note" }, `${word("why")}：${advice.reason}`),
    advice.example && make("p", {}, make("b", {}, word("example")), " ", make("q", {}, advice.example)),
  );
}

/** Return what the customer's stage and emotion ask for; nothing where the customer is calm. */
function adviceOf(turn) {
  if (turn.role === "a" || !turn.emotion_phase || turn.emotion_phase === PHASES[0]) return null;
  const found = DATA.advice.find((item) => item.stage === turn.funnel_stage && item.phase === turn.emotion_phase);
  if (!found) return null;
  return state.english
    ? { title: found.title_en, action: found.action_en, reason: "", example: `${found.example} (${found.example_en})` }
    : { title: found.title, action: found.action, reason: `${found.reason}（${found.source}）`, example: found.example };
}

function bubble(turn, day) {
  const hits = HITS[view.current].filter((hit) => hit.turn === turn.number);
  const who = { a: "agent", c: "customer", u: "unknown" }[turn.role];
  const time = turn.time.startsWith(day) ? turn.time.slice(day.length).trim().replace(/^T/, "") : turn.time;
  return make(
    "li",
    { class: `turn ${who}`, id: `turn-${turn.number}`, tabindex: "-1", "data-hits": hits.length || null },
    make("span", { class: "rail", "aria-hidden": "true" }, make("i", { "data-stage": STAGES.indexOf(turn.funnel_stage) }), make("i", { "data-phase": PHASES.indexOf(turn.emotion_phase) })),
    make(
      "div",
      { class: "said" },
      make("p", { class: "who" }, make("b", {}, word(who)), make("span", {}, `${turn.number}`), time && make("time", {}, time)),
      make("div", { class: "bubble" }, marked(turn.text, hits)),
      make(
        "p",
        { class: "chips" },
        turn.funnel_stage && chip("funnel_stage", turn, "stage"),
        turn.emotion_phase && chip("emotion_phase", turn, "phase"),
        turn.question_type && turn.question_type !== QUESTIONS[0] && chip("question_type", turn, "question"),
        turn.spin_type && turn.spin_type !== NAMES.spin_type[0] && chip("spin_type", turn, "spin"),
      ),
      hits.map(hitNote),
      adviceNote(turn),
    ),
  );
}

function ribbon(turns) {
  const line = (task, kind, label) =>
    make("div", { class: "ribbon" }, make("span", {}, label), make("div", {}, turns.map((turn) => make("button", { tabindex: "-1", title: `${turn.number} · ${turn[task] ? value(turn[task]) : "–"}`, [`data-${kind}`]: NAMES[task].indexOf(turn[task]), "data-hits": kind === "stage" && HITS[view.current].some((hit) => hit.turn === turn.number) ? "1" : null, onclick: () => goTo(turn.number) }))));
  const legend = make("p", { class: "legend" }, STAGES.map((stage, i) => make("span", {}, make("i", { "data-stage": i }), value(stage))), PHASES.map((phase, i) => make("span", {}, make("i", { "data-phase": i }), value(phase))));
  return make("div", { class: "ribbons", role: "group", "aria-label": word("ribbon"), title: word("ribbon") }, line("funnel_stage", "stage", word("stageRibbon")), line("emotion_phase", "phase", word("emotionRibbon")), legend);
}

function goTo(turn) {
  const element = byId(`turn-${turn}`);
  if (!element) return;
  element.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  element.focus({ preventScroll: true });
}

const link = (turn, text) => (turn >= 0 ? make("button", { class: "link", onclick: () => goTo(turn) }, text ?? word("turn", turn)) : text ?? "");
const numbers = (text) => String(text ?? "").split(/[^\d]+/).filter(Boolean).map(Number);

function facts(i) {
  const get = (name) => column(name)?.[i] ?? null;
  const groups = [];
  const group = (title, ...items) => {
    const shown = items.filter((item) => item && item[1] !== null && item[1] !== "" && item[1] !== undefined);
    if (shown.length) groups.push(make("section", {}, make("h3", {}, word(title)), make("dl", {}, shown.map(([name, ...content]) => [make("dt", {}, word(name)), make("dd", {}, content)]))));
  };
  const ticks = (title, names, turnOf) => {
    if (get(names[0]) === null) return;
    groups.push(make("section", {}, make("h3", {}, word(title)), make("ul", { class: "ticks" }, names.map((name) => make("li", { "data-done": Boolean(get(name)) }, make("span", { class: "sr" }, word(get(name) ? "yes" : "no")), turnOf && get(name) ? link(get(`${name}_turn`), word(name)) : word(name))))));
  };
  const turnsIn = (name, flag) => (numbers(get(name)).length ? numbers(get(name)).map((t) => [link(t), " "]) : get(flag) ? word("yes") : null);
  group("g_outcome",
    ["f_resolution", value(get("resolution"))],
    ["f_complaint_level", get("complaint_level")],
    get("feedback_dimension") !== "无" && ["f_feedback_dimension", value(get("feedback_dimension"))],
    ["f_path", (get("funnel_path") || "").split(">").map(value).join(" → ")],
    ["f_skipped", (get("skipped") || "").split(/[>、,]/).filter(Boolean).map(value).join(", ")],
    get("fell_back") && ["f_fall_backs", word("times", get("fall_backs"))]);
  group("g_need",
    get("need_turn") >= 0 && ["f_need", make("q", { class: "need" }, get("need_text")), " ", link(get("need_turn"))],
    ["f_implicit", get("implicit_need_probed") ? (get("implicit_need_turn") >= 0 ? link(get("implicit_need_turn")) : word("yes")) : word("no")]);
  group("g_emotion",
    get("emotion_peak") && ["f_emotions", ["emotion_start", "emotion_peak", "emotion_end"].map((name, k) => [k ? " → " : "", make("span", { class: "chip phase", "data-label": PHASES.indexOf(get(name)) }, value(get(name)))])],
    ["f_trajectory", value(get("trajectory"))],
    get("response_to_anger") !== "无" && ["f_response", value(get("response_to_anger")), " ", link(get("response_turn") ?? -1)],
    get("turns_to_deescalation") !== null && ["f_deescalation", number(get("turns_to_deescalation"))]);
  ticks("g_loop", ["loop_identified", "loop_delivered", "loop_feedback", "loop_improvement"], true);
  ticks("g_steps", ["step_accept", "step_clarify", "step_responsibility", "step_plan", "step_followup", "step_repair"], false);
  group("g_questions",
    ["f_asked", QUESTIONS.slice(1).map((kind) => `${value(kind)} ${get(`questions_agent_${kind}`) ?? 0}`).join(" · ")],
    ["f_spin", NAMES.spin_type.slice(1).filter((kind) => get(`spin_${kind}`)).map(value).join(" · ")]);
  group("g_effort",
    ["f_repeats", turnsIn("customer_repeat_turns", "customer_repeats")],
    ["f_reasks", turnsIn("agent_reask_turns", "agent_reasks")],
    get("transferred") && ["f_transfers", word("times", get("transfers") || 1)],
    ["f_talk", percent(get("talk_ratio_agent"))],
    ["f_monologue", word("characters", number(get("longest_monologue")))]);
  return groups;
}

function hitList(i) {
  if (!HITS[i].length) return make("p", { class: "empty" }, word("noHitsHere"));
  return make("ul", { class: "hits" }, HITS[i].map((hit) =>
    make("li", { "data-severity": hit.rule.severity },
      hit.turn >= 0
        ? make("button", { class: "link", onclick: () => goTo(hit.turn) }, make("b", {}, ruleTitle(hit.rule)), make("small", {}, word("turn", hit.turn)))
        : make("details", {}, make("summary", {}, make("b", {}, ruleTitle(hit.rule)), make("small", {}, word("wholeConversation"))), make("p", {}, definitionOf(hit.rule)), hit.rule.suggestion && make("p", { class: "suggestion" }, make("b", {}, word("suggestion")), " ", make("q", {}, hit.rule.suggestion))))));
}

/** Show a conversation, -1 for none; `focus` moves the keyboard into it. */
function open(i, focus = false) {
  view.current = i;
  hitAt = -1;
  const reader = byId("reader");
  byId("browse").classList.toggle("reading", i >= 0 && (focus || byId("browse").classList.contains("reading")));
  if (i < 0) {
    reader.replaceChildren(make("div", { class: "nothing" }, make("p", {}, word("pick")), make("p", { class: "note" }, word("pickNote"))));
    showRows();
    return;
  }
  const turns = turnsOf(i);
  const start = column("start_time")?.[i] || "";
  const about = [column("agent")?.[i], column("team")?.[i], column("channel")?.[i], column("industry")?.[i], start.slice(0, 16).replace("T", " "), column("duration_seconds")?.[i] != null && duration(column("duration_seconds")[i]), word("nTurns", number(turns.length))];
  reader.replaceChildren(
    make(
      "header",
      {},
      make("div", { class: "bar" },
        make("button", { class: "link back", onclick: leave }, "← ", word("back")),
        make("h2", {}, column("conversation_id")[i]),
        riskBadge(i),
        make("span", { class: "grow" }),
        make("button", { class: "tool", onclick: () => move(-1), "aria-label": word("previous"), title: `${word("previous")} (K)` }, "↑"),
        make("button", { class: "tool", onclick: () => move(1), "aria-label": word("next"), title: `${word("next")} (J)` }, "↓")),
      make("p", { class: "note" }, about.filter(Boolean).join(" · ")),
      reasonOf(i) && column("risk")[i] > 0 && make("p", { class: "why" }, reasonOf(i)),
      ribbon(turns),
    ),
    make("div", { class: "columns" },
      make("ol", { class: "chat" }, turns.map((turn) => bubble(turn, start.slice(0, 10)))),
      make("aside", { "aria-label": word("facts") }, make("section", {}, make("h3", {}, word("hits")), hitList(i)), facts(i))),
  );
  reader.scrollTop = 0;
  history.replaceState(null, "", `#${encodeURIComponent(column("conversation_id")[i])}`);
  keepInSight();
  showRows();
  if (focus) reader.focus();
}

/** Go from the conversation back to the list. */
function leave() {
  byId("browse").classList.remove("reading");
  byId("list").focus();
}

/** Go to the next or previous turn with a hit. */
function nextHit(step) {
  if (view.current < 0) return;
  const places = [...new Set(HITS[view.current].map((hit) => hit.turn).filter((turn) => turn >= 0))].sort((a, b) => a - b);
  if (!places.length) return;
  hitAt = hitAt < 0 ? (step > 0 ? 0 : places.length - 1) : (hitAt + step + places.length) % places.length;
  goTo(places[hitAt]);
}
