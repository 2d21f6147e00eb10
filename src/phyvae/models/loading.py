"""Models read from a sealed file."""

import itertools
import json
import math
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import as_device
from ..saving import sealed
from ..saving.contents import AnyPath, Mismatch, check_weights, part_of, refusing
from ..saving.plain import differences
from .adapting import adapt
from .interface import PatchModel, described_model
from .shift import ShiftVAE

__all__ = ["built_model", "load_model", "load_weights"]

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
}


def load_model(
    path: AnyPath, *, model: nn.Module | None = None, device: torch.device | str | None = None
) -> PatchModel:
    """Return the model of a file that ``model.save`` or ``trainer.save`` wrote.

    Parameters
    ----------
    path
        The file.
    model
        A new model to put the weights into, made as the saved one was. Needed unless that is a
        `ShiftVAE`: code is not saved, and pyroVED's models do not keep how they were made.
    device
        Device of the returned model, as for `ShiftVAE`, independent of that of the saved one.

    Raises
    ------
    CheckpointError
        If the file is foreign, of another format version, truncated or altered, or holds another
        model than the one given. Nothing in a file is ever unpickled or executed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import phyvae
    >>> path = Path(tempfile.mkdtemp()) / "model.phyvae"
    >>> phyvae.ShiftVAE((24, 24), latent_dim=3).save(path)
    >>> phyvae.load_model(path).latent_dim
    3
    """
    where, given = as_device(device), None if model is None else adapt(model)
    record, tensors = sealed.read(path)
    with refusing(path):
        loaded = built_model(record["model"], tensors) if given is None else given
        load_weights(loaded, record["model"], tensors)
        loaded.to(where)
    return loaded


def built_model(recipe: dict[str, Any], tensors: dict[str, Tensor]) -> ShiftVAE:
    """Return an untrained model of the file's sizes."""
    if recipe["class"] != ShiftVAE.__qualname__:
        raise Mismatch(
            f"it holds a {recipe['class']}, and code is not saved; make a new one as that was "
            "made, and pass it: model=..."
        )
    settings = recipe["settings"]
    # A file must not ask for more memory than its own weights take.
    encoder = [math.prod(settings["patch_shape"]), *settings["hidden_dim_e"]]
    decoder = [settings["latent_dim"], *settings["hidden_dim_d"]]
    layers = [*itertools.pairwise([*encoder, 1]), *itertools.pairwise([*decoder, 1])]
    least = sum(inputs * outputs for inputs, outputs in layers)
    if min(*encoder, *decoder) < 1 or least > sum(tensor.numel() for tensor in tensors.values()):
        raise Mismatch(f"its weights are not those of {json.dumps(settings)}.")
    model = ShiftVAE(**settings, device="cpu")
    model.to(_DTYPES[recipe["dtype"]])
    return model


def load_weights(model: PatchModel, recipe: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Put the weights of a file into the model, if the file describes such a model."""
    unlike = list(differences(described_model(model), recipe, "model"))
    if unlike:
        raise Mismatch(f"it holds another model: {'; '.join(unlike)}.")
    check_weights(model, tensors)
    model.load_state_dict(part_of(tensors))
