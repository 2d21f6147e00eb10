"""Jobs done one by one; in processes and on a cluster, tests/test_cli.py shows them."""

import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest

from phyvae.phantoms import nio_lsmo
from phyvae.pipeline import jobs
from phyvae.pipeline.jobs import Job, frames_of, outcomes, preview
from small_domains import small_domains


@pytest.fixture
def job(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((60, 60)))
    return Job(str(tmp_path / "a.npy"), str(tmp_path / ".a-"))


def test_the_outcome_names_the_folder_and_all_doubts(job, monkeypatch, tmp_path):
    def find_domains(scan, **_):
        warnings.warn("two\n lines", UserWarning, stacklevel=1)
        return small_domains()

    monkeypatch.setattr(jobs, "find_domains", find_domains)
    (done,) = outcomes([job])
    assert done.part.startswith(job.part)
    assert (tmp_path / done.part / "scan.phyvae").is_file()
    assert done.answered
    assert done.notes[:2] == ("doubt: no calibration: lengths are in px", "warning: two lines")


def test_what_the_file_is_taken_for_is_a_note(job, monkeypatch):
    np.save(job.path, np.random.default_rng(0).random((2, 60, 60)))
    monkeypatch.setattr(jobs, "write_folder", lambda found, folder: [])
    monkeypatch.setattr(
        jobs,
        "find_domains",
        lambda scan, **_: replace(small_domains(), scan=scan, doubts=(*scan.notes, "a doubt")),
    )
    (done,) = outcomes([job])
    frames = "note: frames of 60 x 60 px along the first of three axes"
    assert done.notes == (frames, "doubt: a doubt")


def test_an_error_is_an_outcome_and_leaves_no_folder(job, tmp_path, monkeypatch):
    def failing(found, folder):
        (folder / "half").write_text("")
        raise ValueError("no\n room")

    monkeypatch.setattr(jobs, "write_folder", failing)
    (done,) = outcomes([job])  # noise has no answer, and so needs no training
    assert done.error == "no room"
    assert "Traceback" in done.trace
    assert [one.name for one in tmp_path.iterdir()] == ["a.npy"]


def test_frames_and_channels(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 20, 30)) + np.arange(3)[:, None, None])
    assert len(frames_of(str(tmp_path / "a.npy"))) == 3
    np.savez(tmp_path / "b.npz", first=np.zeros((20, 30)), second=np.ones((20, 30)))
    for channel in ("second", "1"):
        (scan,) = frames_of(str(tmp_path / "b.npz"), channel)
        assert scan.image.min() == 1


def test_jobs_and_outcomes_travel_between_processes(job):
    (done,) = outcomes([replace(job, path="none.npy")])
    assert pickle.loads(pickle.dumps(done)) == done


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
