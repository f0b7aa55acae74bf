"""The whole match: what it asks for, what it tells, what it refuses, and the same bits from any device."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from igrt.compute import cpu
from igrt.compute.volume import Volume
from igrt.errors import InputError
from igrt.registration.match import measured
from igrt.registration.options import Freedom, MatchOptions, Mode
from igrt.registration.preparation import prepare_daily, prepare_plan
from igrt.registration.rigid import match_alone, match_at, match_near, match_rigid
from tests.registration_cases import ISOCENTRE_MM, daily_grid, displacement_mm, grid_about, image, motion

VERBS = cpu.CpuVerbs(cpu.BEST)
CT = image(grid_about((0, 0, 0)))
TRUTH = motion((4, -6, 5), degrees=3)
DAILY = image(daily_grid(), TRUTH, gain=0.85, offset=50, noise=10)
PLAN, PREPARED = prepare_plan(CT, VERBS), prepare_daily(DAILY, VERBS)


def matched(verbs: cpu.CpuVerbs, **options):
    arguments = {"start": motion(), "isocentre_mm": ISOCENTRE_MM, "verbs": verbs} | options
    return match_rigid(prepare_plan(CT, verbs), prepare_daily(DAILY, verbs), **arguments)


def test_evidence_of_a_good_match() -> None:
    match = matched(VERBS)
    evidence = match.evidence
    assert displacement_mm(TRUTH, match.plan_from_daily).mean() < 0.3
    assert evidence.similarity > 0.95
    assert evidence.overlap > 0.95
    assert evidence.inliers > 0.95
    assert evidence.converged
    assert evidence.second_start_offset_mm >= 20
    assert evidence.second_start_offset_deg >= 5
    assert evidence.second_start_difference_mm < 0.05
    assert evidence.observability > 0.01
    assert evidence.samples == len(PREPARED.levels[-1].values)
    assert np.linalg.eigvalsh(match.covariance).min() > 0
    assert evidence.translation_sd_mm == pytest.approx(np.sqrt(np.diag(match.covariance)[:3]))
    assert evidence.rotation_sd_deg == pytest.approx(np.degrees(np.sqrt(np.diag(match.covariance)[3:])))


def test_the_same_bits_from_every_instruction_set_and_number_of_threads() -> None:
    results = []
    for name in cpu.INSTRUCTION_SETS:
        for threads in (1, 3):
            verbs = cpu.CpuVerbs(name)
            verbs.set_threads(threads)
            results.append(matched(verbs))
            verbs.set_threads(2)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0].plan_from_daily.matrix, other.plan_from_daily.matrix)
        np.testing.assert_array_equal(results[0].covariance, other.covariance)
        assert results[0].evidence == other.evidence
        assert results[0].regions == other.regions
        assert [(one.levels, one.shift_mm, one.score) for one in results[0].hypotheses] == [
            (one.levels, one.shift_mm, one.score) for one in other.hypotheses
        ]


def test_progress_only_grows() -> None:
    told: list[tuple[str, float]] = []
    matched(VERBS, progress=lambda stage, fraction: told.append((stage, fraction)))
    assert [stage for stage, _ in told] == ["match", "second start", "evidence", "evidence"]
    assert [fraction for _, fraction in told] == sorted(fraction for _, fraction in told)
    assert told[-1][1] == 1.0


def test_a_start_between_other_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="a match starts from plan_from_daily"):
        matched(VERBS, start=motion().inverse())


@pytest.mark.parametrize("hu", [-1000, 0])
def test_a_blank_image_is_refused(hu) -> None:
    blank = Volume(daily_grid(), np.full(daily_grid().shape_kji, hu, np.int16))
    with pytest.raises(InputError, match="shows too little to match"):
        match_rigid(PLAN, prepare_daily(blank, VERBS), start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=VERBS)


def test_a_plan_that_shows_nothing_gives_no_confidence() -> None:
    grid = grid_about((0, 0, 0), shape_kji=(8, 12, 12))
    blank = prepare_plan(Volume(grid, np.zeros(grid.shape_kji, np.int16)), VERBS)
    evidence = match_rigid(blank, PREPARED, start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=VERBS).evidence
    assert not evidence.converged
    assert evidence.similarity == 0
    assert evidence.observability == 0
    assert min(evidence.translation_sd_mm) > 100


def test_an_image_far_from_the_plan_gives_no_confidence() -> None:
    evidence = matched(VERBS, start=motion((0, 0, 900))).evidence
    assert evidence.overlap == 0
    assert not evidence.converged


def test_another_anatomy_does_not_resemble() -> None:
    grid = daily_grid()
    points = grid.position_mm(np.stack(np.meshgrid(*map(np.arange, grid.shape_kji), indexing="ij"), -1)[..., ::-1])
    hu = np.where(np.linalg.norm(points / (70, 90, 200), axis=-1) < 1, 30, -1000)
    for x, y, z in np.random.default_rng(3).uniform(-50, 50, (12, 3)):
        hu[np.linalg.norm(points - (x, y, z), axis=-1) < 14] = 600
    other = prepare_daily(Volume(grid, hu.astype(np.int16)), VERBS)
    evidence = match_rigid(PLAN, other, start=motion(), isocentre_mm=ISOCENTRE_MM, verbs=VERBS).evidence
    assert evidence.similarity < 0.5


SETTINGS = {"isocentre_mm": ISOCENTRE_MM, "verbs": VERBS}
ASKS_FOR_OTHERS = (
    "swap_difference_mm", "second_metric_offset_mm", "second_metric", "rival_margin", "vertebra_score", "vertebra_margin",
    "mirror_margin", "stretch", "region_residual_mm", "target_residual_mm", "identity",
)  # fmt: skip


def test_a_good_match_has_measured_everything() -> None:
    match = matched(VERBS)
    evidence = match.evidence
    for name in ASKS_FOR_OTHERS:
        value = getattr(evidence, name)
        assert type(value) is float, name
        assert math.isfinite(value), name
        assert measured(value), name
    assert evidence.swap_difference_mm < 0.5
    assert evidence.second_metric_offset_mm < 0.5
    assert evidence.rival_margin > 0.2
    assert evidence.vertebra_score > 0.9
    assert evidence.mirror_margin > 0.1
    assert match.hypotheses
    assert match.regions
    json.dumps([asdict(evidence), [asdict(region) for region in match.regions]])


def test_the_match_alone_is_the_same_pose_without_evidence() -> None:
    alone = match_alone(PLAN, PREPARED, start=motion(), **SETTINGS)
    assert displacement_mm(matched(VERBS).plan_from_daily, alone).max() < 0.05


def test_a_pose_by_hand_is_measured_where_it_is() -> None:
    automatic = matched(VERBS)
    by_hand = motion((4, -6, 11), degrees=3)
    there = match_at(PLAN, PREPARED, pose=by_hand, automatic=automatic, **SETTINGS)
    assert there.plan_from_daily.matrix == pytest.approx(by_hand.matrix)
    assert there.evidence.vertebra_score < automatic.evidence.vertebra_score - 0.2
    assert there.evidence.swap_difference_mm > 3
    assert there.evidence.second_metric_offset_mm > 3
    assert there.evidence.rival_margin == automatic.evidence.rival_margin


def test_a_part_matched_from_near_asks_for_no_other_answers() -> None:
    near = match_near(PLAN, PREPARED, start=TRUTH, options=MatchOptions(mode=Mode.SOFT), **SETTINGS)
    assert not any(measured(getattr(near.evidence, name)) for name in ASKS_FOR_OTHERS)
    assert near.hypotheses == ()


@pytest.mark.parametrize(
    "options",
    [MatchOptions(mode=Mode.BONE), MatchOptions(freedom=Freedom.TRANSLATIONS), MatchOptions(freedom=Freedom.ROTATIONS)],
    ids=["bone", "translations", "rotations"],
)
def test_which_vertebra_and_who_it_is_is_asked_of_the_whole_body_whatever_the_options(options) -> None:
    whole = matched(VERBS, start=TRUTH).evidence
    part = matched(VERBS, start=TRUTH, options=options).evidence
    for name in ("vertebra_score", "vertebra_margin", "mirror_margin", "identity"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name), abs=0.1), name
    assert part.swap_difference_mm < 0.5
