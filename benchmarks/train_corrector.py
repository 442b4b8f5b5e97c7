"""Train the shipped corrector and the correctors that leave some people out (see
checkpoint/folds/people.json); an interrupted run resumes, and `--ship` puts what is finished into
checkpoint/.
"""

from pathlib import Path

from fastcore.script import call_parse
from folds import CHECKPOINT, people

from runningpose.files.network_files import checkpoint_file
from runningpose.pose2d.corrector import CorrectorConfig, load_corrector, save_corrector
from runningpose.training.detector_pairs import PairBank, read_pairs
from runningpose.training.train_corrector import corrector_check, corrector_errors, train_corrector


def runs():
    "Name in checkpoint/ of every corrector, and whom it must not see"
    return {"corrector": []} | people()["correctors"]


def is_finished(path):
    "Whether a run reached its last step"
    file = checkpoint_file(path)
    return file.exists() and load_corrector(file).config.training.get("finished", False)


def one(name, pairs, unseen, out, steps):
    "One run, resumed if there is a state"
    path = out / Path(name).name
    if is_finished(path):
        return print(f"{path} is complete", flush=True)
    test = [pair for pair in pairs if pair.person in unseen]
    bank = PairBank(pair for pair in pairs if pair.person not in unseen)
    cfg = CorrectorConfig(training=dict(left_out=sorted(unseen), data="detector pairs"))
    net, _ = train_corrector(
        bank,
        steps,
        path,
        cfg,
        resume=checkpoint_file(path, ".state").exists(),
        check=corrector_check(test[::3]) if test else None,
    )
    if test:
        print(name, corrector_errors(net, test).round(2).to_string(), sep="\n", flush=True)


@call_parse
def main(
    data: str,  # Folder with the detector pairs
    out: str = "runs",  # Folder for the runs
    steps: int = 3000,  # Steps of each run; 1500 are too few for rare views, such as from behind
    only: str = None,  # Name of one run: corrector, corrector_a, ...
    ship: bool = False,  # Put finished runs into checkpoint/, in half precision; train nothing
):
    "Every corrector, one after the other"
    out = Path(out)
    if ship:
        for name in runs():
            if is_finished(out / Path(name).name):
                net, cfg, _ = load_corrector(out / Path(name).name)
                print(save_corrector(CHECKPOINT / name, net, cfg, half=True))
        return
    pairs = read_pairs(data)
    for name, unseen in runs().items():
        if only in (None, Path(name).name):
            one(name, pairs, unseen, out, steps)
