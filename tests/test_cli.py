"""The command line: folders, exit status, messages; nothing half-written, nothing lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phyvae import load_domains
from phyvae.cli import main
from phyvae.phantoms import nio_lsmo
from phyvae.pipeline import jobs
from phyvae.pipeline.settings_file import settings_text
from small_domains import small_domains


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, with some files."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        np.save(f"{name}.npy", small_domains().scan.image)
    Path("bad.npy").write_text("no array")
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Replace find_domains by a made-up result, and return the arguments of its calls."""
    made = []

    def find_domains(scan, **arguments):
        made.append(arguments)
        return replace(small_domains("raster"), scan=scan)

    def write_folder(found, folder):
        """Write a folder without figures."""
        found.save(folder / "scan.phyvae")
        text = settings_text(found.settings, "made up", answered=not found.problem)
        (folder / "settings.toml").write_text(text)
        return []

    monkeypatch.setattr(jobs, "find_domains", find_domains)
    monkeypatch.setattr(jobs, "write_folder", write_folder)
    return made


def names(folder="."):
    return sorted(one.name for one in Path(folder).iterdir() if one.is_dir())


class TestFolders:
    def test_a_file_gets_a_folder(self, here, calls, capsys):
        assert main(["a.npy"]) == 0
        assert names() == ["a_domains"]
        assert load_domains("a_domains/scan.phyvae").scan.name == "a.npy"
        shown = capsys.readouterr().out
        assert "a.npy: 2 domains: counted\n  doubt: no calibration" in shown
        assert "in a_domains" in shown

    def test_out_is_the_folder_of_one_file_and_holds_those_of_several(self, here, calls):
        assert main(["a.npy", "--out", "x/y", "--quiet"]) == 0
        assert main(["a.npy", "b.npy", "--out", "z", "--quiet"]) == 0
        assert (names("x"), names("z")) == (["y"], ["a_domains", "b_domains"])

    def test_nothing_is_replaced_without_force(self, here, calls, capsys):
        main(["a.npy"])
        before = Path("a_domains/scan.phyvae").stat().st_mtime_ns
        assert main(["a.npy", "b.npy"]) == 1
        assert Path("a_domains/scan.phyvae").stat().st_mtime_ns == before
        assert "a.npy: a_domains exists; --force replaces it" in capsys.readouterr().err
        assert names() == ["a_domains", "b_domains"]
        assert main(["a.npy", "--force"]) == 0
        assert Path("a_domains/scan.phyvae").stat().st_mtime_ns != before
        assert names() == ["a_domains", "b_domains"]

    def test_force_replaces_folders_of_results_only(self, here, calls, capsys):
        Path("mine").mkdir()
        Path("mine/thesis.tex").write_text("years")
        assert main(["a.npy", "--out", "mine", "--force"]) == 1
        assert "mine is no folder of results" in capsys.readouterr().err
        assert Path("mine/thesis.tex").read_text() == "years"

    @pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt])
    def test_no_half_written_folder_is_left_and_an_old_one_stays(
        self, here, calls, monkeypatch, error, capsys
    ):
        main(["a.npy"])

        def failing(found, folder):
            (folder / "maps.npz").write_text("half")
            raise error

        monkeypatch.setattr(jobs, "write_folder", failing)
        assert main(["a.npy", "--force"]) == (1 if isinstance(error, OSError) else 130)
        assert names() == ["a_domains"]
        assert Path("a_domains/scan.phyvae").is_file()
        assert "Traceback" not in capsys.readouterr().err

    def test_a_folder_made_meanwhile_is_kept(self, here, calls, monkeypatch, capsys):
        write_folder = jobs.write_folder

        def slow(found, folder):
            Path("a_domains").mkdir(exist_ok=True)
            Path("a_domains/other").write_text("of another run")
            return write_folder(found, folder)

        monkeypatch.setattr(jobs, "write_folder", slow)
        assert main(["a.npy", "b.npy"]) == 1
        assert "a_domains exists; it was made meanwhile" in capsys.readouterr().err
        assert names() == ["a_domains", "b_domains"]
        assert [one.name for one in Path("a_domains").iterdir()] == ["other"]

    @pytest.mark.parametrize(
        ("out", "why"), [("file/x", "file: it is a file"), ("file/x/y", "file/x: Not a directory")]
    )
    def test_a_folder_that_cannot_be_made(self, here, calls, capsys, out, why):
        Path("file").write_text("")
        assert main(["a.npy", "--out", out]) == 1
        shown = capsys.readouterr().err
        assert shown == (
            f"phyvae: a.npy: no folder can be made in {why}; --out names another place\n"
        )
        assert calls == []

    @pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="/proc, where nobody writes")
    def test_a_folder_where_nothing_can_be_written_is_refused_before_the_work(
        self, here, calls, capsys
    ):
        assert main(["a.npy", "--out", "/proc/x"]) == 1
        shown = capsys.readouterr().err
        assert "no folder can be made in" in shown
        assert ".x." not in shown
        assert calls == []

    def test_the_text_of_a_full_disk_has_no_hidden_name(self, here, calls, monkeypatch, capsys):
        def full(found, folder):
            raise OSError(28, "No space left on device", str(folder / "maps.npz"))

        monkeypatch.setattr(jobs, "write_folder", full)
        assert main(["a.npy"]) == 1
        text = "phyvae: a.npy: its result cannot be written: No space left on device\n"
        assert text in capsys.readouterr().err

    def test_a_stack_has_a_folder_for_each_frame(self, here, calls):
        image = small_domains().scan.image
        np.save("movie.npy", np.stack([image, 1.01 * image]))
        assert main(["movie.npy", "--quiet"]) == 0
        assert len(calls) == 1  # of the others, the domains are those of the first one
        assert names("movie_domains") == ["frame_00000", "frame_00001"]
        folders = [f"movie_domains/frame_0000{k}/scan.phyvae" for k in range(2)]
        first, second = map(load_domains, folders)
        assert (first.scan.name, second.scan.name) == ("movie.npy[0]", "movie.npy[1]")
        assert second.settings["classes"].reason == "the domains of 'movie.npy[0]'"

    def test_a_frame_that_fails_does_not_stop_the_others(self, here, calls):
        image = small_domains().scan.image
        np.save("movie.npy", np.stack([image, np.full_like(image, np.nan), image]))
        assert main(["movie.npy", "--quiet"]) == 1
        assert names("movie_domains") == ["frame_00000", "frame_00002"]


