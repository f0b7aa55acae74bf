"""What an answer rests on: calibration by value and back, and a build that is another where anything that computes is."""

from datetime import UTC, datetime

import msgspec
import pytest

from igrt.engine.basis import Basis, Build, Used, this_build
from igrt.engine.journal_redaction import redact
from igrt.errors import InputError
from igrt.verification.machine import IsocentreCheck, load_machine, machine_of
from igrt.verification.protocol import load_protocol
from igrt.verification.site import shipped_folder

CHECK = IsocentreCheck(checked_at=datetime(2026, 3, 2, 7, 15, 30, 123456, tzinfo=UTC), offset_mm=0.4)
MACHINES = sorted(path.stem for path in (shipped_folder() / "machines").glob("*.toml"))
PROTOCOLS = sorted(path.stem for path in (shipped_folder() / "protocols").glob("*.toml"))


def journaled(used: Used) -> Used:
    """As it comes out of the journal."""
    return msgspec.msgpack.decode(redact(msgspec.msgpack.encode(used)), type=Used)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("check", [None, CHECK])
def test_machine_profiles_come_back_from_the_journal(machine, check, tmp_path):
    profile = machine_of(load_machine(machine, tmp_path).file, check)
    protocol = load_protocol(None, tmp_path)
    again, _ = journaled(Used.of(profile, protocol)).load()
    assert (again.tables, again.couch, again.last_check, again.name) == (profile.tables, profile.couch, check, machine)
    assert again.file.words == profile.file.words


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocols_come_back_from_the_journal(protocol, tmp_path):
    loaded = load_protocol(protocol, tmp_path)
    _, again = journaled(Used.of(load_machine(None, tmp_path), loaded)).load()
    assert (again.tables, again.name, again.file.words) == (loaded.tables, protocol, loaded.file.words)


def test_what_this_igrt_does_not_take_is_an_error_that_names_the_file(tmp_path):
    used = Used.of(load_machine(None, tmp_path), load_protocol(None, tmp_path))
    tables = used.protocol.tables | {"unheard_of": {}}
    other = msgspec.structs.replace(used, protocol=msgspec.structs.replace(used.protocol, tables=tables))
    with pytest.raises(InputError, match="unheard_of"):
        other.load()


def test_the_build_tells_what_computed():
    build = this_build()
    assert build is this_build()
    assert len(build.answer_sha256) == len(build.engine_sha256) == 64
    assert build.answers_as(build)
    assert build.decides_as(build)


@pytest.mark.parametrize(
    ("field", "answers", "decides"),
    [
        ("igrt", True, True),
        ("answer_sha256", False, True),
        ("engine_sha256", True, False),
        ("python", False, False),
        ("numpy", False, False),
        ("processor", False, False),
    ],
)
def test_another_build_is_another(field, answers, decides):
    build = this_build()
    other: Build = msgspec.structs.replace(build, **{field: "other"})
    assert (build.answers_as(other), build.decides_as(other)) == (answers, decides)


def test_the_time_of_an_answer_comes_back_to_the_microsecond():
    basis = Basis(image_sha256="0" * 64, judged_utc_unix_s=1772435730.123456, device="reference", build=this_build())
    assert basis.now == datetime.fromtimestamp(1772435730.123456, UTC)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(basis), type=Basis) == basis
