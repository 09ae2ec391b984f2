"""Draws the pictures of README.md from a conflict of the sample; needs Chromium and playwright, as the browser test."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
from pathlib import Path

from llmerge_helpers import merges
from llmerge_helpers.baselines.explain import explain
from llmerge_helpers.conflicts import Conflict, render_answer
from llmerge_helpers.show import ConflictView
from llmerge_helpers.verdict import verify

ROOT = Path(__file__).resolve().parents[2]
THEMES = {"card": ("#ffffff", "#1f2328"), "card_dark": ("#0d1117", "#e6edf3")}  # GitHub's own pages


def card() -> ConflictView:
    """A conflict in which both sides are needed, with what the rule teacher says to it."""
    rows = (row for split in merges.load("sample").values() for row in split)
    row = next(row for row in rows if row["path"] == "PriceCategory.java" and row["kind"] == "mixed")
    resolution, reasoning = explain(Conflict.of(row))
    answer = render_answer(Conflict.of(row).with_(resolution), row["language"])
    reply = {"reasoning_content": reasoning, "content": answer}
    return ConflictView(row, reply, verify(reply, row))


def digest() -> str:
    """Of what a picture shows; it stands in the picture, so that a test knows when the card has changed since."""
    return hashlib.sha256(card()._repr_html_().split("<details>")[0].encode()).hexdigest()


def main() -> int:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (back, ink) in THEMES.items():
            page = chromium.new_page(viewport={"width": 860, "height": 100}, device_scale_factor=1.5)
            style = f"margin:0;padding:14px 16px 1px;background:{back};color:{ink};font:14px sans-serif"
            page.set_content(f'<!doctype html><body style="{style}">{card()._repr_html_()}')
            note = PngInfo()
            note.add_text("card", digest())
            drawn = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB").quantize(48)
            drawn.save(ROOT / "notebooks" / "images" / f"{name}.png", optimize=True, pnginfo=note)
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
