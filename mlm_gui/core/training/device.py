"""Where training computes: a CPU, a GPU, or one of several processes of `accelerate launch`."""

import contextlib
import gc

import torch


class Device:
    """This process's device, and its rank among the processes of the run."""

    def __init__(self, precision: str = "auto") -> None:
        """precision: see TrainConfig."""
        from accelerate.state import PartialState
        from accelerate.utils import parse_flag_from_env

        self._state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
        computes_in_half = self.device.type == "cuda" and torch.cuda.is_bf16_supported(
            including_emulation=False
        )
        self._half = precision == "bfloat16" or (precision == "auto" and computes_in_half)

    def __str__(self) -> str:
        if self.num_processes == 1:
            return str(self.device)
        return f"{self.device.type} × {self.num_processes}"

    @property
    def device(self) -> torch.device:
        device: torch.device = self._state.device
        return device

    @property
    def rank(self) -> int:
        """0 for the process that writes the run's folder."""
        return int(self._state.process_index)

    @property
    def num_processes(self) -> int:
        return int(self._state.num_processes)

    def arithmetic(self) -> contextlib.AbstractContextManager[object]:
        """While it is open, matrix products are computed in the chosen precision."""
        if self._half:
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum of `values` over all processes, the same in each."""
        if self.num_processes == 1:
            return values
        from accelerate.utils import reduce

        summed: torch.Tensor = reduce(values, "sum")
        return summed

    def share_gradient(self, model: torch.nn.Module) -> None:
        """Replaces every parameter's gradient by its sum over all processes.

        A parameter that took no part in the loss here counts as zero.
        """
        if self.num_processes == 1:
            return
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        summed = self.total(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(summed, [parameter.numel() for parameter in trained])
        for parameter, part in zip(trained, parts, strict=True):
            parameter.grad = part.view_as(parameter)

    def free(self) -> None:
        """Releases unused memory after an allocation failed."""
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """True for what torch raises when a tensor does not fit, on a GPU or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)
