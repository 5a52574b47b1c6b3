"""Files become paragraphs, and the split keeps training text apart from held-out text."""

import random
import time

import pytest

from mlm_gui.core.corpus import near_duplicates as duplicates
from mlm_gui.core.corpus.corpus import Corpus, Document, Statistics
from mlm_gui.core.corpus.reader import MAX_FILE_BYTES
from mlm_gui.errors import UserError

HUGE = 10**400  # an int that no float can hold
FRENCH = (
    "Les fèves se sèment en février, dès que la terre est dégelée. Où sont passées les graines de "
    "l'été dernier ? Ça, nul ne le sait.\n\nÀ la Saint-Médard, on récolte déjà."
)


def corpus_of(folder, name: str, content: bytes) -> Corpus:
    path = folder / name
    path.write_bytes(content)
    return Corpus.from_files([path])


def numbered(count: int) -> tuple[str, ...]:
    """Paragraphs that have hardly a word run in common."""
    words = random.Random(0)
    return tuple(
        f"Paragraph {number} " + " ".join(str(words.randrange(10**6)) for _ in range(12))
        for number in range(count)
    )


def as_corpus(paragraphs) -> Corpus:
    return Corpus("test", (Document("test", tuple(paragraphs)),))


# ---- reading


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"]
)
def test_any_encoding_is_read(tmp_path, encoding):
    assert corpus_of(tmp_path, "fr.txt", FRENCH.encode(encoding)).paragraphs == tuple(
        FRENCH.split("\n\n")
    )


@pytest.mark.parametrize(
    ("codec", "mark"), [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")]
)
def test_both_byte_orders_of_utf_16_are_read(tmp_path, codec, mark):
    assert corpus_of(tmp_path, "fr.txt", mark + FRENCH.encode(codec)).paragraphs == tuple(
        FRENCH.split("\n\n")
    )


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_line_end_separates_paragraphs(tmp_path, newline):
    content = newline.join(["The first stands", "on two lines.", "", "The second on one."])
    assert corpus_of(tmp_path, "a.txt", content.encode()).paragraphs == (
        "The first stands on two lines.",
        "The second on one.",
    )


def test_blank_lines_with_spaces_separate_paragraphs_too(tmp_path):
    assert corpus_of(
        tmp_path, "a.txt", b"One stands\non two lines.\n  \t\nTwo stands\non two lines."
    ).paragraphs == (
        "One stands on two lines.",
        "Two stands on two lines.",
    )


def test_hard_wrapped_lines_become_one_paragraph(tmp_path):
    line = "word " * 14
    text = "\n\n".join("\n".join([line.strip()] * 5) for _ in range(3))
    assert (
        corpus_of(tmp_path, "book.txt", text.encode()).paragraphs
        == (" ".join((line * 5).split()),) * 3
    )


def test_one_paragraph_a_line_stays_so(tmp_path):
    lines = [f"This is paragraph {number}. " + "It has many words. " * 8 for number in range(5)]
    assert corpus_of(tmp_path, "lines.txt", "\n".join(lines).encode()).paragraphs == tuple(
        " ".join(line.split()) for line in lines
    )


def test_short_lines_without_blank_ones_are_a_paragraph_each(tmp_path):
    assert corpus_of(tmp_path, "lines.txt", b"Sow beans.\nLift peas.\nSave seed.").paragraphs == (
        "Sow beans.",
        "Lift peas.",
        "Save seed.",
    )


def test_long_lines_between_blank_ones_are_a_paragraph_each(tmp_path):
    long = "many words " * 20
    assert len(corpus_of(tmp_path, "a.txt", f"{long}\n{long}\n\n{long}".encode()).paragraphs) == 3


def test_markdown_gives_its_words_without_its_marks(tmp_path):
    content = (
        b"# A *Bean* Book\n\nSow **early** and `thin`,\nthen [wait](http://example.org).\n\n"
        b"- first item\n- second item\n\n```\ncode stays\n```\n\n"
        b"| a | b |\n|---|---|\n| left | right |\n"
    )
    paragraphs = corpus_of(tmp_path, "book.md", content).paragraphs
    assert paragraphs[:5] == (
        "A Bean Book",
        "Sow early and thin, then wait.",
        "first item",
        "second item",
        "code stays",
    )
    assert "left" in paragraphs and "right" in paragraphs


def test_a_text_file_keeps_its_signs(tmp_path):
    assert corpus_of(tmp_path, "a.txt", b"# not *Markdown* here").paragraphs == (
        "# not *Markdown* here",
    )


def test_the_ending_is_read_whatever_its_capitals(tmp_path):
    assert corpus_of(tmp_path, "NOTES.TXT", b"Sow beans.").paragraphs == ("Sow beans.",)


def test_a_one_word_text_is_read(tmp_path):
    assert corpus_of(tmp_path, "a.txt", b"Beans").paragraphs == ("Beans",)


def test_a_one_word_text_cannot_be_split():
    with pytest.raises(UserError, match="too small"):
        Corpus.from_text("Beans").split()


def test_a_control_character_or_nul_in_pasted_text_does_no_harm():
    assert (
        Corpus.from_text("Sow\x07 beans\x00 now \ud800 here").paragraphs[0].startswith("Sow beans")
    )


def test_several_files_become_one_corpus_in_order(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(f"Text of {name}.")
    corpus = Corpus.from_files([tmp_path / "b.txt", tmp_path / "a.txt", tmp_path / "c.txt"])
    assert corpus.paragraphs == ("Text of b.", "Text of a.", "Text of c.")
    assert corpus.name == "b and 2 more"
    assert [document.name for document in corpus.documents] == ["b.txt", "a.txt", "c.txt"]


def test_shown_names_replace_the_names_of_temporary_files(tmp_path):
    (tmp_path / "x9").write_text("Sow beans.")
    corpus = Corpus.from_files([tmp_path / "x9"], ["Garden.txt"])
    assert corpus.name == "Garden" and corpus.documents[0].name == "Garden.txt"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.txt", b"", "no words"),
        ("spaces.txt", b"  \n\t\n   ", "no words"),
        ("signs.txt", b"--- *** ...\n!!!", "no words"),
        ("bom.txt", b"\xef\xbb\xbf", "no words"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "does not look like text"),
        ("program.txt", b"\x7fELF" + b"\x00" * 64, "does not look like text"),
        ("noise.txt", bytes(random.Random(0).randrange(1, 256) for _ in range(4_000)), "noise.txt"),
        ("letter.docx", b"PK\x03\x04", "was not read"),
        ("noending", b"Sow beans.", "was not read"),
        ("page.html", b"<p>Sow", "was not read"),
    ],
)
def test_a_file_without_readable_text_is_refused(tmp_path, name, content, says):
    with pytest.raises(UserError, match=says) as raised:
        corpus_of(tmp_path, name, content)
    error = raised.value
    assert name in error.what and error.why.endswith(".") and error.do.endswith(".")


