"""`mlm-gui mask` and `mlm-gui fill`: one sentence, one answer."""

import argparse
import dataclasses

from mlm_gui.cli.output import open_studio, print_record


def mask(options: argparse.Namespace) -> None:
    """Draws masks over a text, once, and explains each choice."""
    from mlm_gui.core.masking.explanation import as_record, draw_masks
    from mlm_gui.core.masking.policy import MaskPolicy

    policy = MaskPolicy(rate=options.rate, unit=options.unit)
    tokenizer = open_studio(options).models.tokenizer(options.model)
    draw = draw_masks(tokenizer, options.text, policy, options.seed)
    if options.json:
        print_record(as_record(draw))
        return
    for token in draw.tokens:
        print(f"{token.token:>16} → {token.seen:<16} {token.why}")
    low, high = draw.expected
    print(f"{draw.num_chosen} of {draw.num_maskable} chosen; chance gives {low} to {high}.")


def fill(options: argparse.Namespace) -> None:
    """Fills the blanks of a sentence, with one model or with two."""
    models = open_studio(options).models
    names = [options.model] if options.against is None else [options.model, options.against]
    answers = [models.fill(name, options.text, options.top) for name in names]
    fillings = []
    if options.joint:
        fillings = [models.fill_jointly(name, options.text, options.top).joint for name in names]
    if options.json:
        record: dict[str, object] = {}
        for key, blanks in zip(("blanks", "against"), answers, strict=False):
            record[key] = [dataclasses.asdict(blank) for blank in blanks]
        for key, joint in zip(("joint", "against_joint"), fillings, strict=False):
            record[key] = [
                {"tokens": filling.tokens, "probability": filling.probability} for filling in joint
            ]
        print_record(record)
        return
    for name, blanks in zip(names, answers, strict=True):
        for number, blank in enumerate(blanks, start=1):
            guesses = (f"{guess.token} {guess.probability:.1%}" for guess in blank.guesses)
            print(f"{name}, blank {number}: {', '.join(guesses)}")
    for name, joint in zip(names, fillings, strict=False):
        together = (f"{' … '.join(filling.tokens)} {filling.probability:.2%}" for filling in joint)
        print(f"{name}, together: {', '.join(together)}")
