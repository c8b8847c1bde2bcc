"""The page of a verdict: one file that is whole, harmless, and works in a real browser."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from fakeserver.dialects.base import TOKEN
from fakeserver.history import load_history
from fakeserver.scenario import Scenario
from fakeserver.verifier.commands.client import CommandClient
from fakeserver.verifier.judge import judge
from fakeserver.verifier.promise import Promise
from fakeserver.verifier.runner import run
from tests.browser import started_browser

from .worlds import by_id, event, get, world

HISTORIES = Path(__file__).parents[2] / "fixtures" / "histories"
NAMES = sorted(p.name.removesuffix(".expected.json") for p in HISTORIES.glob("*.expected.json"))
VOID = {"meta", "link", "br", "rect", "path", "circle"}
PHONE = 390
PAGE_BYTES_MAX = 40_000
"""Of the page without a verdict: it is part of each report."""


def judged(name):
    scenario = Scenario.load(HISTORIES / f"{name}.scenario.json")
    expected = json.loads((HISTORIES / f"{name}.expected.json").read_text(encoding="utf-8"))
    promise = msgspec.convert(expected["verdicts"][0]["promise"], Promise)
    return judge(scenario, load_history(HISTORIES / f"{name}.history.jsonl"), promise)


class Reader(HTMLParser):
    """Reads a page strictly: every tag is closed in its place; keeps ids, links and texts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.attributes |= {name for name, _ in attrs}
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_whole(name):
    verdict = judged(name)
    page = Reader(verdict.to_html())
    assert sorted(page.ids) == sorted(set(page.ids))
    assert {link for link in page.links if not link.startswith("#")} == set()
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    text = " ".join(" ".join(page.texts).split())
    for finding in verdict.findings[:1]:
        assert " ".join(finding.message.split())[:60] in text
        for sentence in finding.why:
            assert " ".join(sentence.split()) in text


def test_the_page_fetches_nothing():
    template = files("fakeserver.verifier.report.page").joinpath("page.html").read_text("utf-8")
    assert len(template.encode()) <= PAGE_BYTES_MAX
    for word in ("http:", "https:", "@import", "src=", "innerHTML", "outerHTML", "insertAdjacent"):
        assert word not in template
    page = judged("haravan-lost-never-asked").to_html().decode()
    policy = page.partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


# ------------------------------------------------------------------ in a browser


HOSTILE = "<script>window.harmed=1</script><img src=x onerror='window.harmed=2'></pre>{{main}}"


def hostile(feed: Any) -> None:
    """Writes markup wherever a client can write something."""
    for row in get(feed, {"since_id": feed.checkpoint or 1, "limit": 2}):
        feed.deliver(row)
    feed.deliver(HOSTILE)
    feed.save(HOSTILE)
    raise ValueError(f"{HOSTILE} {TOKEN}")


