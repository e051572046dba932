/* The list of conversations: filters, order, and only as many rows in the page as can be seen. */

const ROW = 92;
const RISKS = { high: [50, 101], middle: [20, 50], low: [0, 20] };
const has = (name) => (i, wanted) => String(column(name)[i] ?? "") === wanted;
const FILTERS = [
  { name: "risk", options: () => Object.keys(RISKS), show: (x) => word(`risk${x[0].toUpperCase()}${x.slice(1)}`), test: (i, x) => column("risk")[i] >= RISKS[x][0] && column("risk")[i] < RISKS[x][1] },
  { name: "rule", options: () => DATA.rules.filter((rule) => HITS.some((hits) => hits.some((hit) => hit.rule === rule))).map((rule) => rule.id), show: (id) => ruleTitle(DATA.rules.find((rule) => rule.id === id)), test: (i, id) => HITS[i].some((hit) => hit.rule.id === id) },
  { name: "trajectory", options: () => ["平稳", "升级", "平复", "反复"] },
  { name: "agent" },
  { name: "channel" },
  { name: "team" },
  {
    name: "stage",
    options: () => STAGES.flatMap((stage) => [stage, `-${stage}`]),
    show: (x) => (x[0] === "-" ? word("notReached", value(x.slice(1))) : value(x)),
    test: (i, x) => Boolean(column(`reached_${x.replace("-", "")}`)[i]) === (x[0] !== "-"),
    more: true,
  },
  { name: "resolution", options: () => ["已解决", "待跟进", "未解决"], more: true },
  { name: "emotion_start", options: () => PHASES, more: true },
  { name: "emotion_peak", options: () => PHASES, more: true },
  { name: "emotion_end", options: () => PHASES, more: true },
  { name: "complaint_level", options: () => ["L1", "L2", "L3", "L4"], more: true },
];
const SORTS = {
  risk: (a, b) => column("risk")[b] - column("risk")[a] || HITS[b].length - HITS[a].length,
  hits: (a, b) => HITS[b].length - HITS[a].length || column("risk")[b] - column("risk")[a],
  time: (a, b) => (column("start_time")?.[a] ?? "").localeCompare(column("start_time")?.[b] ?? ""),
  length: (a, b) => column("n_turns")[b] - column("n_turns")[a],
  id: (a, b) => column("conversation_id")[a].localeCompare(column("conversation_id")[b], undefined, { numeric: true }),
};

const view = { filters: {}, query: "", sort: "risk", more: false, found: [], current: -1 };

const choices = {};
/** Return what can be chosen in a filter: what the log holds. */
function choicesOf(filter) {
  if (!choices[filter.name]) {
    const here = filter.options ? filter.options() : [...new Set(column(filter.name) || [])].filter((x) => x !== null && x !== "").map(String).sort();
    const test = filter.test || has(filter.name);
    const counts = new Map(here.map((x) => [x, 0]));
    for (let i = 0; i < N; i++) for (const x of here) if ((filter.test || column(filter.name)) && test(i, x)) counts.set(x, counts.get(x) + 1);
    choices[filter.name] = [...counts].filter(([, count]) => count);
  }
  return choices[filter.name];
}

function showFilters() {
  const form = byId("filters");
  form.replaceChildren();
  const select = (name, label, options, chosen, onchange) => {
    const element = make("select", { id: `filter-${name}`, onchange: (event) => onchange(event.target.value) });
    for (const [key, text] of options) element.append(make("option", { value: key, selected: key === chosen }, text));
    form.append(make("label", { class: chosen ? "active" : "" }, make("span", {}, label), element));
  };
  for (const filter of FILTERS) {
    const chosen = view.filters[filter.name] || "";
    if (filter.more && !view.more && !chosen) continue;
    const options = choicesOf(filter);
    if (options.length < 2 && !chosen) continue;
    const show = filter.show || value;
    select(filter.name, word(`filter_${filter.name}`), [["", word("all")], ...options.map(([x, count]) => [x, `${show(x)} (${count})`])], chosen, (x) => {
      view.filters[filter.name] = x;
      update();
      byId(`filter-${filter.name}`).focus();
    });
  }
  select("sort", word("sort"), Object.keys(SORTS).filter((key) => key !== "time" || column("start_time")).map((key) => [key, word(`sort_${key}`)]), view.sort, (x) => {
    view.sort = x;
    update();
    byId("filter-sort").focus();
  });
  form.lastChild.className = "";
  form.append(make("button", { type: "button", class: "link", id: "more", "aria-expanded": view.more, onclick: () => { view.more = !view.more; showFilters(); byId("more").focus(); } }, word(view.more ? "fewerFilters" : "moreFilters")));
  if (view.query || Object.values(view.filters).some(Boolean)) {
    form.append(make("button", { type: "button", class: "link", onclick: () => { setQuery(""); showFiltered({}); byId("list").focus(); } }, word("reset")));
  }
}

function setQuery(text) {
  view.query = text.trim().toLowerCase();
  if (byId("search").value.trim().toLowerCase() !== view.query) byId("search").value = text;
}

