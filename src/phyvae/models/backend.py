"""Pyro and pyroVED, imported and built without their effects on global state."""

import contextlib
import warnings
from collections.abc import Iterator

import torch

try:
    with warnings.catch_warnings():  # pyroVED adds a filter of its own while it is imported
        import pyro
        from pyroved.models import VED, iVAE, jiVAE, ss_reg_iVAE, ssiVAE
        from pyroved.nets import fcEncoderNet, sDecoderNet
except (ImportError, RuntimeError) as error:
    if "torchvision" not in str(error):
        raise
    raise ImportError(
        f"pyroVED needs a torchvision that matches torch {torch.__version__}; install the pair "
        "together: python -m pip install --upgrade torch torchvision."
    ) from error

__all__ = [
    "VED", "fcEncoderNet", "iVAE", "jiVAE", "no_global_effects", "pyro", "sDecoderNet",
    "ss_reg_iVAE", "ssiVAE",
]  # fmt: skip


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
