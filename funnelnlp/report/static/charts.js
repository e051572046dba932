/* The drawings. Tooltips are drawn, not written as HTML, so no text of the log can become markup. */

const drawn = [];

/** Draw a chart into an element, to be drawn again whenever language or theme change. */
function chart(element, label, options, onclick) {
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", label);
  const instance = echarts.init(element, null, { renderer: "canvas" });
  instance.setOption({
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: colour("ink-2") },
    tooltip: tooltip(),
    ...options,
  });
  if (onclick) instance.on("click", onclick);
  drawn.push(instance);
}

function clearCharts() {
  for (const instance of drawn.splice(0)) instance.dispose();
}

function resizeCharts() {
  for (const instance of drawn) instance.resize();
}

const tooltip = (extra = {}) => ({
  renderMode: "richText",
  confine: true,
  backgroundColor: colour("panel"),
  borderColor: colour("line"),
  textStyle: { color: colour("ink"), fontSize: 12 },
  ...extra,
});
const quietAxis = () => ({
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine: { lineStyle: { color: colour("line") } },
  axisLabel: { color: colour("ink-2") },
});
const shorten = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function drawFlow(element) {
  const places = ["start", "peak", "end"];
  const nodes = new Map();
  const links = new Map();
  for (const row of DATA.flow) {
    for (const place of places) {
      const name = `${place}:${row[place]}`;
      nodes.set(name, (nodes.get(name) || 0) + row.conversations);
    }
    for (const [from, to] of [["start", "peak"], ["peak", "end"]]) {
      const key = `${from}:${row[from]}>${to}:${row[to]}`;
      links.set(key, (links.get(key) || 0) + row.conversations);
    }
  }
  const order = (name) => PHASES.indexOf(name.split(":")[1]);
  const names = [...nodes.keys()].sort((a, b) => order(b) - order(a));
  const labelled = (name) => `${value(name.split(":")[1])}  ${nodes.get(name)}`;
  chart(
    element,
    `${word("flow")}: ${names.map((name) => `${word(name.split(":")[0])} ${labelled(name)}`).join(", ")}`,
    {
      tooltip: tooltip({
        trigger: "item",
        formatter: ({ dataType, name, data }) =>
          dataType === "node"
            ? `${word(name.split(":")[0])} · ${labelled(name)}`
            : `${[data.source, data.target].map((n) => `${word(n.split(":")[0])} ${value(n.split(":")[1])}`).join(" → ")}  ${data.value}`,
      }),
      series: {
        type: "sankey",
        left: 8, right: state.english ? 130 : 80, top: 28, bottom: 8,
        nodeGap: 14, nodeWidth: 14, layoutIterations: 0, draggable: false,
        emphasis: { focus: "adjacency" },
        data: names.map((name) => ({
          name,
          depth: places.indexOf(name.split(":")[0]),
          itemStyle: { color: phaseColour(name.split(":")[1]), borderWidth: 0 },
        })),
        links: [...links].map(([key, count]) => ({ source: key.split(">")[0], target: key.split(">")[1], value: count })),
        lineStyle: { color: "source", opacity: 0.28, curveness: 0.5 },
        label: { color: colour("ink"), fontSize: 12, formatter: ({ name }) => labelled(name) },
      },
      graphic: places.map((place, i) => ({
        type: "text", top: 4, ...(i === 0 ? { left: 8 } : i === 1 ? { left: "center" } : { right: state.english ? 118 : 66 }),
        style: { text: word(place), fill: colour("ink-2"), fontSize: 12 },
      })),
    },
    ({ dataType, name }) => {
      if (dataType !== "node") return;
      const [place, phase] = name.split(":");
      showFiltered({ [`emotion_${place}`]: phase });
    },
  );
}

function drawProgress(element) {
  chart(element, word("progress"), {
    grid: { left: 8, right: 16, top: 34, bottom: 8, containLabel: true },
    legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 8, textStyle: { color: colour("ink-2") } },
    tooltip: tooltip({ trigger: "axis", valueFormatter: (x) => percent(x) }),
    xAxis: { type: "category", boundaryGap: false, data: DATA.progress.map((row) => `${(row.part + 1) * 10}%`), ...quietAxis() },
    yAxis: { type: "value", max: (x) => Math.max(0.1, Math.ceil(x.max * 10) / 10), ...quietAxis(), axisLabel: { color: colour("ink-2"), formatter: (x) => percent(x) } },
    series: PHASES.slice(1).map((phase) => ({
      name: value(phase), type: "line", stack: "all", areaStyle: { opacity: 0.75 }, lineStyle: { width: 0 }, symbol: "none",
      color: phaseColour(phase), data: DATA.progress.map((row) => row[phase]),
    })),
  });
}