class TestStatus:
    def test_a_failing_file_does_not_stop_the_others(self, here, calls, capsys):
        assert main(["bad.npy", "none.npy", "a.npy"]) == 1
        shown = capsys.readouterr()
        assert "phyvae: bad.npy: " in shown.err
        assert "phyvae: none.npy: " in shown.err
        assert "Traceback" not in shown.err
        assert names() == ["a_domains"]

    def test_debug_shows_the_traceback(self, here, calls, capsys):
        assert main(["bad.npy", "--debug"]) == 1
        assert "Traceback" in capsys.readouterr().err

    def test_a_question_without_an_answer(self, here, calls, monkeypatch):
        unanswered = small_domains("unanswered")
        monkeypatch.setattr(jobs, "find_domains", lambda scan, **_: replace(unanswered, scan=scan))
        assert main(["a.npy", "b.npy", "--quiet"]) == 3
        assert names() == ["a_domains", "b_domains"]
        assert main(["a.npy", "bad.npy", "--force"]) == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["a.npy", "--size", "big"],
            ["a.npy", "--size", "1x2x3"],
            ["a.npy", "--size", "0"],
            ["a.npy", "--classes", "0"],
            ["a.npy", "--seed", "-1"],
            ["a.npy", "--seed", str(2**63)],
            ["a.npy", "--device", "abacus"],
            ["a.npy", "x/a.npy"],
            ["a.npy", "--jobs", "0"],
            ["a.npy", "--settings", "none.toml"],
            ["a.npy", "--settings", "bad.npy"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage(self, here, arguments, capsys):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
        assert "phyvae: error: " in capsys.readouterr().err

    def test_arguments_are_named_as_options(self, here, capsys):
        np.save("noise.npy", np.random.default_rng(0).random((64, 64)))
        assert main(["noise.npy", "--survey"]) == 3
        advice = "Give one by hand: --size PX, about two periods of the pattern in px\n"
        assert capsys.readouterr().out.endswith(advice)
        assert main(["noise.npy"]) == 3
        assert advice in capsys.readouterr().out
        assert main(["noise.npy", "--survey", "--size", "90x80"]) == 1
        assert "--size 90x80" in capsys.readouterr().err
        assert main(["noise.npy", "--survey", "--size", "5000"]) == 1
        assert "--size 5000 px exceeds" in capsys.readouterr().err
        assert main(["size=3.npy"]) == 1
        assert capsys.readouterr().err == "phyvae: size=3.npy: there is no such file.\n"

    def test_quiet_shows_errors_only(self, here, calls, capsys):
        main(["a.npy", "bad.npy", "--quiet"])
        shown = capsys.readouterr()
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1


class TestArguments:
    def test_options_reach_find_domains(self, here, calls):
        options = "--classes 3 --size 24x30 --step 8 --no-flatten --no-train --seed 5 --device cpu"
        main(["a.npy", "--quiet", *options.split()])
        assert calls == [
            {
                "classes": 3,
                "size": (24, 30),
                "step": 8,
                "flatten": False,
                "train": False,
                "seed": 5,
                "device": "cpu",
                "progress": False,
            }
        ]

    def test_what_is_not_given_is_left_to_find_domains(self, here, calls):
        main(["a.npy", "--quiet"])
        assert calls == [{"progress": False}]

    def test_settings_come_from_a_file_and_options_go_before(self, here, calls):
        main(["a.npy", "--quiet"])
        main(["b.npy", "--quiet", "--settings", "a_domains/settings.toml", "--classes", "4"])
        assert calls[1] == {"size": (24, 24), "flatten": False, "classes": 4, "progress": False}

    def test_a_home_folder_is_meant_in_every_path(self, here, calls, monkeypatch):
        monkeypatch.setenv("HOME", str(here))
        Path("s.toml").write_text("[settings]\nclasses = 3\n")
        assert main(["~/a.npy", "--out=~/found", "--settings=~/s.toml"]) == 0
        assert calls[-1]["classes"] == 3
        assert (here / "found" / "scan.phyvae").exists()

    def test_survey_shows_choices_and_writes_nothing(self, here, calls, capsys):
        assert main(["a.npy", "--survey", "--step", "9"]) == 0
        assert "step: (9, 9) (given" in capsys.readouterr().out
        Path("x").mkdir()
        Path("x/a.npy").write_bytes(Path("a.npy").read_bytes())
        assert main(["a.npy", "x/a.npy", "--survey", "--quiet"]) == 0
        assert (names(), names("x"), calls) == (["x"], [], [])
        assert main(["bad.npy", "--survey"]) == 1


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Small images whose domains take some seconds each."""
    monkeypatch.chdir(tmp_path)
    for k in range(4):
        np.save(f"{k}.npy", nio_lsmo((160, 160), seed=k).image)
    return [f"{k}.npy" for k in range(4)]


OPTIONS = ["--no-train", "--classes", "2", "--quiet"]


def assert_same_results(images, one, other):
    """Fail unless two folders hold the same results, and nothing else."""
    wanted = [f"{Path(name).stem}_domains" for name in images]
    assert names(one) == names(other) == wanted
    for name in wanted:
        first, second = (load_domains(Path(at, name, "scan.phyvae")) for at in (one, other))
        np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.slow
class TestProcesses:
    def test_files_in_two_processes_are_those_of_one(self, images):
        Path("bad.npy").write_text("no array")
        assert main([*images[:2], *OPTIONS, "--out", "one"]) == 0
        files = ["bad.npy", *images[:2]]
        assert main([*files, *OPTIONS, "--out", "two", "--jobs", "2"]) == 1
        assert_same_results(images[:2], "one", "two")

    def test_frames_of_a_stack_are_shared_out(self, images):
        np.save("movie.npy", np.stack([np.load(name) for name in images[:3]]))
        assert main(["movie.npy", *OPTIONS, "--jobs", "2"]) == 0
        frames = [f"frame_0000{k}" for k in range(3)]
        assert names("movie_domains") == frames
        first = load_domains("movie_domains/frame_00000/scan.phyvae")
        last = load_domains("movie_domains/frame_00002/scan.phyvae")
        again = first.apply(np.load(images[2]), progress=False)
        np.testing.assert_array_equal(last.labels, again.labels)

    def test_a_process_that_dies_loses_nothing(self, images):
        from joblib.externals.loky import reusable_executor

        def kill():
            while True:
                time.sleep(0.1)
                executor = reusable_executor._executor
                if executor is not None and executor._processes and executor._pending_work_items:
                    break
            time.sleep(1)
            os.kill(next(iter(executor._processes)), signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()
        assert main([*images[:3], *OPTIONS, "--out", "two", "--jobs", "2"]) == 0
        assert names("two") == ["0_domains", "1_domains", "2_domains"]

    @pytest.mark.skipif(os.name != "posix", reason="signals")
    @pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
    def test_ctrl_c_and_a_time_limit_leave_nothing(self, images, sign):
        command = [sys.executable, "-m", "phyvae", *images, "--no-train", "--jobs", "2"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, start_new_session=True, text=True, **pipes)
        time.sleep(15)
        os.killpg(process.pid, sign)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "Traceback" not in errors
        assert "phyvae: interrupted" in errors
        assert not any(name.startswith(".") for name in names())


@pytest.mark.slow
class TestCluster:
    @pytest.fixture
    def cluster(self, monkeypatch):
        distributed = pytest.importorskip("distributed")
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster:
            yield cluster

    def test_a_worker_that_dies_loses_nothing(self, images, cluster):
        from distributed import Client

        assert main([*images, *OPTIONS, "--out", "one"]) == 0
        killed = []

        def kill():
            with Client(cluster.scheduler_address, set_as_default=False) as client:
                processes = client.run(os.getpid)
                while not killed:
                    time.sleep(0.1)
                    busy = [worker for worker, tasks in client.processing().items() if tasks]
                    if busy:
                        time.sleep(2)
                        os.kill(processes[busy[0]], signal.SIGKILL)
                        killed.append(busy[0])

        threading.Thread(target=kill, daemon=True).start()
        address = cluster.scheduler_address
        assert main([*images, *OPTIONS, "--out", "two", "--cluster", address]) == 0
        assert killed
        assert_same_results(images, "one", "two")
