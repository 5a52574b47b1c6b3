"""One draw in six steps, as the tutorial writes it and as it is written here."""

from dataclasses import dataclass

from mlm_gui.core.masking.explanation import CHOSEN, Draw
from mlm_gui.core.masking.policy import IGNORED, Fate


@dataclass(frozen=True)
class Step:
    """One step of the draw, over all tokens."""

    name: str
    words: str
    """What happens, for somebody who does not read code."""
    theirs: str
    """The tutorial's line, with BERT's ids: 101 [CLS], 102 [SEP], 0 [PAD], 103 [MASK]."""
    ours: str
    """Lines of core/masking.py."""
    cells: tuple[str, ...]
    """For each token what it has now."""
    lit: tuple[bool, ...]
    """For each token whether it is still in the running."""


def steps_of(draw: Draw) -> tuple[Step, ...]:
    """The draw from random numbers to labels."""
    tokens, unit = draw.tokens, draw.policy.unit
    below = tuple(token.number < token.threshold for token in tokens)
    ordinary = tuple(
        low and token.fate != Fate.SPECIAL for low, token in zip(below, tokens, strict=True)
    )
    chosen = tuple(token.fate in CHOSEN for token in tokens)
    return (
        Step(
            "random numbers",
            "Every piece gets a number between 0 and 1."
            if unit == "token"
            else "Every piece gets a number between 0 and 1; all pieces of a word use that of the first.",
            "rand = torch.rand(inputs.input_ids.shape)",
            "draws, kinds = torch.rand(2, len(input_ids), generator=generator)"
            + ("" if unit == "token" else "\ndraws = draws[firsts][words]"),
            tuple(f"{token.number:.4f}" for token in tokens),
            (True,) * len(tokens),
        ),
        Step(
            f"< {draw.policy.rate:g}" if unit != "span" else "starts a span",
            f"Is the number below {draw.policy.rate:g}? That happens to about {draw.policy.rate:.0%} of them."
            if unit != "span"
            else "Is the number so low that a span of words starts here? The lower it is, the longer the span.",
            "rand < 0.15",
            "draws < policy.rate"
            if unit != "span"
            else "lengths = (draws[:, None] < chances).sum(1) * able",
            tuple("yes" if low else "no" for low in below),
            below,
        ),
        Step(
            "and not special",
            "Marks such as [CLS] and [SEP] are taken out, whatever their number.",
            "mask_arr = (rand < 0.15) * (inputs.input_ids != 101) * (inputs.input_ids != 102) * (inputs.input_ids != 0)",
            "chosen = (draws < policy.rate) & maskable"
            if unit != "span"
            else "chosen, thresholds = chosen[words] & maskable, thresholds[words]",
            tuple(
                "protected" if token.fate == Fate.SPECIAL else "yes" if low else "no"
                for token, low in zip(tokens, ordinary, strict=True)
            ),
            ordinary,
        ),
        Step(
            "chosen positions",
            "The places that are left, counted from 0; your own marks, the rest of a span, and a blank for a text that got none come in here.",
            "selection.append(torch.flatten(mask_arr[i].nonzero()).tolist())",
            "chosen = chosen | rescued",
            tuple(str(place) if taken else "" for place, taken in enumerate(chosen)),
            chosen,
        ),
        Step(
            "replaced ids",
            "What the model sees. The tutorial writes the mask token at every chosen place; by BERT's own rule some get a random piece and some stay.",
            "inputs.input_ids[i, selection[i]] = 103",
            "seen = torch.where(fates == Fate.MASK, vocabulary.mask_id, input_ids)\nseen = torch.where(fates == Fate.RANDOM, random_ids, seen)",
            tuple(str(token.input_id) for token in tokens),
            tuple(token.input_id != token.id for token in tokens),
        ),
        Step(
            "labels",
            "What the model must guess. The tutorial keeps the label of every place, so that its loss counts them all; −100 tells the loss to pass over.",
            "inputs['labels'] = inputs.input_ids.detach().clone()  # taken before the ids were replaced",
            "torch.where(chosen, input_ids, IGNORED)",
            tuple(str(token.label).replace("-", "−") for token in tokens),
            tuple(token.label != IGNORED for token in tokens),
        ),
    )
