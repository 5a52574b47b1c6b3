"""The state of a run between two steps, which a checkpoint keeps."""

from dataclasses import dataclass

import torch

from mlm_gui.errors import UserError

COUNTERS = (
    "step",
    "parts",
    "best_loss",
    "best_step",
    "training_seconds",
    "scored_step",
    "evaluations_without_best",
    "timed_seconds",
    "timed_tokens",
)
"""Attributes of `Training` that a checkpoint keeps, under these names."""
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps for each parameter."""
_WEIGHTS = "weights."


@dataclass(frozen=True)
class State:
    """Everything that a resumed run needs.

    Random numbers need no state, since each is a function of seed, purpose and step.
    """

    tensors: dict[str, torch.Tensor]
    """Weights and the optimiser's moments, by name, on the CPU or the training device.

    None shares its storage with another.
    """
    numbers: dict[str, int | float]
    """The COUNTERS."""


def tensors_of(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The live weights and moments, as `State.tensors` names them."""
    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[_WEIGHTS + name] = parameter.detach()
        for kind, moment in optimizer.state.get(parameter, {}).items():
            tensors[f"{kind}.{name}"] = moment
    return tensors


@torch.no_grad()
def restore_tensors(state: State, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Copies the weights and moments of `state` into `model` and `optimizer`."""
    for name, parameter in model.named_parameters():
        parameter.copy_(state.tensors[_WEIGHTS + name])
        for kind in MOMENTS:
            moment = state.tensors.get(f"{kind}.{name}")
            if moment is not None:
                optimizer.state[parameter][kind] = moment.to(parameter.device, copy=True)


def check_fits(state: State, model: torch.nn.Module) -> None:
    """Raises UserError unless `state` has exactly the weights of `model`, and the COUNTERS."""
    expected = {_WEIGHTS + name: weights.shape for name, weights in model.named_parameters()}
    shapes = {
        name: tensor.shape for name, tensor in state.tensors.items() if name.startswith(_WEIGHTS)
    }
    if shapes != expected or set(state.numbers) != set(COUNTERS):
        raise UserError(
            "The checkpoint does not fit this run.",
            "It belongs to another model or another version of the program.",
            "Start a new run.",
        )
