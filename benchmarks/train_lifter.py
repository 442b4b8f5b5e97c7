"""Train the shipped lifter and the three that leave a fold of people out; an interrupted run
resumes.

Each is trained on all shared motion capture, a crowd of synthetic people and the pairs of real
detections and truth. The pairs are corrected by the corrector that never saw their people, as the
keypoints of a new video are.
"""

from functools import partial
from pathlib import Path

import numpy as np
from fastcore.script import Param, call_parse
from folds import CHECKPOINT, never_saw
from tqdm import tqdm

from runningpose.lifting.checkpoint import LifterConfig, checkpoint_file
from runningpose.pose2d.correct import correct
from runningpose.training.detector_pairs import read_pairs
from runningpose.training.folds import fold_of, leave_fold_out
from runningpose.training.measured_errors import ErrorBank
from runningpose.training.mixed_training import MixedTrainer
from runningpose.training.mocap_people import load_all_mocap, with_rules
from runningpose.training.real_pairs import RealBank, RealPair, real_pair
from runningpose.training.runner_model import fit_runner_model
from runningpose.training.sources import synthetic_crowd
from runningpose.training.train import train

EVERYBODY = "final"
CROWDS = ["formulas", "people"]


def corrector_for(person):
    "The corrector that never saw a person; the shipped one for walkers, whom all of them saw"
    try:
        return never_saw(person, "correctors")
    except ValueError:
        return CHECKPOINT / "corrector"


def corrected_pairs(folder, cache):
    "All pairs, each corrected by the corrector that left its person out; kept in a file"
    if not cache.exists():
        lifted = [
            real_pair(pair, partial(correct, path=corrector_for(pair.person)))
            for pair in tqdm(read_pairs(folder), desc="pairs")
        ]
        fields = {f: [getattr(p, f) for p in lifted] for f in RealPair._fields}
        lengths = [len(seen) for seen in fields["seen"]]
        arrays = {f: np.concatenate(fields[f]) for f in ("slopes", "seen", "joints")}
        np.savez(cache, lengths=lengths, name=fields["name"], person=fields["person"], **arrays)
    with np.load(cache) as kept:
        ends = np.cumsum(kept["lengths"])[:-1]
        parts = [np.split(kept[f], ends) for f in ("slopes", "seen", "joints")]
        people = zip(map(str, kept["name"]), map(str, kept["person"]))
        return [RealPair(*who, *clip) for who, *clip in zip(people, *parts)]


def synthetic_people(motions, n, crowd_model):
    "Runners of formulas, or drawn from a model of the people in the motions; walkers of formulas"
    crowd = synthetic_crowd(n)
    if crowd_model == "formulas":
        return crowd
    walkers = [m for m in crowd if m.name.startswith("walk")]
    return walkers + fit_runner_model(motions).sample(n - len(walkers))


def training_motions(motions, fold, crowd, crowd_model, people=None):
    "Motions of everybody who is not left out, or of some people only, and the crowd"
    if people is not None:
        motions = [m for m in motions if m.subject in people]
    if fold != EVERYBODY:
        motions = leave_fold_out(motions, fold).train
    return [*motions, *(with_rules(m) for m in synthetic_people(motions, crowd, crowd_model))]


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    fold: str = EVERYBODY,  # Who is left out: A, B, C, or nobody (final)
    steps: int = 3500,  # Steps
    out: str = "runs",  # Folder for the runs
    start: str = None,  # Lifter to begin with; none of the people left out may have been in it
    channels: int = 512,  # Width of the network
    batch: int = 48,  # Windows per step
    frames: int = 64,  # Predicted frames per window
    pair_share: float = 1 / 3,  # Share of the windows that are real detections
    penalty: float = 5.0,  # Penalty on the offsets of the joint definitions, see `MixedOptions`
    crowd: int = 200,  # Synthetic people
    crowd_model: Param(
        "Their runners: of formulas, or of a model of people", str, choices=CROWDS
    ) = "formulas",
    measured_errors: bool = False,  # The virtual detector errs as in the pairs
    people: str = None,  # Only these people's recordings, by names with commas between them
    lr: float = 1e-3,  # Peak learning rate
    threads: int = None,  # CPU threads; as many as there are idle cores when not given
):
    "One run, resumed if there is a state"
    data, out = Path(data), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    pairs = corrected_pairs(data / "detector_pairs", out / "pairs.npz")
    pairs = [p for p in pairs if fold == EVERYBODY or fold_of(p.person) != fold]
    only = people.split(",") if people else None
    motions = training_motions(load_all_mocap(data / "mocap"), fold, crowd, crowd_model, only)
    facts = dict(
        left_out="none" if fold == EVERYBODY else f"fold {fold}",
        data=f"shared mocap, {crowd} synthetic people, {len(pairs)} clips of real detections",
        crowd=crowd,
        crowd_model=crowd_model,
        measured_errors=measured_errors,
    )
    name = out / fold
    cfg = LifterConfig(channels=channels, training=facts)
    _, history = train(
        motions,
        steps,
        name,
        cfg,
        resume=checkpoint_file(name, ".state").exists(),
        every=200,
        trainer=MixedTrainer,
        threads=threads,
        pairs=RealBank(pairs),
        errors=ErrorBank(pairs) if measured_errors else None,
        pair_share=pair_share,
        definition_penalty=penalty,
        batch=batch,
        frames=frames,
        lr=lr,
        start=start,
        seed=5,
    )
    print(name, history.tail(1).to_dict("records")[0], flush=True)
