"""Read thousands of damaged files, each in a process of its own, and count what goes wrong."""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PROCESSES = 2
LIMIT_S = 60  # seconds for an input
LIMIT_BYTES = 2 * 2**30  # address space that an input may take besides what is loaded
FAULTS = ("traceback", "hang", "memory", "native crash", "leftovers")


class Outcome(NamedTuple):
    "What became of an input"

    kind: str  # refused, accepted, or one of `FAULTS`
    detail: str  # The sentence, or the end of the traceback


def judged(
    error: BaseException,  # What a reader raised
) -> Outcome:  # refused, memory or traceback
    "Whether an error is a sentence of ours"
    text = str(error)
    ours = type(error).__module__.startswith("runningpose.")
    known = isinstance(error, ValueError | FileNotFoundError | ImportError)
    if "more memory than there is" in text:
        return Outcome("memory", text)
    if known and (ours or _raised_by_us(error)) and "\n" not in text.strip():
        return Outcome("refused", text)
    lines = traceback.format_exception(error)
    return Outcome("traceback", "".join(lines)[-1500:])


def _raised_by_us(error):
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    return f"{os.sep}runningpose{os.sep}" in last.tb_frame.f_code.co_filename


def _child(case, path, out):
    "Read one input and say what happened"
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT_BYTES, used + LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    os.dup2(os.open(out.with_suffix(".err"), os.O_WRONLY | os.O_CREAT), 2)
    try:
        case.read(path)
        outcome = Outcome("accepted", "")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        outcome = judged(error)
    out.write_text(f"{outcome.kind}\n{outcome.detail}", encoding="utf-8", errors="replace")


def run_case(
    case,  # Input
    folder,  # Empty folder for it
) -> Outcome:  # What became of it
    "Read one input in a process of its own"
    inputs, temporary = folder / "in", folder / "tmp"
    inputs.mkdir()
    temporary.mkdir()
    path, out = inputs / case.whole.name, folder / "out.txt"
    case.damage(case.whole.read_bytes(), path)
    before = sorted(p.name for p in inputs.rglob("*"))
    child = os.fork()
    if child == 0:
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        try:
            _child(case, path, out)
        finally:
            os._exit(0)
    outcome = _outcome(child, out)
    left = sorted(p.name for p in inputs.rglob("*")) != before or any(temporary.iterdir())
    if left and outcome.kind in ("accepted", "refused"):
        return Outcome("leftovers", str(sorted(p.name for p in folder.rglob("*"))))
    return outcome


def _outcome(child, out):
    "Wait for a process, at most `LIMIT_S`"
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.002)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return Outcome("hang", f"over {LIMIT_S} s")
    if os.WIFSIGNALED(status):
        return Outcome("native crash", f"signal {os.WTERMSIG(status)}")
    if not out.exists():
        return Outcome("native crash", "ended without a word")
    kind, detail = out.read_text(encoding="utf-8").split("\n", 1)
    return Outcome(kind, detail)


def run(
    cases,  # Inputs
    report=lambda case, outcome: None,  # Called with every input and what became of it
) -> Counter:  # Number of every outcome
    "Read all inputs"
    counts = Counter()
    for case in cases:
        folder = Path(tempfile.mkdtemp(prefix="fuzz"))
        try:
            outcome = run_case(case, folder)
        finally:
            shutil.rmtree(folder)
        counts[outcome.kind] += 1
        report(case, outcome)
    return counts


def main():
    "Run the inputs whose names hold all words of the command line, or all, on two processes"
    from fuzz.corpus import cases, make_whole

    began = time.monotonic()
    with tempfile.TemporaryDirectory() as d:
        every = cases(make_whole(Path(d)))
        chosen = [c for c in every if all(word in c.name for word in sys.argv[1:])]
        results = [Path(d) / f"counts{part}.json" for part in range(PROCESSES)]
        workers = [_worker(chosen[k::PROCESSES], result) for k, result in enumerate(results)]
        for worker in workers:
            os.waitpid(worker, 0)
        counts = sum((Counter(json.loads(result.read_text())) for result in results), Counter())
    print(f"{counts.total()} inputs in {time.monotonic() - began:.0f} s:", dict(counts))
    sys.exit(any(counts[fault] for fault in FAULTS))


def _worker(cases, result):
    "A process that reads some of the inputs; its number"
    child = os.fork()
    if child == 0:
        result.write_text(json.dumps(run(cases, _print_faults)))
        os._exit(0)
    return child


def _print_faults(case, outcome):
    if outcome.kind in FAULTS:
        print(f"--- {case.name}: {outcome.kind}\n{outcome.detail}", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    main()
