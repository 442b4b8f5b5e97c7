"""A process that reads one file after the other and says how each went. The parent ends it when it
hangs; a reader that brings it down is known by its end."""

import json
import os
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
GB = 2**30
MEMORY = 2 * GB  # above what the process has after its imports, bytes
FILLED = GB // 2  # memory that a file may fill which asked for more than there is, bytes


def answer_alone():
    "Where answers go; what libraries print goes to the error stream"
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def memory_of_process(key):
    "A size of this process, bytes; 0 where the system does not say"
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith(key))
    return 1024 * int(line.split()[1])


def limit_memory(base, more):
    "From now on a reader that asks for more than that gets a MemoryError"
    if base:
        resource.setrlimit(resource.RLIMIT_AS, (base + more, resource.RLIM_INFINITY))


def read_again_with_more(kind, folder, base):
    """
    How a file goes that asked for more than there was, when there is twice as much

    A length that cannot be is asked for in one piece, and none of it is ever filled: that is
    refused, and costs nothing. What fills the memory is a failure.
    """
    limit_memory(base, 2 * MEMORY)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
    before = memory_of_process("VmRSS")
    outcome = read(kind, folder)
    limit_memory(base, MEMORY)
    filled = memory_of_process("VmHWM") - before
    return outcome | (dict(result=f"memory: {filled / GB:.1f} GB") if filled > FILLED else {})


def contents(folder):
    "What is in a folder: the size of every file"
    return {
        str(p.relative_to(folder)): p.lstat().st_size if p.is_file() else 0
        for p in sorted(folder.rglob("*"))
    }


def without_place(found, folder):
    "What was read, without the folder in its texts, which is another in each process"
    return json.loads(json.dumps(found).replace(json.dumps(str(folder))[1:-1], ""))


def read(kind, folder):
    "Read one file; how it went"
    from fuzz.verdict import fault_of, leaves, memory_ran_out, refusal_fault

    file = folder / kind.file
    opened = file if kind.opened is None else folder / kind.opened
    outcome = dict(result="", error="", leaves={}, warned=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            value = kind.read(opened)
        except ImportError as e:
            outcome |= dict(result="not installed", error=str(e))
        except BaseException as e:
            fault = refusal_fault(e, file)
            trace = traceback.extract_tb(e.__traceback__)
            where = next((f for f in reversed(trace) if "runningpose" in f.filename), trace[-1])
            at = f"{Path(where.filename).name}:{where.lineno}"
            outcome |= dict(
                result=fault or "refused", error=f"{type(e).__name__}: {str(e)[:300]}", at=at
            )
            outcome["memory"] = memory_ran_out(e)
        else:
            fault = "" if kind.free else fault_of(value)
            result = f"wrong: {fault}" if fault else "accepted"
            outcome |= dict(result=result, leaves=without_place(leaves(value), folder), value=value)
    ours = [w for w in said if issubclass(w.category, UserWarning)]
    info = getattr(outcome.pop("value", None), "info", None)  # of a video
    missing = getattr(info, "missing", 0) or len(getattr(info, "notes", ()))
    return outcome | dict(warned=len(ours) + missing)


def serve(answers):
    "Read what the parent names, line by line"
    from fuzz.kinds import KINDS

    kinds = {kind.name: kind for kind in KINDS}
    base = memory_of_process("VmSize")
    limit_memory(base, MEMORY)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        folder = Path(request["folder"])
        before, begun = contents(folder), time.monotonic()
        outcome = read(kinds[request["kind"]], folder)
        if outcome.get("memory"):
            outcome = read_again_with_more(kinds[request["kind"]], folder, base)
        left = sorted(contents(folder).items() ^ before.items())
        outcome |= dict(seconds=time.monotonic() - begun, left=[name for name, _ in left][:3])
        print(json.dumps(outcome), file=answers, flush=True)


if __name__ == "__main__":
    serve(answer_alone())
