"""The code twin: short Python that draws exactly what the lab shows."""

import json

from mlm_gui.core.masking.explanation import Draw

_LABELS_AS_TAUGHT = "ids.clone()  # as the tutorial has it"


def snippet_of(draw: Draw, text: str, folder: str, max_length: int = 512) -> str:
    """Python that ends with `ids`, `input_ids` and `labels`, int64 [N], equal to the draw's. folder: where the tokenizer is loaded from.

    For single pieces torch and transformers are enough. Whole words and spans need the rules that find words in every tokenizer family and lay spans
    over them, so there it calls this package's own functions.
    """
    return (_plain if draw.policy.unit == "token" else _with_package)(
        draw, text, folder, max_length
    )


def run_snippet(
    folder: str, model: str, step: int, sequence: int, tutorial_mode: bool = False
) -> str:
    """Python that draws one sequence of one step of a run, by the trainer's own plan. folder: the run's. model: what it started from. sequence: from 1."""
    labels = (
        _LABELS_AS_TAUGHT
        if tutorial_mode
        else "batch.labels.split(pack.lengths.tolist())[sequence]"
    )
    return f"""\
# The batch of a run depends on its whole text, its split and its settings, so this asks the trainer's own plan.
from pathlib import Path

from mlm_gui import MaskedLM
from mlm_gui.core.plan import Plan
from mlm_gui.services.runs import Run

run = Run(Path({_quoted(folder)}))
split = run.split()
plan = Plan.of(MaskedLM.load({_quoted(model)}), split.train, run.job.config)
pack, batch = plan.batch_at({step})

sequence = {sequence - 1}
ids = pack.input_ids.split(pack.lengths.tolist())[sequence]
input_ids = batch.input_ids.split(pack.lengths.tolist())[sequence]
labels = {labels}
"""


def _plain(draw: Draw, text: str, folder: str, max_length: int) -> str:
    policy, rescue = draw.policy, not any(token.mark == "force" for token in draw.tokens)
    forced, forbidden = (_places(draw, mark) for mark in ("force", "forbid"))
    marks = (
        f"chosen[{forbidden}] = offered[{forbidden}] = False  # your marks\n" if forbidden else ""
    ) + (f"chosen[{forced}] = True  # your marks\n" if forced else "")
    at_least_one = "if not chosen.any():  # a text needs at least one blank\n    chosen[draws.where(offered, 1).argmin()] = bool(offered.any())\n"
    labels = _LABELS_AS_TAUGHT if draw.tutorial_mode else "torch.where(chosen, ids, -100)"
    return f"""\
# torch and transformers are all it needs.
import torch
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({_quoted(folder)})
text = {_quoted(text)}
ids = torch.tensor(tokenizer(text, truncation=True, max_length={max_length})["input_ids"])
special = torch.tensor(tokenizer.all_special_ids)
every = torch.tensor(sorted(set(tokenizer.get_vocab().values())))
ordinary = every[~torch.isin(every, special)]

generator = torch.Generator().manual_seed({draw.seed})
draws, kinds = torch.rand(2, len(ids), generator=generator)
random_ids = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]

offered = ~torch.isin(ids, special)
chosen = (draws < {policy.rate!r}) & offered
{marks}{at_least_one if rescue else ""}labels = {labels}
input_ids = torch.where(chosen & (kinds < {policy.mask_share + policy.random_share!r}), random_ids, ids)
input_ids[chosen & (kinds < {policy.mask_share!r})] = tokenizer.mask_token_id
"""


def _with_package(draw: Draw, text: str, folder: str, max_length: int) -> str:
    policy = draw.policy
    marks = "".join(
        f", {name}={_places(draw, mark)}"
        for name, mark in (("force", "force"), ("forbid", "forbid"))
        if _places(draw, mark)
    )
    in_tutorial_mode = ", tutorial_mode=True" if draw.tutorial_mode else ""
    return f"""\
# Whole words and spans need mlm_gui's own rules for where a word begins, so this calls them.
import torch

from mlm_gui import MaskPolicy, draw_masks
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({_quoted(folder)})
text = {_quoted(text)}
policy = MaskPolicy(rate={policy.rate!r}, mask_share={policy.mask_share!r}, random_share={policy.random_share!r}, unit={_quoted(policy.unit)})
draw = draw_masks(tokenizer, text, policy, {draw.seed}, {max_length}{marks}{in_tutorial_mode})

ids = torch.tensor([token.id for token in draw.tokens])
input_ids = torch.tensor([token.input_id for token in draw.tokens])
labels = torch.tensor([token.label for token in draw.tokens])
"""


def _places(draw: Draw, mark: str) -> list[int]:
    return [place for place, token in enumerate(draw.tokens) if token.mark == mark]


def _quoted(text: str) -> str:
    """A Python literal in double quotes, letters of any script as they are."""
    return json.dumps(text, ensure_ascii=False)
