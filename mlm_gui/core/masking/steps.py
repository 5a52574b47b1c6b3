"""One draw in six steps, as the tutorial writes each and as this package writes it."""

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
    """Lines of `masking.sampling`."""
    cells: tuple[str, ...]
    """The value of each token after this step."""
    lit: tuple[bool, ...]
    """True for each token that the step selects."""


def steps_of(draw: Draw) -> tuple[Step, ...]:
    """The draw from random numbers to labels."""
    return (
        _random_numbers(draw),
        _comparison(draw),
        _protection(draw),
        _chosen_positions(draw),
        _replaced_ids(draw),
        _labels(draw),
    )


def _random_numbers(draw: Draw) -> Step:
    words = "Every piece gets a number between 0 and 1."
    ours = "draws, kinds = torch.rand(2, len(input_ids), generator=generator)"
    if draw.policy.unit != "token":
        words = (
            "Every piece gets a number between 0 and 1; all pieces of a word use that of the first."
        )
        ours += "\ndraws = draws[firsts][words]"
    return Step(
        name="random numbers",
        words=words,
        theirs="rand = torch.rand(inputs.input_ids.shape)",
        ours=ours,
        cells=tuple(f"{token.number:.4f}" for token in draw.tokens),
        lit=(True,) * len(draw.tokens),
    )


def _comparison(draw: Draw) -> Step:
    rate = draw.policy.rate
    is_below = _is_below(draw)
    if draw.policy.unit == "span":
        name = "starts a span"
        words = (
            "Is the number so low that a span of words starts here? The lower it is, the longer "
            "the span."
        )
        ours = "lengths = (draws[:, None] < chances).sum(1) * able"
    else:
        name = f"< {rate:g}"
        words = f"Is the number below {rate:g}? That happens to about {rate:.0%} of them."
        ours = "draws < policy.rate"
    return Step(
        name=name,
        words=words,
        theirs="rand < 0.15",
        ours=ours,
        cells=tuple("yes" if below else "no" for below in is_below),
        lit=is_below,
    )


def _protection(draw: Draw) -> Step:
    if draw.policy.unit == "span":
        ours = "chosen, thresholds = chosen[words] & maskable, thresholds[words]"
    else:
        ours = "chosen = (draws < policy.rate) & maskable"
    is_special = [token.fate == Fate.SPECIAL for token in draw.tokens]
    is_left = tuple(
        below and not special for below, special in zip(_is_below(draw), is_special, strict=True)
    )
    return Step(
        name="and not special",
        words="Marks such as [CLS] and [SEP] are taken out, whatever their number.",
        theirs="mask_arr = (rand < 0.15) * (inputs.input_ids != 101) * (inputs.input_ids != 102) "
        "* (inputs.input_ids != 0)",
        ours=ours,
        cells=tuple(
            "protected" if special else "yes" if left else "no"
            for special, left in zip(is_special, is_left, strict=True)
        ),
        lit=is_left,
    )


def _chosen_positions(draw: Draw) -> Step:
    is_chosen = tuple(token.fate in CHOSEN for token in draw.tokens)
    return Step(
        name="chosen positions",
        words="The places that are left, counted from 0; your own marks, the rest of a span, and "
        "a blank for a text that got none come in here.",
        theirs="selection.append(torch.flatten(mask_arr[i].nonzero()).tolist())",
        ours="chosen = chosen | rescued",
        cells=tuple(str(position) if chosen else "" for position, chosen in enumerate(is_chosen)),
        lit=is_chosen,
    )


def _replaced_ids(draw: Draw) -> Step:
    return Step(
        name="replaced ids",
        words="What the model sees. The tutorial writes the mask token at every chosen place; by "
        "BERT's own rule some get a random piece and some stay.",
        theirs="inputs.input_ids[i, selection[i]] = 103",
        ours="seen = torch.where(fates == Fate.MASK, vocabulary.mask_id, input_ids)\n"
        "seen = torch.where(fates == Fate.RANDOM, random_ids, seen)",
        cells=tuple(str(token.input_id) for token in draw.tokens),
        lit=tuple(token.input_id != token.id for token in draw.tokens),
    )


def _labels(draw: Draw) -> Step:
    return Step(
        name="labels",
        words="What the model must guess. The tutorial keeps the label of every place, so that "
        "its loss counts them all; −100 tells the loss to pass over.",
        theirs="inputs['labels'] = inputs.input_ids.detach().clone()"
        "  # taken before the ids were replaced",
        ours="torch.where(chosen, input_ids, IGNORED)",
        cells=tuple(str(token.label).replace("-", "−") for token in draw.tokens),
        lit=tuple(token.label != IGNORED for token in draw.tokens),
    )


def _is_below(draw: Draw) -> tuple[bool, ...]:
    """For each token: is its number below its threshold?"""
    return tuple(token.number < token.threshold for token in draw.tokens)
