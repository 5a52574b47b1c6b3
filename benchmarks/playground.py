"""How quick the playground is: `python -m benchmarks.playground`.

One answer of two base-size models for a sentence of 24 tokens, beside two plain forward passes of
transformers; and the surprise at every word of a
sentence of 64 tokens, beside asking word by word. Ratios of medians, the two sides taking turns in
one process; first rounds are never timed.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

from benchmarks.models import folder_of, scratch
from mlm_gui.core.inference.fill import compare
from mlm_gui.core.inference.surprisal import surprises
from mlm_gui.core.model.masked_lm import MaskedLM

ROUNDS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--size", choices=["base", "small", "starter"], default="base")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    with scratch() as home:
        lm = MaskedLM.load(folder_of(asked.size, Path(home)))
    other = lm.copy()
    found = {"size": asked.size, **answers(lm, other, asked.rounds), **words(lm, asked.rounds)}
    if asked.json:
        print(json.dumps(found))
        return
    print(
        f"{asked.size}: one answer of both models {found['answer_ms']:.0f} ms, "
        f"two plain forward passes {found['two_passes_ms']:.0f} ms: "
        f"ratio {found['ratio_answer']:.2f} (at most 1.1)"
    )
    print(
        f"every word of 64 tokens {found['words_ms']:.0f} ms, "
        f"one by one {found['one_by_one_ms']:.0f} ms: "
        f"{found['ratio_words']:.1f} times as fast (at least 2.5)"
    )


def answers(lm, other, rounds: int) -> dict[str, float]:
    """Milliseconds of `compare`, and of what it cannot do without."""
    text = sentence(lm, 24, blank=True)
    ids = lm.tokenizer(text, return_tensors="pt")

    def two_passes() -> None:
        with torch.no_grad():
            for each in (lm, other):
                each.model(
                    **{name: ids[name] for name in ("input_ids", "attention_mask")}
                ).logits.softmax(-1)

    ours, plain = in_turns(lambda: compare(lm, other, text), two_passes, rounds)
    return {"answer_ms": ours, "two_passes_ms": plain, "ratio_answer": ours / plain}


def words(lm, rounds: int) -> dict[str, float]:
    """Milliseconds of all surprises of a sentence, in packs and one hidden place at a time."""
    text = sentence(lm, 64)
    ids = lm.tokenizer(text, return_tensors="pt")["input_ids"]
    ordinary = lm.vocabulary.maskable(ids[0]).nonzero().flatten().tolist()

    def one_by_one() -> None:
        with torch.no_grad():
            for place in ordinary:
                hidden = ids.clone()
                hidden[0, place] = lm.vocabulary.mask_id
                lm.model(input_ids=hidden, attention_mask=torch.ones_like(hidden)).logits[
                    0, place
                ].log_softmax(-1)

    ours, plain = in_turns(lambda: list(surprises(lm, text)), one_by_one, max(2, rounds // 2))
    return {"words_ms": ours, "one_by_one_ms": plain, "ratio_words": plain / ours}


def sentence(lm, num_tokens: int, blank: bool = False) -> str:
    """Ordinary words that the tokenizer cuts into so many tokens, special ones included."""
    text = "" if not blank else "___ "
    words = [
        "the",
        "old",
        "man",
        "and",
        "his",
        "son",
        "went",
        "down",
        "to",
        "the",
        "river",
        "in",
        "the",
        "morning",
        "with",
        "bread",
        "for",
        "her",
    ]
    number = 0
    while len(lm.tokenizer(text.replace("___", lm.tokenizer.mask_token))["input_ids"]) < num_tokens:
        text += words[number % len(words)] + " "
        number += 1
    return text.strip()


def in_turns(ours, theirs, rounds: int) -> tuple[float, float]:
    """Median milliseconds of both, taking turns; the first turn of each is not timed."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for taken, do in zip(times, (ours, theirs), strict=True):
            began = time.perf_counter()
            do()
            if number:
                taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[0]), statistics.median(times[1])


if __name__ == "__main__":
    main()
