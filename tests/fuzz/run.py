"""Every reader gets damaged files, in processes with bounds of time and memory.

    python tests/fuzz/run.py                 # all of them
    python tests/fuzz/run.py --every 20      # one in twenty
    python tests/fuzz/run.py --kind video    # of some kinds

The exit code is 1 if one of them fails. The corpus is the same every time.
"""

import argparse
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from fuzz.damage import damaged, single_bits  # noqa: E402
from fuzz.kinds import KINDS, Kind  # noqa: E402
from fuzz.reasons import Read, changed_values, reason_for  # noqa: E402

LIMIT_S = 60  # longest time for a file
START_S = 300  # longest time for the imports of a process
JUSTIFIED = "other values, justified"
NO_REASON = "other values, without a reason"
FINE = ("accepted", "refused", "not installed", JUSTIFIED)  # how a file may be taken
SPECIAL = ("pipe", "socket", "folder", "loop", "leads nowhere", "missing", "not readable")


class Case(NamedTuple):
    "A file that is read"

    kind: Kind
    damage: str  # What was done to it
    data: bytes | None  # What is in it; None for a special file
    rewritten: bool = False  # By a program: its check sums fit


class Outcome(NamedTuple):
    "How a case went"

    case: Case
    result: str  # accepted, refused, or what is wrong
    details: dict


def whole_files(kind):
    "The files of a kind, as they are when nothing is damaged"
    with tempfile.TemporaryDirectory() as folder:
        kind.make(Path(folder) / kind.file)
        files = {p.name: p.read_bytes() for p in Path(folder).iterdir()}
    return files


def corpus(kinds=KINDS) -> Iterator[Case]:
    "All cases, always in the same order"
    files = {kind.name: whole_files(kind) for kind in KINDS}
    names = [kind.name for kind in KINDS]
    for kind in kinds:
        data = files[kind.name][kind.file]
        yield Case(kind, "none", data)
        for special in SPECIAL:
            yield Case(kind, special, None)
        rng = np.random.default_rng(zlib.crc32(kind.name.encode()))
        other = KINDS[(names.index(kind.name) + 7) % len(KINDS)]
        for one in damaged(data, rng, files[other.name][other.file]):
            yield Case(kind, *one)
        for one in single_bits(data, rng) if kind.own else ():
            yield Case(kind, *one)


def put_special(path, special):
    "Something else in the place of a file"
    path.unlink()
    if special == "pipe":
        os.mkfifo(path)
    elif special == "socket":
        place = os.open(path.parent, os.O_RDONLY)  # a short name: sockets allow 108 characters
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"/proc/self/fd/{place}/{path.name}")
        os.close(place)
    elif special == "folder":
        path.mkdir()
    elif special == "loop":
        path.symlink_to(path.name)
    elif special == "leads nowhere":
        path.symlink_to("nothing-there")
    elif special == "not readable":
        path.write_bytes(b"secret")
        path.chmod(0)


class Worker:
    "A process that reads; another takes its place when it ends"

    def __init__(self, files):
        self.files = files  # of every kind, by its name
        self.folder = Path(tempfile.mkdtemp(prefix="fuzz"))
        self.log = self.folder / "log.txt"
        self.process = None

    def start(self):
        "A new process"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(TESTS / "fuzz" / "worker.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                env=os.environ
                | dict(OMP_NUM_THREADS="1", MPLBACKEND="agg", TMPDIR=str(self.folder)),
            )
        if self.answer(START_S) != "ready":
            raise RuntimeError(
                f"the reading process does not start:\n{self.log.read_text()[-2000:]}"
            )

    def answer(self, seconds):
        "The next line; None when it does not come in time, or never"
        with selectors.DefaultSelector() as wait:
            wait.register(self.process.stdout, selectors.EVENT_READ)
            if not wait.select(seconds):
                return None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def stop(self):
        "End the process; its exit code"
        if self.process is None:
            return None
        self.process.stdin.close()
        self.process.kill()
        code = self.process.wait()
        self.process.stdout.close()
        self.process = None
        return code

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self, case):
        "The files of a case in a new folder"
        folder = self.folder / "cases" / "case_of_fuzz"
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, data in self.files[case.kind.name].items():
            (folder / name).write_bytes(data)
        if case.data is None:
            put_special(folder / case.kind.file, case.damage)
        else:
            (folder / case.kind.file).write_bytes(case.data)
        return folder

    def read(self, case):
        "How a case goes"
        folder = self.prepare(case)
        if self.process is None:
            self.start()
        request = dict(kind=case.kind.name, folder=str(folder))
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        details = self.answer(LIMIT_S)
        if details is not None:
            left = details.get("left")
            return Outcome(case, "leftovers" if left else details["result"], details)
        ended = self.process.poll() is not None or self.ends_by_itself()
        code = self.process.poll()
        self.stop()
        result = f"crash ({code})" if ended else "hang"
        return Outcome(case, result, dict(error=self.log.read_text(errors="replace")[-200:]))

    def ends_by_itself(self):
        "Whether the process is about to end: its output is closed"
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            return False
        return True


