"""A training that is killed, at any moment, leaves whole files and goes on as if nothing had
happened. One process with everything imported is started; it forks a training for every kill.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

STEPS, EVERY = 6, 2
RENAMES = 5  # files that get their name in one saving
OTHERS, TIMES = 3, 3  # kills at other file operations, and at random times
SEED = 20261129
MODIFYING = {"os.rename", "os.remove", "open"}  # audit events that are counted


def test_killed_trainings_resume():
    if not hasattr(os, "fork"):
        pytest.skip("signals of POSIX are needed")
    run = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.split() == ["killed", str(RENAMES + OTHERS + TIMES)]


def training():
    "A function that trains a tiny network into a folder"
    from runningpose.lifting.checkpoint import LifterConfig
    from runningpose.synthetic import synthetic_runner
    from runningpose.training.sources import from_poses
    from runningpose.training.train import early_stopping_check, train

    people = [from_poses(synthetic_runner(v, seconds=2).pose, "run", f"p{v}") for v in (2, 3, 4)]
    check = early_stopping_check(people[2:], windows=2, frames=2)

    def run(folder, resume=False):
        cfg = LifterConfig(widths=(3, 3), channels=8)
        options = dict(batch=2, frames=4, progress=False, check=check, patience=STEPS)
        train(people[:2], STEPS, folder / "run", cfg, resume, EVERY, **options)

    return run


def kill_at_file_operation(run, folder, number):
    "Train in a process that ends, without a word, before its file operation of this number"
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    count = iter(range(number))

    def hook(event, arguments):
        is_ours = event in MODIFYING and str(folder) in str(arguments[0])
        if is_ours and next(count, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    run(folder)
    os._exit(0)


def kill_at_time(run, folder, seconds):
    "Train in a process that is killed after some time"
    child = os.fork()
    if not child:
        run(folder)
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def result(folder):
    "Weights, description and losses of a run"
    description = json.loads((folder / "run.json").read_text())
    history = json.loads((folder / "run.history.json").read_text())
    losses = [{k: v for k, v in entry.items() if k != "seconds"} for entry in history]
    return (folder / "run.safetensors").read_bytes(), description, losses


def check_what_is_left(folder, whole):
    "What a kill has left is whole, and only a finished lifter says that it is finished"
    from runningpose.lifting.checkpoint import load_checkpoint

    if not (folder / "run.json").exists():
        return
    facts = load_checkpoint(folder / "run").config.training
    assert facts["step"] % EVERY == 0
    assert facts["finished"] == (facts["step"] == STEPS)
    assert facts == whole[1]["training"] or not facts["finished"]


def check_that_it_goes_on(run, folder, whole):
    "The command that the user repeats ends as the run that nobody killed"
    run(folder, resume=(folder / "run.state").exists())
    assert result(folder) == whole
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["run.history.json", "run.json", "run.safetensors", "run.state"]


def file_operations(run, folder):
    "Audit events of a whole training; the hook stays installed, but records no more"
    events = []
    counting = True

    def hook(event, arguments):
        if counting and event in MODIFYING and str(folder) in str(arguments[0]):
            events.append(event)

    sys.addaudithook(hook)
    run(folder)
    counting = False
    return events


def moments(events, chance):
    "Numbers of file operations: all renames of one later saving, and some others"
    renames = [number for number, event in enumerate(events) if event == "os.rename"]
    assert len(renames) == RENAMES * STEPS // EVERY
    saving = RENAMES * chance.randrange(1, STEPS // EVERY)
    others = sorted(set(range(len(events))) - set(renames))
    return renames[saving : saving + RENAMES] + chance.sample(others, OTHERS)


def main():
    chance, run = random.Random(SEED), training()
    with tempfile.TemporaryDirectory() as top:
        folders = (Path(top) / str(number) for number in range(100))
        folder = next(folders)
        events = file_operations(run, folder)
        whole = result(folder)
        began = time.time()
        run(next(folders))
        seconds = time.time() - began
        for number in moments(events, chance):
            folder = next(folders)
            assert kill_at_file_operation(run, folder, number), number
            check_what_is_left(folder, whole)
            check_that_it_goes_on(run, folder, whole)
        for _ in range(TIMES):
            folder = next(folders)
            kill_at_time(run, folder, chance.uniform(0, seconds))
            check_what_is_left(folder, whole)
            check_that_it_goes_on(run, folder, whole)
    print("killed", RENAMES + OTHERS + TIMES)


if __name__ == "__main__":
    main()
