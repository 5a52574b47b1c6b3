"""The account of one draw: every token of a text, what became of it, and why, in words."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch

from mlm_gui.core import validation
from mlm_gui.core.masking.expectation import binomial_interval, span_interval
from mlm_gui.core.masking.policy import Fate, MaskPolicy
from mlm_gui.core.masking.sampling import MaskedBatch, Vocabulary, mask_tokens
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokens import Pack, tokenize
from mlm_gui.errors import UserError

MAX_CHARACTERS = 20_000
TUTORIAL_LENGTH = 512
"""Tokens that the tutorial pads every row to."""
CHOSEN = (Fate.MASK, Fate.RANDOM, Fate.KEPT)

_PROTECTED = {
    "cls_token": "it marks the start",
    "bos_token": "it marks the start",
    "sep_token": "it marks the end",
    "eos_token": "it marks the end",
    "pad_token": "it only fills up space",
    "unk_token": "the vocabulary has no piece for what stood here",
    "mask_token": "the text itself has a blank here",
}


@dataclass(frozen=True)
class DrawnToken:
    """One token before and after the draw."""

    token: str
    """As the text has it."""
    seen: str
    """As the model sees it."""
    id: int
    input_id: int
    label: int
    """The original id where the loss counts the token, -100 elsewhere."""
    fate: Fate
    number: float
    """The random number in [0, 1) that decided; pieces of a word share one unless pieces are drawn singly."""
    threshold: float
    """Chosen when the number is below this."""
    continues: bool
    """True for a piece that continues the word before it."""
    mark: str
    """ "force" or "forbid" where a person overruled the draw, "" elsewhere."""
    why: str


@dataclass(frozen=True)
class Draw:
    """One draw over one text, by the same function the trainer uses."""

    tokens: tuple[DrawnToken, ...]
    policy: MaskPolicy
    seed: int
    row_length: int = 0
    """Positions of the row that the tutorial pads the text to, its loss counting each; 0 where nothing is padded and only the chosen count."""

    @property
    def tutorial_mode(self) -> bool:
        """Whether labels and padding are the tutorial's."""
        return self.row_length > 0

    @property
    def num_padding(self) -> int:
        """Padding that the tutorial adds to the row."""
        return max(0, self.row_length - len(self.tokens))

    @property
    def num_maskable(self) -> int:
        return sum(token.fate != Fate.SPECIAL for token in self.tokens)

    def count(self, *fates: Fate) -> int:
        return sum(token.fate in fates for token in self.tokens)

    @property
    def num_chosen(self) -> int:
        return self.count(*CHOSEN)

    @property
    def free(self) -> tuple[bool, ...]:
        """For each unit that the draw decided, whether it was chosen: pieces, or words when whole words are drawn; a person's marks left out."""
        return tuple(chosen for stretch in self._stretches for chosen in stretch)

    @property
    def expected(self) -> tuple[int, int]:
        """How many of `free` chance chooses: the middle 95 % of the exact distribution, from and to."""
        if self.policy.unit == "span":
            return span_interval([len(stretch) for stretch in self._stretches], self.policy.rate)
        return binomial_interval(len(self.free), self.policy.rate)

    @property
    def _stretches(self) -> list[list[bool]]:
        """`free`, cut where no span goes on: at protected tokens."""
        stretches: list[list[bool]] = [[]]
        whole_words = self.policy.unit != "token"
        for token in self.tokens:
            goes_on = whole_words and token.continues
            if token.fate == Fate.SPECIAL:
                stretches.append([])
            elif not token.mark and not (goes_on and stretches[-1]):
                stretches[-1].append(token.fate in CHOSEN)
        return [stretch for stretch in stretches if stretch]


def draw_masks(
    tokenizer,
    text: str,
    policy: MaskPolicy,
    seed: int,
    max_length: int = 512,
    force: Collection[int] = (),
    forbid: Collection[int] = (),
    tutorial_mode: bool = False,
) -> Draw:
    """Draws the masks of `text`; its first `max_length` tokens are shown. Raises UserError when it has no word to hide.

    force, forbid: places of tokens chosen or left out whatever the draw says; other places are passed over. as_taught: labels and padding as
    the tutorial has them, the loss counting every position.
    """
    text = validation.text("The text", text, MAX_CHARACTERS)
    seed = validation.whole("The seed", seed, 0, 2**31 - 1)
    pack = tokenize([text], tokenizer, min(max_length, tokenizer.model_max_length)).pack([0])
    vocabulary = Vocabulary.of(tokenizer)
    maskable = vocabulary.maskable(pack.input_ids)
    if not maskable.any():
        raise UserError(
            "There is nothing to hide here.",
            "The text has no word of its own, only marks that are always protected.",
            "Type a sentence, or choose a paragraph.",
        )
    places = torch.arange(len(maskable))
    marks = [
        torch.isin(places, torch.tensor(sorted(marked), dtype=torch.int64)) & maskable
        for marked in (force, forbid)
    ]
    batch = mask_tokens(
        pack.input_ids,
        maskable,
        policy,
        vocabulary,
        torch.Generator().manual_seed(seed),
        None,
        pack.words,
        *marks,
    )
    told = draw_of(
        tokenizer,
        pack,
        batch,
        policy,
        seed,
        [
            "force" if forced else "forbid" if out else ""
            for forced, out in zip(*marks, strict=True)
        ],
    )
    return (
        in_tutorial_mode(told, min(TUTORIAL_LENGTH, tokenizer.model_max_length))
        if tutorial_mode
        else told
    )


