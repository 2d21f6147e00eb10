"""Fail if `import phyvae` and the first use of a model take too long over pyroVED's own import.

    python .ci/import_time.py [ROUNDS]

Fresh processes take turns, and the fastest of each counts, in seconds of the processor: those of
the clock tell of other work on the machine, too, and of its disk.
"""

import resource
import subprocess
import sys

BUDGET = 0.7  # seconds
PYROVED = "import pyroved"
PHYVAE = """
import numpy, phyvae
grid = phyvae.PatchGrid(numpy.eye(48), size=24, step=12)
phyvae.ShiftVAE(grid.patch_shape).latent_maps(grid)
"""


def seconds(script: str) -> float:
    """Return what a fresh interpreter takes for a script, its own start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", script], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main(rounds: int) -> None:
    """Measure, print and judge."""
    for script in (PYROVED, PHYVAE):
        seconds(script)  # reads the files from the disk, and compiles them
    turns = [(seconds(PYROVED), seconds(PHYVAE)) for _ in range(rounds)]
    theirs, ours = map(min, zip(*turns, strict=True))
    print(
        f"pyroVED {theirs:.2f} s, phyvae with a first map {ours:.2f} s: {ours - theirs:.2f} s "
        f"over it, of {BUDGET} s allowed; the fastest of {rounds} turns"
    )
    if ours - theirs > BUDGET:
        sys.exit("The import is too slow; python -X importtime -c 'import phyvae' says where.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
