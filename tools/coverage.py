"""How much of the package the notebooks and tests run; fails below the floor."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLOOR = 80  # per cent of statements, what was reached when it was first measured, rounded down
ENV = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def run(*command):
    "Run a command that has to succeed"
    if code := subprocess.run(command, cwd=ROOT, env=ENV).returncode:
        sys.exit(code)


def main():
    "Notebooks in one process, then the tests, then the table"
    coverage = [sys.executable, "-m", "coverage"]
    measure = [*coverage, "run", "--source=runningpose", "--append"]
    run(*coverage, "erase")
    run(*measure, "-m", "nbdev.test", "--n_workers", "0", "--flags", "weights")
    run(*measure, "-m", "pytest", "-q")
    run(*coverage, "report", f"--fail-under={FLOOR}", "--skip-covered")


if __name__ == "__main__":
    main()
