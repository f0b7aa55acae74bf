"""The account of the kills must be able to fail: what is told of a session that went well is doctored, and each doctoring shows."""

import msgspec
import numpy as np
import pytest

from igrt.bus import messages as m
from igrt.bus.client import Client
from igrt.engine.journal import read_rows
from igrt.engine.record import EVENT, FILE, REPLY
from tests.bus.chain_cases import COUCH, approve, claim, image, moved, report
from tests.faults.account import Account, Tally
from tests.faults.follow import _LENGTH
from tests.faults.scenarios import GO, small
from tests.faults.session_cuts import engine_in

LOST = ("images_lost", "events_lost", "released_twice", "other")


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A folder in which a correction went the whole way; its scenario, the proposal, and all replies by request."""
    folder = tmp_path_factory.mktemp("room")
    scenario = small(folder)
    loaded = scenario.plans[GO].loaded
    with engine_in(folder / "engine", scenario.worker) as endpoints, Client(endpoints) as client:
        client.load_plan(scenario.plans[GO].path, fraction=4)
        proposal = image(client, scenario.volume("scan"), image_id="scan")
        release = claim(client, proposal, approve(client, proposal), loaded=loaded).release
        moved(client, release)
        assert claim(client, proposal, "t" * 64, loaded=loaded, couch=COUCH).release is None
        assert report(client, loaded=loaded, beam_on=True) == "delivering"
    rows = list(read_rows(folder / "engine" / FILE))
    session, events = rows[-1].session, [row.payload for row in rows if row.kind == EVENT]
    (folder / "heard").write_bytes(b"".join(_LENGTH.pack(len(frame)) + frame for frame in events))
    line = {"snapshot": True, "session": session, "number": len(events), "state": "delivering"}
    (folder / "believed").write_bytes(msgspec.json.encode(line) + b"\n")
    return folder, scenario, release, [row.payload for row in rows if row.kind == REPLY]


def told(folder, scenario, replies, *more):
    """The account of all that was said, and of `more`."""
    account = Account(folder / "engine", Tally(), scenario)
    account.stored_when_asked = {msgspec.msgpack.decode(frame)["request_id"]: set() for frame in replies}
    for frame in replies:
        account.hear("got", frame)
    account.hear("stored", ("scan", 0, 20))
    for kind, what in more:
        account.hear(kind, what)
    return account.close()


def test_what_went_well_is_clean(played):
    folder, scenario, _, replies = played
    tally = told(folder, scenario, replies)
    assert tally.clean, [getattr(tally, name) for name in LOST]
    assert tally.counts["corrections released"] == tally.counts["releases heard"] == tally.counts["claims denied"] == 1
    assert tally.counts["images answered"] == tally.counts["images ended"] == 1
    assert Tally.read(msgspec.json.encode(tally)) == tally


def a_release(release, request_id, **changes):
    header = m.new_header()
    return m.encode(m.ClaimReply(header=header, request_id=request_id, release=msgspec.structs.replace(release, **changes), denials=[]))


def test_what_is_told_and_is_not_there_shows(played):
    folder, scenario, release, replies = played
    assert told(folder, scenario, replies, ("stored", ("another", 3, 1))).images_lost == ["another: slice 3 is not on disk"]
    ended = m.encode(m.EndImageReply(header=m.new_header(), request_id="e", image_id="another"))
    assert told(folder, scenario, replies, ("got", ended)).images_lost == ["another was whole and was never answered"]
    second = told(folder, scenario, replies, ("got", a_release(release, "second")))
    assert any("released to 2 requests" in line for line in second.released_twice)
    unknown = told(folder, scenario, replies, ("got", a_release(release, "other", proposal_id="unknown")))
    assert unknown.released_twice == ["unknown: heard, and not in the journal"]
    assert any("is not in the journal as it was" in line for line in unknown.other)
    again = msgspec.msgpack.encode(msgspec.msgpack.decode(replies[-1]) | {"state": "ready"})
    assert any("had two replies" in line for line in told(folder, scenario, replies, ("got", again)).other)


def test_a_slice_that_is_asked_for_again_or_changed_on_disk_shows(played):
    folder, scenario, _, replies = played
    account = Account(folder / "engine", Tally(), scenario)
    account.hear("stored", ("scan", 4, 2))
    begin = m.BeginImage(header=m.new_header(), image_id="scan", grid=GRID, position="HFS", couch=COUCH)
    account.hear("sent", m.encode(begin))
    reply = m.BeginImageReply(
        header=m.new_header(), request_id=begin.header.message_id, image_id="scan", credit_slabs=8, largest_slab_bytes=1, missing=[(5, 20)]
    )
    account.hear("got", m.encode(reply))
    assert account.tally.images_lost == ["scan: slice 5 was acknowledged and is asked for again"]
    path = folder / "engine" / "spool" / "scan.hu"
    whole = path.read_bytes()
    try:
        path.write_bytes(np.zeros(60, "<i2").tobytes() + whole[120:])
        assert told(folder, scenario, replies).images_lost == [f"scan: slice {k} is not on disk" for k in (0, 1)]
    finally:
        path.write_bytes(whole)


GRID = m.ImageGrid(shape_kji=(20, 6, 5), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda event: event | {"number": 99_999}, "heard, and not in the journal"),
        (lambda event: event | {"state": "ready"}, "heard twice, and differently"),
    ],
)
def test_an_event_that_was_heard_and_is_not_kept_shows(played, change, words):
    folder, scenario, _, replies = played
    heard = (folder / "heard").read_bytes()
    event = next(
        e for e in (msgspec.msgpack.decode(row.payload) for row in read_rows(folder / "engine" / FILE) if row.kind == EVENT)
        if e["kind"] == "state_changed" and e["state"] == "proposed"
    )  # fmt: skip
    frame = msgspec.msgpack.encode(change(event))
    try:
        (folder / "heard").write_bytes(heard + _LENGTH.pack(len(frame)) + frame)
        assert any(words in line for line in told(folder, scenario, replies).events_lost)
    finally:
        (folder / "heard").write_bytes(heard)


def test_a_follower_that_is_left_behind_or_goes_back_shows(played):
    folder, scenario, _, replies = played
    believed = (folder / "believed").read_bytes()
    last = msgspec.json.decode(believed)
    try:
        (folder / "believed").write_bytes(believed + msgspec.json.encode(last | {"number": 3, "state": "acquiring"}) + b"\n")
        lost = told(folder, scenario, replies).events_lost
    finally:
        (folder / "believed").write_bytes(believed)
    assert any("went back" in line for line in lost)
    assert any("a follower ended at" in line for line in lost)
