"""The power cut at the sync points of a whole session: image, key, journal and what was told of them; `session_cuts` for all of them."""

import pytest

from igrt.bus.topics import REPLIES, decode
from tests.faults.engine_disk import Told
from tests.faults.session_cuts import Cuts, cut, cut_everywhere, record_session, sync_points
from tests.faults.sqlite_disk import FolderSync, Sync


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return record_session(tmp_path_factory.mktemp("recorded") / "engine")


def test_the_record_holds_every_kind_of_file_and_what_was_told(record):
    synced = {o.file for o in record if isinstance(o, Sync)}
    assert {"journal.sqlite", "journal.sqlite-wal", "release.tmp", "spool/first.hu", "spool/first.json.tmp", "spool/third.hu"} <= synced
    assert {o.folder for o in record if isinstance(o, FolderSync)} == {"", "spool"}
    assert {o.socket for o in record if isinstance(o, Told)} == {"commands", "images", "events"}


@pytest.mark.parametrize(("every", "seed"), [(2, None), (5, 3)], ids=["nothing unsynced kept", "some kept, some torn"])
def test_a_power_cut_loses_nothing_that_was_told_and_releases_nothing_twice(record, tmp_path, every, seed):
    cuts = cut_everywhere(record, tmp_path, seeds=[seed], every=every)
    assert (cuts.images_lost, cuts.events_lost, cuts.released_twice) == ([], [], [])
    assert cuts.counts["cuts"] >= len(sync_points(record)) // every - 4  # the first ones find no journal yet
    for looked_at in ("slabs acknowledged", "events told", "releases told", "claims after the cut", "of them released"):
        assert cuts.counts[looked_at]


@pytest.mark.parametrize(
    ("forgotten", "lost"),
    [
        (lambda o: isinstance(o, Sync) and o.file.endswith(".hu"), "images_lost"),
        (lambda o: isinstance(o, FolderSync) and o.folder == "spool", "images_lost"),
        (lambda o: isinstance(o, Sync) and o.file == "journal.sqlite-wal", "events_lost"),
        (lambda o: isinstance(o, Sync) and o.file == "journal.sqlite-wal", "released_twice"),
        (lambda o: isinstance(o, FolderSync) and o.folder == "", "events_lost"),
    ],
    ids=["voxels", "names of images", "events", "releases", "the key's name"],
)
def test_a_forgotten_sync_is_noticed(record, tmp_path, forgotten, lost):
    """The test above must be able to fail."""
    kept = [o for o in record if not forgotten(o)]
    cuts = Cuts()
    for at, entry in enumerate(kept):  # several, for what a checkpoint has just moved and synced needs no other sync
        if isinstance(entry, Told) and entry.socket == "commands" and getattr(decode(entry.frame, REPLIES), "release", None):
            cut(kept, at + 1, tmp_path, seed=None, cuts=cuts)
    assert getattr(cuts, lost)
