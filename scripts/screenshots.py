"""Makes the README's three pictures: starts the page in a temporary home, does the job in Chromium,
and saves small PNGs.

    python scripts/screenshots.py [BOOK.txt] [--dark] [--width 1100] [--out assets/screenshots]

Needs the `test` extra and Chromium.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "book", type=Path, nargs="?", default=ROOT / "assets" / "samples" / "seed-almanac.txt"
    )
    parser.add_argument("--sentence", default="Leave the pods on the ___ until they rattle.")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--out", type=Path, default=ROOT / "assets" / "screenshots")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        os.environ["GRADIO_TEMP_DIR"] = f"{home}/uploads"
        from mlm_gui.services.limits import LAPTOP
        from mlm_gui.services.studio import Studio
        from mlm_gui.ui.page import build
        from mlm_gui.ui.server import launch_options

        studio = Studio.open(Path(home), LAPTOP)
        page = build(studio)
        page.queue(max_size=64, api_open=False)
        _, url, _ = page.launch(prevent_thread_lock=True, **launch_options(studio))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": options.width, "height": 780})
        tab.goto(url + ("?__theme=dark" if options.dark else "?__theme=light"))
        photograph(tab, options)
        browser.close()
        studio.training_queue.close()
        page.close(verbose=False)


def photograph(tab, options: argparse.Namespace) -> None:
    """Walks through the tabs and saves a picture of each."""

    def save(name: str) -> None:
        tab.mouse.move(0, 0)
        tab.wait_for_timeout(600)
        tab.screenshot(path=options.out / f"{name}.png", full_page=True)

    tab.set_input_files("#text-files input[type=file]", str(options.book))
    expect(tab.locator("#text-split")).to_contain_text("kept unseen")
    save("text")
    tab.click("#tab-masks-button")
    tab.locator("#mask-paragraph input").fill("3")
    tab.locator("#mask-paragraph input").blur()
    seed = tab.locator("#mask-seed input")
    for number in range(1, 60):  # a draw that shows all three fates
        seed.fill(str(number))
        seed.blur()
        tab.wait_for_timeout(400)
        if all(
            tab.locator(f"#mask-tokens [role=toolbar] button[data-fate={fate}]").count()
            for fate in ("mask", "random", "kept")
        ):
            break
    save("masks")
    tab.click("#tab-train-button")
    tab.click("#train-start")
    expect(tab.locator("#pill")).to_contain_text("step")
    tab.wait_for_function(
        "(() => { const plot = document.querySelector('#train-chart .js-plotly-plot');"
        " const range = plot?.layout?.xaxis?.range;"
        " return plot?.data?.[0]?.x?.length > 0.6 * range?.[1]; })()"
    )
    save("train")
    expect(tab.locator("#train-chart")).to_contain_text("Finished", timeout=300_000)
    tab.click("#tab-compare-button")
    tab.fill("#compare-sentence textarea", options.sentence)
    expect(tab.locator("#compare-moved li").first).to_be_visible()
    save("compare")


if __name__ == "__main__":
    main()
