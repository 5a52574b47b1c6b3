"""Short Python code that draws exactly what the masking preview shows."""

import json

from mlm_gui.core.masking.explanation import FORBID, FORCE, Draw

_TUTORIAL_LABELS = "ids.clone()  # as the tutorial has it"
_AT_LEAST_ONE = """\
if not chosen.any():  # a text needs at least one blank
    chosen[draws.where(offered, 1).argmin()] = bool(offered.any())
"""


def snippet_of(draw: Draw, text: str, folder: str, max_length: int = 512) -> str:
    """Python that ends with `ids`, `input_ids` and `labels`, int64 [N], equal to the draw's.

    folder: where the tokenizer is loaded from. Single tokens need torch and transformers only.
    Whole words and spans need the rules that find words in every tokenizer family, so that code
    calls this package's own functions.
    """
    if draw.policy.unit == "token":
        return _plain(draw, text, folder, max_length)
    return _with_package(draw, text, folder, max_length)


def run_snippet(
    folder: str, model: str, step: int, sequence: int, tutorial_mode: bool = False
) -> str:
    """Python that draws one sequence of one step of a run, by the trainer's own plan.

    folder: the run's. model: the model that the run started from. sequence: counted from 1.
    """
    labels = "batch.labels.split(pack.lengths.tolist())[sequence]"
    if tutorial_mode:
        labels = _TUTORIAL_LABELS
    return f"""\
# The batch of a run depends on its whole text, its split and its settings, so this asks the
# trainer's own plan.
from pathlib import Path

from mlm_gui import MaskedLM
from mlm_gui.core.training.plan import Plan
from mlm_gui.services.runs.run import Run

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
    """Code that needs torch and transformers only."""
    policy = draw.policy
    forced = _positions(draw, FORCE)
    forbidden = _positions(draw, FORBID)
    corrections = ""
    if forbidden:
        corrections += f"chosen[{forbidden}] = offered[{forbidden}] = False  # your marks\n"
    if forced:
        corrections += f"chosen[{forced}] = True  # your marks\n"
    else:
        corrections += _AT_LEAST_ONE
    labels = "torch.where(chosen, ids, -100)"
    if draw.tutorial_mode:
        labels = _TUTORIAL_LABELS
    not_kept = policy.mask_share + policy.random_share
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
{corrections}labels = {labels}
input_ids = torch.where(chosen & (kinds < {not_kept!r}), random_ids, ids)
input_ids[chosen & (kinds < {policy.mask_share!r})] = tokenizer.mask_token_id
"""


def _with_package(draw: Draw, text: str, folder: str, max_length: int) -> str:
    """Code that calls this package."""
    policy = draw.policy
    arguments = [str(draw.seed), str(max_length)]
    for mark in (FORCE, FORBID):
        positions = _positions(draw, mark)
        if positions:
            arguments.append(f"{mark}={positions}")
    if draw.tutorial_mode:
        arguments.append("tutorial_mode=True")
    shares = f"mask_share={policy.mask_share!r}, random_share={policy.random_share!r}"
    return f"""\
# Whole words and spans need mlm_gui's own rules for where a word begins, so this calls them.
import torch

from mlm_gui import MaskPolicy, draw_masks
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({_quoted(folder)})
text = {_quoted(text)}
policy = MaskPolicy(rate={policy.rate!r}, {shares}, unit={_quoted(policy.unit)})
draw = draw_masks(tokenizer, text, policy, {", ".join(arguments)})

ids = torch.tensor([token.id for token in draw.tokens])
input_ids = torch.tensor([token.input_id for token in draw.tokens])
labels = torch.tensor([token.label for token in draw.tokens])
"""


def _positions(draw: Draw, mark: str) -> list[int]:
    """Positions of the tokens with this mark."""
    return [position for position, token in enumerate(draw.tokens) if token.mark == mark]


def _quoted(text: str) -> str:
    """A Python literal in double quotes that leaves letters of any script as they are."""
    return json.dumps(text, ensure_ascii=False)
