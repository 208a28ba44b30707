"""Looks at report.html in a real browser: no error, no network, by keyboard, accessible, on a phone, quick when long.

    make browser        (fixtures/browser/get gets Chromium, playwright and axe-core)

Prints a line for each check and exits with 1 when one does not hold. With --shots DIR it also writes screenshots.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDED = ROOT / "fixtures/report/zdz"
NASTY = "</script><img src=x onerror=document.title='broken'>"
SIZES = {1440: 900, 768: 1024, 390: 844}
failed = []


def hold(what, ok, said=""):
    print(f"{'ok  ' if ok else 'FAIL'} {what}{f': {said}' if said and not ok else ''}")
    if not ok:
        failed.append(what)


def rehearse(*arguments):
    ran = subprocess.run([ROOT / "target/debug/rehearse", *map(str, arguments)], capture_output=True, text=True)
    if ran.returncode not in (0, 1):
        sys.exit(f"rehearse {arguments} ended with {ran.returncode}: {ran.stderr}")
    return ran.stdout


def long_rehearsal(directory, count):
    """A rehearsal of many statements, some of them nasty, made from the recorded one."""
    report = json.loads((RECORDED / "report.json").read_text())
    dull, loud = report["statements"][0], next(s for s in report["statements"] if s["name"] == "tracking-delete")
    report["statements"] = []
    lines = []
    for number in range(1, count + 1):
        one = json.loads(json.dumps(loud if number % 250 == 0 else dull))
        one.update(id=f"s{number}", last_id=f"s{number}", name=None, alternatives=[])
        if number % 50 == 0:
            one["text"] = f"INSERT INTO notes VALUES ('{NASTY}')"
        report["statements"].append(one)
        lines.append({"event": "statement", "at": 2 + number * 0.4, "seconds": 0.35, "statement": one["id"], "outcome": "done"})
        if number % 250 == 0:
            for probe in ("update", "lock", "insert"):
                lines.append({"event": "probe", "at": 2 + number * 0.4, "seconds": 3.2, "table": "zdz.tracking", "probe": probe, "error": 0})
    report["findings"] = [dict(report["findings"][0], statement=f"s{number}", message=f"{number} {NASTY}") for number in range(250, count, 250)]
    report["phases"] = [{"name": "steady", "from_seconds": 0, "seconds": 2}, {"name": "run", "from_seconds": 2, "seconds": count * 0.4}]
    report["upgrade"]["statements"] = count
    directory.mkdir()
    (directory / "report.json").write_text(json.dumps(report))
    (directory / "timeline.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def opened(browser, file, width=1440, dark=False):
    """A page with what it complained of and what it asked the network for."""
    context = browser.new_context(viewport={"width": width, "height": SIZES[width]}, color_scheme="dark" if dark else "light", has_touch=width < 500)
    page = context.new_page()
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: asked.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
    page.goto(file.as_uri())
    page.wait_for_load_state("load")
    return page, told, asked


def serious(page):
    found = Axe().run(page).response["violations"]
    return [f"{one['id']} ({one['impact']}): {one['nodes'][0]['html'][:160]}" for one in found if one["impact"] in ("serious", "critical")]


def looks(browser, name, file, shots):
    """Everything that holds for any page, in each size and colour."""
    for width in SIZES:
        for dark in (False, True):
            page, told, asked = opened(browser, file, width, dark)
            place = f"{name} {width} {'dark' if dark else 'light'}"
            hold(f"{place}: no error in the console", not told, told)
            hold(f"{place}: nothing asked of the network", not asked, asked)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            hold(f"{place}: fits the screen", over <= 0, f"{over} px too wide")
            page.evaluate("for (const one of [...document.querySelectorAll('details')].slice(0, 12)) one.open = true")
            found = serious(page)
            hold(f"{place}: axe-core finds nothing serious", not found, found)
            page.evaluate("for (const one of document.querySelectorAll('details')) one.open = false")
            # Rows that no screen has reached yet have no width of their own.
            page.evaluate("for (const one of document.querySelectorAll('.statement, .todo > li')) one.style.contentVisibility = 'visible'")
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            hold(f"{place}: every row fits the screen", over <= 0, f"{over} px too wide")
            if shots:
                page.evaluate("scrollTo(0, 0)")
                page.screenshot(path=shots / f"{name}-{width}-{'dark' if dark else 'light'}.png", full_page=True)
            page.context.close()


def by_keyboard(browser, file):
    """Tab reaches every statement, Enter opens it; the picture is walked with arrows."""
    page, _, _ = opened(browser, file)
    wanted = page.evaluate("[...document.querySelectorAll('.statement')].map(one => one.id)")
    reached = []
    for _ in range(600):
        page.keyboard.press("Tab")
        at = page.evaluate("document.activeElement.tagName === 'SUMMARY' ? document.activeElement.parentElement.id : document.activeElement.tagName")
        reached.append(at)
        if at == "BODY" or (wanted and at == wanted[-1]):
            break
    hold("keyboard: every statement is reached", set(wanted) <= set(reached), set(wanted) - set(reached))
    page.keyboard.press("Enter")
    hold("keyboard: Enter opens it", page.evaluate("document.activeElement.parentElement.open"))
    page.focus("#cursor")
    page.keyboard.press("ArrowRight")
    first = page.get_attribute("#cursor", "aria-valuetext")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    sixth = page.get_attribute("#cursor", "aria-valuetext")
    hold("keyboard: the picture is walked statement by statement", first and sixth and first != sixth, (first, sixth))
    page.keyboard.press("Enter")
    hold("keyboard: and leads to the statement", page.evaluate("document.activeElement.closest('.statement')?.open === true"))
    page.context.close()


def by_mouse(browser, file):
    """Hover tells the numbers, a click opens the statement, zoom changes what is shown, ticks are remembered."""
    page, _, _ = opened(browser, file)
    page.locator("#cursor").scroll_into_view_if_needed()
    bar = page.locator(".bars rect.loud").last.bounding_box()
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    tip = page.inner_text("#tip")
    hold("mouse: the tip names the statement and who is blocked", "tracking-delete" in tip and "blocked" in tip, tip)
    before = page.get_attribute(".bars", "viewBox")
    page.click("[data-zoom=in]")
    hold("mouse: zoom shows less", float(page.get_attribute(".bars", "viewBox").split()[2]) < float(before.split()[2]))
    page.click("[data-zoom=run]")
    hold("mouse: and comes back", page.get_attribute(".bars", "viewBox") == before)
    bar = page.locator(".bars rect.loud").last.bounding_box()
    page.mouse.click(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    hold("mouse: a click opens the statement", page.evaluate("document.querySelector('.statement[open]')?.dataset.name") == "tracking-delete")
    page.fill("#search", "votes")
    page.locator("#matches", has_text="found").wait_for()
    left = page.evaluate("[...document.querySelectorAll('.statement')].filter(one => one.checkVisibility()).map(one => one.dataset.name)")
    hold("mouse: search leaves what was asked for", "votes-widen-id" in left and "version-bump" not in left, left)
    page.locator("[data-todo]").first.check()
    page.reload()
    hold("mouse: what is ticked stays ticked", page.locator("[data-todo]").first.is_checked())
    theme = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#theme")
    hold("mouse: the switch changes the colours", page.evaluate("getComputedStyle(document.body).backgroundColor") != theme)
    page.context.close()


def scrolled(page):
    """The slowest frame of a scroll, in milliseconds."""
    return page.evaluate("""async () => {
        const frame = () => new Promise(requestAnimationFrame);
        let worst = 0, last = performance.now();
        for (let step = 0; step < 60; step++) {
            scrollBy(0, 2000); await frame();
            const now = performance.now(); worst = Math.max(worst, now - last); last = now;
        }
        return worst;
    }""")


def long_page(browser, file, count):
    page, told, _ = opened(browser, file)
    hold("long: names and texts of others run nothing", page.title() != "broken" and not page.query_selector("img") and not told, told)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    hold("long: it is painted", paint is not None)
    hold("long: every statement is there", page.evaluate("document.querySelectorAll('.statement').length") == count)
    page.click("#fold")
    shown = page.evaluate("[...document.querySelectorAll('.statement')].filter(one => one.checkVisibility({contentVisibilityAuto: false})).length")
    hold("long: and shown when asked for", shown == count, shown)
    slow = scrolled(page)
    print(f"     long: first paint {paint:.0f} ms, the slowest frame of a scroll through it {slow:.0f} ms, {file.stat().st_size / 1e6:.1f} MB")
    page.evaluate("location.hash = '#s4999'")
    page.wait_for_timeout(300)
    hold("long: an address leads to a statement", page.evaluate("document.getElementById('s4999').open"))
    page.context.close()


def long_compare(browser, file, shots):
    """Of 5,000 statements a few changed: what is as before is folded, and stays smooth when it is opened."""
    page, told, asked = opened(browser, file)
    found = serious(page)
    hold("long compare: no error, no network, nothing serious", not (told or asked or found), (told, asked, found))
    shown = page.evaluate("[...document.querySelectorAll('.sides tbody tr')].filter(one => one.checkVisibility({contentVisibilityAuto: false})).length")
    hold("long compare: what is as before is folded", shown < 100, shown)
    if shots:
        page.screenshot(path=shots / "compare-long-1440-light.png", full_page=True)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    page.click("#sides details summary")
    slow = scrolled(page)
    print(f"     long compare: first paint {paint:.0f} ms, the slowest frame of a scroll through it {slow:.0f} ms, {file.stat().st_size / 1e6:.1f} MB")
    page.context.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shots", type=pathlib.Path)
    parser.add_argument("--also", type=pathlib.Path, help="another page to look at")
    typed = parser.parse_args()
    if typed.shots:
        typed.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        home = pathlib.Path(home)
        page, many, both = home / "report.html", home / "long.html", home / "compare.html"
        page.write_text(rehearse("report", RECORDED, "--format", "html"))
        long_rehearsal(home / "long", 5000)
        many.write_text(rehearse("report", home / "long", "--format", "html"))
        long_rehearsal(home / "short", 60)
        both.write_text(rehearse("compare", RECORDED, home / "short", "--format", "html"))
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        looks(browser, "report", typed.also or page, typed.shots)
        by_keyboard(browser, page)
        by_mouse(browser, page)
        long_page(browser, many, 5000)
        found, (opened_page, told, asked) = None, opened(browser, both)
        found = serious(opened_page)
        hold("compare: no error, no network, nothing serious", not (told or asked or found), (told, asked, found))
        slower = json.loads((home / "long/report.json").read_text())
        for one in slower["statements"][::500]:
            one.update(seconds=9.0, loud_seconds=9.0)
        (home / "slower").mkdir()
        (home / "slower/report.json").write_text(json.dumps(slower))
        both.write_text(rehearse("compare", home / "long", home / "slower", "--format", "html"))
        long_compare(browser, both, typed.shots)
        if typed.shots:
            small = rehearse("compare", RECORDED, RECORDED, "--format", "html")
            both.write_text(small)
            opened(browser, both)[0].screenshot(path=typed.shots / "compare-1440-light.png", full_page=True)
        browser.close()
    if failed:
        sys.exit(f"{len(failed)} checks do not hold")


main()
