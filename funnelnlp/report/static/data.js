/* The log as the page was given it. */

const DATA = JSON.parse(byId("data").textContent);
const TASKS = DATA.tasks;
const NAMES = Object.fromEntries(Object.entries(TASKS).map(([task, { labels }]) => [task, labels.map((label) => label.name)]));
const ALIASES = Object.fromEntries(Object.values(TASKS).flatMap(({ labels }) => labels.map((label) => [label.name, label.alias])));
ALIASES["需求效益"] = "need-payoff";
const STAGES = NAMES.funnel_stage;
const PHASES = NAMES.emotion_phase;
const QUESTIONS = NAMES.question_type;
const SEVERITIES = ["严重", "一般", "提示"];

const N = DATA.conversations.conversation_id.length;
const column = (name) => DATA.conversations[name] || null;
const HITS = Array.from({ length: N }, () => []);
for (const [conversation, rule, turn, start, end] of DATA.hits) HITS[conversation].push({ rule: DATA.rules[rule], turn, start, end });
for (const hits of HITS) hits.sort((a, b) => SEVERITIES.indexOf(a.rule.severity) - SEVERITIES.indexOf(b.rule.severity) || a.turn - b.turn);
const NUMBER_OF = new Map(DATA.conversations.conversation_id.map((id, i) => [id, i]));

const stageColour = (stage) => colour(`stage-${STAGES.indexOf(stage)}`);
const phaseColour = (phase) => colour(`phase-${PHASES.indexOf(phase)}`);
const severityColour = (severity) => colour(`severity-${SEVERITIES.indexOf(severity)}`);
const ruleTitle = (rule) => (state.english && rule.title_en) || rule.title;

/** Return the turns of a conversation, made when it is opened. */
function turnsOf(conversation) {
  const { starts, roles, texts, times, labels, confidences } = DATA.turns;
  const result = [];
  for (let i = starts[conversation]; i < starts[conversation + 1]; i++) {
    const turn = { number: i - starts[conversation], role: roles[i], text: texts[i], time: times[i] || "", confidence: {} };
    for (const task of Object.keys(TASKS)) {
      turn[task] = NAMES[task][labels[task][i]] || "";
      turn.confidence[task] = confidences[task][i];
    }
    result.push(turn);
  }
  return result;
}

const haystacks = new Array(N);
/** Return all that is said in a conversation and its name, in lower case, for searching. */
function haystack(conversation) {
  if (haystacks[conversation] === undefined) {
    const { starts, texts } = DATA.turns;
    const said = texts.slice(starts[conversation], starts[conversation + 1]);
    haystacks[conversation] = [DATA.conversations.conversation_id[conversation], ...said].join("\n").toLowerCase();
  }
  return haystacks[conversation];
}
