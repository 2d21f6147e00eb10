"""Processes of one training: start, agreement on settings, and averages (torch.distributed)."""

import atexit
import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from ..saving.plain import differences

__all__ = [
    "agree",
    "average_gradients",
    "broadcast",
    "init_distributed",
    "mean_over_ranks",
    "rank",
    "together",
    "world_size",
]

# What torchrun sets, and whoever else starts processes for torch.distributed.
_LAUNCHED = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


def init_distributed(kind: Literal["cpu", "cuda"] | None = None) -> torch.device:
    """Join the other processes of ``torchrun``, if there are any; return the device to train on.

    In a script that plain ``python`` runs, it joins nobody, so the same script does for both. The
    processes talk through NCCL on CUDA and through gloo on the CPU, and part when they exit.

    A script may as well call ``torch.distributed.init_process_group()`` itself.

    Parameters
    ----------
    kind
        ``"cpu"`` or ``"cuda"``; ``None`` is CUDA if there is any. Of several GPUs, each process
        of a machine takes its own.

    Returns
    -------
    torch.device
        For the model, or for `PhysicsTrainer`.

    Raises
    ------
    ValueError
        If `kind` is neither, or this machine has no GPU left for this process.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.init_distributed("cpu")
    device(type='cpu')
    """
    if kind not in ("cpu", "cuda", None):
        raise ValueError(f"kind={kind!r} must be 'cpu', 'cuda' or None.")
    device = torch.device(kind or ("cuda" if torch.cuda.is_available() else "cpu"))
    launched = os.environ.keys() >= _LAUNCHED
    if launched and device.type == "cuda":
        device = torch.device("cuda", _own_gpu())
        torch.cuda.set_device(device)  # where NCCL looks
    if launched and not dist.is_initialized():
        dist.init_process_group()  # gloo for the CPU's tensors, NCCL for CUDA's
        atexit.register(_part)
    return device


def rank() -> int:
    """Return the number of this process, from 0; 0 without ``torchrun``.

    One process should print and write figures: ``if phyvae.rank() == 0``.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.rank()
    0
    """
    return dist.get_rank() if _joined() else 0


def world_size() -> int:
    """Return the number of processes that train together; 1 without ``torchrun``."""
    return dist.get_world_size() if _joined() else 1


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace the gradients by their means over all processes, in one message."""
    if world_size() == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= world_size()  # gloo sums only
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, mean in zip(gradients, flat.split(sizes), strict=True):
        gradient.copy_(mean.view_as(gradient))


def mean_over_ranks(numbers: Sequence[float]) -> list[float]:
    """Return the means of some numbers over all processes; a NaN of one is everybody's."""
    if world_size() == 1:
        return list(numbers)
    total = torch.tensor(numbers, dtype=torch.float64, device=_desk())
    dist.all_reduce(total)
    return (total / world_size()).tolist()


@torch.no_grad()
def broadcast(tensors: Iterable[Tensor], device: torch.device) -> None:
    """Replace the tensors by those of process 0, which travel by way of `device`."""
    if world_size() == 1:
        return
    for tensor in tensors:
        sent = tensor.detach().to(device).contiguous()
        dist.broadcast(sent, src=0)
        tensor.copy_(sent)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Let all processes do the block, and all fail if one fails; none goes on alone, or waits.

    Raises RuntimeError if another process failed; it has the error proper.
    """
    if world_size() == 1:
        yield
        return
    failure = None
    try:
        yield
    except Exception as error:
        failure = error
    messages = _gathered("" if failure is None else f"{type(failure).__name__}: {failure}")
    if failure is not None:
        raise failure
    for number, message in enumerate(messages):
        if message:
            raise RuntimeError(f"Process {number} of {len(messages)} failed. {message}")


def agree(settings: dict[str, Any]) -> None:
    """Refuse processes whose settings, plain JSON, are not those of process 0.

    Raises ValueError if this process has others; RuntimeError if another process has others.
    """
    if world_size() == 1:
        return
    each = [json.loads(text) for text in _gathered(json.dumps(settings))]
    with together():
        unlike = list(differences(each[rank()], each[0], where="in process 0"))
        if unlike:
            raise ValueError(
                f"process {rank()} would train something else than process 0: "
                f"{'; '.join(unlike)}. All processes must run the same script on the same data, "
                "and read the same files."
            )


def _gathered(text: str) -> list[str]:
    """Return the texts of all processes, in the order of their ranks.

    Sums of bytes do it, since every backend sums on every device, and nothing is unpickled.
    """
    data = torch.frombuffer(bytearray(text.encode() + b"\n"), dtype=torch.uint8)
    longest = torch.tensor(len(data), device=_desk())
    dist.all_reduce(longest, op=dist.ReduceOp.MAX)
    board = torch.zeros(world_size(), int(longest), dtype=torch.uint8)
    board[rank(), : len(data)] = data
    board = board.to(_desk())
    dist.all_reduce(board)
    return [bytes(row.tolist()).rstrip(b"\0").decode()[:-1] for row in board.cpu()]


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def _desk() -> torch.device:
    """Return where messages are written: the CPU, unless the backend reads CUDA only."""
    return torch.device("cpu" if "cpu:" in dist.get_backend_config() else "cuda")


def _own_gpu() -> int:
    """Return the number of this process's GPU on its machine."""
    if "LOCAL_RANK" not in os.environ:
        raise ValueError(
            "RANK is set but LOCAL_RANK is not, which assigns the GPUs; set it to the "
            "number of the process on its machine, as torchrun does."
        )
    number, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= count:
        raise ValueError(
            f"LOCAL_RANK={number}, but this machine has {count} GPUs; start at most as many "
            f"processes (--nproc-per-node={count}), or pass init_distributed('cpu')."
        )
    return number


def _part() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
