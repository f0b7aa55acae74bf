"""The spool: what counts as stored is on disk and is what was sent, whatever was interrupted."""

import errno
import itertools
import os
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from igrt.bus.messages import ImageGrid
from igrt.bus.topics import WireError
from igrt.engine import spool as spools
from igrt.engine.spool import Description, SlabData, Spool
from igrt.geometry.position import PatientPosition

SHAPE = (12, 3, 4)
SLICE = 3 * 4 * 2


def describe(**changes) -> Description:
    fields = {
        "image_id": "scan-1",
        "plan_fingerprint": "f",
        "grid": ImageGrid(shape_kji=SHAPE, origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 2.0)),
        "position": PatientPosition.HFS,
        "isocentre_mm": None,
        "patient_id": None,
        "frame_of_reference_uid": None,
        "table_angle_deg": 0.0,
        "scan_offset_mm": None,
        "couch": None,
        "source": "daily image",
    }
    return Description(**(fields | changes))


def image(seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1000, 3000, SHAPE).astype("<i2")


def slab(hu, k_start, slices) -> SlabData:
    data = hu[k_start : k_start + slices].tobytes()
    return SlabData(k_start, slices, zlib.crc32(data), data)


def store(spool, *slabs):
    outcomes = spool.take_in(slabs)
    for one, outcome in zip(slabs, outcomes, strict=True):
        if outcome is True:
            spool.note(one)
    return outcomes


def on_disk(spool) -> np.ndarray:
    return np.fromfile(spool.path, "<i2", np.prod(SHAPE)).reshape(SHAPE)


@pytest.fixture
def spool(tmp_path):
    spool = Spool(tmp_path / "spool", describe(), reserve_bytes=0)
    yield spool
    spool.close()


@st.composite
def partitions(draw):
    cuts = sorted(draw(st.sets(st.integers(1, SHAPE[0] - 1))))
    edges = [0, *cuts, SHAPE[0]]
    return draw(st.permutations(list(itertools.pairwise(edges))))


@given(partitions(), st.integers(0, 11))
def test_any_cut_in_any_order_over_two_runs_gives_the_image_back(tmp_path_factory, slabs, first_run):
    folder, hu = tmp_path_factory.mktemp("spool"), image()
    spool = Spool(folder, describe(), reserve_bytes=0)
    for a, b in slabs[:first_run]:
        assert store(spool, slab(hu, a, b - a)) == [True]
    spool.close()
    spool = Spool(folder, describe(), reserve_bytes=0)
    assert spool.stored == sorted(slabs[:first_run])
    expected = set(range(SHAPE[0])) - {k for a, b in slabs[:first_run] for k in range(a, b)}
    assert {k for a, b in spool.missing for k in range(a, b)} == expected
    for a, b in slabs:
        store(spool, slab(hu, a, b - a))
    assert spool.missing == []
    assert spool.slices_stored == SHAPE[0]
    assert (on_disk(spool) == hu).all()
    spool.close()


@pytest.mark.parametrize("spoil", ["voxels", "record"])
def test_what_a_power_cut_tore_is_missing_when_it_is_opened_again(tmp_path, spoil):
    hu = image()
    spool = Spool(tmp_path, describe(), reserve_bytes=0)
    store(spool, slab(hu, 0, 4), slab(hu, 4, 4), slab(hu, 8, 4))
    spool.close()
    with spool.path.open("r+b") as file:
        file.seek(5 * SLICE if spoil == "voxels" else 12 * SLICE + 4 * 8)
        file.write(b"\x55\x55\x55")
    spool = Spool(tmp_path, describe(), reserve_bytes=0)
    assert spool.missing == [(4, 8)]
    store(spool, slab(hu, 4, 4))
    assert (on_disk(spool) == hu).all()
    spool.close()


def test_records_that_point_beyond_the_image_are_not_believed(tmp_path):
    spool = Spool(tmp_path, describe(), reserve_bytes=0)
    spool.close()
    with spool.path.open("r+b") as file:
        file.seek(12 * SLICE + 11 * 8)
        file.write(b"\x02\x00\x00\x00\x00\x00\x00\x00")
    spool = Spool(tmp_path, describe(), reserve_bytes=0)
    assert spool.missing == [(0, 12)]
    spool.close()


