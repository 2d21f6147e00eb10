"""Results saved and loaded: everything comes back to the bit, and bad files are refused."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

import phyvae
from phyvae import CheckpointError, PatchGrid, Scan, load_domains
from phyvae.saving import sealed
from small_domains import small_domains


def assert_same(one, other, name="found"):
    """Fail unless two values are alike in all their parts, to the bit."""
    assert type(one) is type(other), name
    if isinstance(one, PatchGrid):
        assert_same(vars(one) | {"_crops": None}, vars(other) | {"_crops": None}, name)
        assert_same(one.crops, other.crops, name)
    elif isinstance(one, torch.nn.Module):
        assert one.settings == other.settings
        assert_same(dict(one.state_dict()), dict(other.state_dict()), name)
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif hasattr(one, "__dataclass_fields__"):
        for field in fields(one):
            if field.init:
                inner = f"{name}.{field.name}"
                assert_same(getattr(one, field.name), getattr(other, field.name), inner)
    elif isinstance(one, dict):
        assert list(one) == list(other), name
        for key in one:
            assert_same(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{name}[{k}]")
    else:
        assert one == other or (one != one and other != other), name


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.phyvae"


@pytest.fixture(scope="module")
def found():
    return small_domains()


class TestRoundTrip:
    @pytest.mark.parametrize("kind", ["raster", "masked", "sites", "graph", "spectra"])
    def test_everything_comes_back_to_the_bit(self, path, kind):
        one = small_domains(kind)
        one.save(path)
        assert_same(load_domains(path), one)

    def test_the_answer_is_the_same(self, path, found):
        found.save(path)
        loaded = load_domains(path)
        assert repr(loaded) == repr(found)
        assert loaded.classes == found.classes

    def test_a_scan_of_integers_with_calibration_and_metadata(self, path, found):
        image = np.random.default_rng(0).integers(0, 65535, found.scan.image.shape, np.uint16)
        metadata = {"beam": {"kV": 200, "on": True}, "gains": [1.0, np.inf], "curve": np.eye(3)}
        scan = Scan(image, (0.1, 0.2), name="a.dm4", metadata=metadata, notes=("a note",))
        one = replace(found, scan=scan)
        one.save(path)
        assert_same(load_domains(path), one)

    def test_load_model_reads_its_model(self, path, found):
        found.save(path)
        assert_same(phyvae.load_model(path), found.model)

    def test_an_unanswered_result(self, path):
        one = small_domains("unanswered")
        one.save(path)
        assert_same(load_domains(path), one)


def forged(path, change):
    """Change the record and tensors of a file, and seal it anew."""
    record, tensors = sealed.read(path)
    change(record["domains"], tensors)
    path.write_bytes(sealed.seal(record, tensors))


def tensor_of(record, tensors, name):
    return tensors, record[name]["array"]["name"]


class TestBadFiles:
    def test_a_missing_file(self, path):
        with pytest.raises(FileNotFoundError, match=r"path='.*phyvae': there is no such file"):
            load_domains(path)

    @pytest.mark.parametrize("damage", ["truncated", "altered", "foreign", "pickle", "empty"])
    def test_a_damaged_or_foreign_file(self, path, found, damage):
        found.save(path)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        contents = {
            "truncated": path.read_bytes()[:-9],
            "altered": bytes(data),
            "foreign": b"\x93NUMPY" + bytes(100),
            "pickle": b"\x80\x04\x95" + bytes(100),
            "empty": b"",
        }
        path.write_bytes(contents[damage])
        with pytest.raises(CheckpointError, match=r"scan\.phyvae"):
            load_domains(path)

    def test_a_model_alone(self, path, found):
        found.model.save(path)
        with pytest.raises(CheckpointError, match=r"without domains; phyvae.load_model\(path\)"):
            load_domains(path)

    @pytest.mark.parametrize(
        "change",
        [
            lambda r, t: r.pop("labels"),
            lambda r, t: r.update(more=1),
            lambda r, t: r.update(labels=None),
            lambda r, t: r.update(labels=r["maps"]),
            lambda r, t: r.update(stds=r["shifts"], maps=r["labels"]),
            lambda r, t: r.update(settings={"dict": {"size": 3}}),
            lambda r, t: r.update(doubts={"tuple": [1]}),
            lambda r, t: r.update(scan={"PatchGrid": {}}),
            lambda r, t: r.update(cell={"system": {"command": "true"}}),
            lambda r, t: r.update(evidence=[[]]),
            lambda r, t: r["grid"]["dict"].update(crops=None),
            lambda r, t: r["grid"]["dict"].update(limits={"tuple": [1.0, 1.0]}),
            lambda r, t: r["grid"]["dict"]["crops"]["RasterCrops"].update(
                shape={"tuple": [10**6, 10**6]}
            ),
            lambda r, t: r["grid"]["dict"]["crops"]["RasterCrops"].update(
                patch_shape={"tuple": [4, 4]}
            ),
            lambda r, t: t.update({r["grid"]["dict"]["image"]["tensor"]: torch.zeros(40, 40)}),
            lambda r, t: t.pop(r["labels"]["array"]["name"]),
            lambda r, t: r["labels"]["array"].update(shape=[-1]),
            lambda r, t: r["labels"]["array"].update(dtype="|O"),
        ],
    )
    def test_a_forged_file(self, path, found, change, unchecked):
        found.save(path)
        forged(path, change)
        with pytest.raises(CheckpointError, match=r"scan\.phyvae"):
            load_domains(path)

    def test_sites_outside_the_image(self, path):
        small_domains("sites").save(path)
        forged(
            path,
            lambda r, t: t[r["grid"]["dict"]["crops"]["SiteCrops"]["corners"]["tensor"]].add_(
                1000
            ),
        )
        with pytest.raises(CheckpointError, match="patches are not those of its image"):
            load_domains(path)

    def test_deep_nesting(self, path, found):
        found.save(path)
        record, tensors = sealed.read(path)
        text = json.dumps(record)
        assert len(text) > 100
        nested = []
        for _ in range(900):
            nested = [nested]
        record["domains"]["doubts"] = nested
        path.write_bytes(sealed.seal(record, tensors))
        with pytest.raises(CheckpointError):
            load_domains(path)
