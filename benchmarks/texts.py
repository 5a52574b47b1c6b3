"""The texts that the benchmarks read: the bundled samples, files of yours or a share of one, and
made-up text of any size.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlm_gui.core.assets import ASSETS
from mlm_gui.core.corpus.corpus import Corpus

SAMPLES = (ASSETS / "samples" / "seed-almanac.txt", ASSETS / "samples" / "lighthouse-log.txt")
"""Two texts of our own."""


def corpus_of(*files: Path, share: float = 1.0) -> Corpus:
    """The paragraphs of the files, joined; with a `share` below 1 only the first part of them."""
    whole = Corpus.from_files(files)
    if share == 1:
        return whole
    kept = whole.paragraphs[: round(len(whole.paragraphs) * share)]
    return Corpus.from_text("\n\n".join(kept), f"{whole.name} {share:.0%}")


def corpora(files: Sequence[Path], shares: Sequence[float] = ()) -> list[Corpus]:
    """Each sample by itself, then each of `files` whole and cut to each of `shares`."""
    cut = [corpus_of(file, share=share) for file in files for share in sorted({*shares, 1.0})]
    return [*(corpus_of(sample) for sample in SAMPLES), *cut]


def made_up_paragraphs(num_bytes: int, seed: int = 0) -> Iterator[str]:
    """Paragraphs of words of the samples in random order, all different, about `num_bytes` bytes
    together.
    """
    words = sorted(
        {word for sample in SAMPLES for word in sample.read_text(encoding="utf-8").split()}
    )
    draw, written = random.Random(seed), 0
    while written < num_bytes:
        paragraph = " ".join(draw.choices(words, k=draw.randint(20, 160)))
        written += len(paragraph.encode()) + 2
        yield paragraph
