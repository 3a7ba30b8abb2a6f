"""The page of `report` in a real browser: see scripts/guards/page."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# Too many ticks for the room that fifty variants have.
MANY = """
name     = "many"
duration = "8m"
warmup   = "2m"
[cluster]
nodes = 2
[clients.web]
arrivals = { open = { rate = "0.5/s" } }
length   = { exponential = { mean = "60s" } }
think    = { exponential = { mean = "10s" } }
service  = { exponential = { mean = "20ms" } }
[state.memory]
[fault.crash]
at   = "5m"
kill = { nodes = 1, lasts = "10s" }
[slo]
sessions_lost_ratio = "< 20%"
"""
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


def make_page_of_many(folder: Path) -> Path:
    """A page of fifty variants, long enough for its room to be full."""
    program = os.environ["STICKYSIM_BIN"]
    variants = [f'[variant."{n} nodes, {mode}"]\ncluster.nodes = {n}\nbalancer.affinity = "{affinity}"'
                for n in range(2, 27) for mode, affinity in (("sticky", "cookie"), ("stateless", "none"))]
    (folder / "many.toml").write_text(MANY + "\n".join(variants), encoding="utf-8")
    run = [program, "run", folder / "many.toml", "--seeds", "3", "--quiet", "--out", folder / "many"]
    assert subprocess.run(run).returncode in (0, 99), "the run of many variants failed"
    subprocess.run([program, "report", folder / "many", "--quiet"], check=True)
    return folder / "many" / "report.html"


def look_at_many(browser, path: Path, pictures: Path) -> float:
    """Small, quick, and with few curves until more are asked for; the seconds until they are drawn."""
    mib = path.stat().st_size / 2**20
    assert mib < 5, f"{mib:.1f} MiB of fifty variants"
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    times = []
    # The best of three, since others may use the machine.
    for _ in range(3):
        page.goto(path.as_uri())
        page.wait_for_selector("#curves canvas")
        # Of the page itself, so without the start of the browser.
        times.append(page.evaluate("performance.now()") / 1000)
    seconds = min(times)
    assert seconds < 2, f"it takes {seconds:.1f} s until curves are drawn"
    boxes = page.locator("#curve-controls input")
    ticked = lambda: page.locator("#curve-controls input:checked").count()
    assert (boxes.count(), ticked()) == (50, 8), f"{ticked()} of {boxes.count()} are ticked"
    page.screenshot(path=pictures / "many.png", full_page=True)

    page.get_by_role("button", name="tick none").click()
    page.get_by_label("names with").fill("26 nodes, sticky")
    visible = page.locator("#curve-controls label:visible")
    assert visible.count() == 1, f"{visible.count()} names are like that"
    visible.locator("input").check()
    box = page.locator("#curves canvas").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    readout = page.locator("#curves .readout").first.inner_text()
    assert ticked() == 1 and readout.count("nodes") == 1 and "26 nodes, sticky" in readout, readout
    assert not complaints, complaints
    page.close()
    return seconds


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
            many = make_page_of_many(Path(work))
            seconds, mib = look_at_many(browser, many, pictures), many.stat().st_size / 2**20
            browser.close()
    print(f"a page of fifty variants ({mib:.1f} MiB) shows its curves after {seconds:.2f} s")
    print(f"the page ({kib:.0f} KiB) was read in four windows: no complaint; pointer, ticks and slider work")


if __name__ == "__main__":
    main()
