"""Where the arithmetic happens: one CPU, one GPU, or one of several processes that `accelerate launch` started."""

import contextlib
import gc

import torch


class Device:
    """This process's device and its place among the processes of the run."""

    def __init__(self, precision: str = "auto") -> None:
        """precision: see TrainConfig."""
        from accelerate.state import PartialState
        from accelerate.utils import parse_flag_from_env

        self._state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
        able = self.device.type == "cuda" and torch.cuda.is_bf16_supported(
            including_emulation=False
        )
        self._half = precision == "bfloat16" or (precision == "auto" and able)

    def __str__(self) -> str:
        return (
            str(self.device)
            if self.num_processes == 1
            else f"{self.device.type} × {self.num_processes}"
        )

    @property
    def device(self) -> torch.device:
        return self._state.device

    @property
    def rank(self) -> int:
        """0 for the process that writes the run's folder."""
        return self._state.process_index

    @property
    def num_processes(self) -> int:
        return self._state.num_processes

    def arithmetic(self) -> contextlib.AbstractContextManager:
        """While it is open, matrix products run in the chosen precision."""
        return (
            torch.autocast(self.device.type, torch.bfloat16)
            if self._half
            else contextlib.nullcontext()
        )

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values` over all processes, the same in each."""
        if self.num_processes == 1:
            return values
        from accelerate.utils import reduce

        return reduce(values, "sum")

    def share_gradient(self, model: torch.nn.Module) -> None:
        """Every parameter's gradient becomes the sum over all processes; one that took no part in the loss here counts as zero."""
        if self.num_processes == 1:
            return
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        whole = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        for parameter, part in zip(trained, whole.split([p.numel() for p in trained]), strict=True):
            parameter.grad = part.view_as(parameter)

    def free(self) -> None:
        """Gives back what memory it can after an allocation failed."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """True for what torch raises when a tensor does not fit, on a GPU or on the CPU."""
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "can't allocate memory" in str(error)
        or "not enough memory" in str(error)
    )
