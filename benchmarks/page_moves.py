"""Thirty moves on the planner's page in a real browser: seconds from a key to the new answer on the screen.

    python -m benchmarks.page_moves [--segments 200] [--moves 30] [--room 0.7] [--pictures docs]

A console's report of so many segments in two placements is uploaded; then budget and goal are moved in turn.
A move ends when the figures on the screen are others than before. `--room` is how full the live room is on
the report's dearest day; without it no room has a limit. Needs Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

_PORT = 8642
_FIGURES = "() => [...document.querySelectorAll('[data-testid=stMetric]')].map(m => m.innerText).join('|')"


def report(segments: int, *, days: int = 28, room: float = 0.0, seed: int = 0) -> str:
    """A console's report as CSV: lognormal spend, concave fans, GMV by fan; entries into a room that fills.

    Args:
        room: share of its places that is taken on the dearest day; 0 is a room without a limit, whose
            impressions and entries the report does not tell.
    """
    rng = np.random.default_rng(seed)
    usual, pull = rng.lognormal(3.5, 0.8, (segments, 2)), rng.lognormal(-0.5, 0.5, (segments, 2))
    worth = rng.lognormal(2.0, 0.4, (segments, 2))
    # Days of much and of little money, as a room's limit is learned from.
    cost = usual[..., None] * rng.uniform(0.4, 1.6, (segments, 2, days))
    if room:
        cost *= rng.uniform(0.3, 1.7, days)
    wanted = 15 * pull[..., None] * cost**0.75
    let_in = np.ones((2, days))
    if room:
        came = wanted[:, 1].sum(0)
        places = came.max() / -np.log1p(-room)
        let_in[1] = -np.expm1(-came / places) * places / came
    entries = rng.poisson(wanted * let_in)
    fans = rng.binomial(entries, 1 / 15)
    gmv = fans * worth[..., None] * rng.lognormal(0.0, 0.3, fans.shape)
    rows = ["日期,人群,投放位置,花费,涨粉数,支付金额" + (",曝光数,直播间进入数" if room else "")]
    for (segment, at, day), spent in np.ndenumerate(cost):
        place = ("短视频", "直播间")[at]
        seen = f",{30 * wanted[segment, at, day]:.0f},{entries[segment, at, day] if at else ''}"
        rows.append(
            f"2024-05-{day + 1:02d},segment {segment + 1},{place},{spent:.2f},"
            f"{fans[segment, at, day]},{gmv[segment, at, day]:.2f}{seen if room else ''}"
        )
    return "\n".join(rows)


def _moves(page: Any, count: int) -> list[Callable[[], None]]:
    """Key presses on three controls, each of which changes the answer."""
    budget = page.get_by_test_id("stSlider").first.get_by_role("slider")
    goal = page.get_by_test_id("stSelectbox").first

    def press(key: str) -> Callable[[], None]:
        def act() -> None:
            budget.focus()
            page.keyboard.press(key)

        return act

    def choose(nth: int) -> Callable[[], None]:
        def act() -> None:
            goal.locator("input").click()
            page.get_by_role("option").nth(nth).click()

        return act

    turns = [press("ArrowRight"), press("ArrowRight"), choose(1), press("ArrowLeft"), choose(0)]
    return [turns[i % len(turns)] for i in range(count)]


def _wait_for_page() -> None:
    for _ in range(600):
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{_PORT}/_stcore/health", timeout=2):
            return
        time.sleep(0.2)


def measure(segments: int, moves: int, pictures: Path | None = None, *, room: float = 0.0) -> list[float]:
    """Seconds of each move; three pictures of the page, where a folder is given for them."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "pipelines", "app", "--port", str(_PORT), "--no-browser"]
    server = subprocess.Popen(command)
    try:
        _wait_for_page()
        with sync_playwright() as play:
            path = shutil.which("chromium") or "/usr/bin/chromium"
            browser = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1360, "height": 1000})
            page.set_default_timeout(120_000)
            page.goto(f"http://127.0.0.1:{_PORT}")
            sheet = {
                "name": "report.csv",
                "mimeType": "text/csv",
                "buffer": report(segments, room=room).encode(),
            }
            page.locator("input[type=file]").wait_for(state="attached")
            _picture(page, pictures, "desk-1-start")
            page.locator("input[type=file]").set_input_files([sheet])
            page.get_by_test_id("stMetric").first.wait_for(timeout=120_000)
            page.get_by_text("Take it with you").wait_for()
            page.wait_for_timeout(2000)
            _picture(page, pictures, "desk-2-plan")
            taken = []
            for act in _moves(page, moves):
                before, start = page.evaluate(_FIGURES), time.perf_counter()
                act()
                # The old answer fades and stays until the new one is there: never an empty screen.
                page.wait_for_function(f"b => ({_FIGURES})() !== b", arg=before, polling=10, timeout=60_000)
                taken.append(time.perf_counter() - start)
                page.wait_for_timeout(1500)
            _picture(page, pictures, "desk-3-moved")
            browser.close()
            return taken
    finally:
        server.terminate()
        server.wait(20)


def _picture(page: Any, folder: Path | None, name: str) -> None:
    if folder is not None:
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"{name}.png")


def main() -> None:
    """Print median and worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=200)
    parser.add_argument("--moves", type=int, default=30)
    parser.add_argument("--room", type=float, default=0.0)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    moves = measure(asked.segments, asked.moves, asked.pictures, room=asked.room)
    print(" ".join(f"{seconds:.2f}" for seconds in moves))
    taken = sorted(moves)
    print(
        f"{asked.segments} x 2 units, {len(taken)} moves: median {np.median(taken):.2f} s,"
        f" worst {taken[-1]:.2f} s"
    )


if __name__ == "__main__":
    main()
