import numpy as np

from phyvae.phantoms import nio_lsmo
from phyvae.pipeline.previewing import preview


def test_choices_come_with_their_reasons_and_flaws(tmp_path):
    image = nio_lsmo((160, 160), seed=0).image
    image[70] = 0
    np.save(tmp_path / "a.npy", image)
    text, answerable = preview(str(tmp_path / "a.npy"), None, {"step": 7})
    assert answerable
    for part in (
        "a.npy",
        "160 x 160",
        "2 unit cells of 12.7",
        "step: (7, 7) (given",
        "\n  flaws: 1 row; the noise of a pixel is 0.",
    ):
        assert part in text


def test_an_image_without_a_lattice(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((3, 90, 90)))
    text, answerable = preview(str(tmp_path / "a.npy"), None, {})
    assert not answerable
    assert "cannot be answered: the image shows no lattice" in text
    assert "frames: 3" in text
    assert preview(str(tmp_path / "a.npy"), None, {"size": 12})[1]
