"""A file that is read block by block gives the paragraphs of the whole file."""

import random
import re

import pytest

from mlm_gui.core.corpus import reader
from mlm_gui.core.corpus.corpus import Corpus
from mlm_gui.core.corpus.reader import HARD_WRAP_WIDTH, paragraphs_in, read_paragraphs
from mlm_gui.errors import UserError

BITS = [
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\r\n\r\n",
    " ",
    "  \t",
    "\n \t\n",
    "\u2028",
    "\x1c",
    "\x0c",
    "\x85",
    "\u00a0",
    "word ",
    "wörd",
    "漢字",
    "...",
    "w" * 99,
]
BITS += [" " + "w" * 101, "a line of words " * 5, "\x07", "\x1e", "🌱", "--- "]


def plainly(text: str) -> tuple[str, ...]:
    """The rule over the whole text at once."""
    pieces: list[str] = []
    blocks = re.split(r"\n[^\S\n]*\n\s*", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    for block in blocks:
        lines = block.split("\n")
        pieces += [block] if len(blocks) > 1 and max(map(len, lines)) <= HARD_WRAP_WIDTH else lines
    cleaned = (
        " ".join(re.sub(r"[\x00-\x08\x0e-\x1f\x7f]", " ", piece).split()) for piece in pieces
    )
    return tuple(piece for piece in cleaned if any(map(str.isalnum, piece)))


def paragraphs_of(read) -> tuple[str, ...]:
    try:
        return tuple(read)
    except UserError:
        return ()


@pytest.mark.parametrize("seed", range(8))
def test_odd_texts_read_block_by_block_give_the_paragraphs_of_the_whole(
    tmp_path, monkeypatch, seed
):
    draw, path = random.Random(seed), tmp_path / "odd.txt"
    for _ in range(40):
        text = "".join(draw.choices(BITS, k=draw.randrange(40)))
        monkeypatch.setattr(reader, "READ_BYTES", draw.choice([1, 2, 7, 64]))
        assert paragraphs_of(paragraphs_in("pasted", text)) == plainly(text)
        encoding = draw.choice(["utf-8", "utf-8-sig", "utf-16", "utf-32"])
        path.write_bytes((text + " plain words" * 30).encode(encoding))
        assert paragraphs_of(read_paragraphs(path, "odd.txt")) == plainly(
            text + " plain words" * 30
        )


def test_a_letter_across_two_blocks_is_whole_and_a_late_bad_byte_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "BEGINNING_BYTES", 1_001)
    monkeypatch.setattr(reader, "READ_BYTES", 301)
    path = tmp_path / "late.txt"
    path.write_bytes(("é" * 2_000).encode())
    assert paragraphs_of(read_paragraphs(path, "late.txt")) == ("é" * 2_000,)
    path.write_bytes(b"The beans were sown early. " * 100 + "café".encode("latin-1"))
    assert paragraphs_of(read_paragraphs(path, "late.txt"))[0].endswith("early. café")
    path.write_bytes(b"The beans were sown early. " * 100 + b"\x00")
    with pytest.raises(UserError, match="does not look like text"):
        list(read_paragraphs(path, "late.txt"))


def test_an_endless_line_is_cut_at_spaces_without_loss(monkeypatch):
    monkeypatch.setattr(reader, "LONGEST_PARAGRAPH", 50)
    line = " ".join(f"word{number}" for number in range(300)) + " " + "x" * 170 + "\nThe end."
    paragraphs = Corpus.from_text(line).paragraphs
    assert max(map(len, paragraphs)) <= 51 and paragraphs[-1] == "The end."
    assert "".join(paragraphs).replace(" ", "") == line.replace(" ", "").replace("\n", "")
    assert all(re.fullmatch(r"(word\d+ ?)+", paragraph) for paragraph in paragraphs[:30])


def test_an_endless_block_of_short_lines_is_a_paragraph_a_line(monkeypatch):
    monkeypatch.setattr(reader, "LONGEST_PARAGRAPH", 50)
    lines = [f"line {number}" for number in range(40)]
    assert Corpus.from_text("One\ntwo.\n\n" + "\n".join(lines) + "\n\nThe\nend.").paragraphs == (
        "One two.",
        *lines,
        "The end.",
    )
