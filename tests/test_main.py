import subprocess
import sys
import time
from importlib.metadata import version


def test_help_and_version_come_without_importing_torch():
    code = (
        "import sys; from phyvae.cli import main\n"
        "try: main([sys.argv[1]])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules)"
    )
    for option in ("--help", "--version"):
        subprocess.run([sys.executable, "-c", code, option], check=True, capture_output=True)


def test_the_module_is_the_command():
    began = time.perf_counter()
    command = [sys.executable, "-m", "phyvae", "--version"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == f"phyvae {version('phyvae')}"
    assert time.perf_counter() - began < 5