def cannot_be_made(case):
    "Whether a special file does not exist here: root reads every file"
    return case.damage == "not readable" and case.data is None and os.geteuid() == 0


def run(cases, processes=2) -> list[Outcome]:
    "How all cases go; the processes share them"
    waiting = iter([case for case in cases if not cannot_be_made(case)])
    files = {kind.name: whole_files(kind) for kind in KINDS}
    lock, outcomes, errors = threading.Lock(), [], []

    def work():
        worker = Worker(files)
        try:
            while not errors:
                with lock:
                    case = next(waiting, None)
                if case is None:
                    return
                outcomes.append(worker.read(case))
        except Exception as e:
            errors.append(e)
        finally:
            worker.close()

    threads = [threading.Thread(target=work) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return judged(outcomes)


def judged(outcomes):
    "Accepted files compared with the whole file of their kind"
    whole = {o.case.kind.name: o for o in outcomes if o.case.damage == "none"}
    return [_judged(outcome, whole[outcome.case.kind.name]) for outcome in outcomes]


def _judged(outcome, whole):
    case, result = outcome.case, outcome.result
    if outcome is whole:
        refused = result == "refused" and case.kind.name != "weights"
        return outcome._replace(result="the whole file is refused" if refused else result)
    if result != "accepted" or outcome.details["leaves"] == whole.details.get("leaves"):
        return outcome
    read = Read(
        case.kind.name,
        case.kind.own,
        case.rewritten,
        whole.case.data,
        case.data or b"",
        whole.details["leaves"],
        outcome.details["leaves"],
        outcome.details["warned"] > whole.details["warned"],
    )
    reason = reason_for(read)
    details = outcome.details | dict(reason=reason, changed=changed_values(read))
    return outcome._replace(result=JUSTIFIED if reason else NO_REASON, details=details)


def is_fine(outcome):
    "Whether a file was taken as it has to be"
    return outcome.result in FINE


def show_reasons(outcomes):
    "How many files of each kind were read with other values, by reason"
    counts = Counter(
        (o.case.kind.name, o.details["reason"] or "NONE")
        for o in outcomes
        if o.result in (JUSTIFIED, NO_REASON)
    )
    print("\nread with other values than those of the whole file:")
    for (kind, reason), n in sorted(counts.items()):
        print(f"{n:6d}  {kind:24s} {reason}")
    print("\nin all, by reason:")
    totals = Counter()
    for (_, reason), n in counts.items():
        totals[reason] += n
    for reason, n in totals.most_common():
        print(f"{n:6d}  {reason}")


def show(outcomes):
    "Counts, and what fails grouped by its place"
    print(f"{len(outcomes)} files")
    for result, n in Counter(o.result.split(":")[0] for o in outcomes).most_common():
        print(f"{n:6d}  {result}")
    show_reasons(outcomes)
    groups = defaultdict(list)
    for outcome in outcomes:
        if not is_fine(outcome):
            place = outcome.details.get("at", "")
            groups[outcome.result, place].append(outcome)
    for (result, place), members in sorted(groups.items(), key=lambda g: -len(g[1])):
        kinds = Counter(o.case.kind.name for o in members)
        listed = ", ".join(f"{kind} ({n})" for kind, n in kinds.items())
        print(f"\n{len(members)} x {result} {place}: {listed}")
        for o in members[:3]:
            print(
                f"      {o.case.kind.name}, {o.case.damage}: {o.details.get('error', '')[:200]!r}"
                f" {o.details.get('left') or ''}"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="only one case in so many")
    parser.add_argument("--kind", default="", help="only kinds with this in their name")
    parser.add_argument("--processes", type=int, default=2, help="processes that read")
    parser.add_argument("--json", default="", help="write all outcomes into this file")
    args = parser.parse_args()
    begun = time.time()
    kinds = [kind for kind in KINDS if args.kind in kind.name]
    cases = [c for i, c in enumerate(corpus(kinds)) if i % args.every == 0 or c.damage == "none"]
    outcomes = run(cases, args.processes)
    show(outcomes)
    if args.json:
        rows = [
            o.details | dict(kind=o.case.kind.name, damage=o.case.damage, result=o.result)
            for o in outcomes
        ]
        Path(args.json).write_text(json.dumps(rows, indent=0))
    failed = sum(not is_fine(o) for o in outcomes)
    print(f"\n{failed} of {len(outcomes)} failed; {time.time() - begun:.0f} s")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
