"""Three clips in one batch: a small sprinter in held pictures whose time is in doubt, an ordinary
run from the side, and a run there and back. The index and the table show no number that the reports
withhold, and how many warnings each report has. The 2D detector is a toy.
"""

import json
import re
from html import unescape
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.pipeline.batch import SUMMARY_METRICS, run_batch
from runningpose.pose2d.backend import BACKENDS
from runningpose.poses import like, pose_arrays, poses_dataset
from runningpose.show.tables import format_number
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import VideoWriter

SIZE = (640, 360)


class Film(NamedTuple):
    "A video and what the detector finds in it"

    pose: object  # World poses, one per picture
    eye: list  # Where the camera is, m
    target: list  # Where it looks, m
    fps: float  # Hz
    held: int = 1  # Pictures in a row that are the same


def turned_round(pose, frame):
    "The same person turned round on the spot at a frame"
    x = pose_arrays(pose)[0].astype(float)
    x[frame:, :, 0] = 2 * x[frame, :, 0].mean() - x[frame:, :, 0]
    x[frame:, :, 1] *= -1
    return like(pose, x)


def films():
    "Four times too slow and far away; as it was; there and back"
    sprint = synthetic_runner(5.0, seconds=1.2, fps=240, treadmill=True).pose
    side = synthetic_runner(3.0, seconds=3, fps=30, treadmill=True).pose
    shuttle = turned_round(synthetic_runner(3.0, seconds=8, fps=30).pose, 120)
    return dict(
        sprinter=Film(sprint, [0, -14.0, 1.1], [0, 0, 1.0], 60, held=2),
        side=Film(side, [0, -4.5, 1.1], [0, 0, 1.0], 30),
        shuttle=Film(shuttle, [6, -12.0, 1.3], [6, 0, 1.0], 30),
    )


@pytest.fixture
def batch(tmp_path, monkeypatch):
    "The folder of the results"
    points = {}
    for name, film in films().items():
        camera = look_at(phone_camera(*SIZE), film.eye, film.target)
        px = project(pose_arrays(film.pose)[0].astype(float), camera)
        points[name] = convert(px, "runningpose_22", "halpe_26")
        write_film(tmp_path / "in" / f"{name}.mp4", len(px), film)

    def planted(clip, **options):
        index = [frame.index for frame in clip.frames()]
        size = dict(image_width=SIZE[0], image_height=SIZE[1])
        facts = dict(backend="planted", frames_lost=0, video=clip.path.name)
        found = points[clip.path.stem][index]
        return poses_dataset(found, time=clip.times, fps=clip.fps, **facts, **size)

    monkeypatch.setitem(BACKENDS, "blazepose", planted)
    table = run_batch([tmp_path / "in"], tmp_path / "out", overlay=False, progress=False)
    assert list(table.status) == ["done"] * 3, table.error
    return tmp_path / "out"


def write_film(path, frames, film):
    "Grey pictures, some of them shown several times"
    path.parent.mkdir(exist_ok=True)
    with VideoWriter(path, *SIZE, film.fps) as writer:
        for i in range(frames):
            grey = 60 + 7 * (i // film.held) % 120
            writer.write(np.full((SIZE[1], SIZE[0], 3), grey, np.uint8))


def index_rows(page):
    "Texts of the cells of each video"
    rows = re.findall("<tr>(<td>.*?)</tr>", page)
    texts = [
        [unescape(" ".join(re.sub("<[^>]+>", " ", td).split())) for td in r.split("</td>")]
        for r in rows
    ]
    return {row[0].split(".mp4")[0]: row for row in texts}


def test_the_index_shows_what_the_reports_show(batch):
    rows = index_rows((batch / "index.html").read_text())
    summary = pd.read_csv(batch / "summary.csv").set_index("folder")
    assert set(rows) == {"sprinter", "side", "shuttle"}
    for name, row in rows.items():
        record = json.loads((batch / name / "run.json").read_text())
        metrics = pd.read_csv(batch / name / "metrics.csv")
        value = metrics[metrics.side == "both"].set_index("metric").value
        (listed,) = (line for folder, line in summary.iterrows() if folder.endswith(name))
        assert row[2] == str(len(record["warnings"])) == f"{listed.warnings:.0f}"
        columns = [metric for metric in SUMMARY_METRICS if metric in summary]
        for metric, cell in zip(columns, row[3:], strict=False):
            assert cell == format_number(value[metric]), (name, metric)
            assert np.isnan(value[metric]) == np.isnan(listed[metric]), (name, metric)
    timed = [3 + columns.index(metric) for metric in ("cadence", "speed", "contact_time")]
    assert {rows["sprinter"][i] for i in timed} == {format_number(np.nan)}
    assert "time in doubt: try --real-fps" in rows["sprinter"][0]
    warnings = json.loads((batch / "sprinter" / "run.json").read_text())["warnings"]
    assert any("the picture before them once more" in warning for warning in warnings), warnings
    for name in ("side", "shuttle"):
        assert float(rows[name][3 + columns.index("speed")]) == pytest.approx(3.0, rel=0.1)
