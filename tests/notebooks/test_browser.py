"""Notebook 02 in a real JupyterLab in a headless Chromium: Run All, the conflict browser, both themes.

Run with `pytest -m browser`. Screenshots go to `$LLMERGE_SCREENSHOTS` where that is set.
"""

from __future__ import annotations

import html.parser
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from replies_by_hand import THOUGHT, conflict, example, right, twelve, wrong

from llmerge_helpers.run.files import write_json, write_jsonl

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "02_inspect_and_prepare.ipynb"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
MISSING = "Chromium is missing: apt-get install chromium, or set $CHROMIUM"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not importlib.util.find_spec("playwright"), reason="playwright is missing: pip install -e .[dev]"
    ),
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason=MISSING),
]


def replies_of_01(root: Path) -> int:
    """What 01 would have left: twelve replies by hand, a hostile one, and enough others to step through."""
    from llmerge_helpers import merges

    hostile = conflict(12)
    bomb = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    examples = [e for _, e, _ in twelve()]
    examples.append(example(hostile, {"content": bomb + "\n\n" + right(hostile), "reasoning_content": bomb * 3}, 12))
    for n in range(13, 30):
        row = conflict(n, repository="other", language="Python" if n % 2 else "Java")
        message = {"content": (wrong if n % 3 == 0 else right)(row), "reasoning_content": f"{THOUGHT} {n}"}
        examples.append(example(row, message, n))
    extra = {"merge_commit": "", "parent_1": "", "parent_2": "", "committed_at": "", "label": "by hand"}
    rows = [{**e["row"], **extra} for e in examples]
    test = [{**conflict(n, repository="third"), **extra} for n in range(100, 103)]
    from datasets import Dataset, DatasetDict

    splits = {"train": Dataset.from_list(rows), "test": Dataset.from_list(test)}
    folder = root / "merges" / "byhand" / "dataset"
    DatasetDict(splits).save_to_disk(str(folder))
    assert set(merges.load(folder)) == {"train", "test"}
    output = root / "outputs" / "deepseek_sft"
    write_jsonl(output / "examples.jsonl", examples)
    run = {"notebook": "01_generate", "status": "finished", "parameters": {"dataset": "merges/byhand"}, "results": {}}
    write_json(output / "run.json", run)
    return len(examples)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab on a root of its own, and that root."""
    root = tmp_path_factory.mktemp("root")
    (root / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / NOTEBOOK, root / "notebooks")
    (root / "llmerge_helpers").symlink_to(ROOT / "llmerge_helpers")
    replies_of_01(root)
    # windowing would keep only the cells in view in the page
    write_json(root / ".lab/@jupyterlab/notebook-extension/tracker.jupyterlab-settings", {"windowingMode": "none"})
    write_json(root / ".lab/@jupyterlab/apputils-extension/notification.jupyterlab-settings", {"fetchNews": "false"})
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not re.search("KEY|TOKEN|LLMERGE_ROOT|JPY_", k)}
    environment |= {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "JUPYTER_CONFIG_DIR": str(root / ".jupyter")}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(root / ".lab")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--expose-app-in-browser",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={root}", "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (root / "lab.log").open("w") as log:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2).close()
                break
            except OSError:
                assert process.poll() is None, (root / "lab.log").read_text()
                time.sleep(0.25)
        yield address, root
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def page(lab):
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, MISSING  # in CI a test that is skipped would go unnoticed
    address, root = lab
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(120_000)
        page.goto(f"{address}/lab/tree/notebooks/{NOTEBOOK}")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_function("window.jupyterapp !== undefined")
        page.wait_for_selector("text=Python 3 (ipykernel) | Idle")  # a run that comes before the kernel never ends
        page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_selector("text=finished: outputs/sft_dataset/run.json")
        yield page
        chromium.close()


def shot(page, name: str) -> None:
    folder = os.environ.get("LLMERGE_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def scroll_to(page, text: str) -> None:
    page.locator(f"h2:has-text('{text}'), h3:has-text('{text}')").first.evaluate("e => e.scrollIntoView()")
    page.wait_for_timeout(300)


def test_run_all_ends_without_an_error(page, lab):
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    _, root = lab
    assert json.loads((root / "outputs/sft_dataset/run.json").read_text())["status"] == "finished"
    assert (root / "outputs/grpo_dataset/dataset_dict.json").exists()


def test_the_browser_steps_filters_searches_and_jumps(page):
    scroll_to(page, "Browse")
    card = page.locator(".widget-html-content").last
    count = page.locator(".widget-html-content").first
    assert count.inner_text() == "1 of 30"
    first = card.inner_text()
    page.get_by_role("button", name="next ▶").click()
    page.wait_for_function("document.querySelector('.widget-html-content').innerText === '2 of 30'")
    assert card.inner_text() != first
    page.get_by_role("button", name="◀ previous").click()
    page.wait_for_function("document.querySelector('.widget-html-content').innerText === '1 of 30'")
    assert card.inner_text() == first
    verdict = page.locator(".widget-dropdown select").nth(0)
    verdict.select_option(label="truncated (2)")
    page.wait_for_function("document.querySelector('.widget-html-content').innerText === '1 of 2 (of 30)'")
    assert "cut off" in card.inner_text()
    shot(page, "browser_filtered")
    verdict.select_option(index=0)
    jump = page.locator("input[placeholder='id, Enter']")
    jump.fill("12")
    jump.press("Enter")
    page.wait_for_function(
        "[...document.querySelectorAll('.widget-html-content')].pop().textContent.includes('onerror')"
    )
    assert count.inner_text().endswith(" of 30")
    page.locator(".widget-dropdown select").nth(2).select_option(label="Python (9)")
    page.wait_for_function("document.querySelector('.widget-html-content').innerText.startsWith('1 of 9')")
    page.locator(".widget-dropdown select").nth(2).select_option(index=0)
    search = page.locator("input[placeholder^='search']")
    search.fill("I would keep both")
    search.press("Enter")
    page.wait_for_function("document.querySelector('.widget-html-content').innerText === '1 of 1 (of 30)'")
    search.fill("")
    search.press("Enter")
    page.wait_for_function("document.querySelector('.widget-html-content').innerText === '1 of 30'")


def test_hostile_replies_did_nothing(page):
    assert page.evaluate("window.hacked") is None
    assert page.locator(".jp-OutputArea img[src='x']").count() == 0


CONTRAST = """element => {
  const parse = c => {  // rgb() up to 255, and what color-mix gives up to 1
    const n = c.match(/[\\d.]+/g).map(Number);
    const scaled = c.startsWith('color(') ? [...n.slice(0, 3).map(x => 255 * x), ...n.slice(3)] : n;
    return scaled.length > 3 ? scaled : [...scaled, 1];
  };
  let layers = [];
  for (let e = element; e; e = e.parentElement) {
    const c = parse(getComputedStyle(e).backgroundColor);
    layers.push(c);
    if (c[3] === 1) break;
  }
  let back = layers[layers.length - 1][3] === 1 ? layers.pop() : [255, 255, 255, 1];
  for (const c of layers.reverse()) back = back.map((b, i) => i < 3 ? b * (1 - c[3]) + c[i] * c[3] : 1);
  const linear = x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = c.map(x => linear(x / 255)); return .2126 * r + .7152 * g + .0722 * b; };
  const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
  return (a + .05) / (b + .05);
}"""


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_cards_read_in_both_themes(page, theme):
    """Changed lines, marks and plain code have the contrast that WCAG asks for (4.5) on the theme's own background."""
    page.evaluate(f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: '{theme}'}})")
    page.wait_for_function(f"document.body.dataset.jpThemeName === '{theme}'")
    page.wait_for_timeout(500)
    name = theme.split()[-1].lower()
    for heading in ("One conflict, closely", "Two that are wrong", "Browse", "One row of each"):
        scroll_to(page, heading)
        shot(page, f"{name}_{heading.split(',')[0].replace(' ', '_').lower()}")
    for tag in ("ins", "del", "pre", "summary", ".k", ".s", "ins b", "del b", "mark"):
        elements = page.locator(f".jp-OutputArea .jp-RenderedHTMLCommon {tag}")
        assert elements.count() > 0, tag
        assert elements.first.evaluate(CONTRAST) >= 4.5, tag


