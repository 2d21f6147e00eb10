"""A safetensors file under a seal: whole, unaltered and ours, or refused."""

import contextlib
import hashlib
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

__all__ = ["FORMAT", "CheckpointError", "as_path", "read", "seal", "write"]

FORMAT = "1"
"""Version of the format. A reader refuses every other one."""

_OPEN = b'"sha256":"' + 64 * b"0" + b'"'
_SEALED = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class CheckpointError(ValueError):
    """A file is no checkpoint of phyvae's, is damaged, or belongs to another run.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import phyvae
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> _ = path.write_text("no model")
    >>> try:
    ...     phyvae.load_model(path)
    ... except phyvae.CheckpointError:
    ...     print("no file of phyvae's")
    no file of phyvae's
    """


def as_path(path: object, name: str = "path") -> str:
    """Check that a path is one, and expand ``~``; a number would be a file opened elsewhere."""
    if isinstance(path, str | os.PathLike):
        text = os.fspath(path)
        if isinstance(text, str) and text:
            return os.path.expanduser(text)
    raise TypeError(f"{name}={path!r} must be the path of a file: a string or a pathlib.Path.")


def seal(record: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    """Return the bytes of a safetensors file that holds the record, as JSON, and the tensors.

    The SHA-256 in its header is that of the whole file with 64 zeros in place of the hash.
    """
    metadata = {
        "format": FORMAT,
        "sha256": 64 * "0",
        "phyvae": json.dumps(record, allow_nan=False),
    }
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data: bytes = safetensors.torch.save(plain, metadata)
    digest = hashlib.sha256(data).hexdigest().encode()
    # The first one: the header comes first, and in the record quotes are escaped.
    return data.replace(_OPEN, _OPEN.replace(64 * b"0", digest), 1)


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Put the bytes in the place of `path`, at once or not at all.

    They go to a new file in the same folder, reach the disk, and only then take its name. A
    process killed meanwhile leaves the former file as it was, and at most a hidden ``.part`` file.
    """
    target = Path(os.path.realpath(as_path(path)))  # a link keeps pointing at the file
    if target.is_dir():
        raise IsADirectoryError(f"path={os.fspath(path)!r} is a folder; name a file in it.")
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"path={os.fspath(path)!r}: there is no folder {os.fspath(target.parent)!r}; make it."
        )
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name, too, must reach the disk
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the record and the tensors of a sealed file; nothing in it is ever executed.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If the file is foreign, of another format version, truncated or altered.
    """
    if os.path.isdir(as_path(path)):
        raise CheckpointError(f"{_shown(path)} is a folder; a checkpoint is one file in it.")
    if not os.path.exists(as_path(path)):
        raise FileNotFoundError(f"path={_shown(path)}: there is no such file.")
    with open(as_path(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > size - 8:
            raise CheckpointError(f"{_shown(path)} is {_foreign(start)}")
        header = file.read(length)
        metadata = _metadata(header)
        if metadata is None:
            raise CheckpointError(f"{_shown(path)} is {_foreign(start)}")
        if metadata.get("format") != FORMAT:
            raise CheckpointError(
                f"{_shown(path)} has format version {metadata.get('format')!r}, but this phyvae "
                f"reads version {FORMAT!r}; load it with the phyvae that saved it."
            )
        data = start + header + file.read()
    found = _SEALED.findall(header)
    if len(found) != 1 or found[0].decode() != _digest(data, header):
        raise CheckpointError(
            f"{_shown(path)} is damaged: its SHA-256 is not the one it was saved with, so it was "
            "truncated or altered; take an earlier copy."
        )
    try:
        record = json.loads(metadata["phyvae"])
        tensors: dict[str, Tensor] = safetensors.torch.load(data)
    except Exception as error:
        raise CheckpointError(f"{_shown(path)} has unexpected contents: {error}") from error
    if not isinstance(record, dict):
        raise CheckpointError(f"{_shown(path)} has unexpected contents: no record.")
    return record, tensors


def _digest(data: bytes, header: bytes) -> str:
    """Return the SHA-256 of the whole file with zeros in place of the hash in its header."""
    match = _SEALED.search(header)
    assert match is not None
    at = 8 + match.start(1)
    rest = memoryview(data)
    sha = hashlib.sha256(rest[:at])
    sha.update(64 * b"0")
    sha.update(rest[at + 64 :])
    return sha.hexdigest()


def _metadata(header: bytes) -> dict[str, Any] | None:
    """Return the metadata of a safetensors header if phyvae wrote it."""
    try:
        metadata = json.loads(header)["__metadata__"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return metadata if isinstance(metadata, dict) and "phyvae" in metadata else None


def _foreign(start: bytes) -> str:
    # A zip file, or a pickle's protocol; the byte 0x80 alone may be the length of a header.
    if start.startswith((b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return (
            "no checkpoint of phyvae's, but perhaps a pickle (torch.save), which can run any code "
            "when it is loaded; phyvae loads none. Load it where you trust it, and hand over "
            "the weights with model.load_state_dict."
        )
    return (
        "no checkpoint of phyvae's, or is truncated; found.save(path), trainer.save(path) and "
        "model.save(path) write one."
    )


def _shown(path: str | os.PathLike[str]) -> str:
    return repr(os.fspath(path))
