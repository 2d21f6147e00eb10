"""Files analysed one by one, in several processes, or on a cluster; one that fails stops none."""

import contextlib
import secrets
import shutil
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ..compute.threads import one_thread
from ..scans.reading import read
from ..scans.scan import Scan
from ..scans.surveying import survey
from .finding import find_domains
from .folder import write_folder
from .loading import load_domains
from .preparing import Request, prepared
from .result import Domains

__all__ = ["Job", "Outcome", "frames_of", "outcomes", "preview"]


@dataclass(frozen=True)
class Job:
    """One file, or one frame of it, and where its result goes.

    path: The file.
    part: Beginning of the name of the hidden folder that is written.
    channel: Channel of the file, if one was asked for.
    arguments: Those of `find_domains`.
    frame: Which frame; of frames after the first one, the domains are those of `model`.
    model: File of the result of the first frame.
    alone: Whether it may use all cores, and show its progress.
    """

    path: str
    part: str
    channel: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    frame: int = 0
    model: str = ""
    alone: bool = False
    progress: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a job: the folder it has written, or the error."""

    job: Job
    part: str = ""
    frames: int = 1
    answer: str = ""
    answered: bool = False
    notes: tuple[str, ...] = ()
    error: str = ""
    trace: str = ""


def outcomes(
    jobs: Sequence[Job], processes: int = 1, cluster: str | None = None
) -> Iterator[Outcome]:
    """Yield the outcome of each job as it ends.

    A job whose process dies is done again: on a cluster by another worker; else in a process of
    its own, and if it dies there, too, it has failed.
    """
    if cluster is None and processes == 1:
        yield from map(_outcome, jobs)
        return
    left = {job.part: job for job in jobs}
    for share, final in ((list(left.values()), False), *(([job], True) for job in jobs)):
        share = [job for job in share if job.part in left]
        try:
            for one in _shared(share, processes, cluster):
                del left[one.job.part]
                yield one
        except _died() as error:
            if final:
                del left[share[0].part]
                yield Outcome(share[0], error=f"its process died ({type(error).__name__})")
        if not left:
            return


def _shared(jobs: Sequence[Job], processes: int, cluster: str | None) -> Iterator[Outcome]:
    """Yield the outcomes of jobs by joblib, on this machine or a Dask cluster."""
    import joblib

    with contextlib.ExitStack() as stack:
        if cluster is None:
            backend: dict[str, Any] = {"backend": "loky", "inner_max_num_threads": 1}
        else:
            from dask.distributed import Client

            client = stack.enter_context(Client(cluster, timeout=20, set_as_default=False))
            backend = {"backend": "dask", "client": client}
        stack.enter_context(joblib.parallel_config(**backend))
        # Two processes at least: a single one would be this one.
        count = max(2, processes) if cluster is None else -1
        parallel = joblib.Parallel(count, batch_size=1, return_as="generator_unordered")
        yield from parallel(joblib.delayed(_outcome)(job) for job in jobs)


def _died() -> tuple[type[Exception], ...]:
    """Return the errors of joblib and Dask about a process that has died."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        from dask.distributed import KilledWorker
    except ImportError:
        return (BrokenProcessPool,)
    return BrokenProcessPool, KilledWorker


def _outcome(job: Job) -> Outcome:
    """Do a job; its error is an outcome, too."""
    import matplotlib as mpl

    mpl.use("Agg")  # figures go to files, with or without a display
    part = Path(f"{job.part}{secrets.token_hex(4)}.part")
    with contextlib.ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("default")
        if not job.alone:
            stack.enter_context(one_thread())
            stack.enter_context(threadpool_limits(1))
        try:
            part.mkdir(parents=True)  # what cannot be written need not be computed
            found, frames = _found(job)
            lacking = write_folder(found, part)
        except Exception as error:
            shutil.rmtree(part, ignore_errors=True)
            return Outcome(job, error=_text(error, part), trace=traceback.format_exc())
    doubts = [f"note: {one}" for one in found.scan.notes]
    doubts += [f"doubt: {one}" for one in found.doubts if one not in found.scan.notes]
    heard = [f"warning: {' '.join(str(one.message).split())}" for one in caught]
    return Outcome(
        job,
        str(part),
        frames,
        found.answer,
        not found.problem,
        tuple(dict.fromkeys([*doubts, *heard, *lacking])),
    )


def _text(error: Exception, part: Path) -> str:
    """Return the text of an error, in a line; a hidden folder is nothing that users know."""
    text = str(error)
    if isinstance(error, OSError) and str(error.filename).startswith(str(part)):
        text = f"its result cannot be written: {error.strerror}"
    return " ".join(text.split()) or type(error).__name__


def _found(job: Job) -> tuple[Domains, int]:
    """Return the domains of a file or frame, and the number of its frames."""
    scans = frames_of(job.path, job.channel)
    scan = scans[job.frame]
    if job.model:
        found = load_domains(job.model, device=job.arguments.get("device"))
        return found.apply(scan, progress=job.progress), len(scans)
    return find_domains(scan, **job.arguments, progress=job.progress), len(scans)


def frames_of(path: str, channel: str | None = None) -> list[Scan]:
    """Return the frames of a file; of an image, the one. A channel may be a number."""
    found = read(path, int(channel) if channel and channel.isdigit() else channel)
    return [found] if isinstance(found, Scan) else found


def preview(path: str, channel: str | None, given: dict[str, Any]) -> tuple[str, bool]:
    """Return the choices that `find_domains` would make, as text, and whether it could answer.

    path, channel: The file.
    given: Arguments of `find_domains`.
    """
    scans = frames_of(path, channel)
    scan = scans[0]
    wanted = {name: given.get(name) for name in ("size", "step", "flatten")}
    found = prepared([scan], Request(**wanted))
    grid = found.grids[0]
    lines = [repr(scan)]
    if len(scans) > 1:
        lines.append(f"  frames: {len(scans)}; the model of the first one is used for all")
    lines.append(f"  patches: {grid.shape[0]} x {grid.shape[1]}")
    lines += [f"  {name}: {choice}" for name, choice in found.settings.items()]
    if scan.cube is None and np.isfinite(scan.image).all():
        seen = survey(scan.image)
        lines.append(f"  flaws: {seen.flaws}; the noise of a pixel is {seen.noise:.3g}")
    if found.problem:
        lines.append(f"  cannot be answered: {found.problem}")
    return "\n".join(lines), not found.problem
