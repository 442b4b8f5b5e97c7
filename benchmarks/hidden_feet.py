"""How often the picture does not change where a moving foot is found: rendered clips as they are, and
with a bar drawn over the lowest part of the feet. The limits of `pose2d.hidden_feet` were chosen on
these.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.pose2d import tracker
from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.hidden_feet import FEET, FeetInPicture, unchanged_share
from runningpose.video.reader import read_frames
from runningpose.video.writer import VideoWriter

BARS = (  # clip, height of the bar above the lowest joint, px
    ("run400_m1_side", 40),
    ("welk_f1_side", 40),
    ("run400_m1_side", 100),
    ("welk_f1_obl45", 100),
)
BAR_GREY = 40


class RecordedFeet(FeetInPicture):
    "Keeps the shares of the last clip"

    shares = np.zeros(0)

    def confidence(self, times):
        compared = np.array(self.compared).reshape(-1, 6)
        RecordedFeet.shares = unchanged_share(compared, FEET, times)
        return super().confidence(times)


def lowest_joint(video):
    "The lowest place of a joint in a clip, px from the top"
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as clip:
        joints = clip["xyz"].reshape(-1, 3) @ clip["R"].T + clip["t"]
        x, y, z = (joints @ clip["K"].T).T
    return (y / z).max()


def with_bar(video, height, out):
    "A copy of a clip whose rows from a place above the lowest joint on are grey"
    first = int(lowest_joint(video) - height)
    pictures = [frame.rgb() for frame in read_frames(video)]
    h, w = pictures[0].shape[:2]
    with VideoWriter(out, w, h, 60, crf=10, preset="veryfast") as writer:
        for picture in pictures:
            hidden = np.full_like(picture[first:], BAR_GREY)
            writer.write(np.concatenate([picture[:first], hidden]))
    return out


def shares_of(video):
    "Lowest and highest share in any two seconds of a clip"
    infer_video(video, progress=False)
    return dict(lowest=RecordedFeet.shares.min(), highest=RecordedFeet.shares.max())


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    bars_only: bool = False,  # Only the clips with a bar
    out: str = None,  # CSV file to write
):
    "One row per clip"
    tracker.FeetInPicture = RecordedFeet
    folder, rows = Path(data), []
    for video in tqdm([] if bars_only else sorted(folder.glob("*.mp4"))):
        rows.append(dict(clip=video.stem, bar_px=0) | shares_of(video))
    with TemporaryDirectory() as made:
        for clip, height in tqdm(BARS):
            video = with_bar(folder / f"{clip}.mp4", height, Path(made) / "bar.mp4")
            rows.append(dict(clip=clip, bar_px=height) | shares_of(video))
    df = pd.DataFrame(rows).round(2)
    print(df.sort_values("highest", ascending=False).to_string(index=False))
    if out:
        df.to_csv(out, index=False)