def test_a_missing_file_a_folder_and_no_file_are_refused(tmp_path):
    (tmp_path / "folder.txt").mkdir()
    for paths in ([tmp_path / "gone.txt"], [tmp_path / "folder.txt"], []):
        with pytest.raises(UserError):
            Corpus.from_files(paths)


def test_a_name_no_file_system_takes_is_refused(tmp_path):
    for name in ("a" * 5_000 + ".txt", "a\x00b.txt"):
        with pytest.raises(UserError):
            Corpus.from_files([tmp_path / name])


def test_an_oversized_file_is_refused_unread(tmp_path):
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse: it takes no room
    with pytest.raises(UserError, match="limit is 100 MB"):
        Corpus.from_files([path])


def test_undecodable_utf_16_does_not_raise(tmp_path):
    assert corpus_of(tmp_path, "odd.txt", b"\xff\xfeB\x00\x00\xd8C").paragraphs[0].startswith("B")


def test_reading_takes_time_in_proportion_to_the_text():
    """A text thirty times as long takes about thirty times as long, not nine hundred times.

    It is measured in processor time, and the limit is far from both.
    """

    def seconds(blocks: int) -> float:
        text = "\r\n\r\n".join(
            f"Block {number} stands here\r\nwrapped in two lines." for number in range(blocks)
        )
        began = time.process_time()
        assert len(Corpus.from_text(text).paragraphs) == blocks
        return time.process_time() - began

    seconds(100)
    assert min(seconds(30_000) for _ in range(2)) < 200 * min(seconds(1_000) for _ in range(3))


