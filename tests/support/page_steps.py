"""Steps that tests of the page share: bring a text, choose settings, wait for a step."""

from playwright.sync_api import expect

from mlm_gui.core.assets import ASSETS

BOOK = ASSETS / "samples" / "seed-almanac.txt"


POINTS = "document.querySelector('#train-chart .js-plotly-plot')?.data?.[0]?.x?.length ?? 0"


def bring(page, path=BOOK):
    page.set_input_files("#text-files input[type=file]", str(path))
    expect(page.locator("#text-title")).to_contain_text(path.stem.split("-")[0])


def wait_for_fifth_step(page):
    """Waits until the run that was just started has taken its five steps and is held there."""
    expect(page.locator("#train-pause")).to_be_enabled()
    expect(page.locator("#pill")).to_contain_text("step 5 of")
    page.wait_for_function(f"({POINTS}) === 5")


def choose_settings(page, **values):
    """Fills number boxes under More settings, which it opens once."""
    if page.locator("#set-epochs").is_hidden():
        page.click("#train-more button >> nth=0")
    for name, value in values.items():
        box = page.locator(f"#set-{name} input[type=number]").first
        expect(box).not_to_have_value("")
        for _ in range(20):  # Gradio loses what is typed while it builds a slider
            box.fill(str(value))
            box.blur()
            if box.input_value() == str(value):
                break
        expect(box).to_have_value(str(value))


def refusal(page, said):
    """The notice with these words; earlier notices may still be shown beside it."""
    return page.get_by_test_id("toast-body").filter(has_text=said)
