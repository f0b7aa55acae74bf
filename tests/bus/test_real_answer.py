"""The real worker on small volumes: the bus gives the answer that the library gives, also when the worker is killed."""

import os
import signal

import numpy as np
import pytest
import SimpleITK

import igrt
from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.bus.errors import RefusedInputError
from igrt.engine.replay import replay
from igrt.geometry.angles import rotation_from_angles
from igrt.geometry.motion import Frame, RigidMotion
from igrt.geometry.position import PatientPosition
from igrt.images.records import Daily
from igrt.simulation.imager import send_daily

WAIT_S = 120.0
ISOCENTRE_MM = (5.0, -4.0, 10.0)
SHIFT_MM = np.array([4.0, -3.0, 6.0])
TURN = rotation_from_angles(pitch_deg=1.0, roll_deg=-0.5, yaw_deg=1.5)
BLOBS = np.random.default_rng(8).uniform(-1, 1, (160, 5))


def anatomy_hu(points_mm: np.ndarray) -> np.ndarray:
    """An ellipsoid of soft tissue full of blobs of bone and air, in plan LPS (n, 3)."""
    hu = np.zeros(len(points_mm))
    for x, y, z, size, value in BLOBS:
        distance_mm = np.linalg.norm(points_mm - np.array([x * 85, y * 60, z * 70]), axis=1)
        hu += np.sign(value) * (300 + 600 * abs(value)) * np.clip((9 + 4 * size - distance_mm) / 2, 0, 1)
    return np.where(((points_mm / [100, 75, 200]) ** 2).sum(1) < 1, hu, -1000.0).clip(-1000, 2000)


def volume_file(path, shape_kji, spacing_mm, plan_from_image):
    """Voxelise the anatomy on a grid centred on zero; `plan_from_image` takes its points to the plan's."""
    k, j, i = (np.arange(n) - (n - 1) / 2 for n in shape_kji)
    grid = np.stack(np.meshgrid(k, j, i, indexing="ij"), -1)[..., ::-1] * spacing_mm
    hu = anatomy_hu(plan_from_image(grid.reshape(-1, 3))).reshape(shape_kji)
    image = SimpleITK.GetImageFromArray(hu.astype(np.int16))
    image.SetSpacing([spacing_mm] * 3)
    image.SetOrigin([float(v) for v in grid[0, 0, 0]])
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    plan = volume_file(folder / "plan.mha", (56, 64, 84), 3.0, lambda p: p)
    daily = volume_file(folder / "daily.mha", (48, 72, 92), 2.6, lambda p: (p - ISOCENTRE_MM) @ TURN.T + ISOCENTRE_MM + SHIFT_MM)
    return plan, daily


@pytest.fixture(scope="module")
def daily(files) -> Daily:
    return igrt.load_daily(files[1], isocentre_mm=ISOCENTRE_MM, position="HFS")


@pytest.fixture(scope="module")
def expected(files, daily):
    plan = igrt.load_plan(files[0], isocentre_mm=ISOCENTRE_MM, position="HFS")
    return comparable(igrt.verify(plan, daily).to_json())


def comparable(answer: dict) -> dict:
    """All but how long it took."""
    return {key: value for key, value in answer.items() if key != "seconds"}


@pytest.fixture
def real_engine(start_engine, tmp_path):
    return start_engine(worker_command=(), site=tmp_path / "site", folder=tmp_path / "site" / "engine")


@pytest.fixture
def client(real_engine, files):
    with Client(real_engine.endpoints) as client:
        client.load_plan(files[0], isocentre_mm=ISOCENTRE_MM, position=PatientPosition.HFS)
        yield client


def test_the_bus_gives_the_answer_of_the_library(client, daily, expected):
    assert expected["outcome"] == "accepted"
    image_id = send_daily(client, daily)
    event = client.wait_for_answer(image_id, timeout_s=WAIT_S)
    assert isinstance(event, m.Proposal)
    assert comparable(event.answer) == expected
    moved = np.array(event.answer["plan_from_daily"])
    assert np.abs(moved[:3, :3] - TURN).max() < 0.01


