/* The first page: what the log says as a whole. */

let compareBy = null;

function tile(title, figure, note, level) {
  return make("div", { class: "tile", "data-level": level }, make("h3", {}, title), make("p", { class: "figure" }, figure), note && make("p", { class: "note" }, note));
}

function card(title, note, body, tool = null) {
  return make("section", { class: "card" }, make("header", {}, make("div", {}, make("h2", {}, title), make("p", { class: "note" }, note)), tool), body);
}

function meter(title, yes, of) {
  const share = of ? yes / of : 0;
  return make("div", { class: "meter" }, make("span", {}, title), make("div", { class: "bar", role: "presentation" }, make("i", { style: { width: `${100 * share}%` } })), make("b", {}, `${percent(share)}`), make("small", {}, `${yes} / ${of}`));
}

function worklistCard() {
  const list = make("ol", { class: "worklist" });
  for (const id of DATA.worklist) {
    const i = NUMBER_OF.get(id);
    const facts = ["agent", "channel"].map((name) => column(name)?.[i]).filter(Boolean).join(" · ");
    list.append(
      make("li", {}, make("button", { onclick: () => { view.current = i; showFiltered({}); open(i, true); } }, riskBadge(i), make("span", { class: "what" }, make("b", {}, id, facts && make("small", {}, facts)), make("span", { class: "reason" }, reasonOf(i))), make("span", { class: "strip", style: { background: stripOf(i, "emotion_phase") } }))),
    );
  }
  const all = make("button", { class: "link", onclick: () => showFiltered({}) }, word("allConversations"), " →");
  return card(word("worklist"), word("worklistNote"), DATA.worklist.length ? list : make("p", { class: "empty" }, word("noWorklist")), all);
}

function loopCard() {
  const all = ["loop_identified", "loop_delivered", "loop_feedback", "loop_improvement"];
  const steps = ["step_accept", "step_clarify", "step_responsibility", "step_plan", "step_followup", "step_repair"];
  const discontent = column("step_accept").filter((x) => x !== null).length;
  const count = (name) => column(name).filter(Boolean).length;
  const body = make("div", { class: "meters" }, all.map((name) => meter(word(name), count(name), N)));
  if (discontent) body.append(make("hr"), ...steps.map((name) => meter(word(name), count(name), discontent)));
  return card(word("loop"), word("loopNote"), body);
}

function showOverview() {
  clearCharts();
  const f = DATA.figures;
  const page = byId("overview");
  const times = f.median_seconds === null ? "" : `, ${word("medianTime", duration(f.median_seconds))}`;
  page.replaceChildren(
    make(
      "div",
      { class: "tiles" },
      tile(word("conversations"), number(f.conversations), `${word("nTurns", number(f.turns))} · ${word("medianTurns", number(f.median_turns, 1))}${times}`),
      tile(word("resolved"), percent(f.resolved), word("resolvedNote", percent(f.open), percent(f.unresolved)), "good"),
      tile(word("discontent"), percent(f.discontent), f.deescalated === null ? "" : word("discontentNote", percent(f.deescalated)), "warm"),
      tile(word("serious"), percent(f.serious), word("seriousNote", number(f.hits, 1)), "bad"),
      tile(word("effort"), percent(f.customer_repeats), word("effortNote", percent(f.agent_reasks), percent(f.transferred))),
      tile(word("fellBack"), percent(f.fell_back), word("fellBackNote")),
    ),
  );
  const columns = [make("div"), make("div")];
  const drawings = [];
  const drawnCard = (title, note, draw, height, tool) => {
    const body = make("div", { class: "chart", style: { height: `${height}px` } });
    drawings.push(() => draw(body));
    return card(title, note, body, tool);
  };
  const emotional = DATA.flow.length > 0;
  columns[0].append(
    worklistCard(),
    drawnCard(word("funnel"), word("funnelNote"), drawFunnel, 156),
    DATA.hits.length ? drawnCard(word("ruleHits"), word("ruleHitsNote"), drawRules, 300) : card(word("ruleHits"), word("ruleHitsNote"), make("p", { class: "empty" }, word("noHits"))),
    loopCard(),
  );
  if (emotional) columns[1].append(drawnCard(word("flow"), word("flowNote"), drawFlow, 330), drawnCard(word("progress"), word("progressNote"), drawProgress, 220));
  const groups = Object.keys(DATA.rule_hits).filter((by) => by !== "rule" && DATA.rule_hits[by].length);
  if (groups.length) {
    if (!groups.includes(compareBy)) compareBy = groups[0];
    const choose = make("select", { id: "compare-by", "aria-label": word("compare"), onchange: (event) => { compareBy = event.target.value; showOverview(); byId("compare-by").focus(); } });
    for (const by of groups) choose.append(make("option", { value: by, selected: by === compareBy }, word(`by_${by}`)));
    columns[1].append(drawnCard(word("compare"), word("compareNote"), (body) => drawCompare(body, compareBy), 300, choose));
  }
  if (DATA.questions.length) columns[1].append(drawnCard(word("questionMix"), word("questionMixNote"), drawQuestions, 220));
  if (DATA.drift.length) {
    const familiar = DATA.drift.find((row) => row.task === "familiarity");
    columns[1].append(drawnCard(word("drift"), `${word("driftNote")}${familiar ? ` · ${word("familiarity", percent(familiar.log))}` : ""}`, drawDrift, 300));
  }
  page.append(make("div", { class: "cards" }, columns));
  // Only now do the elements have a width to draw in.
  for (const draw of drawings) draw();
}
