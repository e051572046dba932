/* What holds it together: language, theme, the two views, keys, printing. */

const wide = () => matchMedia("(min-width: 900px)").matches;
const KEYS = [["/", "k_search"], ["J K ↓ ↑", "k_move"], ["Enter", "k_read"], ["N P", "k_hits"], ["Esc", "k_back"], ["O", "k_overview"], ["D", "k_theme"], ["L", "k_language"], ["?", "k_help"]];
let shownView = "overview";

function show(name) {
  shownView = name;
  for (const id of ["overview", "browse"]) {
    byId(id).hidden = id !== name;
    const tab = byId(`tab-${id}`);
    tab.setAttribute("aria-selected", id === name);
    tab.tabIndex = id === name ? 0 : -1;
  }
  document.body.dataset.view = name;
  if (name === "overview") {
    history.replaceState(null, "", "#");
    showOverview();
  } else {
    clearCharts();
    update();
  }
}

/** Write everything again, after a change of language or theme. */
function refresh() {
  document.documentElement.lang = state.english ? "en" : "zh-CN";
  const title = DATA.meta.title || word("report");
  document.title = title;
  byId("title").textContent = title;
  const times = (column("start_time") || []).filter(Boolean).map((time) => time.slice(0, 10)).sort();
  const days = times.length ? [...new Set([times[0], times[times.length - 1]])].join(" – ") : "";
  byId("subtitle").textContent = [days, word("nConversations", number(N)), word("nTurns", number(DATA.turns.texts.length))].filter(Boolean).join(" · ");
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = word(element.dataset.word);
  byId("search").placeholder = word("search");
  byId("search").setAttribute("aria-label", word("search"));
  byId("language").textContent = word("language");
  byId("language").lang = state.english ? "zh-CN" : "en";
  byId("language").hidden = DATA.meta.language !== "both";
  byId("theme").textContent = word(isDark() ? "light" : "dark");
  byId("theme").title = word("theme");
  byId("help").setAttribute("aria-label", word("keys"));
  byId("help").title = word("keys");
  byId("list").setAttribute("aria-label", word("conversations"));
  byId("footer").replaceChildren(
    make("span", { class: DATA.meta.masked ? "" : "warning" }, word(DATA.meta.masked ? "masked" : "unmasked")),
    make("span", {}, `${word("created")} ${new Date(DATA.meta.created).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" })} · funnelnlp ${DATA.meta.version}`),
  );
  byId("keys").replaceChildren(
    make("h2", {}, word("keys")),
    make("dl", {}, KEYS.filter(([key]) => key !== "L" || DATA.meta.language === "both").map(([keys, name]) => [make("dt", {}, keys.split(" ").map((key) => [make("kbd", {}, key), " "])), make("dd", {}, word(name))])),
    make("form", { method: "dialog" }, make("button", { class: "tool" }, word("close"))),
  );
  show(shownView);
}

const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => document.documentElement.dataset.theme === "dark";
const setTheme = (dark) => { document.documentElement.dataset.theme = dark ? "dark" : "light"; };

function switchTheme() {
  system.onchange = null;
  setTheme(!isDark());
  refresh();
}

function switchLanguage() {
  if (DATA.meta.language !== "both") return;
  state.english = !state.english;
  refresh();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "Escape") {
    if (byId("search") === event.target && byId("search").value) { setQuery(""); update(); }
    else if (byId("reader").contains(event.target) || (byId("browse").classList.contains("reading") && !wide())) leave();
    else if (shownView === "browse" && !typing) { show("overview"); byId("tab-overview").focus(); }
    else document.activeElement.blur();
    return;
  }
  if (event.key === "Enter" && event.target === byId("search")) { event.preventDefault(); byId("list").focus(); return; }
  if (typing) return;
  if (event.target.closest('[role="tablist"]') && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    const other = shownView === "overview" ? "browse" : "overview";
    show(other);
    byId(`tab-${other}`).focus();
    return;
  }
  const inList = byId("list").contains(event.target);
  const actions = {
    "/": () => { byId("search").focus(); byId("search").select(); },
    "?": () => byId("keys").showModal(),
    o: () => { show("overview"); byId("tab-overview").focus(); },
    d: switchTheme,
    l: switchLanguage,
  };
  if (shownView === "browse") {
    Object.assign(actions, { j: () => move(1), k: () => move(-1), n: () => nextHit(1), p: () => nextHit(-1) });
    if (inList) {
      const page = Math.max(1, Math.floor(byId("list").clientHeight / ROW) - 1);
      Object.assign(actions, {
        ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(page), PageUp: () => move(-page), Home: () => move(-N), End: () => move(N),
        Enter: () => view.current >= 0 && open(view.current, true),
      });
    }
  } else if (event.key === "j" || event.key === "k") actions[event.key] = () => { showFiltered({}); byId("list").focus(); };
  const action = actions[event.key];
  if (action) {
    event.preventDefault();
    action();
  }
}

let darkScreen = false;
addEventListener("beforeprint", () => {
  // Ink on white, whatever the screen shows.
  darkScreen = isDark();
  setTheme(false);
  if (shownView === "overview") showOverview();
  for (const details of document.querySelectorAll("#reader details")) details.open = true;
});
addEventListener("afterprint", () => {
  setTheme(darkScreen);
  if (shownView === "overview") showOverview();
});

byId("tab-overview").addEventListener("click", () => show("overview"));
byId("tab-browse").addEventListener("click", () => show("browse"));
byId("language").addEventListener("click", switchLanguage);
byId("theme").addEventListener("click", switchTheme);
byId("print").addEventListener("click", () => print());
byId("help").addEventListener("click", () => byId("keys").showModal());
byId("filters").addEventListener("submit", (event) => event.preventDefault());
addEventListener("keydown", onKey);

let waiting = 0;
byId("search").addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    setQuery(event.target.value);
    show("browse");
  }, 120);
});

let scrolled = false;
byId("list").addEventListener("scroll", () => {
  if (scrolled) return;
  scrolled = true;
  requestAnimationFrame(() => { scrolled = false; showRows(); });
}, { passive: true });

let resized = 0;
addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(() => { if (shownView === "overview") resizeCharts(); else showRows(); }, 100);
});
setTheme(system.matches);
system.onchange = () => { setTheme(system.matches); refresh(); };

state.english = DATA.meta.language === "en" || (DATA.meta.language === "both" && !navigator.language.toLowerCase().startsWith("zh"));
const asked = NUMBER_OF.get(decodeURIComponent(location.hash.slice(1)));
if (asked !== undefined) {
  shownView = "browse";
  view.current = asked;
}
refresh();
