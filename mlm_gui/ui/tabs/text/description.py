"""A text in words: its heading, its numbers, its split, how it begins."""

from __future__ import annotations

from mlm_gui.core import validation
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.fragmentation import fragmented_words
from mlm_gui.core.corpus.paragraphs import some_of
from mlm_gui.core.evaluation.sample_size import small_sample_warning
from mlm_gui.errors import UserError
from mlm_gui.services.studio import Studio
from mlm_gui.ui.door import TextId

PREVIEW_PARAGRAPHS = 12
PREVIEW_CHARACTERS = 400
NUM_FRAGMENTED = 8
"""Words shown that the starter cuts into pieces."""
NO_TITLE = "### No text yet\nUpload a file, paste a few pages, or choose a sample."


def title_of(studio: Studio, text_id: TextId) -> str:
    """The heading over the text in use, or over none."""
    corpus = studio.texts.find(text_id)
    if corpus is None:
        return NO_TITLE
    parts = f"{len(corpus.documents)} files" if len(corpus.documents) > 1 else "1 text"
    return f"### {plain(corpus.name)}\n{parts}, ready. Next: look at the masks, or train."


def numbers_of(studio: Studio, corpus: Corpus) -> list[dict[str, str]]:
    """The four facts of a text."""
    from mlm_gui.core.tokens import num_tokens_of

    counts = corpus.statistics()
    num_tokens, is_exact = num_tokens_of(corpus.paragraphs, studio.models.tokenizer("starter"))
    repeated = f"{counts.num_duplicates} repeated" if counts.num_duplicates else "none repeated"
    return [
        {"name": "paragraphs", "value": f"{counts.num_paragraphs:,}", "extra": repeated},
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


def fragmented_of(studio: Studio, corpus: Corpus) -> str:
    """The words that the starter cuts into the most pieces, as Markdown; "" without any."""
    from mlm_gui.core.tokens import COUNTED_CHARACTERS

    tokenizer = studio.models.tokenizer("starter")
    looked_at = some_of(corpus.paragraphs, COUNTED_CHARACTERS)
    words = fragmented_words(looked_at, tokenizer, NUM_FRAGMENTED)
    if not words:
        return ""
    is_all = len(looked_at) == len(corpus.paragraphs)
    part = "" if is_all else f" (looked for in a random part of {COUNTED_CHARACTERS:,} characters)"
    shown = ", ".join(f"`{word.word}` ({' '.join(word.pieces)})" for word in words)
    return f"**Words the starter must piece together{part}:** {shown}"


def describe_split(
    studio: Studio, text_id: TextId, held_out: float | None, split_seed: float | None
) -> str:
    """How many paragraphs are on each side, or why the text cannot be split."""
    from mlm_gui.core.tokens import num_ordinary

    corpus = studio.texts.find(text_id)
    if corpus is None:
        return ""
    tokenizer = studio.models.tokenizer("starter")
    try:
        share = validation.fraction("The held-out share", held_out, 2, 50) / 100
        seed = validation.whole("The seed", split_seed, 0, 2**31 - 1)
        is_held_out = corpus.is_held_out(share, seed)
        warning = small_sample_warning(
            corpus, share, seed, lambda paragraphs: num_ordinary(paragraphs, tokenizer)
        )
    except UserError as error:
        return f"**{error.what}** {error.why} {error.do}"
    num_held_out = int(is_held_out.sum())
    num_learned = len(is_held_out) - num_held_out
    paragraphs = "paragraph" if num_learned == 1 else "paragraphs"
    counts = (
        f"**{num_learned:,}** {paragraphs} to learn from, **{num_held_out:,}** kept unseen. "
        "Paragraphs that say nearly the same stay on one side."
    )
    return f"{counts}\n\n**! {warning}** It can be trained all the same." if warning else counts


def preview_of(corpus: Corpus) -> str:
    """The first paragraphs, long ones shortened."""
    first = corpus.paragraphs[:PREVIEW_PARAGRAPHS]
    shown = [_shortened(paragraph) for paragraph in first]
    left = len(corpus.paragraphs) - len(shown)
    return "\n\n".join([*shown, f"… and {left:,} more paragraphs"] if left > 0 else shown)


def _shortened(paragraph: str) -> str:
    if len(paragraph) <= PREVIEW_CHARACTERS:
        return paragraph
    return paragraph[:PREVIEW_CHARACTERS] + " …"


def plain(name: str) -> str:
    """A name from outside as Markdown text: signs that start markup or HTML are escaped."""
    return "".join(
        f"&#{ord(sign)};" if not sign.isalnum() and sign not in " .,'’-" else sign
        for sign in name[:120]
    )