def test_a_worker_killed_at_its_answer_is_told_again_and_gives_the_same_answer(real_engine, client, daily, expected):
    os.kill(real_engine.worker_pid, signal.SIGSTOP)  # so that the answer is still open when it is killed
    image_id = send_daily(client, daily)
    assert client.snapshot().state == "registering"
    os.kill(real_engine.worker_pid, signal.SIGKILL)
    codes = []
    for event in client.events(timeout_s=WAIT_S / 2):
        if isinstance(event, m.Alert):
            codes.append(event.alert.code)
        if isinstance(event, m.Proposal | m.Refusal):
            break
    assert event.image_id == image_id
    assert codes == ["worker_died"]
    assert comparable(event.answer) == expected


def test_bad_plans_get_the_sentence_of_the_library(real_engine, files, tmp_path):
    with Client(real_engine.endpoints) as client:
        for path, keywords in ((tmp_path, {}), (files[0], {}), (files[0], {"isocentre_mm": (900.0, 0, 0), "position": "HFS"})):
            with pytest.raises(igrt.errors.InputError) as by_library:
                igrt.load_plan(path, **keywords)
            with pytest.raises(RefusedInputError) as by_bus:
                client.load_plan(path, **{k: PatientPosition(v) if k == "position" else v for k, v in keywords.items()})
            assert str(by_bus.value) == str(by_library.value)
        with pytest.raises(RefusedInputError, match="no-such-machine"):
            client.load_plan(files[0], machine="no-such-machine")


def test_a_pose_set_by_hand_is_measured_as_the_library_does(client, files, daily):
    image_id = send_daily(client, daily)
    proposal = client.wait_for_answer(image_id, timeout_s=WAIT_S)
    moved = np.array(proposal.answer["plan_from_daily"])
    moved[:3, 3] += (3.0, 0.0, -2.0)
    pose = RigidMotion.from_matrix(moved, target=Frame.PLAN, source=Frame.DAILY)
    event = client.evaluate_pose(image_id, pose, by="Test Therapist")
    plan = igrt.load_plan(files[0], isocentre_mm=ISOCENTRE_MM, position="HFS")
    assert comparable(event.answer) == comparable(igrt.verify(plan, daily, manual=pose).to_json())
    automatic = event.answer["match"]["automatic"]
    assert automatic["evidence"] == proposal.answer["evidence"]
    assert automatic["difference_mm"] == pytest.approx(np.hypot(3.0, 2.0), abs=1e-6)
    assert event.answer["evidence"]["similarity"] < proposal.answer["evidence"]["similarity"]
    assert client.snapshot().result == proposal


def test_a_pose_set_by_hand_is_measured_again_by_a_replay(real_engine, files, daily):
    with Client(real_engine.endpoints) as client:
        client.load_plan(files[0], isocentre_mm=ISOCENTRE_MM, position=PatientPosition.HFS)
        image_id = send_daily(client, daily)
        moved = np.array(client.wait_for_answer(image_id, timeout_s=WAIT_S).answer["plan_from_daily"])
        moved[0, 3] += 2.0
        client.evaluate_pose(image_id, RigidMotion.from_matrix(moved, target=Frame.PLAN, source=Frame.DAILY), by="Test Therapist")
    real_engine.stop()
    found = replay(real_engine.folder)
    assert list(found.sentences) == []
    assert [(answer.image_id, answer.exact) for answer in found.answers] == [(image_id, True)] * 2


def test_the_second_solver_confirms_it_from_a_process_of_its_own(start_engine, tmp_path, files, daily):
    engine = start_engine(worker_command=(), site=tmp_path / "site", folder=tmp_path / "site" / "engine", second_solver=True)
    with Client(engine.endpoints) as client, Client(engine.endpoints) as follower:
        stream = follower.events(timeout_s=WAIT_S)
        next(stream)
        client.load_plan(files[0], isocentre_mm=ISOCENTRE_MM, position=PatientPosition.HFS)
        image_id = send_daily(client, daily)
        assert isinstance(client.wait_for_answer(image_id, timeout_s=WAIT_S), m.Proposal)
        said = next(e for e in stream if isinstance(e, m.SecondSolver) and e.opinion != "running")
    assert said.opinion == "confirmed", said.sentence
    assert said.difference_mm < 0.5
    assert said.similarity == pytest.approx(said.similarity_there, rel=0.01)
    assert said.took_s > 0.0
