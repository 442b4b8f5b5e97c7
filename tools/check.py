"""The whole check behind `make test`: each step says its name and the time so far, and a failure
says what to do about it."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from fastcore.script import Param, call_parse

ROOT = Path(__file__).resolve().parent.parent
BIN, START = Path(sys.executable).parent, time.time()
ENV = os.environ | {
    "OMP_NUM_THREADS": "1",
    "MPLBACKEND": "agg",
    "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
}
EXPORTED = ["nbs", "runningpose", "pyproject.toml"]
SOURCES = ["nbs", "tools", "tests", "benchmarks", "setup.py"]
# Flags whose cells may be left out: they need a machine or data that CI does not have, or minutes
ADMITTED_FLAGS = {"slow", "detectron2", "rtmpose", "gpu", "data"}


def run(*command):
    "Run a command in the root of the repository; its exit code"
    return subprocess.run([str(word) for word in command], cwd=ROOT, env=ENV).returncode


def must(*command, hint=""):
    "Run a command that has to succeed"
    if run(*command):
        sys.exit(f"\nFAILED: {' '.join(map(str, command))}. {hint}")


def python(*args, **kwargs):
    must(sys.executable, *args, **kwargs)


def digests(paths):
    "The digest of every file at or under `paths`"
    files = []
    for path in (ROOT / p for p in paths):
        files += [path] if path.is_file() else path.rglob("*")
    return {
        f.relative_to(ROOT).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in files
        if f.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & {*f.parts}
    }


def unchanged(before, paths, source):
    "Stop when the files at `paths` are no longer what they were"
    after = digests(paths)
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    if not changed:
        return
    names = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
    sys.exit(
        f"\nFAILED: not what {source}: {names}. They have now been written anew: look at them, "
        "commit them and run this again."
    )


def packages(flags):
    python(
        "-m",
        "pip",
        "check",
        hint="Installed packages contradict each other: remove the environment, run make again.",
    )


def exported(flags):
    before = digests(EXPORTED)
    must("nbdev_export")
    must("nbdev_clean")
    unchanged(before, EXPORTED, "nbdev_export and nbdev_clean give")


def readme(flags):
    python("tools/readme.py", "--check")


def lint(flags):
    mend = "Mend the notebook, not the module."
    must("ruff", "format", "--check", *SOURCES, hint="`ruff format` lays the code out.")
    must("ruff", "check", *SOURCES, hint=mend)
    unused = ["--isolated", "--select", "F401,F821", "runningpose"]  # in a notebook, tests use them
    must("ruff", "check", *unused, hint=mend)
    python("tools/style.py", hint=mend)
    must("lint-imports", hint="A module imports from a layer above it; see .importlinter.")


def types(flags):
    must("mypy", "runningpose", hint="Mend the notebook, not the module.")


def left_out_cells(flags):
    "How many cells the flags leave out, by flag"
    counts = Counter()
    for path in (ROOT / "nbs").rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            names = re.findall(r"^#\|\s*(\w+)\s*$", "".join(cell["source"]), re.M)
            counts.update(n for n in names if n in ADMITTED_FLAGS | {"weights"} and n not in flags)
    return counts


def fetch_weights(flags):
    "Flags with `weights`, when the detector's weights and the sample clip are here"
    if "weights" in flags or run("runningpose_fetch", "--quiet") == 0:
        return [*flags, "weights"]
    print("No weights could be fetched: cells and tests that need them are left out.")
    return flags


def notebooks(flags):
    flags = fetch_weights(flags)
    must("nbdev_test", "--n_workers", 2, "--timing", "--flags", " ".join(flags))
    for flag, count in sorted(left_out_cells(flags).items()):
        print(f"left out: {count} cells flagged {flag}")
    if os.environ.get("CI") and "weights" not in flags:
        sys.exit("\nFAILED: CI left out the cells that need the detector's weights.")


def site(flags):
    before = digests(["docs", "nbs/nbdev.yml"])
    python("tools/docs.py")
    unchanged(before, ["docs", "nbs/nbdev.yml"], "the notebooks give")


def tests(flags):
    python("-m", "pytest", "-q", "--durations=20", "-rs")


STEPS = {
    "packages": packages,
    "exported": exported,
    "readme": readme,
    "lint": lint,
    "types": types,
    "notebooks": notebooks,
    "site": site,
    "tests": tests,
}


@call_parse
def main(
    steps: Param(f"Steps to take: {', '.join(STEPS)}; all by default", str, nargs="*"),
    flags: str = "",  # Flags whose cells run too, e.g. "slow data"
):
    "Check the whole project"
    if unknown := set(steps) - set(STEPS):
        there = ", ".join(STEPS)
        sys.exit(f"no step named {', '.join(sorted(unknown))}; there are {there}")
    for name in steps or STEPS:
        print(f"\n== {name} ({time.time() - START:.0f} s)", flush=True)
        STEPS[name](flags.split())
    print(f"\nAll good ({time.time() - START:.0f} s)")
