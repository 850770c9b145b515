"""A browser walks through the dashboard: on a desk and on a phone, light and dark; axe finds nothing serious.

Screenshots go to the folder that LOYALTY_TEST_SCREENSHOTS names, where it names one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.pages.browser import HOW_TO_GET_IT, chromium, served
from tests.web.pages.desk import Desk, desk_of
from tests.web.pages.shops import ORG, busy_shop, run_ended, run_under_way
from tests.web.world import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = {"desktop": (1440, 900), "phone": (390, 844)}
CONTRAST_ONLY = ("desktop-dark", "phone-light")
SERIOUS = ("serious", "critical")
RUN = f"{ORG}:daily:20260130T202100.000"
PAGES = {
    "today": "/",
    "counter": "/lookup?q=2060",
    "customers": "/customers",
    "customer": "/customers/2000",
    "cases": "/cases",
    "case": "/cases/2020/1",
    "runs": "/runs",
    "run": f"/runs/{ORG}:daily:2026-01-30",
    "problems": "/problems",
    "coverage": "/coverage",
    "settings": "/settings",
    "system": "/system",
    "password": "/password",
}

if chromium() is None or find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
    pytest.skip(HOW_TO_GET_IT, allow_module_level=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[(width, scheme) for width in WIDTHS for scheme in ("light", "dark")], ids="-".join)
def look(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Look]:
    width, scheme = request.param
    desk = desk_of(tmp_path, busy_shop(61), run_under_way())
    size = dict(zip(("width", "height"), WIDTHS[width], strict=True))
    with served(desk.app) as address:
        context = browser.new_context(base_url=address, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        look = Look(desk, context.new_page(), f"{width}-{scheme}")
        yield look
        context.close()
    assert look.complaints == []


class Look:
    """A browser's window on the dashboard. `complaints`: what the browser said went wrong."""

    def __init__(self, desk: Desk, page: Page, name: str) -> None:
        self.desk = desk
        self.page = page
        self.name = name
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def log_in(self) -> None:
        self.page.goto("/cases?org=brand_example")
        self.page.get_by_label("Name").fill("maria")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url("**/cases?org=brand_example")

    def keep(self, name: str) -> None:
        """A screenshot, where they are wanted."""
        folder = os.environ.get("LOYALTY_TEST_SCREENSHOTS")
        if folder:
            self.page.screenshot(path=Path(folder) / f"{name}-{self.name}.png", full_page=True)

    def serious(self) -> list[str]:
        """What axe finds that keeps somebody out. Themes differ in colours alone, so all else is looked at in one."""
        from axe_playwright_python.sync_playwright import Axe

        options: dict[str, object] = {"resultTypes": ["violations"]}
        if self.name in CONTRAST_ONLY:
            options["runOnly"] = ["color-contrast"]
        found = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{each['id']}: {node['html'][:160]}"
            for each in found
            if each["impact"] in SERIOUS
            for node in each["nodes"]
        ]

    def wider_than_the_screen(self) -> bool:
        wide: bool = self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        return wide


def test_a_day_at_the_dashboard(look: Look) -> None:
    page = look.page
    look.log_in()
    _morning(look)
    _counter(look)
    _case(look)
    _rule(look)
    _run(look)
    page.goto("/")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()


@pytest.mark.parametrize("look", [("desktop", "light")], ids="-".join, indirect=True)
def test_the_keyboard_finds_and_opens(look: Look) -> None:
    page = look.page
    look.log_in()
    page.goto("/customers")
    page.keyboard.press("/")
    page.keyboard.type("rossi")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=rossi**")
    page.goto("/cases")
    page.locator("input[name=case]").nth(1).check()
    page.keyboard.press("j")  # a box is not a field that one types into
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/2000/1?**")
    page.keyboard.press("g")
    page.keyboard.press("v")
    page.wait_for_url("**/coverage?**")


@pytest.mark.parametrize("look", [("desktop", "light")], ids="-".join, indirect=True)
def test_a_page_that_stays_open_says_how_old_everything_has_become(look: Look) -> None:
    page = look.page
    look.log_in()
    page.clock.install()
    page.goto("/")
    known = page.locator(".asof")
    assert known.inner_text().split("\n")[0].startswith("Orders as of just now")
    page.clock.fast_forward("06:00")
    assert known.inner_text().split("\n")[0].startswith("Orders as of 6 min ago")
    page.clock.fast_forward("13:00:00")
    assert "Alpine IQ is current (yesterday)" in page.get_by_role("heading", level=1).inner_text()


def test_no_page_keeps_anybody_out(look: Look) -> None:
    page = look.page
    page.goto("/login")
    assert look.serious() == []
    look.log_in()
    for name, path in PAGES.items():
        page.goto(path)
        page.wait_for_load_state("load")
        look.keep(name)
        assert look.serious() == [], name
        assert not look.wider_than_the_screen(), name


def _morning(look: Look) -> None:
    """What happened over night, and the worst case."""
    page = look.page
    page.goto("/")
    assert page.get_by_role("heading", level=1).inner_text().startswith("4 customers need you. ")
    assert page.locator(".chart canvas").count() == 1
    rows = page.locator("table tr.leads")
    assert rows.count() == 4
    rows.first.locator("a.to").click()
    page.wait_for_url("**/cases/*/1?**")


def _counter(look: Look) -> None:
    """Whose points are they, without leaving the keyboard."""
    page = look.page
    page.goto("/lookup")
    page.locator("input:focus").wait_for()  # one types at once
    page.keyboard.type("2060")
    page.keyboard.press("Enter")
    say = page.locator(".quote")
    say.wait_for()
    assert say.inner_text() == "You have 1,126 points. You are Gold. We are checking this number."
    assert "q=2060" in page.url


def _case(look: Look) -> None:
    """Open the case, and end it."""
    page = look.page
    page.goto("/cases")
    page.get_by_role("link", name="Ana Okafor").click()
    assert "140 of it: adjusted by hand at Alpine IQ." in page.locator(".lead").inner_text()
    page.get_by_text("Resolve…").click()
    page.locator("details[open] textarea").fill("Corrected by Alpine IQ")
    page.get_by_role("button", name="Resolve this case").click()
    page.get_by_role("status").get_by_text("Resolved.").wait_for()
    look.keep("case-resolved")
    found = look.desk.views.case(ORG, "2000", 1)
    assert found is not None
    assert found.case.resolved_at is not None


def _rule(look: Look) -> None:
    """Change a rule: first what it does, then apply it."""
    page = look.page
    page.goto("/settings")
    page.locator("input[name=percent]").fill("60")
    page.get_by_role("button", name="See what it does").click()
    page.get_by_role("heading", name="What the change does").wait_for()
    assert "Nothing has changed yet." in page.locator("#tried .lead").inner_text()
    look.keep("preview")
    page.locator("#tried textarea[name=reason]").fill("Too many alerts")
    page.get_by_role("button", name="Apply as version 3").click()
    page.get_by_text("Version 3 is in force.").wait_for()


def _run(look: Look) -> None:
    """Watch a run end."""
    page = look.page
    page.goto(f"/runs/{RUN}")
    page.get_by_text("1,200 orders of 640 customers").wait_for()
    assert page.locator(".phases li.now").inner_text().startswith("Reading orders")
    look.desk.log.write(run_ended(RUN))
    page.get_by_text("110 agree, 6 need review").wait_for()
    look.keep("run-ended")
