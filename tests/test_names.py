"""Names of files with markup, quotes, line ends, formulas and places of a template:
they stay text in every page, and break no table.
"""

import csv
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.cli.lifter import runningpose_evaluate
from runningpose.files.opensim import load_trc, save_mot
from runningpose.gait.angles import joint_angles
from runningpose.pipeline.estimate import estimate
from runningpose.pipeline.results import Analysis, findings, provenance, write_results
from runningpose.pose2d.clean import clean
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.show.compare import load_result, sides_as_runs, write_comparison
from runningpose.skeleton import convert, skeleton
from runningpose.synthetic import synthetic_runner
from runningpose.training import evaluate, selection
from runningpose.video.reader import probe
from runningpose.video.writer import VideoWriter

PLAIN = "run"
HOSTILE = "=1+1<img src=x onerror=alert(1)>\"'><script>alert(2)<|script>&amp;{{data}}\r\n\t;x"


class Structure(HTMLParser):
    "Elements of a page with the names of their attributes, in order"

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, tuple(name for name, _ in attributes)))

    def handle_data(self, data):
        self.text += data


def analysis(video, height=360):
    "A synthetic runner, said to be seen in a video"
    camera = look_at(phone_camera(640, height), [0, -4.5, 1.1], [0, 0, 1.0])
    run = synthetic_runner(3.0, seconds=3, treadmill=True, fps=30)
    px = convert(project(pose_arrays(run.pose)[0], camera), skeleton("runningpose_22"), "halpe_26")
    with VideoWriter(video, 640, height, 30) as writer:
        for _ in range(len(px)):
            writer.write(np.full((height, 640, 3), 215, np.uint8))
    size = dict(image_width=640, image_height=height)
    kp2d = clean(poses_dataset(px, time=run.pose.time.values, fps=30.0, video=video.name, **size))
    got = estimate(kp2d)
    record = provenance(probe(video), dict(note=video.name)) | findings(kp2d, got)
    record |= dict(warnings=[f"About {video.name}."], timings={})
    tables = (got.angles, got.events, got.steps, got.metrics)
    return Analysis(video, kp2d, kp2d, got.pose3d, *tables, record)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    "The same run under a plain and a hostile name, with its folder"
    folder, made = tmp_path_factory.mktemp("names"), {}
    for name in (PLAIN, HOSTILE):
        result = analysis(folder / f"{name}.mp4")
        write_results(result, folder / f"{name}_out", overlay=False, progress=False)
        made[name] = result
    return made


def compared(result):
    left, right = sides_as_runs(load_result(result.folder))
    return write_comparison(result.folder.parent / "compared.html", left, right).read_text()


def report(result):
    return (result.folder / "report.html").read_text()


@pytest.mark.parametrize("page", (report, compared, Analysis._repr_html_))
def test_pages(results, page):
    "A hostile name adds no element and no attribute, and is shown as it is"
    plain, hostile = (Structure(page(results[name])) for name in (PLAIN, HOSTILE))
    assert hostile.elements == plain.elements
    assert "<img src=x onerror=alert(1)>" in hostile.text and "{{data}}" in hostile.text


def test_tables(results):
    "No cell that a spreadsheet takes for a formula, and as many cells as under a plain name"
    for plain in results[PLAIN].folder.glob("*.csv"):
        files = (plain, results[HOSTILE].folder / plain.name)
        rows = [list(csv.reader(file.open(newline=""))) for file in files]
        assert [[len(row) for row in table] for table in rows][0] == [len(row) for row in rows[1]]
        for cell in (cell for row in rows[1] for cell in row):
            if cell[:1] in ("=", "+", "@", "\t", "-"):
                float(cell)


def test_two_people_compared(results, tmp_path):
    "The page that compares two runs, where each has a hostile name"
    pages = []
    for name in (PLAIN, HOSTILE):
        result = load_result(results[name].folder)
        other = dict(result, name=f"{result['name']} 2")
        page = write_comparison(tmp_path / "two.html", result, other).read_text()
        pages.append(Structure(page))
    assert pages[0].elements == pages[1].elements
    assert pages[1].text.count("<img src=x onerror=alert(1)>") >= 2


def test_tables_of_errors(tmp_path, monkeypatch, capsys):
    "`runningpose_evaluate --out`: people and clips with hostile names"
    people = [HOSTILE, "=1+1", "two\nlines", "+49"]
    errors = pd.DataFrame(dict(person=people, clip=people, error=[-1.0, 2.0, 3.0, 4.0]))
    monkeypatch.setattr(selection, "test_motions", lambda data, person: ["a motion"])
    monkeypatch.setattr(evaluate, "evaluate", lambda motions, checkpoint, **options: errors)
    monkeypatch.setattr(evaluate, "summary", lambda errors: errors[["error"]])
    monkeypatch.setattr(evaluate, "unfinished_training", lambda checkpoint: "")
    file = tmp_path / "errors.csv"
    runningpose_evaluate("set", "test", "lifter", out=str(file))
    with file.open(newline="", encoding="utf-8") as f:
        head, *rows = csv.reader(f)
    assert [len(row) for row in rows] == [len(head)] * 4
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+@\t\r\n"))]
    assert rows[0][0] == f"'{HOSTILE}" and rows[2][0] == "two\nlines"


def test_no_place_for_the_errors(tmp_path, monkeypatch, capsys):
    "Found before the work, and nothing is left"
    monkeypatch.setattr(selection, "test_motions", lambda data, person: pytest.fail("work"))
    (tmp_path / "folder").mkdir()
    for out in ("none/errors.csv", "folder", "a" * 300):
        with pytest.raises(SystemExit) as stop:
            runningpose_evaluate("set", "test", "lifter", out=str(tmp_path / out))
        assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_opensim(results):
    "A line end in a name is none in the header"
    folder = results[HOSTILE].folder
    odd = folder / "a\nb\tc"
    angles = joint_angles(results[HOSTILE].pose3d)
    assert save_mot(angles, odd).read_text().splitlines()[:2] == ["a b c", "version=1"]
    assert load_trc(folder / "pose3d.trc").sizes["time"] == 90
