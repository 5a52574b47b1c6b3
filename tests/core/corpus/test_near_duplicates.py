"""Near-duplicates, computed in arrays, are those of the plain rule."""

import random
import re
from collections import Counter, defaultdict

import pytest

from mlm_gui.core.corpus import near_duplicates as duplicates
from mlm_gui.core.corpus.near_duplicates import (
    LIKENESS,
    MOST_COMPARED,
    SHINGLE_WORDS,
    groups_of,
    near_duplicates,
    num_seen,
    survey,
)

SIGNS = [
    "Straße",
    "ÉTÉ",
    "İstanbul",
    "naïve",
    "漢字かな",
    "a_b",
    "x-y",
    "don't",
    "\xa0",
    "…",
    "“q”",
    "🌱",
    "ö",
    "1,000",
    "\u2028z",
    "\n",
    "\ud800",
]


def plainly(paragraphs) -> set[tuple[int, int]]:
    """The rule, step by step, with dictionaries of folded paragraphs and of shingles."""
    first, paragraphs_with, sizes, pairs = {}, defaultdict(list), [], set()
    for number, paragraph in enumerate(paragraphs):
        same = first.setdefault(" ".join(paragraph.lower().split()), number)
        words = re.findall(r"\w+", paragraph.lower()) if same == number else []
        runs = {
            tuple(words[start : start + SHINGLE_WORDS])
            for start in range(len(words) - SHINGLE_WORDS + 1)
        }
        shared = Counter(
            earlier for run in runs for earlier in paragraphs_with[run][:MOST_COMPARED]
        )
        pairs |= {
            (earlier, number)
            for earlier, count in shared.items()
            if count >= LIKENESS * min(len(runs), sizes[earlier])
        }
        pairs |= {(same, number)} - {(number, number)}
        sizes.append(len(runs))
        for run in runs:
            paragraphs_with[run].append(number)
    return pairs


def odd_text(seed: int) -> list[str]:
    """Paragraphs of odd characters, some of them slightly changed copies of others."""
    draw = random.Random(seed)
    words = [
        draw.choice(SIGNS) + (str(draw.randrange(9)) if draw.random() < 0.5 else "")
        for _ in range(30)
    ]
    paragraphs: list[str] = []
    for _ in range(draw.randrange(1, 90)):
        if paragraphs and draw.random() < 0.4:
            changed = draw.choice(paragraphs).split(" ")
            for _ in range(draw.randrange(4)):
                changed[draw.randrange(len(changed))] = draw.choice(words)
            paragraphs.append(
                draw.choice([str.upper, str.lower, lambda text: text.replace(" ", "  ")])(
                    " ".join(changed)
                )
            )
        else:
            paragraphs.append(" ".join(draw.choices(words, k=draw.randrange(25))))
    return paragraphs


@pytest.mark.parametrize("seed", range(12))
def test_the_pairs_are_those_of_the_plain_rule_however_the_text_is_fed(monkeypatch, seed):
    monkeypatch.setattr(duplicates, "CHARACTERS_AT_ONCE", (1, 60, 10**6)[seed % 3])
    monkeypatch.setattr(duplicates, "PAIRS_AT_ONCE", (20, 300, 10**6)[seed // 3 % 3])
    paragraphs = odd_text(seed)
    pairs = near_duplicates(paragraphs).tolist()
    expected = plainly(paragraphs)
    assert sorted(map(tuple, pairs)) == sorted(expected)
    group = groups_of(paragraphs).tolist()
    assert all(group[earlier] == group[later] for earlier, later in expected)
    assert all(group[first] == first for first in set(group)), "a group is named by its first"
    assert all(first <= number for number, first in enumerate(group))
    linked = {number for pair in expected for number in pair}
    assert all(group[number] == number for number in set(range(len(group))) - linked)
    num_words = [len(paragraph.split()) for paragraph in paragraphs]
    assert survey(paragraphs).num_words.tolist() == num_words


def test_a_stock_phrase_is_compared_in_its_first_paragraphs_only():
    stock = "All rights reserved by the keeper of this almanac"
    paragraphs = [
        f"{stock} {number} " + " ".join(f"word{number}x{place}" for place in range(30))
        for number in range(300)
    ]
    assert len(near_duplicates(paragraphs)) == 0
    assert len(near_duplicates([*paragraphs, paragraphs[299] + " again"])) == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_paragraphs_seen_are_those_of_the_plain_rule(monkeypatch, seed):
    monkeypatch.setattr(duplicates, "CHARACTERS_AT_ONCE", 500)
    whole = [
        paragraph for paragraph in odd_text(seed + 50) if len(paragraph.split()) > SHINGLE_WORDS
    ]
    learned, asked = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    expected = sum(any(plainly([text, paragraph]) for text in learned) for paragraph in asked)
    assert num_seen(asked, (learned[:3], learned[3:])) == expected
    assert num_seen(asked, ()) == num_seen((), (learned,)) == 0