/** Apply filters, search and order, and show what is left. */
function update() {
  const active = FILTERS.filter((filter) => view.filters[filter.name]);
  view.found = [];
  for (let i = 0; i < N; i++) {
    if (active.every((filter) => (filter.test || has(filter.name))(i, view.filters[filter.name])) && (!view.query || haystack(i).includes(view.query))) view.found.push(i);
  }
  view.found.sort((a, b) => SORTS[view.sort](a, b) || a - b);
  byId("count").textContent = view.found.length ? word("shown", number(view.found.length), number(N)) : word("none");
  showFilters();
  byId("rows").style.setProperty("height", `${view.found.length * ROW}px`);
  byId("list").scrollTop = 0;
  // Shown again even when it stays: its texts carry the marks of the search and the words of the language.
  open(view.found.includes(view.current) ? view.current : view.found.length && wide() ? view.found[0] : -1);
}

function showFiltered(filters) {
  view.filters = { ...filters };
  if (Object.keys(filters).some((name) => FILTERS.find((filter) => filter.name === name)?.more)) view.more = true;
  show("browse");
}

function showRows() {
  const list = byId("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
  const last = Math.min(view.found.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4);
  const rows = [];
  for (let place = first; place < last; place++) rows.push(row(view.found[place], place));
  byId("rows").replaceChildren(...rows);
  if (view.current >= 0) list.setAttribute("aria-activedescendant", `row-${view.current}`);
  else list.removeAttribute("aria-activedescendant");
}

/** Return a strip of the turns of a conversation in the colours of a task. */
function stripOf(conversation, task) {
  const { starts, labels } = DATA.turns;
  const [first, last] = [starts[conversation], starts[conversation + 1]];
  const kind = task === "funnel_stage" ? "stage" : "phase";
  const stops = [];
  let label = -1;
  for (let i = first; i < last; i++) {
    if (labels[task][i] >= 0) label = labels[task][i];
    const paint = label < 0 ? "var(--sunken)" : `var(--${kind}-${label})`;
    stops.push(`${paint} ${(100 * (i - first)) / (last - first)}% ${(100 * (i + 1 - first)) / (last - first)}%`);
  }
  return `linear-gradient(to right, ${stops.join(", ")})`;
}

const riskLevel = (i) => Object.keys(RISKS).find((level) => column("risk")[i] >= RISKS[level][0] && column("risk")[i] < RISKS[level][1]);
const riskBadge = (i) => make("span", { class: "risk", "data-level": riskLevel(i), title: `${word("risk")} ${column("risk")[i]}` }, column("risk")[i]);

/** Return why a conversation should be looked at, in the language of the page. */
function reasonOf(i) {
  if (!state.english) return column("risk_reason")[i] || column("need_text")[i] || "";
  const parts = [];
  if (column("emotion_peak")[i] && column("emotion_peak")[i] !== PHASES[0]) parts.push(`${value(column("emotion_peak")[i])} at the peak, ${value(column("emotion_end")[i])} at the end`);
  if (column("resolution")[i] !== "已解决") parts.push(value(column("resolution")[i]));
  const serious = HITS[i].filter((hit) => hit.rule.severity === "严重").map((hit) => ruleTitle(hit.rule));
  if (serious.length) parts.push([...new Set(serious)].join(", "));
  return parts.join("; ");
}

function row(i, place) {
  const facts = ["agent", "channel"].map((name) => column(name)?.[i]).filter(Boolean).join(" · ");
  const start = column("start_time")?.[i] || "";
  return make(
    "div",
    {
      class: "row", role: "option", id: `row-${i}`, "aria-selected": i === view.current, "aria-posinset": place + 1, "aria-setsize": view.found.length,
      style: { top: `${place * ROW}px` }, onclick: () => open(i, true),
    },
    riskBadge(i),
    make("span", { class: "head" }, make("b", {}, column("conversation_id")[i]), make("small", {}, facts), make("time", {}, start.slice(5, 16).replace("T", " "))),
    make("span", { class: "text" }, column("need_text")[i] || reasonOf(i)),
    make("span", { class: "tags" },
      make("span", { class: "tag", "data-value": column("resolution")[i] }, value(column("resolution")[i])),
      column("trajectory")[i] !== "平稳" && make("span", { class: "tag" }, value(column("trajectory")[i])),
      HITS[i].length > 0 && make("span", { class: "tag hit", "data-severity": HITS[i][0].rule.severity }, word("hitsCount", HITS[i].length)),
    ),
    make("span", { class: "strips", "aria-hidden": "true" }, make("i", { style: { background: stripOf(i, "funnel_stage") } }), make("i", { style: { background: stripOf(i, "emotion_phase") } })),
  );
}

function keepInSight() {
  const place = view.found.indexOf(view.current);
  const list = byId("list");
  if (place < 0) return;
  if (place * ROW < list.scrollTop) list.scrollTop = place * ROW;
  else if ((place + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (place + 1) * ROW - list.clientHeight;
}

/** Open the conversation so many places further down the list. */
function move(step) {
  if (!view.found.length) return;
  const place = Math.min(view.found.length - 1, Math.max(0, view.found.indexOf(view.current) + step));
  open(view.found[place]);
}
