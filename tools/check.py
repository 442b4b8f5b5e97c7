"The whole check behind `make test`: each step says its name and the time so far, and a failure says what to do about it."

import hashlib
import os
import subprocess
import sys
import time
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


def run(*cmd):
    "Run a command in the root of the repository; its exit code"
    return subprocess.run([str(o) for o in cmd], cwd=ROOT, env=ENV).returncode


def must(*cmd, hint=""):
    "Run a command that has to succeed"
    if run(*cmd):
        sys.exit(f"\nFAILED: {' '.join(map(str, cmd))}. {hint}")


def python(*args, **kw):
    must(sys.executable, *args, **kw)


def digests(paths):
    "The digest of every file at or under `paths`"
    files = [
        f for p in paths for f in ([ROOT / p] if (ROOT / p).is_file() else (ROOT / p).rglob("*"))
    ]
    keep = [
        f for f in files if f.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & {*f.parts}
    ]
    return {
        f.relative_to(ROOT).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in keep
    }


def unchanged(before, paths, source):
    "Stop when the files at `paths` are no longer what they were"
    after = digests(paths)
    changed = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    if not changed:
        return
    names = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if len(changed) > 8 else "")
    sys.exit(
        f"\nFAILED: not what {source}: {names}. They have now been written anew: look at them, commit them and run this again."
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
    must(
        "ruff",
        "check",
        "nbs",
        "tools",
        "tests",
        "benchmarks",
        "setup.py",
        hint="Mend the notebook, not the module.",
    )


def types(flags):
    must("mypy", "runningpose", hint="Mend the notebook, not the module.")


def notebooks(flags):
    if "weights" not in flags and not run("runningpose_fetch"):
        flags = [*flags, "weights"]
    if "weights" not in flags:
        print("No weights could be fetched: cells flagged `weights` are left out.")
    must("nbdev_test", "--n_workers", 2, "--flags", " ".join(flags))


def site(flags):
    before = digests(["docs", "nbs/nbdev.yml"])
    python("tools/docs.py")
    unchanged(before, ["docs", "nbs/nbdev.yml"], "the notebooks give")


def tests(flags):
    python("-m", "pytest", "-q")


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
        sys.exit(f"no step named {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    for name in steps or STEPS:
        print(f"\n== {name} ({time.time() - START:.0f} s)", flush=True)
        STEPS[name](flags.split())
    print(f"\nAll good ({time.time() - START:.0f} s)")
