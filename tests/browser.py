"""A real browser for the pages that people read: one for all tests of a module."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)


def found_browser() -> tuple[str, str]:
    """Where Chromium and its driver are. Skips without them, but fails on a CI machine."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if program and driver:
        return program, driver
    missing = "expected the programs chromium and chromedriver, which test the pages for people"
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; on a CI machine they must be there: install them")
    pytest.skip(f"{missing}; install them (Debian: apt-get install chromium chromium-driver)")


@contextmanager
def started_browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Start a browser with the new folder `profile`, and end it afterwards."""
    program, path = found_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(path))
    try:
        yield driver
    finally:
        driver.quit()
