"""Tab 1, Text: bring a text, see what is in it, and choose what is kept unseen."""

from pathlib import Path
from typing import NamedTuple

import gradio as gr

from mlm_gui.core import validation
from mlm_gui.core.assets import ASSETS
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.fragmentation import fragmented_words
from mlm_gui.core.corpus.paragraphs import lengths_of, some_of
from mlm_gui.core.corpus.reader import TEXT_ENDINGS
from mlm_gui.core.evaluation.sample_size import small_sample_warning
from mlm_gui.errors import UserError
from mlm_gui.services.storage.texts import FORGOTTEN
from mlm_gui.services.studio import Studio
from mlm_gui.ui.components.display import facts
from mlm_gui.ui.session import Session
from mlm_gui.ui.wiring import on

SAMPLES = {"lighthouse-log": "A lighthouse keeper's log", "seed-almanac": "A seed-saver's almanac"}
"""File stem under assets/samples -> what the button says."""
PREVIEW_PARAGRAPHS = 12
PREVIEW_CHARACTERS = 400
NO_TEXT = {
    "facts": [
        {"name": name, "value": "–", "extra": ""}
        for name in ("paragraphs", "words", "word pieces", "longest paragraph")
    ]
}

NO_TITLE = "### No text yet\nUpload a file, paste a few pages, or choose a sample."
LONG_FILE_BYTES = 5_000_000
"""Reading files of this size together takes long enough to say so."""
READ_BYTES_PER_SECOND = 7_000_000
"""Read and searched for near-duplicates on one ordinary core."""


class TextView(NamedTuple):
    """What a change of text changes on this tab."""

    text_id: gr.BrowserState
    numbers: gr.HTML
    title: gr.Markdown
    preview: gr.Textbox
    fragmented: gr.Markdown
    split: gr.Markdown


class TextTab(NamedTuple):
    """What other tabs read from this one."""

    view: TextView
    held_out: gr.Slider
    split_seed: gr.Number
    changed: list
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
            samples = [
                gr.Button(label, elem_id=f"sample-{stem}", size="sm")
                for stem, label in SAMPLES.items()
            ]
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
            fragmented = gr.Markdown(elem_id="text-shattered")
            with gr.Row():
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
            split = gr.Markdown(elem_id="text-split")

    view = TextView(session.text_id, numbers, title, preview, fragmented, split)
    choice = [held_out, split_seed]
    announced = on(files.upload, announce, studio, files, title)
    uploaded = on(announced.then, upload, studio, [files, *choice], view)
    on(uploaded.failure, title_of, studio, session.text_id, title)
    changed = [
        uploaded,
        on(use.click, paste, studio, [pasted, *choice], view),
        *(
            on(button.click, SAMPLE_HANDLERS[stem], studio, choice, view)
            for stem, button in zip(SAMPLES, samples, strict=True)
        ),
    ]
    for widget in choice:
        on(
            widget.change,
            describe_split,
            studio,
            [session.text_id, *choice],
            split,
            trigger_mode="always_last",
        )
    return TextTab(view, held_out, split_seed, changed)


def announce(studio: Studio, files: list[str] | None) -> object:
    """What is being read, and about how long it takes, when that is worth a word."""
    from mlm_gui.core.formatting import describe_duration

    if not files or len(files) > studio.limits.max_files:
        return gr.skip()  # refused at once
    num_bytes = sum(Path(file).stat().st_size for file in files)
    if num_bytes < LONG_FILE_BYTES:
        return gr.skip()
    what = plain(Path(files[0]).name) if len(files) == 1 else f"{len(files)} files"
    seconds = describe_duration(num_bytes / READ_BYTES_PER_SECOND)
    return f"### Reading {what} …\n{num_bytes / 1e6:,.0f} MB are read and searched for paragraphs that repeat: about {seconds} on an idle machine."


def title_of(studio: Studio, text_id: str) -> str:
    """The heading over the text in use; over none when there is none."""
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return NO_TITLE
    parts = f"{len(corpus.documents)} files" if len(corpus.documents) > 1 else "1 text"
    return f"### {plain(corpus.name)}\n{parts}, ready. Next: look at the masks, or train."


def upload(studio: Studio, files: list[str] | None, held_out: float, split_seed: float) -> TextView:
    """Reads uploaded files and shows them."""
    if not files or len(files) > studio.limits.max_files:
        raise UserError(
            "No file was read.",
            f"Between 1 and {studio.limits.max_files} files can be read at once.",
            "Choose fewer files, or join them.",
        )
    return bring(
        studio,
        studio.texts.gather(files, [Path(file).name for file in files]),
        held_out,
        split_seed,
    )


def paste(studio: Studio, text: str, held_out: float, split_seed: float) -> TextView:
    """Takes pasted text."""
    return bring(
        studio,
        Corpus.from_text(
            validation.text("The pasted text", text, studio.limits.max_text_characters)
        ),
        held_out,
        split_seed,
    )


