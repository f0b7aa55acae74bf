"""The simulated couch by itself: it drives, stops and errs as it is told, and carries points as the IEC 61217 chain says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.geometry.couch import CouchPosition
from igrt.geometry.iec import eccentric_from_couch, fixed_from_support, support_from_eccentric
from igrt.simulation.couch import (
    AXES,
    SHIFTS,
    TURNS,
    Drive,
    Fault,
    Mechanics,
    SimulatedCouch,
    carry,
    room_from_table,
    simple_mechanics,
    swung,
    table_from_room,
)

FREE = simple_mechanics()


def at(*, mechanics=FREE, turntable=0.0, **axes):
    return SimulatedCouch(mechanics=mechanics, turntable_deg=turntable, **dict.fromkeys(AXES, 0.0) | axes)


def to(**axes):
    return CouchPosition(**dict.fromkeys(AXES, 0.0) | axes)


shifts, turns = st.floats(-1500, 1500), st.floats(-180, 180)
couches = st.builds(
    SimulatedCouch,
    mechanics=st.builds(
        Mechanics,
        drives=st.just(FREE.drives),
        top_yaws=st.booleans(),
        turntable_axis_mm=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
        eccentric_mm=st.floats(-100, 100),
        eccentric_deg=turns,
    ),
    turntable_deg=turns,
    **dict.fromkeys(SHIFTS, shifts),
    **dict.fromkeys(TURNS, turns),
)
points = st.tuples(*[st.floats(-500, 500)] * 3)


@given(couch=couches, point=points)
def test_a_point_of_the_table_is_where_the_chain_of_frames_puts_it(couch, point):
    build = couch.mechanics
    turntable, top = (couch.turntable_deg, couch.yaw_deg) if build.top_yaws else (couch.yaw_deg, 0.0)
    table = eccentric_from_couch(**couch.reading() | {"yaw_deg": top})
    support = fixed_from_support(angle_deg=turntable, axis_mm=(*build.turntable_axis_mm, 0.0))
    chain = support @ support_from_eccentric(angle_deg=build.eccentric_deg, offset_mm=build.eccentric_mm) @ table
    assert np.abs(np.subtract(room_from_table(point, couch), chain.apply(point))).max() < 1e-9


@given(couch=couches, point=points)
def test_the_way_to_the_room_and_back_ends_where_it_began(couch, point):
    assert np.abs(np.subtract(table_from_room(room_from_table(point, couch), couch), point)).max() < 1e-9


@given(start=couches, points=st.tuples(points, points), goal=st.tuples(*[shifts] * 3, *[turns] * 3))
def test_what_lies_on_the_couch_keeps_its_distances(start, points, goal):
    now = start.move_to(CouchPosition(**dict(zip(AXES, goal, strict=True)))).end
    one, other = carry(points, start=start, now=now)
    assert abs(math.dist(one, other) - math.dist(*points)) < 1e-8


@pytest.mark.parametrize(
    ("axes", "point", "place"),
    [
        ({"lateral_mm": 5.0}, (0, 0, 0), (5, 0, 0)),
        ({"longitudinal_mm": 5.0}, (0, 0, 0), (0, 5, 0)),
        ({"vertical_mm": 5.0}, (0, 0, 0), (0, 0, 5)),
        ({"pitch_deg": 90.0}, (0, 1, 0), (0, 0, 1)),  # the gantry end goes up
        ({"roll_deg": 90.0}, (1, 0, 0), (0, 0, -1)),  # the right side goes down
        ({"yaw_deg": 90.0}, (0, 1, 0), (-1, 0, 0)),  # the gantry end swings to -x
        ({"yaw_deg": 90.0, "longitudinal_mm": 5.0}, (0, 0, 0), (-5, 0, 0)),  # table axes turn with the turntable
        ({"pitch_deg": 90.0, "roll_deg": 90.0}, (1, 0, 0), (0, 1, 0)),  # rolled first: down, and then pitched
    ],
)
def test_the_direction_of_every_axis(axes, point, place):
    assert room_from_table(point, at(**axes)) == pytest.approx(place, abs=1e-12)


def test_a_plain_couch_turns_at_the_isocentre_about_its_turntable_and_stops_anywhere():
    plain = Mechanics(drives={axis: Drive(speed_per_s=1.0) for axis in AXES})
    assert simple_mechanics(degrees_of_freedom=6).turntable_axis_mm == plain.turntable_axis_mm == (0.0, 0.0)
    couch = at(mechanics=plain).move_to(to(yaw_deg=90.0, lateral_mm=0.3)).end
    assert room_from_table((0, 0, 0), couch) == pytest.approx((0.0, 0.3, 0.0), abs=1e-12)


def test_a_table_top_that_yaws_turns_about_its_own_origin_on_the_turntable():
    top = simple_mechanics(top_yaws=True)
    couch = at(mechanics=top, turntable=90.0, yaw_deg=90.0, longitudinal_mm=5.0)
    assert room_from_table((0, 1, 0), couch) == pytest.approx((-5.0, -1.0, 0.0), abs=1e-12)


def test_a_turntable_beside_the_isocentre_turns_about_its_own_axis():
    couch = at(mechanics=simple_mechanics(turntable_axis_mm=(2.0, 0.0)), yaw_deg=180.0)
    assert room_from_table((0, 0, 0), couch) == pytest.approx((4.0, 0.0, 0.0), abs=1e-12)


def test_a_turn_keeps_the_distance_and_adds_to_the_bearing():
    assert swung(3.0, 4.0, 90.0) == pytest.approx((-4.0, 3.0))


def test_every_axis_runs_at_its_own_speed_until_it_is_there():
    run = at().move_to(to(lateral_mm=-40.0, longitudinal_mm=10.0, yaw_deg=1.5))
    assert run.duration_s == 2.0
    early = run.at(0.25)
    assert (early.lateral_mm, early.longitudinal_mm, early.vertical_mm, early.yaw_deg) == (-5.0, 5.0, 0.0, 0.25)
    assert run.at(0.0) == run.start
    assert run.at(2.0) == run.at(1e9) == run.end
    assert run.end.reading() == dict.fromkeys(AXES, 0.0) | {"lateral_mm": -40.0, "longitudinal_mm": 10.0, "yaw_deg": 1.5}


@given(start=couches, goal=st.tuples(*[shifts] * 3, *[turns] * 3))
def test_a_repeated_absolute_target_is_harmless(start, goal):
    target = CouchPosition(**dict(zip(AXES, goal, strict=True)))
    once = start.move_to(target).end
    assert once.move_to(target).end.reading() == pytest.approx(once.reading(), abs=1e-9)
    assert once.reading() == pytest.approx(dict(zip(AXES, goal, strict=True)), abs=1e-9)


def test_the_couch_rests_on_its_steps_and_at_the_end_of_its_travel():
    stepped = Mechanics(
        drives={"lateral_mm": Drive(step=0.5, speed_per_s=20.0), "pitch_deg": Drive(lowest=-3.0, highest=3.0, speed_per_s=1.0)}
    )
    end = at(mechanics=stepped, lateral_mm=1.0).move_to(to(lateral_mm=7.3, pitch_deg=-4.0)).end
    assert (end.lateral_mm, end.pitch_deg) == (7.5, -3.0)


@pytest.mark.parametrize(("dof", "stays"), [(6, ()), (4, ("pitch_deg", "roll_deg")), (3, TURNS)])
def test_an_axis_without_a_drive_stays(dof, stays):
    end = at(mechanics=simple_mechanics(degrees_of_freedom=dof)).move_to(to(**dict.fromkeys(AXES, 1.0))).end
    assert end.reading() == dict.fromkeys(AXES, 1.0) | dict.fromkeys(stays, 0.0)


@pytest.mark.parametrize(
    ("fault", "moved"),
    [
        (Fault(flipped=frozenset({"lateral_mm"})), {"lateral_mm": -1.0}),
        (Fault(swapped=("lateral_mm", "vertical_mm")), {"lateral_mm": 3.0, "vertical_mm": 1.0}),
        (Fault(swapped=("pitch_deg", "yaw_deg"), flipped=frozenset({"yaw_deg"})), {"pitch_deg": 0.3, "yaw_deg": -0.1}),
        (Fault(scale={"longitudinal_mm": 10.0}), {"longitudinal_mm": 20.0}),
        (Fault(offset={"roll_deg": 0.5}), {"roll_deg": 0.7}),
    ],
)
def test_a_fault_acts_on_the_displacement_wherever_the_couch_stands(fault, moved):
    asked = {"lateral_mm": 1.0, "longitudinal_mm": 2.0, "vertical_mm": 3.0, "pitch_deg": 0.1, "roll_deg": 0.2, "yaw_deg": 0.3}
    start = at(lateral_mm=50.0, longitudinal_mm=-600.0, vertical_mm=-150.0, yaw_deg=30.0)
    target = to(**{axis: getattr(start, axis) + asked[axis] for axis in AXES})
    end = start.move_to(target, fault=fault).end
    assert {axis: getattr(end, axis) - getattr(start, axis) for axis in AXES} == pytest.approx(asked | moved)


def test_a_move_that_breaks_off_goes_on_from_where_it_stopped():
    start, target = at(), to(lateral_mm=20.0, longitudinal_mm=5.0)
    broken = start.move_to(target, fault=Fault(after=0.5))
    assert broken.duration_s == 0.5
    assert (broken.end.lateral_mm, broken.end.longitudinal_mm) == (10.0, 5.0)
    assert broken.end.move_to(target).end.reading() == start.move_to(target).end.reading()


def test_a_move_that_breaks_off_at_once_leaves_the_couch_where_it_is():
    run = at().move_to(to(lateral_mm=20.0), fault=Fault(after=0.0))
    assert (run.duration_s, run.end) == (0.0, run.start)


def test_a_couch_that_need_not_move_is_there_at_once():
    run = at().move_to(to())
    assert run.duration_s == 0.0
    assert run.end == run.start


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: at(yaw_deg=math.nan), "yaw_deg"),
        (lambda: at(turntable=math.inf), "turntable_deg"),
        (lambda: at().move_to(to()).at(-1.0), "-1.0 s"),
        (lambda: at().move_to(to()).at(math.nan), "nan s"),
        (lambda: Drive(speed_per_s=0.0), "speed"),
        (lambda: Drive(speed_per_s=math.nan), "speed"),
        (lambda: Drive(speed_per_s=1.0, step=-0.1), "step"),
        (lambda: Drive(speed_per_s=1.0, lowest=1.0, highest=1.0), "lowest"),
        (lambda: Mechanics(drives={"lateral": Drive(speed_per_s=1.0)}), "'lateral'"),
        (lambda: simple_mechanics(degrees_of_freedom=5), "degrees_of_freedom is 5"),
        (lambda: Fault(flipped=frozenset({"yaw"})), "'yaw'"),
        (lambda: Fault(swapped=("yaw_deg", "pitch")), "swapped names the axis 'pitch'"),
        (lambda: Fault(scale={"yaw": 2.0}), "scale names the axis 'yaw'"),
        (lambda: Fault(offset={"yaw": 2.0}), "offset names the axis 'yaw'"),
        (lambda: Fault(swapped=("yaw_deg", "lateral_mm")), "swapped"),
        (lambda: Fault(swapped=("yaw_deg", "yaw_deg")), "swapped"),
        (lambda: Fault(after=1.001), "after"),
        (lambda: Fault(after=-0.001), "after"),
        (lambda: Fault(after=math.nan), "after"),
        (lambda: Fault(scale={"yaw_deg": math.nan}), "scale of yaw_deg"),
        (lambda: Fault(offset={"yaw_deg": math.inf}), "offset of yaw_deg"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make, names):
    with pytest.raises(ValueError, match=names):
        make()


class Wild:
    """A target that no check has seen."""

    lateral_mm = longitudinal_mm = vertical_mm = pitch_deg = roll_deg = 0.0
    yaw_deg = math.nan


def test_a_target_that_is_no_number_does_not_move_the_couch():
    with pytest.raises(ValueError, match="target's yaw_deg is nan"):
        at().move_to(Wild())
