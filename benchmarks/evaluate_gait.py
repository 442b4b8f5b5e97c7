"""Gait against truth: events against force plates, from 3D joints, from lifted 2D and from pixels;
joint angles against inverse kinematics; acceleration in flight; standing feet on real video.

Every lifter is one that never saw the person. `--part` selects one table.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import plated
from clips import machine, published_clips
from evaluate_rendered import POINTS, camera_of, knee, left_out, ours, view_of
from fastcore.script import call_parse
from folds import never_saw, person_of
from tqdm import tqdm

from runningpose.camera import Camera
from runningpose.files.weights import fetch
from runningpose.gait.angles import joint_angles
from runningpose.gait.detectors import DETECTORS, detect_regression, event_stages
from runningpose.gait.events import gait_events
from runningpose.gait.ground import fix_scale_and_path, free_fall, mid_stance
from runningpose.gait.metrics import gait_metrics
from runningpose.gait.scoring import MATCH_WINDOW_S, match_events
from runningpose.gait.steps import step_table
from runningpose.gait.world import to_world, up_axis
from runningpose.lifting.lift import lift
from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.clean import clean, lightly_filtered
from runningpose.pose2d.correct import correct
from runningpose.poses import load_poses, points, pose_arrays, poses_dataset, save_poses
from runningpose.training.evaluate import evaluation_cameras, virtual_keypoints
from runningpose.training.sources import mocap21_to_runningpose22

PEOPLE = {"hamner04": "hamner2013_s04", "hamner2010": "hamner2010_s02", "welk007": "welk007"}
EVENTS = ("foot_strike", "toe_off")


def fold(clip):
    "The lifter that never saw the person of a recording"
    person = next(person for start, person in PEOPLE.items() if clip.startswith(start))
    return never_saw(person, "lifters")


def recording(data, clip, fps=None):
    "World poses of a shared recording at its own rate, or at another one"
    d = np.load(data / "mocap" / "biomech_run.npz", allow_pickle=False)
    i = list(d["clip_id"]).index(clip)
    rate = float(d["fps"][i])
    x = mocap21_to_runningpose22(
        d["xyz"][d["clip_start"][i] :][: d["clip_len"][i]].astype(float), d["joints"]
    )
    t = np.arange(len(x)) / rate
    if fps and fps != rate:
        u = np.arange(0, t[-1], 1 / fps)
        x = np.stack([np.interp(u, t, c) for c in x.reshape(len(x), -1).T], -1).reshape(
            len(u), 22, 3
        )
        t = u
    return poses_dataset(
        x, skeleton="runningpose_22", time=t, fps=fps or rate, frame="world", height=1.75
    )


def filmed(pose, cam, seed):
    "Cleaned 2D keypoints of a runner in front of a camera, with 0.6 % white noise"
    return clean(
        virtual_keypoints(
            pose_arrays(pose)[0].astype(float),
            cam,
            fps=pose.attrs["fps"],
            rng=np.random.default_rng(seed),
        )[0]
    )


def match(found, truth):
    "Error of every true event, s (NaN: missed), and the number of invented ones"
    pairs = match_events(found, truth)
    spans = truth.groupby(["side", "event"]).time.agg(["min", "max"])
    alone = pairs[pairs.true.isna()].join(spans, on=["side", "event"])
    near = alone.found.between(alone["min"] - MATCH_WINDOW_S, alone["max"] + MATCH_WINDOW_S)
    rows = pairs[pairs.true.notna()]
    rows = rows.assign(time=rows.true, error=rows.found - rows.true, extra=int(near.sum()))
    return rows[["side", "event", "time", "error", "extra"]]


def contacts(e):
    """True contact times and their errors, s: of each strike with the toe-off that follows on the
    same foot
    """
    out = []
    for _, g in e.sort_values("time").groupby("side"):
        r = g.to_dict("records")
        out += [
            (b["time"] - a["time"], b["error"] - a["error"])
            for a, b in zip(r, r[1:], strict=False)
            if a["event"] == "foot_strike"
        ]
    return np.array(out).reshape(-1, 2)


def figures(e, by="clip"):
    "Bias and RMSE of strikes, toe-offs and contacts in ms, cadence in %"

    def one(g):
        out: dict = {}
        for k in EVENTS:
            x = 1000 * g[g.event == k].error
            out |= {f"{k} bias": x.mean(), f"{k} RMSE": np.sqrt((x**2).mean())}
        c = np.concatenate([contacts(h) for _, h in g.groupby(["clip", "view"])])
        ok = ~np.isnan(c[:, 1])
        c = c[ok]
        steps = [
            pd.DataFrame(h).query('event=="foot_strike"').sort_values("time")
            for _, h in g.groupby(["clip", "view"])
        ]
        rate = [
            100 * (np.diff(h.time).mean() / np.diff(h.time + h.error).mean() - 1)
            for h in steps
            if len(h) > 2 and h.error.notna().all()
        ]
        out |= {"cadence % (worst)": max(map(abs, rate), default=np.nan)}
        out |= {
            "contact RMSE": 1000 * np.sqrt((c[:, 1] ** 2).mean()),
            "contact %": 100 * c[:, 1].mean() / c[:, 0].mean(),
            "n": len(g),
            "missed": int(g.error.isna().sum()),
        }
        return pd.Series(out | {"extra": int(g.groupby(["clip", "view"]).extra.first().sum())})

    return pd.DataFrame({k: one(g) for k, g in e.groupby(by)} | {"all": one(e)}).T


def plates(data):
    "Force-plate events by clip"
    p = pd.read_csv(data / "mocap" / "force_plate_events.csv").rename(columns=dict(time_s="time"))
    return dict(list(p.groupby("clip_id")))


def left_out_method(person):
    "Name of the detector that was fitted without a person"
    name = f"without {person}"
    if name not in DETECTORS:
        stages = event_stages(json.loads(plated.LEFT_OUT.read_text())[person])
        DETECTORS[name] = partial(detect_regression, stages=stages)
    return name


def on_plates(data, poses_of, method=None, newton=plated.NEWTON, clear=True):
    """Errors of the events of every runner on plates, in whole contacts, by a detector that was
    fitted without the runner, or by a method; clips whose force does not tell 20 N are left out
    """
    out, events = [], plated.plate_events(data, newton)
    for motion in tqdm(plated.motions(data)):
        if clear and not plated.tells_20_newton(data, motion.name):
            continue
        how = method or left_out_method(motion.subject)
        about = dict(clip=motion.name, person=motion.subject)
        for view, pose in poses_of(motion):
            truth = whole(events[motion.name], pose.time.values, edge=0.1)
            e = match(gait_events(pose, method=how), truth)
            out.append(e.assign(view=view, **about))
    return pd.concat(out)


def from_joints(data, **how):
    "Errors from recorded joints"
    return on_plates(data, lambda motion: [(0, plated.recorded(motion))], **how)


def from_lifted(data, fps, views=8, cache=None, **how):
    "Errors from 2D that was projected, cleaned and lifted"

    def poses_of(motion):
        for view in range(0, 8, 8 // views):
            yield view, plated.lifted(motion, fps, view, never_saw, cache)

    return on_plates(data, poses_of, **how)


def knows(person):
    "Whether the events of the package were fitted to a person"
    return person in json.loads(plated.LEFT_OUT.read_text())


def from_pictures(data, cache=None, method=None):
    "Errors of what BlazePose finds in the clips of `detector_pairs`, by their view"
    low = plated.plate_events(data)
    clear = {name for name in low if plated.tells_20_newton(data, name)}
    out = []
    for clip in tqdm([c for c in plated.pair_clips(data) if c.motion in clear]):
        pose = plated.from_detections(clip.file, cache)
        if pose is None:
            continue
        with np.load(clip.file, allow_pickle=False) as content:
            truth = plated.clip_truth(content)
        found = gait_events(pose, method=method or left_out_method(clip.person))
        truth = whole(truth, pose.time.values, edge=0.1)
        about = dict(clip=clip.file.stem, person=clip.person, seen=direction(clip.view))
        out.append(match(found, truth).assign(view=0, **about))
    return pd.concat(out)


def direction(view):
    "Side, front, back or oblique, from a name like yaw137 (0: runs towards the camera)"
    yaw = int(view.removeprefix("yaw"))
    off = min(yaw % 180, 180 - yaw % 180)
    if off > 65:
        return "side"
    return "oblique" if off > 25 else "along"


def from_rendered(data, cache=None, method=None):
    "Errors in the clips c01 to c22 that show somebody on plates, by their view"
    out = []
    for video in tqdm(sorted((data / "rendered").glob("c*.mp4"))):
        d = np.load(video.with_suffix(".npz"), allow_pickle=False)
        if not len(d["plate_events"]):
            continue
        person = person_of(video)
        centres = correct(keypoints(video, cache), never_saw(person, "correctors"))
        lifted = lift(lightly_filtered(centres), float(d["height"]), left_out(video), camera_of(d))
        pose = to_world(lifted)
        found = gait_events(pose, method=method or left_out_method(person))
        truth = whole(plated.clip_truth(d), pose.time.values, edge=0.1)
        about = dict(clip=video.stem, person=person, seen=view_of(video))
        out.append(match(found, truth).assign(view=0, **about))
    return pd.concat(out)


def from_rbds(data, method, *threshold):
    "Errors on RBDS001, to whom nothing was fitted, at a threshold in N and a cut-off in Hz"
    out = []
    for name, pose, true in plated.rbds_runs(data, *threshold):
        truth = whole(true, pose.time.values, edge=0.1)
        found = gait_events(pose, method=method)
        out.append(match(found, truth).assign(view=0, clip=name, person="rbds_001"))
    return pd.concat(out)


def keypoints(video, cache):
    "BlazePose's keypoints of a rendered clip, cached in a folder if one is given"
    if cache:
        Path(cache).mkdir(parents=True, exist_ok=True)
    f = Path(cache) / f"{video.stem}.nc" if cache else None
    if f and f.exists():
        return load_poses(f)
    kp = clean(infer_video(video, progress=False))
    if f:
        save_poses(kp, f)
    return kp


def true_contacts(d):
    "Events of a rendered clip: halfway between the frame without and the frame with contact"
    t, rows = d["time"], []
    for i, side in enumerate(("left", "right")):
        c = d["contact_lr"][:, i].astype(int)
        k = np.flatnonzero(np.diff(c))
        rows += [((t[j] + t[j + 1]) / 2, side, EVENTS[0] if c[j + 1] else EVENTS[1]) for j in k]
    return pd.DataFrame(rows, columns=["time", "side", "event"])


def whole(truth, time, edge=0.12):
    "Events of whole contacts; what lies nearer to an end of the clip does not count"
    e = truth[truth.time.between(time[0] + edge, time[-1] - edge)].sort_values("time")
    keep = []
    for _, g in e.groupby("side"):
        k = g.event.to_list()
        keep += [
            i
            for n, i in enumerate(g.index)
            if (k[n] == EVENTS[0] and n + 1 < len(k)) or (k[n] == EVENTS[1] and n > 0)
        ]
    return e.loc[sorted(keep)]


def plates_below(video, d, data):
    """Force-plate events of the recording that a rendered clip shows, in the time of the clip,
    whose start is found by matching the knee angles; None where there are none
    """
    clip = f"hamner04_{video.stem.split('_')[0]}"
    truth = plates(data).get(clip)
    names = [str(n) for n in d["joints"]]
    if truth is None:
        return None
    p = recording(data, clip)
    t = d["time"] - d["time"][0]
    u = p.time.values
    seen = knee(
        np.stack([d["xyz"][:, names.index(n[0] + "_" + n.split("_")[1])] for n in POINTS], 1)
    )
    full = knee(points(p, *map(ours, POINTS)).swapaxes(0, 1))

    def off(s):
        return np.mean([np.std(seen[:, k] - np.interp(t + s, u, full[:, k])) for k in (0, 1)])

    s = min(np.arange(0, u[-1] - t[-1], 0.001), key=off)
    rms = off(s)
    if rms > 1:
        raise ValueError(
            f"{video.name} does not show {clip}: the knees differ by {rms:.1f} degrees"
        )
    return truth.assign(time=truth.time - s + d["time"][0])


def from_pixels(data, cache=None):
    """Events against the shoes and against the plates, belt speed and oscillation of the rendered
    clips
    """
    out, plate, rows = [], [], []
    for video in tqdm(published_clips(data / "rendered")):
        d = np.load(video.with_suffix(".npz"), allow_pickle=False)
        w, h = (int(v) for v in d["size"])
        K = d["K"]
        height = float(d["height"])
        cam = Camera(w, h, (K[0, 0], K[1, 1]), (K[0, 2] + 0.5, K[1, 2] + 0.5))
        kp = correct(keypoints(video, cache), never_saw(person_of(video), "correctors"))

        def one(k, c=cam, t=height, f=video):
            return to_world(lift(k, t, left_out(f), c))

        fine, world = one(lightly_filtered(kp)), one(kp)
        person = person_of(video)
        method = left_out_method(person) if knows(person) else "regression"
        found = gait_events(fine, method=method)
        truth = true_contacts(d)
        names = [str(n) for n in d["joints"]]
        e = match(found, whole(truth, d["time"])).assign(clip=video.stem, view=0)
        out.append(e)
        forces = plates_below(video, d, data)
        if forces is not None:
            plate.append(match(found, whole(forces, d["time"])).assign(clip=video.stem, view=0))
        m = gait_metrics(world, found).query("side=='both'").set_index("metric").value
        z = d["xyz"][:, names.index("pelvis"), 2]
        belt = float(d.get("belt_speed_true", d["belt_speed"]))
        steps = np.sort(truth[truth.event == "foot_strike"].time)

        def rise(t, z, at):
            return np.mean(
                [np.ptp(z[(t >= a) & (t <= b)]) for a, b in zip(at, at[1:], strict=False)]
            )

        strikes = np.sort(found[found.event == "foot_strike"].time)
        osc, hips = (
            rise(d["time"], z, steps),
            rise(world.time.values, points(world, "mid_hip")[0][:, 2], strikes),
        )
        rows.append(
            dict(
                clip=video.stem,
                gait=found.attrs["gait"],
                belt=belt,
                belt_error=100 * (m.get("speed", np.nan) / belt - 1),
                oscillation_cm=100 * osc,
                oscillation_error_cm=100 * (m.get("vertical_oscillation", np.nan) - osc),
                of_the_hips_cm=100 * (hips - osc),
            )
        )
    return pd.concat(out), pd.concat(plate), pd.DataFrame(rows).set_index("clip")


PAIRS = {
    "hip_flexion_trunk": "hip_flexion",
    "knee_flexion": "knee_angle",
    "ankle_dorsiflexion": "ankle_angle",
}


def against_ik(data, views=0):
    "RMSE of hip, knee and ankle against OpenSim, degrees, with and without the constant offset"
    ik, rows = np.load(data / "mocap" / "opensim_ik_angles.npz", allow_pickle=False), []
    for clip in ("welk007_natural2", "hamner2010_subject02_run"):
        p = recording(data, clip)
        names = [str(n) for n in ik["columns"]]
        true = ik[clip]
        sets = [joint_angles(p)] if not views else []
        for k, cam in enumerate(evaluation_cameras(views) if views else []):
            kp = filmed(recording(data, clip, 60), cam, k)
            sets.append(joint_angles(to_world(lift(kp, 1.75, fold(clip), cam), treadmill=True)))
        for k, a in enumerate(sets):
            for name, theirs in PAIRS.items():
                for side in ("right", "left"):
                    y = np.interp(
                        a.index,
                        np.arange(len(true)) / recording(data, clip).attrs["fps"],
                        true[:, names.index(f"{theirs}_{side[0]}")],
                    )
                    e = (a[f"{side}_{name}"] - y)[10:-10]
                    rows.append(
                        dict(
                            clip=clip,
                            view=k,
                            angle=name.removesuffix("_trunk"),
                            offset=e.mean(),
                            raw=np.sqrt((e**2).mean()),
                            rmse=e.std(),
                        )
                    )
    return (
        pd.DataFrame(rows)
        .groupby(["angle", "clip"])[["offset", "raw", "rmse"]]
        .agg(["mean", "max"])
        .round(1)
    )


def falling(data, views=8):
    """Acceleration of the centre of mass in flight, m/s², with its standard error, from joints and
    from lifted 2D
    """
    rows = []
    for clip in plates(data):
        p, q = recording(data, clip), recording(data, clip, 60)
        a, se, n = free_fall(p, gait_events(p))
        rows.append(dict(clip=clip, source="joints", fall=a, error=se, flights=n))
        for k, cam in enumerate(evaluation_cameras(views)):
            kp = filmed(q, cam, k)
            w, fine = (
                to_world(lift(x, 1.75, fold(clip), cam), treadmill=True)
                for x in (kp, lightly_filtered(kp))
            )
            a, se, n = free_fall(w, gait_events(fine))
            rows.append(dict(clip=clip, source=f"view {k}", fall=a, error=se, flights=n))
    df = pd.DataFrame(rows)
    lifted = (
        df[df.source != "joints"]
        .groupby("clip")
        .agg(least=("fall", "min"), most=("fall", "max"), flights=("flights", "mean"))
    )
    return (
        df[df.source == "joints"]
        .set_index("clip")
        .drop(columns="source")
        .join(lifted, rsuffix=" lifted")
    )


def on_video(data):
    """Standing feet on real video: height above the floor, cm, and slip before and after the path
    is fixed by the contacts, m/s
    """
    rows = []
    for video, part in (
        (fetch("sample"), dict(start=2.53, end=6.6, box=(1168, 400, 594, 594))),
        (data / "video" / "runner_side.mp4", {}),
    ):
        kp = correct(clean(infer_video(video, progress=False, **part)))
        w, fine = (to_world(lift(k)) for k in (kp, lightly_filtered(kp)))
        e = gait_events(fine)
        held, _ = fix_scale_and_path(w, e)
        up = up_axis(w)
        names = [f"{s}_{n}" for s in ("left", "right") for n in ("heel", "big_toe")]
        stands = {s: mid_stance(w.time.values, step_table(e), s) for s in ("left", "right")}
        low = 100 * np.concatenate(
            [(points(w, n)[0].astype(float) @ up)[stands[n.split("_")[0]]] for n in names]
        )
        bone = np.linalg.norm(
            np.diff(points(w, "left_knee", "left_ankle").astype(float), axis=0)[0], axis=1
        )
        rows.append(
            dict(
                video=Path(video).stem,
                gait=e.attrs["gait"],
                lowest=np.nanmin(low),
                median=np.nanmedian(low),
                highest=np.nanmax(low),
                bones_percent=100 * np.nanstd(bone) / np.nanmean(bone),
                slip=held.attrs.get("slip_before"),
                slip_held=held.attrs.get("slip"),
            )
        )
    return pd.DataFrame(rows).set_index("video")


CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"


def tables_joints(data, cache):
    title = "events from recorded joints, detector fitted without the runner, ms"
    yield "joints", title, figures(from_joints(data), by="person")
    at_50 = figures(from_joints(data, newton=50.0), by="person")
    yield "joints, 50 N", f"{title}, plates at 50 N", at_50
    everything = figures(from_joints(data, clear=False))
    yield "joints, all clips", f"{title}, with clips whose force was cut", everything
    for method in ("consensus", "fellin_2010", "handsaker_2016", "rise"):
        old = figures(from_joints(data, method=method), by="person")
        yield f"joints, {method}", f"events from recorded joints, {method}, ms", old


def tables_lifted(data, cache):
    for fps, views in ((30, 2), (60, 8), (240, 2)):
        title = f"events from lifted 3D at {fps} frames/s, {views} views, ms"
        found = from_lifted(data, fps, views, cache)
        yield f"lifted {fps}", title, figures(found, by="person")
    old = from_lifted(data, 60, 8, cache, method="consensus")
    title = "events from lifted 3D at 60 frames/s, 8 views, consensus, ms"
    yield "lifted 60, consensus", title, figures(old, by="person")


def tables_rbds(data, cache):
    as_hamner = plated.NEWTON, plated.AS_HAMNER_HZ
    for threshold in ((plated.NEWTON,), as_hamner, (50.0,)):
        key = " low-passed at ".join(f"{v:g}" for v in threshold)
        for method in ("regression", "consensus", "rise"):
            found = figures(from_rbds(data, method, *threshold))
            yield f"rbds {key}, {method}", f"events of RBDS001 at {key}, {method}, ms", found


def tables_rendered(data, cache):
    for method in (None, "consensus"):
        name = f", {method}" if method else ", detector fitted without the runner"
        found = from_rendered(data, cache, method)
        title = f"events from pixels of c01 to c22{name}, ms"
        yield f"rendered{name}", title, figures(found, by="seen")
        yield f"rendered, clips{name}", title, figures(found, by="clip")
        found = from_pictures(data, cache, method)
        title = f"events from pixels of detector_pairs{name}, ms"
        yield f"pairs{name}", title, figures(found, by="seen")


def tables_pixels(data, cache):
    shoes, forces, rest = from_pixels(data, cache)
    title = "from pixels against the contacts of the rendered shoes, ms"
    yield "pixels, shoes", title, figures(shoes)
    title = "the same events against the force plates of the recordings that were rendered, ms"
    yield "pixels, plates", title, figures(forces)
    yield "pixels, metrics", "speed and oscillation from pixels", rest


def tables_angles(data, cache):
    for key, views in (("angles, joints", 0), ("angles, lifted", 8)):
        yield key, f"{key}: against inverse kinematics, degrees", against_ik(data, views)


def tables_fall(data, cache):
    yield "fall", "fall in flight, m/s²", falling(data)


def tables_video(data, cache):
    yield "video", "standing feet on real video", on_video(data)


TABLES = dict(
    joints=tables_joints,
    lifted=tables_lifted,
    rbds=tables_rbds,
    rendered=tables_rendered,
    pixels=tables_pixels,
    angles=tables_angles,
    fall=tables_fall,
    video=tables_video,
)


def save(file, key, table):
    "Put a table, with the machine and the date, under its key into a JSON file"
    file = Path(file)
    saved = json.loads(file.read_text()) if file.exists() else {}
    flat = table.set_axis([" ".join(c) if isinstance(c, tuple) else c for c in table], axis=1)
    rows = json.loads(flat.reset_index().round(2).to_json(orient="records"))
    saved[key] = machine() | dict(rows=rows)
    file.write_text(json.dumps(saved, indent=1, ensure_ascii=False) + "\n")


@call_parse
def main(
    data: str,  # Folder with the shared data
    part: str = "all",  # joints, lifted, rbds, rendered, pixels, angles, fall, video or all
    cache: str = None,  # Folder to keep 2D keypoints and lifted poses in
    out: str = str(CHECKPOINT / "gait.json"),  # JSON file whose tables are replaced; "" for none
):
    "Print the tables, and save them for the README and benchmarks/README.md"
    for name in TABLES if part == "all" else (part,):
        for key, title, table in TABLES[name](Path(data), cache):
            print(f"\n{title}\n{table.round(1).to_string()}", flush=True)
            if out:
                save(out, key, table)
