"""Objects of other packages are taken with their axes and calibration."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import phyvae
from phyvae.scans.objects import cube_of, image_of, scan_of, scans_of

CUBE = np.random.default_rng(0).random((10, 20, 40))  # rows, cols, energy
IMAGE = CUBE[..., 0]
SIZE = (pytest.approx(0.5), pytest.approx(0.25))


def of_xarray(array, *dims, **units):
    """Return a DataArray with coordinates in steps of 0.5 along y, 0.25 along x."""
    xarray = pytest.importorskip("xarray")
    steps = {"y": 0.5, "x": 0.25}
    coords = {
        dim: (dim, 3 + steps.get(dim, 1.0) * np.arange(count), {"units": units[dim]})
        for dim, count in zip(dims, array.shape, strict=True)
        if dim in units
    }
    return xarray.DataArray(array, dims=dims, coords=coords)


def of_dask(array):
    return pytest.importorskip("dask.array").from_array(array)


class TestXarray:
    def test_an_image_with_its_calibration(self):
        for array, dims in ((IMAGE, "yx"), (IMAGE.T, "xy")):
            scan = scan_of(of_xarray(array, *dims, y="nm", x="nm"))
            np.testing.assert_array_equal(scan.image, IMAGE)
            assert scan.pixel_size == SIZE

    def test_the_spectral_axis_moves_to_the_end(self):
        array = of_xarray(
            np.moveaxis(CUBE, -1, 0), "energy", "y", "x", energy="eV", y="nm", x="nm"
        )
        scan = scan_of(array.rename("SI"))
        np.testing.assert_array_equal(scan.cube, CUBE)
        np.testing.assert_array_equal(scan.axis, 3.0 + np.arange(40))
        assert (scan.name, scan.axis_unit, scan.pixel_size) == ("SI", "eV", SIZE)

    def test_a_time_series_is_a_stack(self):
        array = of_xarray(CUBE, "y", "x", "time", y="nm", x="nm", time="s")
        scans = scans_of(array)
        np.testing.assert_array_equal(scans[3].image, CUBE[..., 3])
        with pytest.raises(ValueError, match="image is a stack of 40 images"):
            scan_of(array)
        grids = phyvae.PatchGrid.series(array, 6)
        assert len(grids) == 40

    def test_a_dataset_is_refused_with_its_names(self):
        dataset = of_xarray(IMAGE, "y", "x").to_dataset(name="HAADF")
        with pytest.raises(TypeError, match=r"image of type Dataset .*image\[key\]: 'HAADF'"):
            scan_of(dataset)


class TestHyperSpy:
    @pytest.fixture
    def signals(self):
        return pytest.importorskip("hyperspy.api").signals

    def test_an_image(self, signals):
        signal = signals.Signal2D(IMAGE)
        for axis, scale in zip(signal.axes_manager.signal_axes, (0.25, 0.5), strict=True):
            axis.scale, axis.units = scale, "nm"
        signal.metadata.General.title = "HAADF"
        scan = scan_of(signal)
        np.testing.assert_array_equal(scan.image, IMAGE)
        assert (scan.name, scan.pixel_size) == ("HAADF", SIZE)

    def test_spectra_on_a_raster(self, signals):
        signal = signals.Signal1D(CUBE)
        energy = signal.axes_manager[-1]
        energy.units, energy.offset = "eV", 300.0
        for one in (signal, signal.as_lazy(), signal.T):
            scan = scan_of(one)
            np.testing.assert_array_equal(scan.cube, CUBE)
            np.testing.assert_array_equal(scan.axis, 300 + np.arange(40))

    def test_images_along_an_axis_of_energy_are_spectra_else_a_stack(self, signals):
        signal = signals.Signal2D(np.moveaxis(CUBE, -1, 0))
        assert len(scans_of(signal)) == 40
        np.testing.assert_array_equal(cube_of(signal), CUBE)
        signal.axes_manager[0].units = "eV"
        np.testing.assert_array_equal(scan_of(signal).cube, CUBE)

    def test_what_is_no_scan(self, signals):
        with pytest.raises(ValueError, match="image is one spectrum"):
            scan_of(signals.Signal1D(CUBE[0, 0]))
        with pytest.raises(ValueError, match="virtual detector"):
            scan_of(signals.Signal2D(np.ones((2, 3, 4, 5))))


def test_sidpy():
    sidpy = pytest.importorskip("sidpy")
    dataset = sidpy.Dataset.from_array(CUBE.transpose(1, 0, 2), title="SI")
    for k, (name, unit, step, kind) in enumerate(
        [("x", "nm", 0.25, "spatial"), ("y", "nm", 0.5, "spatial"), ("loss", "eV", 2, "spectral")]
    ):
        values = step * np.arange(dataset.shape[k])
        dimension = sidpy.Dimension(
            values, name=name, units=unit, quantity=name, dimension_type=kind
        )
        dataset.set_dimension(k, dimension)
    scan = scan_of(dataset)
    np.testing.assert_array_equal(scan.cube, CUBE)
    np.testing.assert_array_equal(scan.axis, 2 * np.arange(40))
    assert (scan.name, scan.pixel_size) == ("SI", SIZE)


def test_h5py(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["SI"] = np.moveaxis(CUBE, -1, 0)
        for k, (name, unit, step) in enumerate(
            [("E", "eV", 1), ("y", "nm", 0.5), ("x", "nm", 0.25)]
        ):
            file[name] = step * np.arange(file["SI"].shape[k])
            file[name].attrs["units"] = unit
            file[name].make_scale(name)
            file["SI"].dims[k].attach_scale(file[name])
        scan = scan_of(file["SI"])
        with pytest.raises(TypeError, match=r"image of type File .*'SI'"):
            scan_of(file)
    np.testing.assert_array_equal(scan.cube, CUBE)
    assert (scan.name, scan.pixel_size, scan.axis_unit) == ("SI", SIZE, "eV")


def test_zarr():
    zarr = pytest.importorskip("zarr")
    if zarr.__version__.startswith("2"):
        array = zarr.array(IMAGE.T)
        array.attrs["_ARRAY_DIMENSIONS"] = ["x", "y"]
    else:
        array = zarr.create_array(store={}, data=IMAGE.T, dimension_names=("x", "y"))
    np.testing.assert_array_equal(scan_of(array).image, IMAGE)


class TestPlain:
    @pytest.mark.parametrize(
        "make",
        [torch.from_numpy, of_dask, np.ndarray.tolist, np.ma.masked_array],
        ids=["torch", "dask", "list", "masked array"],
    )
    def test_arrays(self, make):
        scan = scan_of(make(IMAGE))
        np.testing.assert_array_equal(scan.image, IMAGE)
        assert (scan.name, scan.pixel_size) == ("image", None)

    def test_masked_pixels_are_nan(self):
        masked = np.ma.masked_less(IMAGE, 0.1)
        np.testing.assert_array_equal(np.isnan(scan_of(masked).image), IMAGE < 0.1)

    def test_pillow(self):
        picture = Image.fromarray((255 * IMAGE).astype(np.uint8)).convert("RGB")
        scan = scan_of(picture)
        np.testing.assert_array_equal(scan.image, (255 * IMAGE).astype(np.uint8))
        assert "one channel" in scan.notes[0]

    def test_a_stack_is_no_scan(self):
        with pytest.raises(ValueError, match=r"image has shape \(10, 20, 40\), but must be one"):
            scan_of(CUBE)
        assert len(scans_of(CUBE)) == 10

    def test_a_scan_is_itself(self):
        scan = phyvae.Scan(IMAGE)
        assert scan_of(scan) is scan
        assert [one is scan for one in scans_of([scan, IMAGE])] == [True, False]
        assert scans_of(scan) is scan
        assert scans_of(IMAGE).image is IMAGE


class TestFiles:
    @pytest.fixture
    def path(self, tmp_path):
        tifffile.imwrite(tmp_path / "movie.tif", CUBE.astype(np.float32), photometric="minisblack")
        return tmp_path / "movie.tif"

    def test_a_path_is_read(self, path):
        assert [scan.name for scan in scans_of(path)][:2] == ["movie.tif[0]", "movie.tif[1]"]
        np.testing.assert_allclose(cube_of(path), np.moveaxis(CUBE, 0, -1), rtol=1e-6)
        with pytest.raises(ValueError, match="image is a stack of 10 images"):
            image_of(str(path))

    def test_names_of_arguments_are_in_errors(self):
        with pytest.raises(FileNotFoundError, match=r"images\[1\]='b.tif': there is no such file"):
            scans_of([IMAGE, "b.tif"])


class TestSpectraAndImages:
    def test_spectra_are_no_image(self):
        scan = phyvae.Scan(CUBE.mean(2), cube=CUBE)
        assert cube_of(scan) is CUBE
        with pytest.raises(ValueError, match=r"image holds spectra.*from_spectra"):
            image_of(scan)
        with pytest.raises(ValueError, match=r"cube is an image of shape \(10, 20\)"):
            cube_of(phyvae.Scan(IMAGE))


class TestDoors:
    """Every function that takes an image takes what holds one."""

    @pytest.fixture
    def holders(self, tmp_path):
        image = phyvae.phantoms.bfo(shape=(160, 170), seed=0).image
        np.save(tmp_path / "a.npy", image)
        named = of_xarray(image.T, "x", "y")
        return image, [named, tmp_path / "a.npy", str(tmp_path / "a.npy"), phyvae.Scan(image)]

    @pytest.mark.parametrize(
        "door",
        [
            phyvae.lattice_spacing,
            phyvae.find_sites,
            lambda image: phyvae.unit_cell(image).vectors,
            lambda image: phyvae.survey(image).mask,
            lambda image: phyvae.suggest(image).image,
            lambda image: phyvae.PatchGrid(image, 20).image,
            lambda image: phyvae.PatchGrid(image, 20, mask=np.ones((160, 170), bool)).image,
            lambda image: phyvae.PatchGrid.series([image], 20)[0].image,
            lambda image: phyvae.PatchGrid.at(image, SITES, 20, lattice=False).image,
        ],
        ids=["spacing", "sites", "cell", "survey", "suggest", "grid", "masked", "series", "at"],
    )
    def test_all_doors(self, door, holders):
        image, others = holders
        expected = door(image)
        for other in others:
            np.testing.assert_array_equal(door(other), expected)

    def test_masked_arrays_are_taken_with_their_mask(self):
        masked = np.ma.masked_less(IMAGE, 0.1)
        grid = phyvae.PatchGrid(masked, 4, mask=~masked.mask)
        assert torch.isfinite(grid.image).all()
        with pytest.raises(ValueError, match=r"NaN.*mask=np.isfinite\(image\)"):
            phyvae.PatchGrid(masked, 4)

    def test_spectra_along_any_axis(self):
        turned = of_xarray(np.moveaxis(CUBE, -1, 0), "energy", "y", "x")
        assert phyvae.PatchGrid.from_spectra(turned).shape == (10, 20)
        assert phyvae.PatchGrid.from_spectra(CUBE).shape == (10, 20)


SITES = np.array([[30.0, 30.0], [30.0, 60.0], [60.0, 30.0], [60.0, 60.0]])
