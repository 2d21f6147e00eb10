import ast
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.testing import assert_close

import phyvae
from phyvae import CheckpointError, load_model
from phyvae.saving import sealed
from small import tiny_model

RECORD = {"model": {"settings": {"sizes": [8, 9], "name": 'a "quoted" ü'}}, "lr": 0.002}
TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "more/step": torch.tensor(3.0)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.phyvae"


@pytest.fixture(scope="module")
def saved():
    """The bytes of a file."""
    return sealed.seal(RECORD, TENSORS)


class TestRoundTrip:
    def test_what_was_sealed_is_read(self, path, saved):
        sealed.write(path, saved)
        record, tensors = sealed.read(path)
        assert record == RECORD
        assert_close(tensors, TENSORS, rtol=0, atol=0)

    def test_any_reader_of_safetensors_reads_it_too(self, path, saved):
        path.write_bytes(saved)
        assert_close(safetensors.torch.load_file(path), TENSORS, rtol=0, atol=0)

    def test_a_path_is_a_string_or_a_path(self, unchecked):
        assert sealed.as_path(Path("a") / "b") == os.path.join("a", "b")
        assert sealed.as_path(Path("~") / "b") == os.path.join(Path.home(), "b")
        for path in (3, "", b"run", None):
            with pytest.raises(TypeError, match=f"file={path!r} must be the path of a file"):
                sealed.as_path(path, "file")