function drawFunnel(element) {
  const rows = DATA.funnel;
  const timed = rows.some((row) => row.seconds !== null);
  const told = (row) => `${word("nTurns", number(row.turns, 1))}${timed ? ` · ${duration(row.seconds)}` : ""}`;
  chart(
    element,
    `${word("funnel")}: ${rows.map((row) => `${value(row.stage)} ${percent(row.share)}`).join(", ")}`,
    {
      grid: { left: 8, right: 180, top: 4, bottom: 4, containLabel: true },
      tooltip: tooltip({ trigger: "item", formatter: ({ dataIndex: i }) => `${value(rows[i].stage)}  ${rows[i].conversations} (${percent(rows[i].share)})\n${told(rows[i])}` }),
      xAxis: { type: "value", max: 1, show: false },
      yAxis: { type: "category", inverse: true, data: rows.map((row) => value(row.stage)), ...quietAxis(), axisLabel: { color: colour("ink"), fontSize: 13 } },
      series: {
        type: "bar", barWidth: 26, showBackground: true, backgroundStyle: { color: colour("sunken"), borderRadius: 4 },
        data: rows.map((row) => ({ value: row.share, itemStyle: { color: stageColour(row.stage), borderRadius: 4 } })),
        markPoint: {
          symbol: "rect", symbolSize: 0.1, silent: true,
          data: rows.map((row, i) => ({ coord: [1, i], value: `${percent(row.share)}   ${told(row)}` })),
          label: { position: "right", color: colour("ink-2"), fontSize: 12, distance: 10 },
          itemStyle: { color: "transparent" },
        },
      },
    },
    ({ dataIndex: i }) => showFiltered({ stage: rows[i].share < 1 ? `-${rows[i].stage}` : rows[i].stage }),
  );
}

function drawRules(element) {
  const rows = DATA.rule_hits.rule.filter((row) => row.hits).sort((a, b) => a.conversations - b.conversations);
  const rules = rows.map((row) => DATA.rules.find((rule) => rule.id === row.rule));
  element.style.setProperty("height", `${Math.max(120, 30 + rows.length * 26)}px`);
  chart(
    element,
    `${word("ruleHits")}: ${rows.map((row, i) => `${ruleTitle(rules[i])} ${row.conversations}`).join(", ")}`,
    {
      grid: { left: 8, right: 90, top: 4, bottom: 4, containLabel: true },
      tooltip: tooltip({ trigger: "item", formatter: ({ dataIndex: i }) => `${ruleTitle(rules[i])} · ${value(rows[i].severity)}\n${word("hitsCount", rows[i].hits)}, ${word("conversations")} ${rows[i].conversations} (${percent(rows[i].share)})` }),
      xAxis: { type: "value", show: false },
      yAxis: { type: "category", data: rules.map((rule) => shorten(ruleTitle(rule), 30)), ...quietAxis(), axisLabel: { color: colour("ink") } },
      series: {
        type: "bar", barWidth: 14,
        data: rows.map((row) => ({ value: row.conversations, itemStyle: { color: severityColour(row.severity), borderRadius: 3 } })),
        label: { show: true, position: "right", color: colour("ink-2"), formatter: ({ dataIndex: i }) => `${rows[i].conversations}  (${percent(rows[i].share)})` },
      },
    },
    ({ dataIndex }) => showFiltered({ rule: rules[dataIndex].id }),
  );
}

function drawCompare(element, by) {
  const rows = DATA.rule_hits[by];
  const total = (key, name) => rows.filter((row) => row[key] === name).reduce((sum, row) => sum + row.conversations, 0);
  const groups = [...new Set(rows.map((row) => row[by]))];
  if (by === "day") groups.sort();
  else groups.sort((a, b) => total(by, b) - total(by, a));
  groups.splice(by === "day" ? 31 : 15);
  const rules = DATA.rules.filter((rule) => rows.some((row) => row.rule === rule.id)).sort((a, b) => total("rule", a.id) - total("rule", b.id));
  element.style.setProperty("height", `${70 + rules.length * 26}px`);
  const cells = rows
    .filter((row) => groups.includes(row[by]))
    .map((row) => ({ value: [groups.indexOf(row[by]), rules.findIndex((rule) => rule.id === row.rule), row.share], row }));
  chart(
    element,
    `${word("compare")} ${word(`by_${by}`)}`,
    {
      grid: { left: 8, right: 8, top: 4, bottom: 44, containLabel: true },
      tooltip: tooltip({ trigger: "item", formatter: ({ data: { row } }) => `${row[by] || "–"} · ${ruleTitle(DATA.rules.find((r) => r.id === row.rule))}\n${row.conversations} / ${row.of} (${percent(row.share)})` }),
      xAxis: { type: "category", data: groups.map((name) => name || "–"), ...quietAxis(), axisLabel: { color: colour("ink"), interval: 0, formatter: (text) => shorten(text, 10), rotate: groups.length > 8 ? 40 : 0 } },
      yAxis: { type: "category", data: rules.map((rule) => shorten(ruleTitle(rule), 30)), ...quietAxis(), axisLabel: { color: colour("ink") } },
      visualMap: {
        min: 0, max: Math.max(0.1, ...cells.map((cell) => cell.value[2])), dimension: 2, calculable: false, orient: "horizontal", left: "center", bottom: 0,
        itemWidth: 10, itemHeight: 120, inRange: { color: [colour("heat-0"), colour("heat-1"), colour("heat-2")] },
        textStyle: { color: colour("ink-2") }, formatter: (x) => percent(x), text: [word("share"), ""],
      },
      series: {
        type: "heatmap", data: cells, itemStyle: { borderColor: colour("panel"), borderWidth: 2, borderRadius: 3 },
        label: { show: groups.length <= 12, formatter: ({ value: cell }) => percent(cell[2]), fontSize: 11 },
      },
    },
    ({ data: { row } }) => showFiltered({ rule: row.rule, ...(FILTERS.some((f) => f.name === by) ? { [by]: row[by] } : {}) }),
  );
}

