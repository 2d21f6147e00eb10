"""Kill training runs with SIGKILL, let each go on, and compare the end with a run never killed.

    python tests/killed_runs.py KILLS [SEED]

One process imports torch; each run is a fork of it. Some kills come at a random time, the others
at a chosen line of a save or in the middle of its write. Prints what was seen, as JSON.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch

import phyvae
from phyvae.saving import sealed

EPOCHS = 6


def refuse_unpickling(event, _):
    if event == "pickle.find_class":
        raise RuntimeError("something was unpickled")


def trainer():
    model = phyvae.ShiftVAE((6, 6), hidden_dim_e=(8,), hidden_dim_d=(8,), seed=0)
    objective = phyvae.PhysicsObjective(phyvae.EdgeLoss())
    return phyvae.PhysicsTrainer(model, objective, batch_size=10, pixels=0.5, seed=0)


def fit(path, every, callback=lambda trainer, epoch: None):
    image = np.random.default_rng(0).random((30, 30))
    run = trainer()
    settings = {"beta": phyvae.LinearBeta(0.1, 1.0, EPOCHS), "progress": False}
    files = {"checkpoint": path, "resume": path, "every": every}
    run.fit(phyvae.PatchGrid(image, 6, 4), EPOCHS, callbacks=[callback], **settings, **files)
    return run


def bits(run):
    """Everything that must be alike, as bytes."""
    optimizer = run.optimizer.state_dict()
    tensors = [*run.model.state_dict().values()]
    states = [state for _, state in sorted(optimizer["state"].items())]
    tensors += [value for state in states for _, value in sorted(state.items())]
    history = np.stack(astuple(run.history)[:-1])  # not the seconds
    return [t.numpy().tobytes() for t in tensors] + [history.tobytes()]


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_line(count):
    """Kill this process at the count-th line that `sealed.write` executes, over all saves."""
    seen = 0

    def lines(frame, event, _):
        nonlocal seen
        seen += event == "line"
        if seen == count:
            die()
        return lines

    code = sealed.write.__code__
    sys.settrace(lambda frame, event, _: lines if frame.f_code is code else None)


def kill_in_write(count, share):
    """Kill this process in the count-th save, after a share of its bytes has been written."""
    seen, original = 0, Path.open

    def half(self, *args):
        nonlocal seen
        file = original(self, *args)
        seen += 1
        if seen == count:
            write = file.write

            class Half:
                def __enter__(self):
                    return self

                def __exit__(self, *args): ...

                def write(self, data):
                    write(data[: round(share * len(data))])
                    file.flush()
                    die()

            return Half()
        return file

    Path.open = half


def child(path, every, arm=lambda: None, after=None):
    """Run in a fork; return whether it was killed, and the last epoch that it reported."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            arm()
            fit(path, every, lambda _, epoch: os.write(write, bytes([epoch])))
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(1)
    os.close(write)
    if after is not None:
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    reported = os.read(read, 255)
    os.close(read)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True, max(reported, default=0)
    assert os.WEXITSTATUS(status) == 0
    return False, EPOCHS


def main(kills, seed):
    torch.set_num_threads(1)
    sys.addaudithook(refuse_unpickling)
    draw = random.Random(seed)
    folder = Path(tempfile.mkdtemp())
    # Before the first fork: everything is loaded, and the time a run takes is known.
    reference = bits(fit(folder / "reference", 1))
    started = time.perf_counter()
    child(folder / "timed", 1)
    duration = time.perf_counter() - started
    seen = {"kills": 0, "in_a_save": 0, "before_the_first_save": 0, "runs": 0, "most_lost": 0}
    while seen["kills"] < kills:
        path, every = folder / str(seen["runs"]), draw.choice([1, 1, 2, 4])
        seen["runs"] += 1
        alive = True
        while alive:
            line, time_ = draw.randint(1, 60), draw.uniform(0, duration)
            save, share = draw.randint(1, 3), draw.random()
            how = [
                {"arm": lambda line=line: kill_at_line(line)},
                {"arm": lambda save=save, share=share: kill_in_write(save, share)},
                {"after": time_},
            ]
            parts = len(list(folder.glob(".*.part")))
            ended = seen["kills"] >= kills
            killed, reported = child(path, every, **({} if ended else draw.choice(how)))
            alive = killed
            seen["kills"] += killed
            seen["in_a_save"] += len(list(folder.glob(".*.part"))) > parts
            if path.exists():
                found = phyvae.load_trainer(path)
                # The callback of an epoch comes before its save, after that of the one before.
                assert found.epochs_done >= (reported - 1) // every * every, (reported, every)
                seen["most_lost"] = max(seen["most_lost"], reported - found.epochs_done)
            else:
                assert reported <= every
                seen["before_the_first_save"] += 1
        assert bits(phyvae.load_trainer(path)) == reference
    print(json.dumps(seen))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
