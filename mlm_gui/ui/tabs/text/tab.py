"""Tab 1, Text: bring a text, see what is in it, and choose what is kept unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency

from mlm_gui.core import validation
from mlm_gui.core.assets import ASSETS
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.paragraphs import lengths_of
from mlm_gui.core.corpus.reader import TEXT_ENDINGS
from mlm_gui.core.formatting import describe_duration, format_bytes
from mlm_gui.errors import UserError
from mlm_gui.services.storage.texts import FORGOTTEN
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import facts
from mlm_gui.ui.door import TextId
from mlm_gui.ui.session import Session
from mlm_gui.ui.tabs.text.description import (
    NO_TITLE,
    describe_split,
    fragmented_of,
    numbers_of,
    plain,
    preview_of,
    title_of,
)
from mlm_gui.ui.wiring import Slot, on

SAMPLES = {"lighthouse-log": "A lighthouse keeper's log", "seed-almanac": "A seed-saver's almanac"}
"""File stem under assets/samples -> what the button says."""
NO_TEXT = {
    "facts": [
        {"name": name, "value": "–", "extra": ""}
        for name in ("paragraphs", "words", "word pieces", "longest paragraph")
    ]
}
LONG_FILE_BYTES = 5_000_000
"""Files of this size together take long enough for a notice."""
READ_BYTES_PER_SECOND = 7_000_000
"""Read and searched for near-duplicates on one ordinary core."""


class TextView(NamedTuple):
    """What a change of text changes on this tab."""

    text_id: Slot
    numbers: Slot
    title: Slot
    preview: Slot
    fragmented: Slot
    split: Slot


class SplitWidgets(NamedTuple):
    """The widgets that decide which paragraphs are kept unseen."""

    held_out: gr.Slider
    """Per cent of the paragraphs."""
    split_seed: gr.Number


class TextTab(NamedTuple):
    """What other tabs read from this one."""

    view: TextView
    split: SplitWidgets
    changed: list[Dependency]
    """Events after which the text in use is another one."""


def build(studio: Studio, session: Session) -> TextTab:
    """Lays the tab out and wires it."""
    gr.Markdown(
        "Bring the texts whose language the model should learn. They stay on this machine.",
        elem_classes="lead",
    )
    numbers = facts("What is in the text", value=NO_TEXT, elem_id="text-facts")
    with gr.Row(elem_classes="split"):
        with gr.Column(elem_classes="card", min_width=290, scale=1):
            sources = _source_widgets()
        with gr.Column(elem_classes="card", min_width=320, scale=3):
            title = gr.Markdown(NO_TITLE, elem_id="text-title")
            preview = gr.Textbox(
                label="How it begins",
                lines=10,
                max_lines=10,
                interactive=False,
                elem_id="text-preview",
                visible=False,
            )
            fragmented = gr.Markdown(elem_id="text-fragmented")
            with gr.Row():
                choice = _split_widgets()
            split = gr.Markdown(elem_id="text-split")
    view = TextView(session.text_id, numbers, title, preview, fragmented, split)
    changed = _wire(studio, session, sources, choice, view)
    return TextTab(view, choice, changed)


class SourceWidgets(NamedTuple):
    """The three ways to bring a text."""

    files: gr.File
    pasted: gr.Textbox
    use: gr.Button
    samples: dict[str, gr.Button]
    """By the file stem."""


def _source_widgets() -> SourceWidgets:
    gr.Markdown("### Your text")
    files = gr.File(
        label="Files (.txt, .md), one or more",
        file_count="multiple",
        file_types=list(TEXT_ENDINGS),
        elem_id="text-files",
        height=140,
    )
    pasted = gr.Textbox(
        label="or paste",
        lines=4,
        max_lines=8,
        placeholder="Paste a few pages here",
        elem_id="text-paste",
    )
    use = gr.Button("Use the pasted text", elem_id="text-use")
    gr.Markdown("or try a sample", elem_classes="quiet")
    samples = {
        stem: gr.Button(label, elem_id=f"sample-{stem}", size="sm")
        for stem, label in SAMPLES.items()
    }
    return SourceWidgets(files, pasted, use, samples)


def _split_widgets() -> SplitWidgets:
    held_out = gr.Slider(
        2,
        50,
        value=10,
        step=1,
        label="kept unseen, % of the paragraphs",
        info="Never trained on, so that what was learned can be tested (held-out text).",
        elem_id="held-out",
        min_width=240,
    )
    split_seed = gr.Number(
        0,
        precision=0,
        minimum=0,
        label="seed of the choice",
        info="The same seed keeps the same paragraphs unseen.",
        elem_id="split-seed",
        min_width=160,
    )
    return SplitWidgets(held_out, split_seed)


def _wire(
    studio: Studio,
    session: Session,
    sources: SourceWidgets,
    choice: SplitWidgets,
    view: TextView,
) -> list[Dependency]:
    """Connects the events; returns those after which the text in use is another one."""
    announced = on(sources.files.upload, announce, studio, sources.files, view.title)
    uploaded = on(announced.then, upload, studio, [sources.files, choice], view)
    on(uploaded.failure, title_of, studio, session.text_id, view.title)
    pasted = on(sources.use.click, paste, studio, [sources.pasted, choice], view)
    samples = [
        on(button.click, sample_handler(stem), studio, choice, view)
        for stem, button in sources.samples.items()
    ]
    for change in (choice.held_out.change, choice.split_seed.change):
        on(
            change,
            describe_split,
            studio,
            [session.text_id, choice],
            view.split,
            trigger_mode="always_last",
        )
    return [uploaded, pasted, *samples]


def announce(studio: Studio, files: tuple[Path, ...] | None) -> object:
    """What is being read, and about how long it takes, when that is long."""
    if not files or len(files) > studio.limits.max_files:
        return gr.skip()  # refused at once
    num_bytes = sum(file.stat().st_size for file in files)
    if num_bytes < LONG_FILE_BYTES:
        return gr.skip()
    what = plain(files[0].name) if len(files) == 1 else f"{len(files)} files"
    seconds = describe_duration(num_bytes / READ_BYTES_PER_SECOND)
    return (
        f"### Reading {what} …\n{format_bytes(num_bytes)} are read and searched for paragraphs "
        f"that repeat: about {seconds} on an idle machine."
    )


def upload(
    studio: Studio,
    files: tuple[Path, ...] | None,
    held_out: float | None,
    split_seed: float | None,
) -> TextView:
    """Reads uploaded files and shows them."""
    if not files or len(files) > studio.limits.max_files:
        raise UserError(
            "No file was read.",
            f"Between 1 and {studio.limits.max_files} files can be read at once.",
            "Choose fewer files, or join them.",
        )
    corpus = studio.texts.gather([str(file) for file in files], [file.name for file in files])
    return bring(studio, corpus, held_out, split_seed)


def paste(studio: Studio, text: str, held_out: float | None, split_seed: float | None) -> TextView:
    """Takes pasted text."""
    text = validation.text("The pasted text", text, studio.limits.max_text_characters)
    return bring(studio, Corpus.from_text(text), held_out, split_seed)


def sample_handler(stem: str) -> Callable[..., TextView]:
    """The handler that brings one of the samples."""

    def use_sample(studio: Studio, held_out: float | None, split_seed: float | None) -> TextView:
        corpus = Corpus.from_files([ASSETS / "samples" / f"{stem}.txt"])
        return bring(studio, Corpus(SAMPLES[stem], corpus.documents), held_out, split_seed)

    return use_sample


def bring(
    studio: Studio, corpus: Corpus, held_out: float | None, split_seed: float | None
) -> TextView:
    """Keeps a new text and shows it. Raises UserError when it is too long for this server."""
    if lengths_of(corpus.paragraphs).sum() > studio.limits.max_text_characters:
        raise UserError(
            "The text is too long.",
            f"This server takes {studio.limits.max_text_characters:,} characters at once.",
            "Bring a part of it.",
        )
    return show(studio, TextId(studio.texts.add(corpus)), held_out, split_seed)


def show(
    studio: Studio, text_id: TextId, held_out: float | None, split_seed: float | None
) -> TextView:
    """The view of a kept text, or that it is gone.

    Nothing changes when there never was one, as on a first visit.
    """
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return _view_of_none(is_gone=studio.texts.is_gone(text_id))
    return TextView(
        text_id=text_id,
        numbers={"facts": numbers_of(studio, corpus)},
        title=title_of(studio, text_id),
        preview=gr.Textbox(preview_of(corpus), visible=True),
        fragmented=fragmented_of(studio, corpus),
        split=describe_split(studio, text_id, held_out, split_seed),
    )


def _view_of_none(is_gone: bool) -> TextView:
    """The page stays as it is, since a text may be on its way; one that is gone is mentioned."""
    same = TextView(*[gr.skip()] * len(TextView._fields))
    if not is_gone:
        return same
    gone = f"### Your text is not here any more\n{FORGOTTEN} Bring it again; your runs keep theirs."
    return same._replace(title=gone, preview=gr.Textbox(visible=False))
