"""One draw explained: every token of a text, its fate, and the reason in words."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch

from mlm_gui.core import validation
from mlm_gui.core.masking.expectation import binomial_interval, span_interval
from mlm_gui.core.masking.policy import Fate, MaskPolicy
from mlm_gui.core.masking.sampling import MaskedBatch, Vocabulary, mask_tokens
from mlm_gui.core.model.vocabulary import spelled
from mlm_gui.core.tokenizer import Tokenizer
from mlm_gui.core.tokens import Pack, tokenize
from mlm_gui.errors import UserError

MAX_CHARACTERS = 20_000
TUTORIAL_LENGTH = 512
"""Tokens that the tutorial pads every row to."""
CHOSEN = (Fate.MASK, Fate.RANDOM, Fate.KEPT)
FORCE = "force"
FORBID = "forbid"

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
    """The token of the text."""
    seen: str
    """The token that the model sees."""
    id: int
    input_id: int
    label: int
    """The original id where the loss counts the token, -100 elsewhere."""
    fate: Fate
    number: float
    """The random number in [0, 1) that decided; with whole words a word's tokens share one."""
    threshold: float
    """The token is chosen when the number is below this."""
    continues: bool
    """True for a token that continues the word before it."""
    mark: str
    """FORCE or FORBID where a person overruled the draw, "" elsewhere."""
    why: str


@dataclass(frozen=True)
class Draw:
    """One draw over one text, made by the function that the trainer uses."""

    tokens: tuple[DrawnToken, ...]
    policy: MaskPolicy
    seed: int
    row_length: int = 0
    """Positions of the tutorial's padded row, each of which its loss counts.

    It is 0 when nothing is padded and only the chosen tokens count.
    """

    @property
    def tutorial_mode(self) -> bool:
        """True when labels and padding are the tutorial's."""
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
        """For each token (or word, with whole words) that the draw decided: was it chosen?

        Tokens that a person forced or forbade are left out.
        """
        return tuple(is_chosen for stretch in self._stretches for is_chosen in stretch)

    @property
    def expected(self) -> tuple[int, int]:
        """How many of `free` chance chooses: the exact central 95 % interval."""
        if self.policy.unit == "span":
            return span_interval([len(stretch) for stretch in self._stretches], self.policy.rate)
        return binomial_interval(len(self.free), self.policy.rate)

    @property
    def _stretches(self) -> list[list[bool]]:
        """`free`, divided at protected tokens, which no span crosses."""
        stretches: list[list[bool]] = [[]]
        whole_words = self.policy.unit != "token"
        for token in self.tokens:
            if token.fate == Fate.SPECIAL:
                stretches.append([])
                continue
            is_counted_already = whole_words and token.continues and stretches[-1]
            if not token.mark and not is_counted_already:
                stretches[-1].append(token.fate in CHOSEN)
        return [stretch for stretch in stretches if stretch]


def draw_masks(
    tokenizer: Tokenizer,
    text: str,
    policy: MaskPolicy,
    seed: int,
    max_length: int = 512,
    force: Collection[int] = (),
    forbid: Collection[int] = (),
    tutorial_mode: bool = False,
) -> Draw:
    """Draws the masks of `text`, of which the first `max_length` tokens are used.

    force, forbid: positions of tokens chosen or left out whatever the draw says; positions outside
    the text are ignored. tutorial_mode: labels and padding are the tutorial's, whose loss counts
    every position. Raises UserError when the text has no word to hide.
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
    is_forced = _flags(force, len(maskable)) & maskable
    is_forbidden = _flags(forbid, len(maskable)) & maskable
    batch = mask_tokens(
        pack.input_ids,
        maskable,
        policy,
        vocabulary,
        torch.Generator().manual_seed(seed),
        words=pack.words,
        force=is_forced,
        forbid=is_forbidden,
    )
    marks = [
        FORCE if forced else FORBID if forbidden else ""
        for forced, forbidden in zip(is_forced.tolist(), is_forbidden.tolist(), strict=True)
    ]
    draw = draw_of(tokenizer, pack, batch, policy, seed, marks)
    if tutorial_mode:
        return in_tutorial_mode(draw, min(TUTORIAL_LENGTH, tokenizer.model_max_length))
    return draw


def _flags(positions: Collection[int], length: int) -> torch.Tensor:
    """bool [length], True at these positions."""
    return torch.isin(torch.arange(length), torch.tensor(sorted(positions), dtype=torch.int64))


def in_tutorial_mode(draw: Draw, row_length: int) -> Draw:
    """The same draw with the tutorial's label at every position and padding to `row_length`."""
    tokens = tuple(replace(token, label=token.id) for token in draw.tokens)
    return replace(draw, tokens=tokens, row_length=row_length)


