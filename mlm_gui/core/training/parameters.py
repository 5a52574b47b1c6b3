"""Which weights are trained, and how fast: groups, frozen layers, dropout, the learning rate."""

import torch

from mlm_gui.core.model.masked_lm import MaskedLM
from mlm_gui.errors import UserError


def schedule(step: int, total_steps: int, warmup_share: float, kind: str = "linear") -> float:
    """Share of the peak learning rate at `step`, which counts from 1 to total_steps.

    It rises in a straight line during the warm-up. Then it falls in a straight line to just above
    zero, or stays level with kind "constant". Ten steps with a warm-up share of 0.2 give 0.5, 1,
    8/9, 7/9 … 1/9.
    """
    warmup_steps = max(1, round(total_steps * warmup_share)) if warmup_share else 0
    if step <= warmup_steps:
        return step / warmup_steps
    if kind == "constant":
        return 1.0
    return (total_steps + 1 - step) / (total_steps + 1 - warmup_steps)


def default_learning_rate(lm: MaskedLM, epochs: float) -> float:
    """Peak learning rate for a model of this width and so many epochs; smaller for more epochs.

    Measured with `python -m benchmarks.rates`: on texts of 6,500 to 45,000 tokens the best rate
    for the starter was 5e-4 over four epochs and 2.5e-4 over eight. The decrease for wider models
    is the usual one from small to base size: 1e-3 at 128 wide to 7e-5 at 768.
    """
    narrower = 128 / lm.width
    return float(2e-3 / max(2, epochs) * narrower**1.5)


def set_dropout(model: torch.nn.Module, share: float) -> None:
    """Sets every dropout layer of `model` to `share`."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share


def freeze(lm: MaskedLM, embeddings: bool, num_layers: int) -> None:
    """Keeps the embeddings and the lowest layers fixed during training.

    Raises UserError for a model that has too few layers, or layers that share their weights.
    """
    base = lm.model.base_model
    layers = _layers(lm)
    if num_layers and num_layers >= len(layers):
        why = "This model's layers share their weights."
        if layers:
            why = f"This model has {len(layers)}, and one must stay to learn."
        raise UserError(
            f"{num_layers} layers cannot be left as they are.",
            why,
            "Choose a smaller number, or 0.",
        )
    if embeddings and hasattr(base, "embeddings"):
        base.embeddings.requires_grad_(False)
    for layer in layers[:num_layers]:
        layer.requires_grad_(False)


def _layers(lm: MaskedLM) -> list[torch.nn.Module]:
    """The layers from the lowest to the highest; none when they share their weights."""
    num_layers = getattr(lm.model.config, "num_hidden_layers", 0)
    for module in lm.model.base_model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == num_layers:
            return list(module)
    return []


def parameter_groups(
    model: torch.nn.Module, weight_decay: float
) -> list[dict[str, list[torch.nn.Parameter] | float]]:
    """Parameter groups of AdamW: matrices with weight decay, then norms and biases without."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def is_finite(lm: MaskedLM) -> bool:
    """True when every weight is a number."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in lm.model.parameters())