class _Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.text = ""

    def handle_data(self, data):
        self.text += data


def test_without_css_it_still_reads(page, lab):
    """nbconvert's page with every style taken out, as a reader with another client sees it."""
    _, root = lab
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(2000)
    command = [
        sys.executable,
        "-m",
        "nbconvert",
        "--to",
        "html",
        "--output-dir",
        str(root),
        str(root / "notebooks" / NOTEBOOK),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    text = (root / NOTEBOOK.replace(".ipynb", ".html")).read_text(encoding="utf-8")
    text = re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s(?:style|class)=(\"[^\"]*\"|'[^']*')", "", text)
    stripped = root / "stripped.html"
    stripped.write_text(text, encoding="utf-8")
    reader = _Text()
    reader.feed(text)
    assert re.search(r"\n- +.*\n\+ +", reader.text) and "ours, as a diff from base" in reader.text
    tab = page.context.browser.new_page(viewport={"width": 1100, "height": 1000})
    tab.goto(stripped.as_uri())
    assert tab.locator("ins").count() > 5 and tab.locator("del").count() > 5
    assert tab.locator("ins").first.evaluate("e => getComputedStyle(e).textDecorationLine") == "underline"
    folder = os.environ.get("LLMERGE_SCREENSHOTS")
    if folder:
        tab.screenshot(path=str(Path(folder) / "stripped.png"), full_page=True)
    tab.close()
