"""A text in a file equals the text in memory, paragraph by paragraph, and is not held."""

import hashlib
import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from mlm_gui.core.corpus import near_duplicates as duplicates
from mlm_gui.core.corpus import paragraphs
from mlm_gui.core.corpus.corpus import Corpus, Document
from mlm_gui.core.corpus.paragraphs import (
    ParagraphFile,
    ParagraphWriter,
    beginning_of,
    chosen,
    end_to_end,
    fingerprint_of,
    lengths_of,
    some_of,
)
from mlm_gui.core.tokens import Shards, TokenStore

TEXT = tuple(f"{'naïve 漢字 🌱 ' * (number % 7)}Row {number}." for number in range(100))


@pytest.fixture(params=["one read", "many reads"])
def filed(request, monkeypatch) -> ParagraphFile:
    if request.param == "many reads":
        monkeypatch.setattr(paragraphs, "READ_BYTES", 60)
        monkeypatch.setattr(paragraphs, "READ_PARAGRAPHS", 7)
    return in_file(TEXT, monkeypatch)


def in_file(text, monkeypatch) -> ParagraphFile:
    monkeypatch.setattr(paragraphs, "MOST_HELD_CHARACTERS", 500)
    writer = ParagraphWriter()
    for paragraph in text:
        writer.add(paragraph)
    return writer.finish()


def test_a_text_in_a_file_reads_like_one_in_memory(filed):
    assert isinstance(filed, ParagraphFile) and len(filed) == 100 and tuple(filed) == TEXT
    assert (filed[0], filed[41], filed[-1]) == (TEXT[0], TEXT[41], TEXT[-1])
    for place in (slice(None), slice(5), slice(-3, None), slice(10, 90, 9), slice(7, 7)):
        assert tuple(filed[place]) == TEXT[place]
        assert lengths_of(filed[place]).tolist() == [len(paragraph) for paragraph in TEXT[place]]
    with pytest.raises(IndexError):
        filed[100]
    numbers = np.array([0, 3, 4, 50, 99])
    expected = tuple(TEXT[number] for number in numbers)
    assert tuple(chosen(filed, numbers)) == chosen(TEXT, numbers) == expected
    assert tuple(chosen(chosen(filed, numbers), np.array([1, 4]))) == (TEXT[3], TEXT[99])


def test_a_short_text_is_held_and_a_long_one_is_not(monkeypatch):
    writer = ParagraphWriter()
    writer.add("Sow beans.")
    assert writer.finish() == ("Sow beans.",)
    assert isinstance(in_file(TEXT, monkeypatch), ParagraphFile)


def test_the_fingerprint_is_the_same_in_a_file_and_in_memory(filed):
    expected = hashlib.sha256("\x1e".join(TEXT).encode()).hexdigest()
    assert fingerprint_of(filed) == fingerprint_of(TEXT) == expected
    assert fingerprint_of(filed[3:9]) == fingerprint_of(TEXT[3:9]) != expected


def test_a_part_of_a_long_text_is_the_same_in_a_file_and_in_memory(filed):
    for most in (0, 30, 900, 10**6):
        assert tuple(some_of(filed, most)) == tuple(some_of(TEXT, most))
        assert tuple(beginning_of(filed, most)) == beginning_of(TEXT, most)
    assert sum(map(len, some_of(TEXT, 900))) >= 900 and len(some_of(TEXT, 900)) < 100


def test_documents_of_one_file_are_one_text_again(filed):
    whole = end_to_end([filed[:40], filed[40:], filed[100:]])
    assert isinstance(whole, ParagraphFile) and whole.is_whole and tuple(whole) == TEXT
    assert end_to_end([filed[50:], filed[:50]]) == TEXT[50:] + TEXT[:50]
    assert end_to_end([filed[:2], ("Sow beans.",)]) == (*TEXT[:2], "Sow beans.")


def test_the_files_go_with_the_last_view_of_them(monkeypatch):
    whole = in_file(TEXT, monkeypatch)
    folder, part = whole.path.parent, whole[3:]
    del whole
    assert tuple(part) == TEXT[3:]
    del part
    assert not folder.exists()


def test_the_split_of_a_text_in_a_file_is_that_of_the_text(filed):
    split, expected = (Corpus("c", (Document("d", text),)).split(0.2, 3) for text in (filed, TEXT))
    assert (tuple(split.train), tuple(split.held_out)) == (expected.train, expected.held_out)


class Tracked(str):
    """A paragraph that can be watched."""


class Watched(Sequence):
    """A text that makes its paragraphs when asked, and knows how many of them are alive."""

    def __init__(self, num_paragraphs: int) -> None:
        self.alive: weakref.WeakSet = weakref.WeakSet()
        self.num_paragraphs = num_paragraphs
        self.most_alive = 0
        self.num_read = 0

    def __len__(self) -> int:
        return self.num_paragraphs

    def __getitem__(self, place):
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        if place >= len(self):
            raise IndexError
        paragraph = Tracked(
            f"Paragraph {place} of {place * 7919 % 1009} words or so, and {place * 31 % 97} more."
        )
        self.alive.add(paragraph)
        self.num_read += 1
        self.most_alive = max(self.most_alive, len(self.alive))
        return paragraph


def test_near_duplicates_are_found_without_holding_the_text(monkeypatch):
    monkeypatch.setattr(duplicates, "CHARACTERS_AT_ONCE", 1_000)
    text = Watched(2_000)
    assert len(duplicates.groups_of(text)) == 2_000 and text.most_alive < 50


def test_a_shard_of_a_text_is_tokenised_without_reading_the_others(monkeypatch):
    monkeypatch.setattr("mlm_gui.core.tokens.SHARD_CHARACTERS", 20_000)
    text = Watched(4_000)
    lengths = lengths_of(text)
    monkeypatch.setattr("mlm_gui.core.tokens.lengths_of", lambda paragraphs: lengths)
    text.num_read = 0

    def one_token_each(part) -> TokenStore:
        num_tokens = len(part)
        return TokenStore(
            np.zeros(num_tokens, np.int32), np.arange(num_tokens + 1), np.zeros(num_tokens, bool)
        )

    shards = Shards(text, one_token_each)
    assert len(shards) > 1 and shards[1].num_sequences
    in_shards = sum(shards.num_tokens_in(number) for number in range(len(shards)))
    assert in_shards == pytest.approx(4_000, rel=0.05)
    assert shards.num_tokens == pytest.approx(4_000, rel=0.05)
    assert text.num_read < 0.25 * len(text)