def test_nothing_is_lost_on_the_way_in(sample_path, corpus):
    assert " ".join(corpus.paragraphs).split() == sample_path.read_text(encoding="utf-8").split()


def test_statistics_are_plain_counts():
    counts = as_corpus(
        ["One two three.", "one  two three.", "A longer line of six words."]
    ).statistics()
    assert counts == Statistics(
        num_documents=1,
        num_paragraphs=3,
        num_words=12,
        longest_words=6,
        median_words=3,
        num_duplicates=1,
    )


def test_the_fingerprint_follows_the_text_and_nothing_else():
    first = as_corpus(["a b", "c"])
    two_documents = Corpus("other", (Document("x", ("a b",)), Document("y", ("c",))))
    assert first.fingerprint == two_documents.fingerprint
    assert first.fingerprint != as_corpus(["a", "b c"]).fingerprint
    assert len(first.fingerprint) == 64


# ---- the split


def folded(paragraphs) -> set[str]:
    return {" ".join(paragraph.lower().split()) for paragraph in paragraphs}


@pytest.mark.parametrize("seed", range(5))
def test_train_and_held_out_never_share_a_paragraph(seed):
    paragraphs = numbered(60)
    repeated = [
        *paragraphs,
        *paragraphs[:30],
        *(paragraph.upper() for paragraph in paragraphs[10:40]),
        *(paragraph.replace(" ", "   ") for paragraph in paragraphs[:5]),
    ]
    split = as_corpus(repeated).split(0.3, seed)
    assert not folded(split.train) & folded(split.held_out)


def test_short_paragraphs_that_repeat_stay_on_one_side():
    split = as_corpus([*numbered(40), *["Chapter"] * 10, *["The end."] * 10, *["Yes!"] * 5]).split(
        0.5, 3
    )
    assert not folded(split.train) & folded(split.held_out)


def test_nearly_equal_paragraphs_stay_on_one_side():
    paragraphs = numbered(50)
    both = as_corpus([*paragraphs, *(f"{paragraph} indeed" for paragraph in paragraphs)])
    for seed in range(5):
        split = both.split(0.3, seed)
        train = {paragraph.removesuffix(" indeed") for paragraph in split.train}
        held_out = {paragraph.removesuffix(" indeed") for paragraph in split.held_out}
        assert not train & held_out


@pytest.mark.parametrize("seed", range(3))
def test_paragraphs_that_repeat_stay_on_one_side_in_a_text_so_long_that_it_is_sampled(
    monkeypatch, seed
):
    monkeypatch.setattr(duplicates, "SAMPLED_WORDS", 20)
    paragraphs = [*numbered(60), *(f"Chapter {number}" for number in range(60))]
    split = as_corpus([*paragraphs, *paragraphs]).split(0.4, seed)
    assert not folded(split.train) & folded(split.held_out)


def test_nothing_is_lost_or_doubled_by_the_split(corpus):
    split = corpus.split(0.2, 1)
    assert sorted([*split.train, *split.held_out]) == sorted(corpus.paragraphs)


def test_the_split_is_decided_by_its_seed(corpus):
    assert corpus.split(0.2, 1) == corpus.split(0.2, 1) != corpus.split(0.2, 2)


def test_about_the_asked_share_is_held_out():
    split = as_corpus(numbered(200)).split(0.25, 0)
    assert len(split.held_out) == 50


def test_both_sides_have_something_however_small_the_share():
    for share in (0.01, 0.5):
        split = as_corpus(numbered(2)).split(share, 0)
        assert len(split.train) == len(split.held_out) == 1


def test_a_text_of_one_paragraph_repeated_cannot_be_split():
    with pytest.raises(UserError, match="one distinct paragraph"):
        as_corpus(["The same words again and again."] * 20).split()


@pytest.mark.parametrize(
    "wrong",
    [
        {"held_out": 0},
        {"held_out": 0.9},
        {"held_out": float("nan")},
        {"held_out": "0.1"},
        {"seed": -1},
        {"seed": 1.5},
        {"seed": 2**40},
        {"seed": HUGE},
    ],
)
def test_a_bad_share_or_seed_is_refused(wrong):
    with pytest.raises(UserError):
        as_corpus(numbered(10)).split(**wrong)
