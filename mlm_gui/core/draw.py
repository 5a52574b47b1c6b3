"""The account of one draw: every token of a text, what became of it, and why, in words."""

from dataclasses import dataclass

import torch

from mlm_gui.core import checks
from mlm_gui.core.entries import spelled
from mlm_gui.core.masking import Fate, MaskPolicy, Vocabulary, mask_tokens
from mlm_gui.errors import UserError

MAX_CHARACTERS = 20_000

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
    """The original id where the model must predict, -100 elsewhere."""
    fate: Fate
    continues: bool
    """True for a piece that continues the word before it."""
    why: str


@dataclass(frozen=True)
class Draw:
    """One draw over one text, by the same function the trainer uses."""

    tokens: tuple[DrawnToken, ...]
    policy: MaskPolicy
    seed: int

    @property
    def num_maskable(self) -> int:
        return sum(token.fate != Fate.SPECIAL for token in self.tokens)

    def count(self, *fates: Fate) -> int:
        return sum(token.fate in fates for token in self.tokens)

    @property
    def num_chosen(self) -> int:
        return self.count(Fate.MASK, Fate.RANDOM, Fate.KEPT)

    @property
    def expected(self) -> tuple[int, int]:
        """The middle 95 % of the binomial distribution: how many chosen tokens chance gives, from and to."""
        return binomial_interval(self.num_maskable, self.policy.rate)


def draw_masks(tokenizer, text: str, policy: MaskPolicy, seed: int, max_length: int = 512) -> Draw:
    """Draws the masks of `text`; its first `max_length` tokens are shown. Raises UserError when it has no word to hide."""
    text = checks.text("The text", text, MAX_CHARACTERS)
    seed = checks.whole("The seed", seed, 0, 2**31 - 1)
    encoded = tokenizer(text, truncation=True, max_length=min(max_length, tokenizer.model_max_length))
    ids = torch.tensor(encoded["input_ids"], dtype=torch.int64)
    vocabulary = Vocabulary.of(tokenizer)
    maskable = vocabulary.maskable(ids)
    if not maskable.any():
        raise UserError(
            "There is nothing to hide here.",
            "The text has no word of its own, only marks that are always protected.",
            "Type a sentence, or choose a paragraph.",
        )
    batch = mask_tokens(ids, maskable, policy, vocabulary, torch.Generator().manual_seed(seed))
    words = encoded.word_ids() if tokenizer.is_fast else [None] * len(ids)
    tokens = []
    for place, token_id in enumerate(ids.tolist()):
        fate, input_id = Fate(int(batch.fates[place])), int(batch.input_ids[place])
        token, seen = spelled(tokenizer, token_id), spelled(tokenizer, input_id)
        continues = place > 0 and words[place] is not None and words[place] == words[place - 1]
        why = _reason(tokenizer, token_id, seen, fate, float(batch.draws[place]), policy, bool(batch.rescued[place]))
        tokens.append(DrawnToken(token, seen, token_id, input_id, int(batch.labels[place]), fate, continues, why))
    return Draw(tuple(tokens), policy, seed)


def _reason(tokenizer, token_id: int, seen: str, fate: Fate, number: float, policy: MaskPolicy, rescued: bool) -> str:
    if fate == Fate.SPECIAL:
        role = next(
            (why for name, why in _PROTECTED.items() if getattr(tokenizer, name, None) is not None and getattr(tokenizer, f"{name}_id") == token_id),
            "it has a meaning of its own",
        )
        return f"protected: {role}"
    if fate == Fate.UNTOUCHED:
        return f"not chosen: its number {number:.4f} is not below {policy.rate:g}"
    chosen = (
        f"chosen: its number {number:.4f} is the lowest, and a text needs at least one blank"
        if rescued
        else f"chosen: its number {number:.4f} is below {policy.rate:g}"
    )
    return (
        f"{chosen}; "
        + {
            Fate.MASK: f"hidden behind {seen}, must be guessed",
            Fate.RANDOM: f"swapped for the random piece “{seen}”, must still be guessed",
            Fate.KEPT: "left as it is, must still be guessed",
        }[fate]
    )


def binomial_interval(n: int, p: float, coverage: float = 0.95) -> tuple[int, int]:
    """Central interval of Binomial(n, p) with at least `coverage`, exact: from its own cumulative distribution."""
    tail = (1 - coverage) / 2
    counts = torch.arange(n + 1, dtype=torch.float64)
    log_pmf = torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64)) - torch.lgamma(counts + 1) - torch.lgamma(n - counts + 1)
    log_pmf = log_pmf + torch.special.xlogy(counts, p) + torch.special.xlog1py(n - counts, torch.tensor(-p, dtype=torch.float64))
    cumulative = log_pmf.exp().cumsum(0)
    return int((cumulative < tail).sum()), int((cumulative < 1 - tail).sum().clamp(max=n))


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
    }