class TestWriting:
    def test_the_bytes_are_on_the_disk_before_they_take_the_name(self, path, monkeypatch):
        calls = []
        fsync, replace = os.fsync, Path.replace
        monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
        monkeypatch.setattr(
            Path, "replace", lambda self, to: (calls.append("replace"), replace(self, to))
        )
        tiny_model().save(path)
        assert calls == ["fsync", "replace", "fsync"]

    @pytest.mark.parametrize("at", ["fsync", "replace"])
    def test_a_save_that_fails_leaves_the_former_file_and_nothing_else(
        self, path, monkeypatch, at
    ):
        tiny_model().save(path)
        before = path.read_bytes()

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr({"fsync": os, "replace": Path}[at], at, full)
        with pytest.raises(OSError, match="No space left"):
            tiny_model(seed=8).save(path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_a_link_keeps_pointing_at_the_file(self, path):
        link = path.with_name("latest")
        tiny_model().save(path)
        link.symlink_to(path)
        tiny_model(latent_dim=3).save(link)
        assert link.is_symlink()
        assert load_model(path).latent_dim == 3

    def test_a_folder_or_a_path_in_none_is_refused(self, tmp_path):
        with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
            sealed.write(tmp_path, b"")
        with pytest.raises(FileNotFoundError, match=r"there is no folder '.*no'; make it"):
            sealed.write(tmp_path / "no" / "run", b"")
        with pytest.raises(CheckpointError, match="is a folder; a checkpoint is one file"):
            sealed.read(tmp_path)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class TestBadFiles:
    def refused(self, path, data, named=None):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=named):
            sealed.read(path)

    def test_no_corrupted_file_is_loaded_and_none_crashes(self, path, saved):
        random_ = random.Random(0)
        length = int.from_bytes(saved[:8], "little")

        def flip(data, at):
            data[at] ^= 1 << random_.randrange(8)
            return data

        def splice(data, inserted):
            at = random_.randrange(len(data))
            data[at : at + random_.randrange(1, 99)] = inserted
            return data

        kinds = [
            lambda data: flip(data, random_.randrange(8)),
            lambda data: flip(data, random_.randrange(8, 8 + length)),
            lambda data: flip(data, random_.randrange(len(data))),
            lambda data: data[: random_.randrange(len(data))],
            lambda data: data[: random_.randrange(8 + length)],
            lambda data: data + random_.randbytes(random_.randrange(1, 99)),
            lambda data: splice(data, b""),
            lambda data: splice(data, random_.randbytes(random_.randrange(99))),
            lambda data: splice(data, bytes(random_.randrange(1, 99))),
            lambda data: bytearray(random_.randbytes(random_.randrange(2000))),
            lambda data: data[:8] + random_.randbytes(len(data) - 8),
        ]
        refused = 0
        while refused < 2200:
            data = kinds[refused % len(kinds)](bytearray(saved))
            if data == saved:
                continue
            self.refused(path, data)
            refused += 1

    def test_another_format_version_is_refused(self, path, monkeypatch):
        monkeypatch.setattr(sealed, "FORMAT", "2")
        data = sealed.seal(RECORD, TENSORS)
        monkeypatch.undo()
        self.refused(path, data, "format version '2', but this phyvae reads version '1'")

    def test_a_sealed_file_without_a_record_is_refused(self, path, unchecked):
        data = unchecked(sealed.seal, [1], {"weight": torch.zeros(3)})
        self.refused(path, data, "has unexpected contents: no record")

    def test_truncation_and_alteration_are_called_so(self, path, saved):
        self.refused(path, saved[:-1], "is damaged: its SHA-256")
        self.refused(path, saved[:100], "or is truncated")
        self.refused(path, saved.replace(b'lr\\": 0.002', b'lr\\": 0.003'), "is damaged")
        self.refused(path, b"", "or is truncated")

    def test_a_pickle_is_refused_and_not_run(self, path, saved, tmp_path):
        sign = tmp_path / "ran"
        torch.save({"state": Trap(sign)}, path)
        zipped = path.read_bytes()
        for data in (zipped, pickle.dumps(Trap(sign)), pickle.dumps(Trap(sign), protocol=2)):
            self.refused(path, data, r"perhaps a pickle \(torch\.save\)")
        self.refused(path, pickle.dumps(Trap(sign), protocol=0), "no checkpoint of phyvae's")
        np.save(path.with_suffix(".npy"), np.array([Trap(sign)]), allow_pickle=True)
        self.refused(path, path.with_suffix(".npy").read_bytes(), "no checkpoint of phyvae's")
        # One within a sealed file is a tensor that does not belong there.
        inside = torch.tensor(list(pickle.dumps(Trap(sign))), dtype=torch.uint8)
        path.write_bytes(sealed.seal(RECORD, TENSORS | {"data": inside}))
        assert torch.equal(sealed.read(path)[1]["data"], inside)
        assert not sign.exists()

    def test_a_foreign_file_is_refused(self, path):
        weights = tiny_model().state_dict()
        for data in (
            safetensors.torch.save(weights),
            safetensors.torch.save(weights, {"format": "pt"}),
            b'{"phyvae": 1}',
            b"\x89PNG\r\n\x1a\n" + bytes(99),
            (5).to_bytes(8, "little") + b"[1,2]",
            (99_999).to_bytes(8, "little") + 99_999 * b"[",
        ):
            self.refused(path, data, "no checkpoint of phyvae's")

    def test_a_missing_file_is_the_systems_own_error(self, path):
        with pytest.raises(FileNotFoundError):
            sealed.read(path)


FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    *("torch.load", "torch.save", "torch.jit.load", "np.load", "numpy.load"),
    *("eval", "exec", "compile", "__import__"),
}


def unsafe(source):
    """Yield what in a source could unpickle or run a file's contents."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            yield from {name.split(".")[0] for name in names} & FORBIDDEN_MODULES
            if getattr(node, "module", None) in ("torch", "numpy", "torch.serialization"):
                yield from names & {"load", "save"}
        elif isinstance(node, ast.Call):
            keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
            if keywords.get("allow_pickle") == "False":  # NumPy's own files, without objects
                continue
            yield from {ast.unparse(node.func)} & FORBIDDEN_CALLS
            yield from keywords.keys() & {"allow_pickle", "weights_only"}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "torch.load(path)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "read(path, weights_only=False)",
        "def f():\n    return eval(text)",
    ],
)
def test_what_could_unpickle_is_found(source):
    assert list(unsafe(source))


def test_nothing_in_the_package_unpickles():
    files = list(Path(phyvae.__file__).parent.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        # joblib shares work out over processes of its own; it reads no file here.
        allowed = {"joblib"} if file.name == "jobs.py" else set()
        assert not set(unsafe(file.read_text())) - allowed, file
