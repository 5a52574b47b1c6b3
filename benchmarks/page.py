"""How soon the page can be used, and how quickly it answers while a model is trained on the same
core.

`python -m benchmarks.page` starts the page in a process of its own that may use one core only,
opens it in Chromium, and
times a draw of masks (from the click to the first word piece with another fate) idle and during a
training run.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.models import scratch
from benchmarks.texts import SAMPLES

CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
DEMANDED_STARTUP_SECONDS = 2
"""Above the import of gradio."""
DEMANDED_P95_MILLISECONDS = 50
"""Above idle, while training runs."""
DEMANDED_MAX_MILLISECONDS = 500
ROOT = Path(__file__).parents[1]
DRAW = """() => new Promise((done, failed) => {
  const tokens = document.querySelector('#mask-tokens .strip'), began = performance.now();
  const watcher = new MutationObserver(() => {
    watcher.disconnect();
    done(performance.now() - began);
  });
  const everything = {childList: true, subtree: true, characterData: true};
  watcher.observe(tokens, {...everything, attributeFilter: ['data-fate']});
  setTimeout(() => failed(new Error('no answer in 20 s')), 20000);
  document.querySelector('#mask-again').click();
})"""
"""Clicks Draw again and resolves to the milliseconds until the word pieces change: a new seed and a
draw, two events of the page.
"""


def import_seconds() -> float:
    """A fresh Python that imports gradio and nothing else; the second of two, so that the files are
    in memory.
    """
    for _ in range(2):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", "import gradio"],
            check=True,
            env=os.environ | {"GRADIO_ANALYTICS_ENABLED": "False"},
            preexec_fn=one_core,
        )
    return time.perf_counter() - began


def one_core() -> None:
    """Keeps this process to the first core it may use."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@contextmanager
def served(home: Path) -> Iterator[tuple[str, float]]:
    """The page in a process of its own, on one core: its address, and the seconds until it
    answered.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, began = f"http://127.0.0.1:{port}", time.perf_counter()
    command = [sys.executable, "-m", "mlm_gui", "app", "--port", str(port), "--home", str(home)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, preexec_fn=one_core)
    try:
        while not answers(url):
            if server.poll() is not None or time.perf_counter() - began > 120:
                raise SystemExit("The page did not open.")
            time.sleep(0.02)
        yield url, time.perf_counter() - began
    finally:
        server.terminate()
        server.wait(30)


def answers(url: str) -> bool:
    """True when the server gives the page out."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def summary(milliseconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 (the smallest value that so many per cent do not exceed) and the largest."""
    ranked = sorted(milliseconds)
    return {
        f"p{share}": ranked[max(0, -(-len(ranked) * share // 100) - 1)] for share in (50, 95, 99)
    } | {"max": ranked[-1]}


def measured(num_draws: int) -> dict:
    """Every figure; times of events in milliseconds."""
    from playwright.sync_api import sync_playwright

    figures: dict = {"gradio_import_seconds": import_seconds()}
    with scratch() as home, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        began = time.perf_counter()
        with served(Path(home)) as (url, answered):
            figures["answer_seconds"] = answered
            page = chromium.new_page(viewport={"width": 1200, "height": 900})
            page.set_default_timeout(60_000)
            page.goto(url)
            page.fill("#text-paste textarea", "A text of one's own.")
            figures["usable_seconds"] = time.perf_counter() - began
            page.click("#tab-masks-button")
            page.wait_for_selector("#mask-tokens button")
            figures["masks_seconds"] = time.perf_counter() - began

            page.evaluate(DRAW)
            figures["idle"] = summary([page.evaluate(DRAW) for _ in range(num_draws)])

            page.click("#tab-text-button")
            page.set_input_files("#text-files input[type=file]", str(SAMPLES[0]))
            page.wait_for_function(
                f"document.querySelector('#text-title').textContent.includes('{SAMPLES[0].stem}')"
            )
            page.click("#tab-train-button")
            page.click("#train-more button >> nth=0")
            for name, value in (("epochs", 100), ("evaluations", 5)):
                box = page.locator(f"#set-{name} input[type=number]").first
                box.fill(str(value))
                box.blur()
            page.click("#train-start")
            page.wait_for_function(
                "(document.querySelector('#train-chart .js-plotly-plot')"
                "?.data?.[0]?.x?.length ?? 0) > 3"
            )
            page.click("#tab-masks-button")
            page.evaluate(DRAW)
            figures["training"] = summary([page.evaluate(DRAW) for _ in range(num_draws)])
            figures["still_training"] = "step" in page.locator("#pill").inner_text()
        chromium.close()
    figures["p95_over_idle"] = figures["training"]["p95"] - figures["idle"]["p95"]
    return figures


def told(figures: dict) -> str:
    """The figures beside what is demanded."""
    over = figures["usable_seconds"] - figures["gradio_import_seconds"]
    lines = [
        f"bare import of gradio: {figures['gradio_import_seconds']:.1f} s",
        f"the server answers after {figures['answer_seconds']:.1f} s",
        f"the browser shows the page and takes a text after {figures['usable_seconds']:.1f} s: "
        f"import + {over:.1f} s (demanded: + {DEMANDED_STARTUP_SECONDS} s)",
        "masks, for which torch and a tokenizer are loaded behind the page, are shown after "
        f"{figures['masks_seconds']:.1f} s",
        "",
        "| a draw of masks, ms | p50 | p95 | p99 | max |",
        "|---|---|---|---|---|",
    ]
    for name in ("idle", "training"):
        lines.append(
            f"| {name} | " + " | ".join(f"{value:.0f}" for value in figures[name].values()) + " |"
        )
    lines.append(
        f"\np95 over idle: {figures['p95_over_idle']:.0f} ms "
        f"(demanded: {DEMANDED_P95_MILLISECONDS}), "
        f"none above {DEMANDED_MAX_MILLISECONDS} ms demanded"
    )
    if not figures["still_training"]:
        lines.append("The run ended before the last draw: take fewer draws.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--draws", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures = measured(asked.draws)
    print(json.dumps(figures) if asked.json else told(figures))


if __name__ == "__main__":
    main()
