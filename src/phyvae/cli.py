"""The command line: files to folders of results."""

import argparse
import contextlib
import os
import re
import secrets
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # torch is imported when there is something to do: --help is fast
    from .pipeline.jobs import Job, Outcome

__all__ = ["main"]

_DONE, _FAILED, _UNANSWERED, _INTERRUPTED = 0, 1, 3, 130
_SEVERITY = (_DONE, _UNANSWERED, _FAILED)
_ARGUMENT = re.compile(r"(?<![^\s(])(classes|size|step|seed|device|channel)=(\(.+?\)|[^\s,;:]+)")
_EPILOG = """\
exit status: 0 all files have an answer; 1 a file failed; 2 wrong usage; 3 no file failed, but the
question of one cannot be answered (its folder has the reason); 130 interrupted.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``phyvae``, and return its exit status."""
    with contextlib.suppress(ValueError):  # outside the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no hidden folder either
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        given = _given(parser, options)
        targets = _targets(parser, options)
        return _survey(options, given) if options.survey else _run(options, given, targets)
    except KeyboardInterrupt:
        sys.stderr.write("phyvae: interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of the output has ended
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return _FAILED
    except OSError as error:  # no folder can be made, or no cluster be reached
        if options.debug:
            raise
        sys.stderr.write(f"phyvae: {error}\n")
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "phyvae",
        description="Find the domains of microscopy images: from files to folders of results.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    path = os.path.expanduser  # a shell leaves --out=~/folder as it is
    add("files", nargs="+", type=path, metavar="FILE",
        help="an image, spectrum image, or stack of frames")  # fmt: skip
    add("--out", type=path, metavar="DIR",
        help="folder of the result; of several files, the folder that gets theirs "
        "(default: FILE's name with _domains, in the current folder)")  # fmt: skip
    add("--survey", action="store_true", help="show what would be done; no training, no folder")
    add("--force", action="store_true", help="replace folders of results that are there")
    add("--classes", type=_from(1), metavar="N", help="number of domains (default: counted)")
    add("--size", type=_pair, metavar="PX", help="patch size, px: 24 or 24x30 (default: by cell)")
    add("--step", type=_pair, metavar="PX", help="distance of patches, px: 8 or 8x10")
    add("--channel", metavar="NAME", help="channel of a file with several, a name or a number")
    add("--flatten", action=argparse.BooleanOptionalAction, default=None,
        help="whether to subtract a slow background (default: by the image)")  # fmt: skip
    add("--train", action=argparse.BooleanOptionalAction, default=None,
        help="whether to train after the start; half of the time without")  # fmt: skip
    add(
        "--seed",
        type=_from(0),
        metavar="N",
        help="seed of weights, batches and noise (default: 0)",
    )
    add("--device", metavar="D", help="where to train, such as cuda (default: cuda, if any)")
    add("--settings", type=path, metavar="FILE",
        help="settings.toml of another result; options go before")  # fmt: skip
    add(
        "--jobs",
        type=_from(1),
        default=1,
        metavar="N",
        help="files or frames at a time, a core each",
    )
    add("--cluster", metavar="ADDRESS", help="of a Dask scheduler, whose workers see the files")
    add("--quiet", action="store_true", help="no output but errors")
    add("--debug", action="store_true", help="show the traceback of an error")
    add("--version", action="version", version=f"phyvae {version('phyvae')}")
    return parser


def _from(least: int) -> Callable[[str], int]:
    """Return the type of an option that is a whole number, not less than the least."""

    def number(text: str) -> int:
        if text.isdecimal() and least <= int(text) < 2**63:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from {least}")

    return number


def _pair(text: str) -> int | tuple[int, int]:
    numbers = [int(one) for one in text.split("x") if one.isdecimal() and int(one)]
    if numbers and len(numbers) == text.count("x") + 1 <= 2:
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
    raise argparse.ArgumentTypeError(f"{text!r} must be px, such as 24, or 24x30")


def _as_options(text: str) -> str:
    """Return a text of the library with arguments of `find_domains` as options."""

    def option(found: re.Match[str]) -> str:
        name, value = found.groups()
        sides = dict.fromkeys(value.strip("()").split(", "))  # one of a square
        return f"--{name} {'PX' if value == '...' else 'x'.join(sides)}"

    text = re.sub(r"^path='.*?':? ", "", text)  # which is named before
    return _ARGUMENT.sub(option, re.sub(r";[^;]* sites=\S+", "", text))


def _given(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of `find_domains` that were given, options before the file's."""
    given: dict[str, Any] = {}
    if options.settings:
        from .pipeline.settings_file import read_settings

        try:
            given = read_settings(options.settings)
        except (OSError, ValueError) as error:
            parser.error(f"--settings: {error}")
    if options.device and not options.cluster:  # whose workers have devices of their own
        from ._checks import as_device

        try:
            as_device(options.device)
        except ValueError as error:
            parser.error(_as_options(str(error)))
    named = ("classes", "size", "step", "flatten", "train", "seed", "device")
    return given | {k: v for k in named if (v := getattr(options, k)) is not None}


def _targets(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Path]:
    """Return the folder of each file's result."""
    if options.cluster and find_spec("distributed") is None:
        from .scans.optional import EXTRA

        parser.error(f"--cluster: {EXTRA.format('cluster')}")
    out = options.out
    if options.survey:
        return {}
    if len(options.files) == 1 and out is not None:
        return {options.files[0]: Path(os.path.abspath(out))}
    base = Path(os.path.abspath(out or "."))
    targets = {file: base / f"{Path(file).stem}_domains" for file in options.files}
    if len(set(targets.values())) < len(options.files):
        parser.error("two files of the same name would go to one folder; run them one by one")
    return targets


def _run(options: argparse.Namespace, given: dict[str, Any], targets: dict[str, Path]) -> int:
    """Analyse all files, and return the exit status."""
    from .pipeline.folder import put
    from .pipeline.jobs import Job

    console = _Console(options)
    free = [file for file in targets if console.is_free(file, targets[file])]
    alone = len(free) == 1 and options.jobs == 1 and not options.cluster
    shown = alone and not options.quiet
    token = secrets.token_hex(4)
    jobs = {}
    for file in free:
        target = targets[file]
        part = str(target.with_name(f".{target.name}.{token}-"))
        path = os.path.abspath(file)
        jobs[file] = Job(path, part, options.channel, given, alone=alone, progress=shown)
    try:
        for file, done in console.outcomes(jobs, "file"):
            if done.error:
                continue
            whole = Path(done.part) if done.frames == 1 else _stack(console, file, done)
            try:
                put(whole, targets[file], over=options.force)
            except OSError as error:
                console.failed(file, str(error), traceback.format_exc())
            else:
                console.line(f"  in {os.path.relpath(targets[file])}")
    finally:
        for job in jobs.values():
            start = Path(job.part)
            for left in start.parent.glob(f"{start.name}*"):
                shutil.rmtree(left, ignore_errors=True)
    return max(console.codes, default=_DONE, key=_SEVERITY.index)


def _stack(console: "_Console", file: str, first: "Outcome") -> Path:
    """Analyse further frames of a stack by the model of the first; return the folder of all."""
    from .pipeline.folder import FRAME

    whole = Path(f"{first.job.part}all.part")
    whole.mkdir()
    begin = whole / FRAME.format(0)
    Path(first.part).rename(begin)
    model = str(begin / "scan.phyvae") if first.answered else ""
    jobs = {
        f"{file}[{k}]": replace(first.job, frame=k, model=model, part=f"{first.job.part}{k}-")
        for k in range(1, first.frames)
    }
    for _, done in console.outcomes(jobs, "frame"):
        if not done.error:
            Path(done.part).rename(whole / FRAME.format(done.job.frame))
    return whole


class _Console:
    """Output for the user: a progress bar and errors on stderr, answers on stdout."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.codes: list[int] = []

    def line(self, text: str) -> None:
        """Write a line to stdout."""
        from tqdm import tqdm

        if not self.options.quiet:
            tqdm.write(text, file=sys.stdout)

    def failed(self, name: str, error: str, trace: str = "") -> None:
        """Write an error to stderr."""
        from tqdm import tqdm

        self.codes.append(_FAILED)
        tqdm.write(f"phyvae: {name}: {error}", file=sys.stderr)
        if trace and self.options.debug:
            tqdm.write(trace, file=sys.stderr)

    def is_free(self, name: str, target: Path) -> bool:
        """Return whether a folder may and can be written; if not, it is an error."""
        from .pipeline.folder import check_place, is_replaceable

        shown = os.path.relpath(target)
        is_there = os.path.lexists(target)
        if is_there and not self.options.force:
            self.failed(name, f"{shown} exists; --force replaces it, --out names another folder")
        elif is_there and not is_replaceable(target):
            self.failed(name, f"{shown} is no folder of results; --out names another folder")
        else:
            try:
                check_place(target)
            except OSError as error:
                self.failed(name, f"{error}; --out names another place", traceback.format_exc())
            else:
                return True
        return False

    def outcomes(self, jobs: dict[str, "Job"], unit: str) -> Iterator[tuple[str, "Outcome"]]:
        """Do jobs, and yield the outcome of each with its name once it is shown."""
        from tqdm import tqdm

        from .compute.progress import silent
        from .pipeline.jobs import outcomes

        names = {job.part: name for name, job in jobs.items()}
        done = outcomes([*jobs.values()], self.options.jobs, self.options.cluster)
        hidden = silent(not self.options.quiet and len(jobs) > 1)
        for one in tqdm(done, total=len(jobs), unit=unit, disable=hidden):
            name = names[one.job.part]
            if one.error:
                self.failed(name, _as_options(one.error), one.trace)
            else:
                self.codes.append(_DONE if one.answered else _UNANSWERED)
                lines = map(_as_options, (one.answer, *one.notes))
                self.line("\n  ".join([f"{name}: {next(lines)}", *lines]))
            yield name, one


def _survey(options: argparse.Namespace, given: dict[str, Any]) -> int:
    """Show what would be done with each file."""
    from .pipeline.jobs import preview

    console = _Console(options)
    for file in options.files:
        try:
            text, answerable = preview(file, options.channel, given)
        except Exception as error:
            console.failed(file, _as_options(str(error)), traceback.format_exc())
        else:
            console.codes.append(_DONE if answerable else _UNANSWERED)
            console.line(_as_options(text))
    return max(console.codes, key=_SEVERITY.index)