def in_tutorial_mode(draw: Draw, row_length: int) -> Draw:
    """The same draw with the tutorial's labels, one at every place, and its padding up to `row_length` positions."""
    return replace(
        draw,
        tokens=tuple(replace(token, label=token.id) for token in draw.tokens),
        row_length=row_length,
    )


def draw_of(
    tokenizer,
    pack: Pack,
    batch: MaskedBatch,
    policy: MaskPolicy,
    seed: int,
    marks: list[str] | None = None,
    sequence: int = 0,
) -> Draw:
    """The account of one sequence of a pack, and of what `batch` did to it. marks: for each token of the sequence, see DrawnToken.mark."""
    start = int(pack.lengths[:sequence].sum())
    here = slice(start, start + int(pack.lengths[sequence]))
    batch, marks = batch.at(here), marks or [""] * int(pack.lengths[sequence])
    columns = (
        pack.input_ids[here],
        batch.input_ids,
        batch.labels,
        batch.fates,
        batch.draws,
        batch.thresholds,
        pack.continues[here],
        batch.rescued,
    )
    rows = list(zip(*(column.tolist() for column in columns), marks, strict=True))
    spelling = {
        token_id: spelled(tokenizer, token_id)
        for token_id in {token_id for row in rows for token_id in row[:2]}
    }
    roles = _roles(tokenizer)
    tokens = []
    for token_id, input_id, label, fate, number, threshold, continues, rescued, mark in rows:
        told = DrawnToken(
            spelling[token_id],
            spelling[input_id],
            token_id,
            input_id,
            label,
            Fate(fate),
            number,
            threshold,
            continues,
            mark,
            "",
        )
        tokens.append(replace(told, why=_why(told, policy, rescued, roles)))
    return Draw(tuple(tokens), policy, seed)


def _roles(tokenizer) -> dict[int, str]:
    """Why the special tokens of this tokenizer are protected, by their id."""
    named = {
        getattr(tokenizer, f"{name}_id"): why
        for name, why in reversed(_PROTECTED.items())
        if getattr(tokenizer, name, None) is not None
    }
    return {
        token_id: named.get(token_id, "it has a meaning of its own")
        for token_id in tokenizer.all_special_ids
    }


def _why(token: DrawnToken, policy: MaskPolicy, rescued: bool, roles: dict[int, str]) -> str:
    if token.fate == Fate.SPECIAL:
        return f"protected: {roles[token.id]}"
    whose = "its number" if policy.unit == "token" else "its word's number"
    below = token.number < token.threshold
    if token.mark:
        return f"{'chosen' if token.mark == 'force' else 'left out'} by you, whatever {whose} {token.number:.4f} says{_becomes(token)}"
    if token.fate == Fate.UNTOUCHED:
        outside = " and no span reaches it" if policy.unit == "span" else ""
        return f"not chosen: {whose} {token.number:.4f} is not below {token.threshold:.4g}{outside}"
    if rescued:
        cause = f"{whose} {token.number:.4f} is the lowest, and a text needs at least one blank"
    elif below:
        cause = f"{whose} {token.number:.4f} is below {token.threshold:.4g}{', so a span starts here' if policy.unit == 'span' else ''}"
    else:
        cause = "a span that started before reaches it"
    return f"chosen: {cause}{_becomes(token)}"


def _becomes(token: DrawnToken) -> str:
    return {
        Fate.MASK: f"; hidden behind {token.seen}, must be guessed",
        Fate.RANDOM: f"; swapped for the random piece “{token.seen}”, must still be guessed",
        Fate.KEPT: "; left as it is, must still be guessed",
        Fate.UNTOUCHED: "",
    }[token.fate]


def as_record(draw: Draw) -> dict:
    """Lists of equal length, as `mlm-gui mask --json` prints them."""
    return {
        "tokens": [token.token for token in draw.tokens],
        "ids": [token.id for token in draw.tokens],
        "input_ids": [token.input_id for token in draw.tokens],
        "labels": [token.label for token in draw.tokens],
        "fates": [token.fate.name.lower() for token in draw.tokens],
        "seed": draw.seed,
        "rate": draw.policy.rate,
        "unit": draw.policy.unit,
    }