def draw_of(
    tokenizer: Tokenizer,
    pack: Pack,
    batch: MaskedBatch,
    policy: MaskPolicy,
    seed: int,
    marks: list[str] | None = None,
    sequence: int = 0,
) -> Draw:
    """Explains what `batch` did to one sequence of a pack.

    marks: DrawnToken.mark of each token of the sequence; none of them is marked without it.
    """
    length = int(pack.lengths[sequence])
    start = int(pack.lengths[:sequence].sum())
    here = slice(start, start + length)
    masked = batch.at(here)
    ids = pack.input_ids[here].tolist()
    input_ids = masked.input_ids.tolist()
    labels = masked.labels.tolist()
    fates = masked.fates.tolist()
    numbers = masked.draws.tolist()
    thresholds = masked.thresholds.tolist()
    continues = pack.continues[here].tolist()
    rescued = masked.rescued.tolist()
    spelling = {token_id: spelled(tokenizer, token_id) for token_id in {*ids, *input_ids}}
    roles = _roles(tokenizer)
    tokens = []
    for position in range(length):
        token = DrawnToken(
            token=spelling[ids[position]],
            seen=spelling[input_ids[position]],
            id=ids[position],
            input_id=input_ids[position],
            label=labels[position],
            fate=Fate(fates[position]),
            number=numbers[position],
            threshold=thresholds[position],
            continues=continues[position],
            mark=marks[position] if marks else "",
            why="",
        )
        tokens.append(replace(token, why=_why(token, policy, rescued[position], roles)))
    return Draw(tuple(tokens), policy, seed)


def _roles(tokenizer: Tokenizer) -> dict[int, str]:
    """Why each special token of this tokenizer is protected, by its id."""
    known = {
        getattr(tokenizer, f"{name}_id"): why
        for name, why in reversed(_PROTECTED.items())
        if getattr(tokenizer, name, None) is not None
    }
    return {
        token_id: known.get(token_id, "it has a meaning of its own")
        for token_id in tokenizer.all_special_ids
    }


def _why(token: DrawnToken, policy: MaskPolicy, rescued: bool, roles: dict[int, str]) -> str:
    """The reason for a token's fate, in words."""
    if token.fate == Fate.SPECIAL:
        return f"protected: {roles[token.id]}"
    whose = "its number" if policy.unit == "token" else "its word's number"
    number = f"{whose} {token.number:.4f}"
    if token.mark:
        decision = "chosen" if token.mark == FORCE else "left out"
        return f"{decision} by you, whatever {number} says{_becomes(token)}"
    if token.fate == Fate.UNTOUCHED:
        outside = " and no span reaches it" if policy.unit == "span" else ""
        return f"not chosen: {number} is not below {token.threshold:.4g}{outside}"
    if rescued:
        cause = f"{number} is the lowest, and a text needs at least one blank"
    elif token.number < token.threshold:
        starts = ", so a span starts here" if policy.unit == "span" else ""
        cause = f"{number} is below {token.threshold:.4g}{starts}"
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


def as_record(draw: Draw) -> dict[str, object]:
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