function drawQuestions(element) {
  const rows = [...DATA.questions].reverse();
  const name = (row) => row.agent || word("agent");
  element.style.setProperty("height", `${70 + rows.length * 30}px`);
  const kinds = QUESTIONS.slice(1);
  chart(
    element,
    `${word("questionMix")}: ${rows.map((row) => `${name(row)} ${kinds.map((kind) => `${value(kind)} ${row[kind]}`).join(" ")}`).join(", ")}`,
    {
      grid: { left: 8, right: 24, top: 34, bottom: 4, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 8, textStyle: { color: colour("ink-2") } },
      tooltip: tooltip({ trigger: "axis", axisPointer: { type: "none" }, valueFormatter: (x) => number(x, 1) }),
      xAxis: { type: "value", ...quietAxis() },
      yAxis: { type: "category", data: rows.map((row) => shorten(name(row), 14)), ...quietAxis(), axisLabel: { color: colour("ink") } },
      series: kinds.map((kind, i) => ({
        name: value(kind), type: "bar", stack: "all", barWidth: 16, color: colour(`question-${i}`),
        data: rows.map((row) => (100 * row[kind]) / row.turns),
      })),
    },
  );
}

function drawDrift(element) {
  const rows = [];
  for (const row of DATA.drift.filter((r) => r.training !== null)) {
    // An empty line between tasks.
    if (rows.length && rows.at(-1).task !== row.task) rows.push({ task: row.task, label: "", training: null, log: null, low: null, high: null });
    rows.push(row);
  }
  rows.reverse();
  element.style.setProperty("height", `${56 + rows.length * 18}px`);
  const name = (row) => (row.label === NAMES.spin_type[0] ? `SPIN: ${value(row.label)}` : value(row.label));
  chart(element, word("drift"), {
    grid: { left: 8, right: 20, top: 30, bottom: 4, containLabel: true },
    legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 8, data: [word("training"), word("log")], textStyle: { color: colour("ink-2") } },
    tooltip: tooltip({ trigger: "axis", axisPointer: { type: "none" }, formatter: ([{ dataIndex: i }]) => `${state.english ? rows[i].task : TASKS[rows[i].task].title} · ${name(rows[i])}\n${word("training")} ${percent(rows[i].training, 1)}\n${word("log")} ${percent(rows[i].log, 1)} (${percent(rows[i].low, 1)}–${percent(rows[i].high, 1)})` }),
    xAxis: { type: "value", min: 0, max: 1, ...quietAxis(), axisLabel: { color: colour("ink-2"), formatter: (x) => percent(x) } },
    yAxis: { type: "category", data: rows.map(name), ...quietAxis(), axisLabel: { color: colour("ink") } },
    series: [
      {
        type: "custom", silent: true, data: rows.map((row, i) => [row.low, row.high, i]).filter(([low]) => low !== null),
        renderItem: (_, api) => {
          const [from, to] = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(2)])];
          return { type: "line", shape: { x1: from[0], y1: from[1], x2: to[0], y2: to[1] }, style: { stroke: colour("accent"), lineWidth: 6, opacity: 0.22, lineCap: "round" } };
        },
      },
      { name: word("training"), type: "scatter", symbolSize: 9, data: rows.map((row) => row.training), itemStyle: { color: colour("panel"), borderColor: colour("ink-2"), borderWidth: 2 } },
      { name: word("log"), type: "scatter", symbolSize: 9, data: rows.map((row) => row.log), itemStyle: { color: colour("accent") } },
    ],
  });
}
