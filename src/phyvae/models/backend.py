"""Pyro and pyroVED, imported and built without their effects on global state."""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

try:
    with warnings.catch_warnings():  # pyroVED adds a filter of its own while it is imported
        import pyro
        from pyroved.models import VED, iVAE, jiVAE, ss_reg_iVAE, ssiVAE
        from pyroved.nets import fcEncoderNet, sDecoderNet
        from pyroved.utils import get_sampler
except (ImportError, RuntimeError) as error:
    if "torchvision" not in str(error):
        raise
    raise ImportError(
        f"pyroVED needs a torchvision that matches torch {torch.__version__}; install the pair "
        "together: python -m pip install --upgrade torch torchvision."
    ) from error

__all__ = [
    "VED", "fcEncoderNet", "iVAE", "jiVAE", "no_global_effects", "pyro", "sDecoderNet",
    "sampler", "ss_reg_iVAE", "ssiVAE",
]  # fmt: skip


def sampler(name: str, decoder_sig: float) -> Callable[[Tensor], Any]:
    """Return pyroVED's distribution of pixels given their means, in a form that pickles."""
    return functools.partial(_distribution, name, decoder_sig)


def _distribution(name: str, decoder_sig: float, means: Tensor) -> Any:
    return get_sampler(name, decoder_sig=decoder_sig)(means)


@contextlib.contextmanager
def no_global_effects() -> Iterator[None]:
    """Restore Pyro's store, the random state and cuDNN's flags, set by pyroVED's constructors."""
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    initialised = torch.cuda.is_initialized()
    devices = range(torch.cuda.device_count()) if initialised else ()
    seed = torch.initial_seed()
    with pyro.get_param_store().scope(), torch.random.fork_rng(devices):
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = flags
            if torch.cuda.is_available() and not initialised:
                torch.cuda.manual_seed_all(seed)  # queued until CUDA starts, as pyroVED's was