def _sample_handler(stem: str):
    def use_sample(studio: Studio, held_out: float, split_seed: float) -> TextView:
        corpus = Corpus.from_files([ASSETS / "samples" / f"{stem}.txt"])
        return bring(studio, Corpus(SAMPLES[stem], corpus.documents), held_out, split_seed)

    return use_sample


SAMPLE_HANDLERS = {stem: _sample_handler(stem) for stem in SAMPLES}


def bring(studio: Studio, corpus: Corpus, held_out: float, split_seed: float) -> TextView:
    """Keeps a new text and shows it. Raises UserError when it is too long for this server."""
    if lengths_of(corpus.paragraphs).sum() > studio.limits.max_text_characters:
        raise UserError(
            "The text is too long.",
            f"This server takes {studio.limits.max_text_characters:,} characters at once.",
            "Bring a part of it.",
        )
    return show(studio, studio.texts.add(corpus), held_out, split_seed)


def show(studio: Studio, text_id: str, held_out: float, split_seed: float) -> TextView:
    """The view of a kept text, or that it is gone; nothing changes when there never was one, as on a first visit."""
    from mlm_gui.core.tokens import COUNTED_CHARACTERS, num_tokens_of

    corpus = studio.texts.find(text_id)
    if corpus is None:
        same = TextView(
            *[gr.skip()] * len(TextView._fields)
        )  # a text may be on its way: leave the page as it is
        gone = f"### Your text is not here any more\n{FORGOTTEN} Bring it again; your runs keep theirs."
        return (
            same._replace(title=gone, preview=gr.Textbox(visible=False))
            if studio.texts.is_gone(text_id)
            else same
        )
    counts = corpus.statistics()
    tokenizer = studio.models.tokenizer("starter")
    num_tokens, is_exact = num_tokens_of(corpus.paragraphs, tokenizer)
    numbers = [
        {
            "name": "paragraphs",
            "value": f"{counts.num_paragraphs:,}",
            "extra": f"{counts.num_duplicates} repeated"
            if counts.num_duplicates
            else "none repeated",
        },
        {"name": "words", "value": f"{counts.num_words:,}", "extra": ""},
        {
            "name": "word pieces (tokens)",
            "value": f"{'' if is_exact else 'about '}{num_tokens:,}",
            "extra": "by the starter's vocabulary",
        },
        {
            "name": "longest paragraph",
            "value": f"{counts.longest_words:,}",
            "extra": f"words · typical {counts.median_words:.0f}",
        },
    ]
    words = fragmented_words(some_of(corpus.paragraphs, COUNTED_CHARACTERS), tokenizer, 8)
    looked_at = (
        "" if is_exact else f" (looked for in a random part of {COUNTED_CHARACTERS:,} characters)"
    )
    fragmented = (
        (
            f"**Words the starter must piece together{looked_at}:** "
            + ", ".join(f"`{word.word}` ({' '.join(word.pieces)})" for word in words)
        )
        if words
        else ""
    )
    return TextView(
        text_id,
        {"facts": numbers},
        title_of(studio, text_id),
        gr.Textbox(preview_of(corpus), visible=True),
        fragmented,
        describe_split(studio, text_id, held_out, split_seed),
    )


def describe_split(studio: Studio, text_id: str, held_out: float, split_seed: float) -> str:
    """How many paragraphs fall on each side, or why the text cannot be split."""
    from mlm_gui.core.tokens import num_ordinary

    corpus = studio.texts.find(text_id)
    if corpus is None:
        return ""
    tokenizer = studio.models.tokenizer("starter")
    try:
        choice = (
            validation.fraction("The held-out share", held_out, 2, 50) / 100,
            validation.whole("The seed", split_seed, 0, 2**31 - 1),
        )
        is_held_out = corpus.is_held_out(*choice)
        warning = small_sample_warning(
            corpus, *choice, lambda paragraphs: num_ordinary(paragraphs, tokenizer)
        )
    except UserError as error:
        return f"**{error.what}** {error.why} {error.do}"
    num_held_out = int(is_held_out.sum())
    num_learned = len(is_held_out) - num_held_out
    paragraphs = "paragraph" if num_learned == 1 else "paragraphs"
    counts = f"**{num_learned:,}** {paragraphs} to learn from, **{num_held_out:,}** kept unseen. Paragraphs that say nearly the same stay on one side."
    return f"{counts}\n\n**! {warning}** It can be trained all the same." if warning else counts


def preview_of(corpus: Corpus) -> str:
    """The first paragraphs, long ones shortened."""
    shown = [
        paragraph if len(paragraph) <= PREVIEW_CHARACTERS else paragraph[:PREVIEW_CHARACTERS] + " …"
        for paragraph in corpus.paragraphs[:PREVIEW_PARAGRAPHS]
    ]
    left = len(corpus.paragraphs) - len(shown)
    return "\n\n".join([*shown, f"… and {left:,} more paragraphs"] if left > 0 else shown)


def plain(name: str) -> str:
    """A name from outside as Markdown text: signs that start markup or HTML are escaped."""
    return "".join(
        f"&#{ord(sign)};" if not sign.isalnum() and sign not in " .,'’-" else sign
        for sign in name[:120]
    )
