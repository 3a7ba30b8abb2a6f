"""The page of `report` in a real browser: see scripts/guards/page."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"wide": (1400, 1000), "narrow": (420, 900)}


def make_page(folder: Path) -> Path:
    """A short run with nodes, and its page."""
    program = os.environ["STICKYSIM_BIN"]
    results = folder / "results"
    scenario = ROOT / "scenarios/node-crash.toml"
    shorter = ["--set", "duration=12m", "--set", "fault.crash.kill.lasts=1m", "--set", "fault.crash.at=5m"]
    run = [program, "run", scenario, "--seeds", "2", "--nodes", "--quiet", "--out", results, *shorter]
    # 99: a limit is violated, which is a result like any other.
    assert subprocess.run(run).returncode in (0, 99), "the run failed"
    subprocess.run([program, "report", results, "--quiet"], check=True)
    return results / "report.html"


def look(browser, url: str, size: str, scheme: str, pictures: Path) -> None:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(url)
    charts = page.locator("#curves .chart")
    assert charts.count() >= 5, f"{charts.count()} charts"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{size}: the page scrolls sideways"

    first = charts.first
    first.scroll_into_view_if_needed()
    canvas = first.locator("canvas")
    box = canvas.bounding_box()
    before = canvas.screenshot()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    readout = first.locator(".readout").inner_text()
    assert " s" in readout and "sticky" in readout, f"the pointer reads nothing off: {readout!r}"

    tick = page.locator("#curve-controls input").first
    tick.uncheck()
    page.mouse.move(1, 1)
    assert canvas.screenshot() != before, "a tick hides no curve"
    tick.check()

    slider = page.locator("#nodes input[type=range]")
    states = page.locator("#nodes .bars").inner_text()
    slider.fill("0")
    assert page.locator("#nodes .bars").inner_text() != states, "the slider moves nothing"
    slider.fill(str(5 * 60 + 5))
    assert "down" in page.locator("#nodes .bars").inner_text(), "the dead node is not shown"
    assert not complaints, complaints
    page.screenshot(path=pictures / f"{size}-{scheme}.png", full_page=True)
    page.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        pictures = Path(sys.argv[1] if len(sys.argv) > 1 else work)
        pictures.mkdir(parents=True, exist_ok=True)
        page = make_page(Path(work))
        kib = page.stat().st_size / 1024
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=os.environ["STICKYSIM_BROWSER"], args=["--no-sandbox"])
            for size in SIZES:
                for scheme in ("light", "dark"):
                    look(browser, page.as_uri(), size, scheme, pictures)
            browser.close()
    print(f"the page ({kib:.0f} KiB) was read in four windows: no complaint; pointer, ticks and slider work")


if __name__ == "__main__":
    main()
