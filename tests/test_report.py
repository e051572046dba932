"""The report: what is in the file, and how the page behaves in a browser."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from funnelnlp.cli import main
from funnelnlp.conversations import Analysis, analyse, read_rules
from funnelnlp.errors import FunnelError
from funnelnlp.report import write_report, write_tables
from funnelnlp.text import mask
from funnelnlp.transcripts import read_transcripts

EVIL = '<img src=x onerror="window.hit=1"></script><script>window.hit=1</script>'
PHONE, ORDER = "12655013380", "ZN20231107112"


@pytest.fixture(scope="module")
def analysis(model, samples) -> Analysis:
    return analyse(model, read_transcripts(samples / "chats.csv"))


@pytest.fixture(scope="module")
def report(model, analysis: Analysis, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(analysis, path, model=model)
    return path


def analysed(model, *texts: tuple[str, str], **columns: str) -> Analysis:
    frame = pd.DataFrame([{"conversation_id": "c", "role": role, "text": text, **columns} for role, text in texts])
    return analyse(model, frame)


def data_of(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


# --- the file -------------------------------------------------------------------------------------------------


def test_the_file_holds_what_was_analysed(report: Path, analysis: Analysis) -> None:
    data = data_of(report)
    assert data["conversations"]["conversation_id"] == analysis.summaries["conversation_id"].tolist()
    assert len(data["hits"]) == len(analysis.hits)
    assert len(data["turns"]["texts"]) == len(analysis.turns) == data["turns"]["starts"][-1]
    first = analysis.turns[analysis.turns["conversation_id"] == "K001"].sort_values("turn")
    assert data["turns"]["texts"][: len(first)] == [mask(text)[0] for text in first["text"]]
    stages = [label["name"] for label in data["tasks"]["funnel_stage"]["labels"]]
    assert [stages[i] for i in data["turns"]["labels"]["funnel_stage"][: len(first)]] == first["funnel_stage"].tolist()


def test_nothing_outside_is_referred_to(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy[1] and "http" not in policy[1]
    ours = re.sub(r"<script>\s*/\*\s+\* Licensed.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", ours)
    assert "innerHTML" not in ours and "insertAdjacentHTML" not in ours and "document.write" not in ours


def test_personal_data_is_masked_unless_asked_for(model, tmp_path) -> None:
    analysis = analysed(
        model,
        ("customer", f"我的订单{ORDER}还没到，电话{PHONE}"),
        ("agent", f"订单{ORDER}这边您别激动，请注意言辞"),
        order_no=PHONE,
    )
    assert len(analysis.hits)
    write_report(analysis, tmp_path / "masked.html")
    write_report(analysis, tmp_path / "open.html", show_personal_data=True)
    masked = (tmp_path / "masked.html").read_text(encoding="utf-8")
    assert PHONE not in masked and ORDER not in masked
    assert "<电话>" in data_of(tmp_path / "masked.html")["turns"]["texts"][0]
    shown = data_of(tmp_path / "open.html")
    assert PHONE in shown["turns"]["texts"][0]
    # The evidence is the same words in both, though their place moved.
    hidden = data_of(tmp_path / "masked.html")
    for before, after in zip(shown["hits"], hidden["hits"], strict=True):
        words = [d["turns"]["texts"][hit[2]][hit[3] : hit[4]] for d, hit in ((shown, before), (hidden, after)) if hit[2] >= 0]
        assert len(set(words)) <= 1, words
    assert any(before[3] != after[3] for before, after in zip(shown["hits"], hidden["hits"], strict=True))
    for show in (False, True):
        for file in write_tables(analysis, tmp_path / f"t{show}", show_personal_data=show):
            if file.stem == "turns":
                assert (PHONE in file.read_text(encoding="utf-8-sig")) == show
            if not show:
                assert PHONE not in file.read_text(encoding="utf-8-sig"), file


def test_places_are_counted_as_the_browser_counts(model, tmp_path) -> None:
    analysis = analysed(model, ("customer", "怎么还不发货！"), ("agent", "😀😀您别激动"))
    hit = analysis.hits[analysis.hits["rule"] == "calming_command"].iloc[0]
    write_report(analysis, tmp_path / "r.html")
    data = data_of(tmp_path / "r.html")
    rule = [r["id"] for r in data["rules"]].index("calming_command")
    [(start, end)] = [h[3:] for h in data["hits"] if h[1] == rule]
    units = "😀😀您别激动".encode("utf-16-le")
    assert units[2 * start : 2 * end].decode("utf-16-le") == hit["evidence"]


def test_a_failure_leaves_the_old_report(model, tmp_path, monkeypatch) -> None:
    target = tmp_path / "r.html"
    target.write_text("old", encoding="utf-8")
    analysis = analysed(model, ("customer", "你好"))
    monkeypatch.setattr("funnelnlp.transcripts.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(FunnelError, match="No space left"):
        write_report(analysis, target)
    assert target.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_wrong_targets_and_languages(model, analysis: Analysis, tmp_path) -> None:
    with pytest.raises(FunnelError, match=r"r\.pdf: the report is an \.html file"):
        write_report(analysis, tmp_path / "r.pdf")
    with pytest.raises(FunnelError, match="there is no folder"):
        write_report(analysis, tmp_path / "no" / "r.html")
    with pytest.raises(FunnelError, match="zh, en, both; got 'fr'"):
        write_report(analysis, tmp_path / "r.html", language="fr")
    with pytest.raises(FunnelError, match="csv, parquet, xlsx, jsonl; not as 'pdf'"):
        write_tables(analysis, tmp_path, file_format="pdf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", ["csv", "parquet", "xlsx", "jsonl"])
def test_command_writes_page_and_tables(file_format: str, samples, tmp_path) -> None:
    out, tables = tmp_path / "r.html", tmp_path / "tables"
    arguments = ["report", str(samples / "chats.xlsx"), "-o", str(out), "--tables", str(tables), "--format", file_format]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert out.resolve().as_uri() in result.output
    assert len(data_of(out)["conversations"]["risk"]) == 40
    names = {p.stem for p in tables.iterdir()}
    assert {"summaries", "hits", "turns", "funnel", "emotion_flow", "questions", "worklist", "drift", "hits_by_rule"} <= names
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": partial(pd.read_json, lines=True)}
    readers["xlsx"] = partial(pd.read_excel, engine="calamine")
    summaries = readers[file_format](tables / f"summaries.{file_format}")
    assert len(summaries) == 40 and summaries["risk"].between(0, 100).all()


def test_command_says_what_is_wrong(samples, tmp_path) -> None:
    def fails(*arguments: object) -> str:
        result = CliRunner().invoke(main, ["report", *map(str, arguments)])
        assert result.exit_code == 1 and "Traceback" not in result.output, result.output
        return result.output

    assert "the report is an .html file" in fails(samples / "chats.csv", "-o", tmp_path / "r.txt")
    assert "there is no folder" in fails(samples / "chats.csv", "-o", tmp_path / "no" / "r.html")
    assert "no such file" in fails(tmp_path / "no.csv", "-o", tmp_path / "r.html")
    assert "rules.toml" in fails(samples / "chats.csv", "-o", tmp_path / "r.html", "--rules", tmp_path / "rules.toml")
    assert not list(tmp_path.iterdir())


# --- the page in a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    pytest.importorskip("selenium", reason="the page is tested with selenium: pip install 'funnelnlp[dev]'")
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("the page is tested in Chromium: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1440,1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


class Browser:
    """What the tests do with the page."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, tab: str = "overview") -> float:
        self.requests()
        self.problems()
        started = time.perf_counter()
        self.driver.get(path.resolve().as_uri())
        took = time.perf_counter() - started
        if tab != "overview":
            self.click(f"#tab-{tab}")
        return took

    def js(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def click(self, selector: str) -> None:
        self.all(selector)[0].click()

    def choose(self, name: str, value: str) -> None:
        code = "const e = document.getElementById(arguments[0]); e.value = arguments[1]; e.dispatchEvent(new Event('change'));"
        self.js(code, f"filter-{name}", value)

    def keys(self, *keys: str) -> None:
        self.driver.switch_to.active_element.send_keys(*keys)

    def found(self) -> int:
        return int(re.findall(r"\d+", self.text("#count").replace(",", ""))[0])

    def current(self) -> str:
        return self.text("#reader h2")

    def problems(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if "favicon" not in entry["message"]]

    def requests(self) -> list[str]:
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


@pytest.fixture
def browser(chromium) -> Browser:
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    chromium.set_window_size(1440, 1000)
    return Browser(chromium)


def test_opens_offline_without_complaint(browser: Browser, report: Path, analysis: Analysis) -> None:
    browser.open(report)
    assert [r for r in browser.requests() if not r.startswith("data:")] == [report.resolve().as_uri()]
    assert str(len(analysis.summaries)) in browser.text("#overview .tile")
    drawn = browser.js(
        "return [...document.querySelectorAll('.chart')].map(e => [...e.querySelectorAll('canvas')].some(c => "
        "new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 8))"
    )
    assert len(drawn) == 7 and all(drawn)
    assert all(element.get_attribute("aria-label") for element in browser.all(".chart"))
    browser.click("#tab-browse")
    browser.click("#theme")
    browser.click("#language")
    assert browser.problems() == []


def test_the_policy_stops_other_scripts_and_the_network(browser: Browser, report: Path) -> None:
    browser.open(report)
    browser.js("const s = document.createElement('script'); s.textContent = 'window.foreign = 1'; document.body.append(s);")
    assert browser.js("return window.foreign") is None
    code = "const done = arguments[0]; fetch('https://example.com/').then(() => done('fetched'), () => done('refused'))"
    assert browser.driver.execute_async_script(code) == "refused"
    assert sum("Content Security Policy" in problem for problem in browser.problems()) >= 2


def test_filters_sorting_and_search_agree_with_the_analysis(browser: Browser, report: Path, analysis: Analysis) -> None:
    summaries, hits = analysis.summaries, analysis.hits
    browser.open(report, "browse")
    assert browser.found() == len(summaries)
    assert (
        browser.current() == summaries.sort_values(["risk", "n_hits"], ascending=False, kind="stable")["conversation_id"].iloc[0]
    )
    rule = hits["rule"].mode()[0]
    browser.choose("rule", rule)
    with_rule = set(hits.loc[hits["rule"] == rule, "conversation_id"])
    assert browser.found() == len(with_rule)
    agent = summaries.loc[summaries["conversation_id"].isin(with_rule), "agent"].mode()[0]
    browser.choose("agent", agent)
    both = summaries[summaries["conversation_id"].isin(with_rule) & (summaries["agent"] == agent)]
    assert browser.found() == len(both) > 0
    browser.click("#filters button:last-child")
    assert browser.found() == len(summaries)
    browser.click("#more")
    for column in ("channel", "trajectory", "resolution", "emotion_peak", "emotion_end", "complaint_level"):
        value = summaries[column].value_counts().index[-1]
        browser.choose(column, value)
        assert browser.found() == (summaries[column] == value).sum(), column
        browser.choose(column, "")
    for stage, wanted in (("确认", summaries["reached_确认"]), ("-确认", ~summaries["reached_确认"])):
        browser.choose("stage", stage)
        assert browser.found() == wanted.sum()
    browser.choose("stage", "")
    browser.choose("risk", "high")
    assert browser.found() == (summaries["risk"] >= 50).sum()
    browser.choose("risk", "")
    browser.choose("sort", "length")
    # The list scrolls to the open conversation.
    browser.js("document.getElementById('list').scrollTop = 0")
    time.sleep(0.3)
    assert (
        browser.all(".row b")[0].text
        == summaries.sort_values("n_turns", ascending=False, kind="stable")["conversation_id"].iloc[0]
    )
    browser.all("#search")[0].send_keys("发票")
    time.sleep(0.3)
    wanted = analysis.turns.loc[analysis.turns["text"].str.contains("发票"), "conversation_id"].nunique()
    assert browser.found() == wanted > 0
    assert {mark.text for mark in browser.all("mark.found")} == {"发票"}
    browser.all("#search")[0].send_keys("没有这样的话")
    time.sleep(0.3)
    assert browser.text("#rows") == ""
    browser.all("#search")[0].clear()
    one = summaries["conversation_id"].iloc[0]
    browser.all("#search")[0].send_keys(one)
    time.sleep(0.3)
    assert [int(n) for n in re.findall(r"\d+", browser.text("#count"))] == [1, len(summaries)]
    assert browser.problems() == []


def test_a_click_on_a_chart_filters(browser: Browser, report: Path, analysis: Analysis) -> None:
    clicks = {"rule": (1, "{dataIndex: 0}"), "emotion_peak": (2, "{dataType: 'node', name: 'peak:平静'}")}
    for name, (place, event) in clicks.items():
        browser.open(report)
        browser.js(f"echarts.getInstanceByDom(document.querySelectorAll('.chart')[{place}]).trigger('click', {event})")
        chosen = browser.js("return document.getElementById(arguments[0]).value", f"filter-{name}")
        hit = analysis.hits.loc[analysis.hits["rule"] == chosen, "conversation_id"].nunique()
        assert browser.found() == (hit or (analysis.summaries["emotion_peak"] == "平静").sum()) > 0


def test_evidence_is_marked_and_explained(browser: Browser, report: Path, analysis: Analysis) -> None:
    browser.open(report, "browse")
    worst = browser.current()
    hits = analysis.hits[(analysis.hits["conversation_id"] == worst) & (analysis.hits["end"] > analysis.hits["start"])]
    assert len(hits)
    for turn, here in hits.groupby("turn"):
        text = analysis.turns.set_index(["conversation_id", "turn"]).loc[(worst, turn), "text"]
        covered = {i for hit in here.itertuples() for i in range(hit.start, hit.end)}
        shown = "".join(mark.text for mark in browser.all(f"#turn-{turn} mark"))
        assert shown.replace("\n", "") == mask("".join(text[i] for i in sorted(covered)))[0].replace("\n", "")
        notes = browser.text(f"#turn-{turn}")
        for hit in here.itertuples():
            assert analysis.rules[hit.rule].suggestion in notes
    dialogue = analysis.turns[analysis.turns["conversation_id"] == worst]
    assert len(browser.all(".chat .turn")) == len(dialogue)
    assert len(browser.all(".ribbon")[0].find_elements("css selector", "button")) == len(dialogue)
    assert browser.all(".advice")


@pytest.fixture(scope="module")
def evil_report(model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("evil") / "r.html"
    rows = [("customer", f"你们怎么回事{EVIL}！！骗子"), ("agent", f"您别激动{EVIL}"), ("agent", EVIL), ("customer", EVIL)]
    extra = {"channel": EVIL, "agent": EVIL, "team": EVIL, "time": "2026-03-01 09:00:00"}
    frame = pd.DataFrame([{"conversation_id": i + EVIL, "role": r, "text": t, **extra} for i in "ab" for r, t in rows])
    ours = read_rules()
    texts = {"title": EVIL, "title_en": EVIL, "definition": EVIL, "suggestion": EVIL}
    rules = replace(ours, rules=tuple(replace(rule, **texts) for rule in ours))
    write_report(analyse(model, frame, rules), path, model=model, title=EVIL)
    return path


def test_markup_in_the_log_stays_text(browser: Browser, evil_report: Path) -> None:
    browser.open(evil_report)
    browser.js("""
        for (const canvas of document.querySelectorAll('canvas')) {
          const box = canvas.getBoundingClientRect();
          for (let x = 20; x < box.width; x += 40) for (let y = 10; y < box.height; y += 20)
            canvas.dispatchEvent(new MouseEvent('mousemove', { clientX: box.left + x, clientY: box.top + y, bubbles: true }));
        }""")
    browser.click("#tab-browse")
    browser.all("#search")[0].send_keys("<img")
    time.sleep(0.4)
    assert browser.found() == 2
    browser.click("#language")
    browser.click("#theme")
    assert browser.js("return window.hit") is None
    assert browser.all("img, iframe, object") == []
    assert len(browser.all("script")) == 3
    assert EVIL in browser.text("#turn-2 .bubble")
    assert EVIL in browser.text("#reader h2")
    assert browser.text("title") == browser.text("#title") == EVIL
    assert browser.problems() == []


def repeated(analysis: Analysis, times: int) -> Analysis:
    """Return the log as often as asked, each time with conversations of other names."""

    def again(frame: pd.DataFrame) -> pd.DataFrame:
        parts = [frame.assign(conversation_id=f"{i}-" + frame["conversation_id"]) for i in range(times)]
        return pd.concat(parts, ignore_index=True)

    return Analysis(again(analysis.turns), again(analysis.summaries), again(analysis.hits), analysis.rules)


def test_twenty_thousand_turns_load_and_scroll_smoothly(browser: Browser, model, analysis: Analysis, tmp_path) -> None:
    large = repeated(analysis, 39)
    assert len(large.turns) > 20_000
    write_report(large, tmp_path / "r.html", model=model)
    assert browser.open(tmp_path / "r.html") < 3
    started = time.perf_counter()
    browser.click("#tab-browse")
    assert time.perf_counter() - started < 1
    assert browser.found() == len(large.summaries)
    frames = browser.driver.execute_async_script(
        "const done = arguments[0], list = document.getElementById('list'), times = []; let last = performance.now();"
        "const step = (now) => { times.push(now - last); last = now; list.scrollTop += 300;"
        " if (times.length < 100) requestAnimationFrame(step); else done(times.sort((a, b) => a - b)); };"
        "requestAnimationFrame(step);"
    )
    assert frames[50] < 34, f"half of the frames take longer than {frames[50]:.0f} ms"
    assert len(browser.all(".row")) < 40
    browser.all("#search")[0].send_keys("发货")
    time.sleep(0.6)
    assert browser.found() == 39 * analysis.turns.loc[analysis.turns["text"].str.contains("发货"), "conversation_id"].nunique()
    assert browser.problems() == []


def test_language_and_theme(browser: Browser, report: Path, analysis: Analysis, tmp_path) -> None:
    for scheme, ground in (("dark", "rgb(17, 21, 27)"), ("light", "rgb(245, 246, 248)")):
        browser.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        browser.open(report)
        assert browser.js("return getComputedStyle(document.body).backgroundColor") == ground
    browser.click("#theme")
    assert browser.js("return getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
    first = browser.text("#tab-overview")
    browser.click("#language")
    assert {first, browser.text("#tab-overview")} == {"概览", "Overview"}
    for language, words, other in (("zh", "先看这些会话", "Look at these first"), ("en", "Look at these first", "先看这些会话")):
        path = tmp_path / f"{language}.html"
        write_report(analysis, path, language=language, title="Log")
        browser.open(path)
        text = browser.text("#overview")
        assert words in text and other not in text
        assert not browser.all("#language")[0].is_displayed()


def test_keyboard_alone(browser: Browser, report: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    def focus() -> str:
        return browser.js("return document.activeElement.id")

    browser.open(report)
    browser.keys("j")
    assert focus() == "list"
    first = browser.current()
    browser.keys(Keys.ARROW_DOWN)
    second = browser.current()
    assert second != first
    assert browser.js("return document.getElementById(list.getAttribute('aria-activedescendant')).ariaSelected", None) == "true"
    browser.keys("k")
    assert browser.current() == first
    browser.keys(Keys.END)
    last = browser.current()
    assert last not in (first, second)
    assert browser.js("""
        const row = document.querySelector('.row[aria-selected=true]').getBoundingClientRect();
        const box = list.getBoundingClientRect();
        return row.bottom <= box.bottom + 1 && row.top >= box.top - 1""")
    browser.keys(Keys.HOME)
    browser.keys(Keys.ENTER)
    assert focus() == "reader"
    browser.keys("n")
    assert focus().startswith("turn-")
    at = focus()
    browser.keys("n")
    assert focus() != at
    browser.keys("p")
    assert focus() == at
    browser.keys(Keys.ESCAPE)
    assert focus() == "list"
    browser.keys("/")
    assert focus() == "search"
    browser.keys("发票", Keys.ENTER)
    time.sleep(0.3)
    assert focus() == "list" and browser.found() < 40
    browser.keys("?")
    assert browser.js("return keys.open")
    browser.keys(Keys.ESCAPE)
    assert not browser.js("return keys.open")
    browser.keys("o")
    assert focus() == "tab-overview" and browser.all("#overview")[0].is_displayed()
    outline = browser.js(
        "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0"
    )
    assert outline


def test_print_and_narrow_screens(browser: Browser, report: Path) -> None:
    browser.open(report, "browse")
    browser.click("#theme")
    pages = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"]
    assert len(pages) > 20_000
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not any(element.is_displayed() for element in browser.all(".tools, .pane-list"))
    assert browser.all(".chat")[0].is_displayed()
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.open(report, "browse")
    assert browser.js("return document.documentElement.scrollWidth") <= 400
    assert not browser.all("#reader")[0].is_displayed()
    browser.click(".row")
    assert browser.all("#reader")[0].is_displayed() and not browser.all("#list")[0].is_displayed()
    assert browser.js("return document.documentElement.scrollWidth") <= 400
    browser.click(".back")
    assert browser.all("#list")[0].is_displayed()
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("turns", [[("agent", "您好，请讲")], [("customer", "在吗")], [("customer", ""), ("agent", "😀")]])
def test_the_smallest_logs(browser: Browser, model, turns: list[tuple[str, str]], tmp_path) -> None:
    analysis = analysed(model, *turns)
    write_report(analysis, tmp_path / "r.html", model=model)
    browser.open(tmp_path / "r.html", "browse")
    assert browser.found() == 1
    assert len(browser.all(".chat .turn")) == len(turns)
    browser.click("#tab-overview")
    assert browser.problems() == []
