"""Which networks never saw a person: the lifters leave out the folds of `training.folds`;
checkpoint/folds/people.json names whom the correctors left out.
"""

import json
from pathlib import Path

import numpy as np

from runningpose.files.network_files import checkpoint_file
from runningpose.training.folds import fold_of

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"
SHIPPED = dict(lifters="lifter", correctors="corrector")


def people():
    "What checkpoint/folds/people.json says"
    return json.loads((CHECKPOINT / "folds" / "people.json").read_text())


def person_of(video):
    "Whose motion a rendered clip shows; the older clips do not name their person"
    with np.load(Path(video).with_suffix(".npz"), allow_pickle=False) as clip:
        if "person" in clip.files:
            return str(clip["person"])
    stem = Path(video).stem
    return next(person for start, person in people()["clips"].items() if stem.startswith(start))


def never_saw(
    person,  # Name of a person
    kind,  # 'lifters' or 'correctors'
):
    "The network to score a person with; ValueError if every one saw the person"
    if kind == "lifters" and fold_of(person):
        return CHECKPOINT / "folds" / f"without_{fold_of(person)}"
    for name, unseen in people().get(kind, {}).items():
        if person in unseen:
            return CHECKPOINT / name
    shipped = CHECKPOINT / SHIPPED[kind]
    facts = json.loads(checkpoint_file(shipped, ".json").read_text())["training"]
    if person in facts["subjects"]:
        raise ValueError(f"the shipped of the {kind} was trained on {person}, and no fold was not")
    return shipped
