"The model card is what its script writes, and its figures are those that the pages show."

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from runningpose.training.evaluate import published_results

ROOT = Path(__file__).resolve().parent.parent
CARD = (ROOT / "checkpoint" / "README.md").read_text(encoding="utf-8")


def test_card_is_up_to_date(tmp_path):
    card = tmp_path / "README.md"
    script = ROOT / "benchmarks" / "model_card.py"
    subprocess.run([sys.executable, script, "--out", card], check=True, capture_output=True)
    assert card.read_text(encoding="utf-8") == CARD


def test_card_rounds_as_the_pages_do():
    "Halves too: 5.55 is the same figure in the card and in the README's table"
    folds = pd.DataFrame(published_results()["folds"]).rename(columns={"left out": "person"})
    folds = folds.query("keypoints == 'blazepose' and group == 'runners'")
    for row in folds.round(1).itertuples():
        figures = (row.MPJPE, row.N_MPJPE, row.P_MPJPE, row.feet, row.strike_height, row.knee)
        figures = (*figures, row.hip, row.ankle, row.trunk)
        cells = " | ".join("–" if np.isnan(x) else f"{x:.1f}" for x in figures)
        assert f"| {row.person} | {cells} |" in CARD


def test_frames_of_the_real_video_are_counted():
    real = pd.read_csv(ROOT / "checkpoint" / "real.csv")
    (frames,) = set(real.frames.astype(int))
    assert f"{frames} scored frames per view" in CARD and f"{frames} frames per view, no" in CARD


def test_every_gait_table_names_its_machine_and_date():
    gait = json.loads((ROOT / "checkpoint" / "gait.json").read_text())
    for table in gait.values():
        assert f"{table['date']}, {table['cpu']}" in CARD
