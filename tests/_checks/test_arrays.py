"""Arrays are brought to NumPy, whatever holds them, or refused with a cure."""

import numpy as np
import pytest
import scipy.sparse
import torch

from phyvae._checks import as_array, as_real

MAPS = np.random.default_rng(0).random((2, 5, 6))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int16, torch.bool])
def test_a_tensor_keeps_its_dtype_and_values(dtype):
    tensor = (10 * torch.rand(3, 4)).to(dtype)
    tensor = tensor.requires_grad_() if dtype.is_floating_point else tensor
    array = as_array(tensor)
    assert array.dtype == tensor.detach().numpy().dtype
    np.testing.assert_array_equal(array, tensor.detach().numpy())


def test_precisions_that_numpy_has_not_become_float32():
    tensor = torch.rand(3, 4).bfloat16()
    assert as_array(tensor).dtype == np.float32
    np.testing.assert_array_equal(as_array(tensor), tensor.float().numpy())


def test_sparse_and_conjugated_tensors_are_written_out():
    sparse, turned = torch.eye(3).to_sparse(), torch.tensor([1 + 2j]).conj()
    np.testing.assert_array_equal(as_array(sparse), np.eye(3))
    np.testing.assert_array_equal(as_array(turned), [1 - 2j])
    np.testing.assert_array_equal(as_array(turned.imag), [-2])


def test_lists_maps_of_files_and_lists_of_tensors_are_arrays(tmp_path):
    np.save(tmp_path / "a.npy", MAPS)
    for given in (MAPS.tolist(), np.load(tmp_path / "a.npy", mmap_mode="r"), list(MAPS)):
        np.testing.assert_array_equal(as_array(given), MAPS)
    tensors = [torch.from_numpy(z).requires_grad_() for z in MAPS]
    np.testing.assert_array_equal(as_array(tensors), MAPS)


def test_an_array_is_not_copied():
    assert as_array(MAPS) is MAPS


def test_masked_values_are_refused_where_every_value_counts():
    masked = np.ma.masked_greater(MAPS[0], 0.9)
    for check in (as_array, as_real):
        with pytest.raises(ValueError, match=r"z is a masked array.*~z.mask.any\(1\)\]"):
            check(masked, "z")
    np.testing.assert_array_equal(as_array(np.ma.masked_greater(MAPS, 2)), MAPS)


def test_the_mask_of_a_dask_array_is_kept():
    dask = pytest.importorskip("dask.array")
    masked = dask.ma.masked_greater(dask.from_array(MAPS), 0.5)
    np.testing.assert_array_equal(np.isnan(as_array(masked, masked=np.nan)), MAPS > 0.5)


def test_ragged_rows_are_refused():
    for check in (as_array, as_real):
        with pytest.raises(ValueError, match=r"z=\[\[1, 2\], \[3\]\] is no array: its rows"):
            check([[1, 2], [3]], "z")


@pytest.mark.parametrize(
    ("held", "cure"),
    [
        (None, "z=None must be an array"),
        ({"a": MAPS}, r"holds arrays by name; pass one of them, z\[key\]: 'a'"),
        (scipy.sparse.csr_matrix(MAPS[0]), r"sparse matrix.*z.toarray\(\)"),
        (np.zeros(3, [("R", "u1"), ("G", "u1")]), r"fields 'R', 'G'.*z\['R'\]"),
        (MAPS.astype(object), r"z.astype\(float\)"),
    ],
    ids=["None", "dict", "sparse", "structured", "object"],
)
def test_what_holds_an_array_is_named_with_its_cure(held, cure):
    with pytest.raises(TypeError, match=cure):
        as_real(held, "z")


def test_open_files_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", a=MAPS)
    with np.load(tmp_path / "a.npz") as held, pytest.raises(TypeError, match=r"z\[key\]: 'a'"):
        as_array(held, "z")
    with open(tmp_path / "a.npz", "rb") as file, pytest.raises(TypeError, match="open file"):
        as_array(file, "z")


def test_real_ones_are_at_most_float64():
    assert as_real(MAPS.astype(np.longdouble), "z").dtype == np.float64
    assert as_real(MAPS > 0.5, "z").dtype == bool
    with pytest.raises(TypeError, match="z has dtype complex128, but must be real; cure"):
        as_real(MAPS + 1j, "z", "; cure")
    for values in ([["a"]], np.array(["2026-11-30"], "datetime64[D]")):
        with pytest.raises(TypeError, match=r"z has dtype .*, but must be real numbers\.$"):
            as_real(values, "z", "; cure")
