"""Near-duplicates, found in arrays, are those that a plain reading of the rule finds."""

import random
import re
from collections import Counter, defaultdict

import pytest

from mlm_gui.core.corpus import near_duplicates as duplicates
from mlm_gui.core.corpus.near_duplicates import (
    LIKENESS,
    MOST_STANDING,
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
] + [
    "\n",
    "\ud800",
]


def plainly(paragraphs) -> set[tuple[int, int]]:
    """The rule, word for word: dictionaries of folded paragraphs and of word runs."""
    first, standing, sizes, pairs = {}, defaultdict(list), [], set()
    for number, paragraph in enumerate(paragraphs):
        same = first.setdefault(" ".join(paragraph.lower().split()), number)
        words = re.findall(r"\w+", paragraph.lower()) if same == number else []
        runs = {
            tuple(words[start : start + SHINGLE_WORDS])
            for start in range(len(words) - SHINGLE_WORDS + 1)
        }
        shared = Counter(earlier for run in runs for earlier in standing[run][:MOST_STANDING])
        pairs |= {
            (earlier, number)
            for earlier, count in shared.items()
            if count >= LIKENESS * min(len(runs), sizes[earlier])
        }
        pairs |= {(same, number)} - {(number, number)}
        sizes.append(len(runs))
        for run in runs:
            standing[run].append(number)
    return pairs


def odd_text(seed: int) -> list[str]:
    """Paragraphs of odd signs, some of them changed a little from others."""
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
    found, expected = near_duplicates(paragraphs), plainly(paragraphs)
    assert {(earlier, later) for earlier, later in found.tolist()} == expected and len(
        found
    ) == len(expected)
    group = groups_of(paragraphs).tolist()
    assert all(group[earlier] == group[later] for earlier, later in expected)
    assert sum(group[number] == number for number in range(len(group))) == len(set(group)) and all(
        map(int.__le__, group, range(len(group)))
    )
    linked = {number for pair in expected for number in pair}
    assert all(group[number] == number for number in set(range(len(group))) - linked)
    assert survey(paragraphs).num_words.tolist() == [
        len(paragraph.split()) for paragraph in paragraphs
    ]


def test_a_phrase_that_stands_everywhere_costs_no_more_than_its_first_places():
    stock = "All rights reserved by the keeper of this almanac"
    paragraphs = [
        f"{stock} {number} " + " ".join(f"word{number}x{place}" for place in range(30))
        for number in range(300)
    ]
    assert (
        len(near_duplicates(paragraphs)) == 0
        and len(near_duplicates([*paragraphs, paragraphs[299] + " again"])) == 1
    )


@pytest.mark.parametrize("seed", range(4))
def test_what_was_seen_is_what_the_pairs_of_both_texts_say(monkeypatch, seed):
    monkeypatch.setattr(duplicates, "CHARACTERS_AT_ONCE", 500)
    whole = [
        paragraph for paragraph in odd_text(seed + 50) if len(paragraph.split()) > SHINGLE_WORDS
    ]
    learned, asked = whole[: len(whole) // 2], whole[len(whole) // 2 :]
    expected = sum(any(plainly([text, paragraph]) for text in learned) for paragraph in asked)
    assert num_seen(asked, (learned[:3], learned[3:])) == expected and num_seen(
        asked, ()
    ) == 0 == num_seen((), (learned,))