class Browser:
    """A browser on the page of a verdict, and what the tests ask of it."""

    def __init__(self, driver: webdriver.Chrome, folder: Path) -> None:
        self.driver = driver
        self.folder = folder

    def show(self, verdict: Any) -> None:
        self.log()
        path = self.folder / "report.html"
        path.write_bytes(verdict.to_html())
        self.driver.get(path.as_uri())

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def cdp(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def resize(self, width: int) -> None:
        """Have a window of so many pixels; a phone has one without bars at its edges."""
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width <= PHONE}
        self.cdp("Emulation.setDeviceMetricsOverride", **size)

    def opened(self) -> list[str]:
        """The articles that are to be seen."""
        return [article.text for article in self.all("article") if article.is_displayed()]

    def log(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with started_browser(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def browser(driver: webdriver.Chrome, tmp_path: Path) -> Iterator[Browser]:
    browser = Browser(driver, tmp_path)
    browser.resize(1200)
    yield browser
    browser.cdp("Emulation.setEmulatedMedia", features=[])


@pytest.fixture
def lost(browser: Browser) -> Browser:
    """The page of a world in which e2 was hidden when the ids after it were read."""
    browser.show(judged("haravan-lost-never-asked"))
    return browser


def test_hovering_tells_the_step(lost: Browser) -> None:
    tip = lost.one("#tip")
    assert not tip.is_displayed()
    ActionChains(lost.driver).move_to_element(lost.one("a.column.request .hit")).perform()
    assert tip.text == (
        "poll 1, 00:00:10: asked for ids above 1, lowest first; got 2 rows: e1 e3; then saved 4"
    )
    ActionChains(lost.driver).move_to_element(lost.one("h1")).perform()
    assert not tip.is_displayed()
    assert lost.all("svg title") == [], "there is one tip, not two"


def test_a_click_opens_request_and_answer_then_an_event(lost: Browser) -> None:
    assert lost.opened() == []
    lost.one("a.column.request .hit").click()
    (shown,) = lost.opened()
    assert "GET /com/events.json?since_id=1&limit=10" in shown
    assert "ids above 1, lowest first" in shown
    assert "e1 · id 2 · 1970-01-01T00:00:01.000Z" in shown
    assert "saved 4" in shown
    assert lost.run("return document.querySelectorAll('.picked').length") == 1
    lost.one("article.open ol a").click()
    (shown,) = lost.opened()
    assert json.loads(lost.one("article.open pre").text)["id"] == 2
    assert "delivered\npoll 1, 00:00:10" in shown
    lost.one("a.label .name.lost").find_element(By.XPATH, "..").click()
    (shown,) = lost.opened()
    assert "by no request that is drawn" in shown
    assert "48 s later" in shown
    assert lost.log() == []


def test_a_keyboard_goes_everywhere(lost: Browser) -> None:
    """The map is one stop of the Tab key; the arrows walk along it, Enter opens."""
    assert len(lost.all('.map a[tabindex="0"]')) == 1
    lost.one("body").send_keys(Keys.TAB)
    if lost.run("return document.activeElement.matches('.map')"):
        lost.driver.switch_to.active_element.send_keys(Keys.TAB)  # a box that scrolls
    href = "return document.activeElement.getAttribute('href')"
    assert lost.run(href) == "#event-0"
    assert lost.one("#tip").text.startswith("e1 (id 2): stamped")
    for _ in range(3):
        lost.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert lost.run(href).startswith("#moment-")
    lost.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert "since_id=1" in lost.opened()[0]
    lost.driver.switch_to.active_element.send_keys(Keys.HOME)
    assert lost.run(href) == "#event-0"
    lost.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not lost.one("#tip").is_displayed()


def test_without_a_script_a_link_opens_what_it_points_to(browser: Browser) -> None:
    browser.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.show(judged("haravan-lost-never-asked"))
        assert browser.opened() == []
        browser.one("a.column.request .hit").click()
        (shown,) = browser.opened()
        assert "since_id=1" in shown
    finally:
        browser.cdp("Emulation.setScriptExecutionDisabled", value=False)


def test_hostile_text_is_text(browser: Browser) -> None:
    """What a world, a client and a program's stderr say is shown and never obeyed."""
    scenario = world([event(2, 1, message=HOSTILE, author=HOSTILE)])
    verdict = judge(scenario, run(scenario, hostile))
    for first in verdict.findings:
        others = [finding for finding in verdict.findings if finding != first]
        shown = msgspec.structs.replace(verdict, findings=(first, *others), client=HOSTILE)
        assert TOKEN not in shown.to_html().decode()
        browser.show(shown)
        assert browser.run("return window.harmed ?? null") is None
        assert browser.run("return document.querySelectorAll('img, main script').length") == 0
        assert browser.log() == []
    browser.one("a.label .hit").click()
    assert json.loads(browser.one("article.open pre").text)["message"] == HOSTILE
    browser.one("a.column.request .hit").click()
    (article,) = browser.opened()
    assert f"ValueError: {HOSTILE} <token>" in article
    ActionChains(browser.driver).move_to_element(browser.one("a.column.request .hit")).perform()
    assert "<script>" in browser.one("#tip").text


def test_what_a_program_writes_to_stderr_is_text(browser: Browser) -> None:
    program = CommandClient(["sh", "-c", f'printf "%s\\033[2J" "{HOSTILE}" >&2; exit 3'])
    scenario = world([])
    browser.show(judge(scenario, run(scenario, program)))
    assert f"stderr: {HOSTILE}"[:60] in browser.one("h1").text
    browser.one("a.column.call .hit").click()
    (article,) = browser.opened()
    assert f"stderr: {HOSTILE}\\x1b[2J" in article
    assert browser.run("return window.harmed ?? null") is None
    assert browser.log() == []


def test_the_policy_stops_what_slipped_through(lost: Browser) -> None:
    lost.run(
        "window.stopped = []; addEventListener('securitypolicyviolation', (event) =>"
        " stopped.push(event.effectiveDirective));"
        "document.querySelector('main').insertAdjacentHTML('beforeend', arguments[0])",
        '<img src="data:," onerror="window.harmed = 1"><img src="https://fakeserver.test/x.png">'
        '<p style="color: red">',
    )
    stopped = "return stopped.length >= 3 ? stopped : null"
    for _ in range(100):
        if found := lost.run(stopped):
            break
        lost.driver.execute_async_script("setTimeout(arguments[0], 50)")
    assert set(found) == {"script-src-attr", "img-src", "style-src-attr"}
    assert lost.run("return window.harmed ?? null") is None
    lost.log()


def test_nothing_is_fetched(lost: Browser) -> None:
    assert lost.run("return performance.getEntriesByType('resource').map((e) => e.name)") == []


CONTRAST = """
const light = (color) => {
  const linear = color.match(/[\\d.]+/g).slice(0, 3).map((x) => x / 255).map((x) =>
    x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
};
const ink = light(getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]);
const ground = light(getComputedStyle(document.querySelector('.panel')).backgroundColor);
return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_light_and_dark(browser: Browser, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.cdp("Emulation.setEmulatedMedia", features=features)
    browser.show(judged("haravan-lost-after-a-503"))
    texts = {"h2": "color", "figcaption": "color", ".poll-name": "fill", ".name.lost": "fill"}
    texts |= {".time": "fill", ".loss": "fill", "text.mark": "fill", "a": "color"}
    for selector, attribute in texts.items():
        assert browser.run(CONTRAST, selector, attribute) >= 4.5, selector
    signs = {".event.lost .seen": "stroke", ".returned": "fill", ".asked": "stroke"}
    for selector, attribute in signs.items():
        assert browser.run(CONTRAST, selector, attribute) >= 3, selector


def test_lines_and_bars_differ_without_colour(lost: Browser) -> None:
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    width = {s: float(lost.run(style, s, "strokeWidth")[:-2]) for s in (".lost .seen", ".done")}
    assert width[".lost .seen"] > 3 * width[".done"]
    assert lost.run(style, ".event.lost .unseen", "strokeDasharray") != "none"
    assert lost.one(".loss").text == "LOST"
    assert lost.one(".name.lost").text.startswith("✗")


@pytest.mark.parametrize("width", [360, PHONE, 1200])
def test_it_fits_its_window(browser: Browser, width: int) -> None:
    scenario = world([event(number, number) for number in range(2, 40)], polls=(60, 120, 180, 240))
    promise = Promise(order="recorded")
    browser.resize(width)
    browser.show(judge(scenario, run(scenario, by_id), promise))
    inside = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    scroll, client = browser.run(inside)
    assert scroll <= client, "only the map itself scrolls"
    left = "return document.querySelector('.names').getBoundingClientRect().left"
    before = browser.run(left)
    browser.run("document.querySelector('.map').scrollLeft = 200")
    assert browser.run(left) == before, "the names stay where they are"


SEEN = """
const map = document.querySelector('.map');
const box = map.getBoundingClientRect();
const from = document.querySelector('.names').getBoundingClientRect().right;
const found = [...map.querySelectorAll(arguments[0])].map((e) => e.getBoundingClientRect());
return found.length > 0 && found.every((e) => e.left >= from - 1 && e.right <= box.right + 1);
"""
"""Tells whether all such parts of a drawing are to be seen, none below the names."""


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("haravan-lost-never-asked", (".lost .seen", ".loss", ".column.evidence")),
        ("haravan-lost-after-a-503", (".lost .seen", ".loss", ".column.evidence")),
        ("haravan-lost-killed-without-a-save", (".lost .seen", ".loss", ".kill", ".poll")),
        ("saleschannel-duplicated-overlap", (".dot.evidence", ".link", ".column.evidence")),
        ("saleschannel-stuck-at-ties", (".column.evidence", ".end", ".poll")),
        ("saleschannel-crashed", (".column.evidence", ".end", ".poll")),
    ],
)
@pytest.mark.parametrize("width", [PHONE, 1200])
def test_one_glance_shows_what_the_finding_rests_on(
    browser: Browser, name: str, parts: tuple[str, ...], width: int
) -> None:
    """Nobody scrolls, neither on a phone; and letters can be read."""
    browser.resize(width)
    browser.show(judged(name))
    assert [part for part in parts if not browser.run(SEEN, part)] == []
    page = "return document.documentElement.scrollWidth"
    assert browser.run(page) <= width
    letters = "const s = document.querySelector(arguments[0]); return 11.5 * s.getScreenCTM().a"
    sizes = [browser.run(letters, drawing) for drawing in (".names", ".plot")]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.01), "lanes and their names have one scale"
    assert 10 <= sizes[1] <= 16.5


def test_a_long_map_begins_with_what_the_finding_rests_on(browser: Browser) -> None:
    """It scrolls in its box; the lost event is the last of many."""
    rows = [event(number, number) for number in range(2, 40)]
    scenario = world([*rows, event(41, 41, visible=90), event(42, 42)], polls=(60, 120, 180, 240))
    browser.resize(PHONE)
    browser.show(judge(scenario, run(scenario, by_id)))
    assert browser.run("return document.querySelector('.map').scrollLeft") > PHONE
    assert browser.run(SEEN, ".lost .seen, .loss")
    browser.run("document.querySelector('.map').scrollLeft = 0")
    assert not browser.run(SEEN, ".loss")