def test_nothing_counts_as_stored_before_it_is_synced(spool, monkeypatch):
    def fail(_handle):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="error"):
        store(spool, slab(image(), 0, 4))
    assert spool.missing == [(0, 12)]


def test_one_sync_serves_a_batch(spool, monkeypatch):
    syncs = []
    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda handle: (syncs.append(handle), sync(handle)))
    hu = image()
    assert store(spool, slab(hu, 0, 2), slab(hu, 2, 2), slab(hu, 4, 2)) == [True, True, True]
    assert len(syncs) == 1
    assert store(spool, slab(hu, 0, 2)) == [False]
    assert len(syncs) == 1


def test_doubles_and_overlaps_within_a_batch(spool):
    hu, other = image(), image(1)
    outcomes = store(spool, slab(hu, 0, 4), slab(hu, 0, 4), slab(hu, 2, 4), slab(other, 0, 4), slab(hu, 4, 2))
    assert outcomes[:2] == [True, False]
    assert [type(o) for o in outcomes[2:4]] == [WireError, WireError]
    assert outcomes[4] is True
    assert (on_disk(spool)[:6] == hu[:6]).all()


def test_slabs_for_a_closed_image_are_refused(spool):
    spool.close()
    (outcome,) = spool.take_in([slab(image(), 0, 1)])
    assert outcome.code == "unknown_image"


def test_an_image_id_is_never_given_to_another_image(tmp_path, spool):
    with pytest.raises(WireError, match="give a new image id"):
        Spool(tmp_path / "spool", describe(patient_id="another"), reserve_bytes=0)


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(WireError, match="free space") as caught:
        Spool(tmp_path, describe(), reserve_bytes=0)
    assert caught.value.code == "disk_full"
    assert list(tmp_path.iterdir()) == []


def test_another_failure_of_the_disk_is_told_as_it_is(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "posix_fallocate", broken)
    with pytest.raises(OSError, match="Read-only"):
        Spool(tmp_path, describe(), reserve_bytes=0)
    assert list(tmp_path.iterdir()) == []


def test_the_reserve_is_kept_and_space_set_aside_counts_once(tmp_path, monkeypatch):
    size = 12 * SLICE + 12 * 8
    monkeypatch.setattr(spools, "free_bytes", lambda _: 1000 + size)
    spool = Spool(tmp_path, describe(), reserve_bytes=1000)
    spool.close()
    monkeypatch.setattr(spools, "free_bytes", lambda _: 1000)
    spool = Spool(tmp_path, describe(), reserve_bytes=1000)
    spool.close()
    with pytest.raises(WireError, match="are kept in reserve"):
        Spool(tmp_path, describe(image_id="scan-2"), reserve_bytes=1000)


def test_stale_voxels_without_a_description_are_not_believed(tmp_path):
    hu = image()
    spool = Spool(tmp_path, describe(), reserve_bytes=0)
    store(spool, slab(hu, 0, 4))
    spool.close()
    spool.path.with_suffix(".json").unlink()
    spool = Spool(tmp_path, describe(), reserve_bytes=0)
    assert spool.missing == [(0, 12)]
    assert not on_disk(spool).any()
    spool.close()


def test_files_are_for_this_user_alone(spool):
    assert spool.path.stat().st_mode & 0o777 == 0o600
    assert spool.path.with_suffix(".json").stat().st_mode & 0o077 == 0
    assert spool.path.parent.stat().st_mode & 0o777 == 0o700


def test_at_most_64_ranges_are_listed(tmp_path):
    grid = ImageGrid(shape_kji=(300, 1, 1), origin_mm=(0.0, 0.0, 0.0), spacing_mm=(1.0, 1.0, 1.0))
    spool = Spool(tmp_path, describe(grid=grid), reserve_bytes=0)
    hu = np.ones((300, 1, 1), "<i2")
    store(spool, *(slab(hu, k, 1) for k in range(0, 300, 2)))
    assert spool.missing == [(k, k + 1) for k in range(1, 128, 2)]
    spool.close()
