"""A site's day, and what its IT does after it: logs and support without a patient, erasure, retention, backup, a clean stop."""

import json
import os
import shutil
import socket
import sys
import time
import zipfile

import msgspec
import pytest

from igrt.bus.client import Client
from igrt.cli.main import main
from igrt.engine.journal import Journal, read_rows
from igrt.engine.journal_verify import verify
from igrt.engine.record import EVENT, FILE, IMAGE_REMOVED, STATE
from igrt.engine.retention import retain
from igrt.errors import InputError
from tests.bus.chain_cases import HFS, WAIT_S
from tests.bus.conftest import make_volume
from tests.bus.site_cases import NAME, OTHER, PATIENT, UID, a_day, naming, plan, served, session


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The site as a day leaves it; read only."""
    site = tmp_path_factory.mktemp("day") / "site"
    site.mkdir()
    a_day(site)
    return site


@pytest.fixture
def site(day, tmp_path):
    """A copy that may be changed."""
    shutil.copytree(day, tmp_path / "site")
    return tmp_path / "site"


def log_lines(site, name="engine"):
    return [json.loads(line) for line in (site / "engine" / "log" / f"{name}.jsonl").read_text().splitlines()]


# ------------------------------------------------------------------------------------------------ logs


def test_no_log_names_a_patient(day):
    assert naming(day / "engine" / "log", PATIENT, NAME, UID, "Test Therapist", "missing.json") == []
    assert naming(day.parent, PATIENT, NAME, UID) != []
    text = (day / "stderr.txt").read_bytes()
    assert all(name.encode() not in text for name in (PATIENT, NAME, UID, OTHER))
    assert b"request refused" in text


def test_the_log_tells_one_patient_from_another_and_what_went_wrong(day):
    lines = log_lines(day)
    patients = {line["patient"] for line in lines if line.get("patient")}
    assert len(patients) == 2
    assert all(word.startswith("patient-") for word in patients)
    assert [line["code"] for line in lines if line["event"] == "request refused" and line["kind"] == "load_plan"] == ["bad_input", "defect"]
    assert "serving" in [line["event"] for line in lines]
    assert "claim denied" in [line["event"] for line in lines]
    assert lines[-1]["event"] == "stopped"
    (failed,) = [line for line in log_lines(day, "worker") if "error" in line]
    assert failed["error"][0] == "RuntimeError"
    assert failed["error"][-1].endswith(" load")


def test_logs_are_for_this_user_alone(day):
    for path in (day / "engine" / "log").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (day / "engine" / "log.key").stat().st_mode & 0o777 == 0o600


# --------------------------------------------------------------------------------------------- support


def test_a_support_bundle_names_no_patient(site, tmp_path, capsys):
    for kind, text in (("machines", "# of QZX-4711\n"), ("protocols", "[protocol]\n"), ("records", 'name = "daily_qa"\n')):
        (site / kind).mkdir()
        (site / kind / "own.toml").write_text(text)
    (site / "protocols" / f"{PATIENT}.toml").write_text("[protocol]\n")
    with (site / "engine" / "log" / "engine.jsonl").open("a") as log:
        log.write(f'{{"event": "a line that slipped, {PATIENT}"}}\n')
    target = tmp_path / "support.zip"
    assert main(["support", str(target), "--site", str(site)]) == 0
    said = capsys.readouterr().out
    with zipfile.ZipFile(target) as bundle:
        files = {name: bundle.read(name) for name in bundle.namelist()}
    for data in (target.read_bytes(), said.encode(), *files.values(), *(name.encode() for name in files)):
        for name in (PATIENT, OTHER, NAME, UID, "other-scan", "Test Therapist"):
            assert name.lower().encode() not in data.lower()
    manifest = json.loads(files["manifest.json"])
    assert set(manifest["files"]) == set(files) - {"manifest.json"}
    assert {"versions.json", "machine.json", "doctor.json", "journal.json", "spool.json", "records/own.toml", "log/engine.jsonl"} <= set(
        files
    )
    assert set(manifest["left_out"]) == {"machines/own.toml", "protocols/(a file whose name is withheld)", "log/engine.jsonl"}
    figures = json.loads(files["journal.json"])
    assert figures["holds"]
    assert figures["states_entered"]["in_position"] == 2
    assert figures["rows"] == sum(figures["rows_by_kind"].values()) == verify(site / "engine" / FILE).rows
    assert target.stat().st_mode & 0o777 == 0o600
    assert main(["support", str(target), "--site", str(site)]) == 4
    assert "something is there already" in capsys.readouterr().err


def test_support_of_a_site_without_a_journal_says_so(tmp_path):
    assert main(["support", str(tmp_path / "s.zip"), "--site", str(tmp_path / "nowhere")]) == 0
    with zipfile.ZipFile(tmp_path / "s.zip") as bundle:
        assert "there is no journal" in json.loads(bundle.read("journal.json"))["problem"]


# --------------------------------------------------------------------------------------------- erasure


def test_an_erased_patient_is_nowhere_and_the_chain_holds(site, capsys):
    engine = site / "engine"
    before = {row.number: row.sha256 for row in read_rows(engine / FILE)}
    assert main(["erase", PATIENT, "--also", NAME, "--site", str(site), "--yes"]) == 0
    said = capsys.readouterr().out
    assert "1 images" in said
    assert "Backups made before still hold them" in said
    assert naming(site, PATIENT, NAME, UID + ".1") == []
    assert main(["journal", "verify", str(engine)]) == 0
    assert "were erased with their patient by command" in capsys.readouterr().out
    after = list(read_rows(engine / FILE))
    assert {row.number: row.sha256 for row in after[:-1]} == before
    assert [p.name for p in sorted((engine / "spool").iterdir())] == ["other-scan.hu", "other-scan.json"]
    assert len({line["patient"] for line in log_lines(site) if line.get("patient")}) == 1
    assert main(["erase", PATIENT, "--also", NAME, "--site", str(site), "--yes"]) == 0
    assert "Nothing in" in capsys.readouterr().out


def test_another_patient_whose_id_begins_alike_keeps_everything(site):
    engine = site / "engine"

    def of_other():
        return {r.number: r.payload for r in read_rows(engine / FILE) if r.payload and OTHER.encode() in r.payload}

    before = of_other()
    main(["erase", PATIENT, "--also", NAME, "--site", str(site), "--yes"])
    assert of_other() == before
    with served(engine), Client(engine) as client:
        assert client.snapshot().header.patient_id == OTHER


def test_the_engine_goes_on_after_an_erasure(site):
    engine = site / "engine"
    main(["erase", OTHER, "--site", str(site), "--yes"])
    with served(engine), Client(engine) as client:
        assert client.snapshot().state == "idle"
        session(client, plan(site.parent / "again", OTHER), OTHER, image_id="again")
    assert verify(engine / FILE).holds


def test_an_open_session_or_a_running_engine_is_not_erased(tmp_path, capsys):
    engine, site = tmp_path / "site" / "engine", tmp_path / "site"
    with served(engine), Client(engine) as client:
        client.load_plan(plan(tmp_path / "p", PATIENT), fraction=4)
        client.begin_image(make_volume().grid, position=HFS, image_id="scan")
        assert main(["erase", PATIENT, "--site", str(site), "--yes"]) == 4
        assert "an engine runs in this folder already" in capsys.readouterr().err
    before = (engine / FILE).read_bytes()
    assert main(["erase", PATIENT, "--site", str(site), "--yes"]) == 4
    assert "a session of this patient is open (acquiring)" in capsys.readouterr().err
    assert (engine / "spool" / "scan.hu").exists()
    assert (engine / FILE).read_bytes() == before
    assert main(["erase", OTHER, "--site", str(site), "--yes"]) == 0


def test_an_image_of_nobody_goes_by_its_id(site):
    engine = site / "engine"
    with served(engine), Client(engine) as client:
        client.load_plan(plan(site.parent / "nobody", ""), fraction=4)
        client.send_image(make_volume(), position=HFS, image_id="anonymous-scan")
        client.wait_for_answer("anonymous-scan", timeout_s=WAIT_S)
        client.load_plan(plan(site.parent / "o", OTHER), fraction=4)
    assert main(["erase", "nobody-known", "--also", "anonymous-scan", "--site", str(site), "--yes"]) == 0
    assert naming(site, "anonymous-scan") == []
    assert not (engine / "spool" / "anonymous-scan.hu").exists()
    assert verify(engine / FILE).holds


def test_nothing_is_erased_unasked(site, capsys, monkeypatch):
    assert main(["erase", PATIENT, "--site", str(site)]) == 4
    assert "nobody can be asked here" in capsys.readouterr().err

    class Typed:
        def __init__(self, text):
            self.text = text

        def isatty(self):
            return True

        def readline(self):
            return self.text + "\n"

    monkeypatch.setattr(sys, "stdin", Typed("yes"))
    assert main(["erase", PATIENT, "--site", str(site)]) == 4
    assert "nothing was erased" in capsys.readouterr().err
    assert naming(site / "engine" / "spool", PATIENT) != []
    monkeypatch.setattr(sys, "stdin", Typed(PATIENT))
    assert main(["erase", PATIENT, "--also", NAME, "--site", str(site)]) == 0
    assert naming(site, PATIENT) == []


def test_an_erasure_that_broke_off_is_finished_by_the_next(site, monkeypatch):
    from igrt.engine import erasure

    def broken(*_, **__):
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(erasure.Journal, "erase_patient", broken)
        assert main(["erase", PATIENT, "--site", str(site), "--yes"]) == 5
    assert naming(site, PATIENT) != []
    assert main(["erase", PATIENT, "--also", NAME, "--site", str(site), "--yes"]) == 0
    assert naming(site, PATIENT, NAME) == []


def test_request_ids_that_were_made_from_the_id_are_told(site, capsys):
    with Journal(site / "engine" / FILE, session="s") as journal:
        number = journal.append("reply", b"\x80", request_id=f"{PATIENT}-1").number
    assert main(["erase", PATIENT, "--site", str(site), "--yes"]) == 1
    assert f"Request ids in 1 rows ({number}) were made from the patient's id" in capsys.readouterr().out


def test_a_name_that_stands_elsewhere_is_told(site, capsys):
    (site / "engine" / "note.txt").write_text(f"x{PATIENT}x")
    assert main(["erase", PATIENT, "--site", str(site), "--yes"]) == 1
    assert "note.txt" in " ".join(capsys.readouterr().out.split())


# ---------------------------------------------------------------------------------------------- backup


def test_a_backup_of_a_running_engine_comes_back(site, tmp_path, capsys):
    engine, copy = site / "engine", tmp_path / "copy.sqlite"
    with served(engine):
        assert main(["backup", str(copy), "--site", str(site)]) == 0
        said = capsys.readouterr().out
        assert main(["restore", str(copy), "--site", str(site)]) == 4
        assert "an engine runs in this folder already" in capsys.readouterr().err
    assert main(["restore", str(copy), "--site", str(site)]) == 4
    assert "something is there already" in capsys.readouterr().err
    head = said.split("head ")[1].split(".")[0]
    new = tmp_path / "new"
    assert main(["restore", str(copy), "--site", str(new), "--head", head]) == 0
    was, now = list(read_rows(copy)), list(read_rows(new / "engine" / FILE))
    assert now[:-1] == was
    assert now[-1].kind == "restored"
    assert was[-1].kind in (EVENT, STATE)
    with served(new / "engine"), Client(new / "engine") as client:
        assert client.snapshot().state == "idle", "nothing that the backup left standing goes on"
    assert verify(new / "engine" / FILE).holds


def test_a_restore_that_breaks_off_leaves_no_journal_and_the_next_one_goes(site, tmp_path, monkeypatch):
    copy, new = tmp_path / "copy.sqlite", tmp_path / "new"
    main(["backup", str(copy), "--site", str(site)])

    def broken(*_):
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append_all", broken)
        assert main(["restore", str(copy), "--site", str(new)]) == 5
    assert [path.name for path in (new / "engine").iterdir()] == ["engine.lock"]
    (new / "engine" / f"{FILE}.new").write_bytes(b"of a kill")
    assert main(["restore", str(copy), "--site", str(new)]) == 0
    assert verify(new / "engine" / FILE).holds


@pytest.mark.parametrize("kept", [0, 100, 5000, 0.5, 0.99])
def test_a_truncated_backup_is_refused(site, tmp_path, capsys, kept):
    copy = tmp_path / "copy.sqlite"
    main(["backup", str(copy), "--site", str(site)])
    size = copy.stat().st_size
    os.truncate(copy, kept if isinstance(kept, int) else int(size * kept))
    capsys.readouterr()
    assert main(["restore", str(copy), "--site", str(tmp_path / "new")]) == 4
    assert str(copy) in capsys.readouterr().err.replace("\n", "")
    assert not (tmp_path / "new" / "engine" / FILE).exists()


def test_a_patient_is_erased_from_a_backup(site, tmp_path, capsys):
    copy = tmp_path / "copies" / "copy.sqlite"
    copy.parent.mkdir()
    main(["backup", str(copy), "--site", str(site)])
    main(["erase", PATIENT, "--also", NAME, "--site", str(site), "--yes"])
    assert naming(copy.parent, PATIENT, NAME) != []
    assert main(["erase", PATIENT, "--also", NAME, "--backup", str(copy), "--yes"]) == 0
    assert naming(copy.parent, PATIENT, NAME) == []
    assert [path.name for path in copy.parent.iterdir()] == ["copy.sqlite"]
    assert verify(copy).holds
    assert OTHER.encode() in copy.read_bytes()
    before = copy.read_bytes()
    assert main(["erase", PATIENT, "--backup", str(copy), "--yes"]) == 0
    assert "it was left as it is" in " ".join(capsys.readouterr().out.split())
    assert copy.read_bytes() == before
    assert main(["restore", str(copy), "--site", str(tmp_path / "new")]) == 0


# ------------------------------------------------------------------------------------------- retention


def age(site, image_id, days):
    then = time.time() - days * 86400
    os.utime(site / "engine" / "spool" / f"{image_id}.hu", (then, then))


def images(site):
    return sorted(path.stem for path in (site / "engine" / "spool").glob("*.hu"))


def test_old_images_are_listed_and_go_when_told(site, capsys):
    for image_id in images(site):
        age(site, image_id, 40)
    assert main(["retain", "--older-than", "30", "--site", str(site)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "May go: 1 of 2 images" in said
    assert "its plan is in use" in said or "it is the image in hand" in said
    assert images(site) == [f"{PATIENT}-scan", "other-scan"]
    assert main(["retain", "--older-than", "30", "--site", str(site), "--delete", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [image["removed"] for image in found["images"]] == [image["image_id"] != "other-scan" for image in found["images"]]
    assert images(site) == ["other-scan"]
    last = list(read_rows(site / "engine" / FILE))[-1]
    assert (last.kind, msgspec.msgpack.decode(last.payload)["image_id"]) == (IMAGE_REMOVED, f"{PATIENT}-scan")
    assert verify(site / "engine" / FILE).holds
    assert main(["erase", PATIENT, "--also", NAME, "--site", str(site), "--yes"]) == 0
    assert naming(site, PATIENT) == []


@pytest.mark.parametrize("days", ["0.5", "-3", "nan"])
def test_less_than_a_day_is_not_taken(site, days, capsys):
    assert main(["retain", "--older-than", days, "--site", str(site), "--delete"]) == 4
    assert len(images(site)) == 2


def test_a_running_engine_removes_by_itself_what_it_was_told_to(site):
    for image_id in images(site):
        age(site, image_id, 40)
    with served(site / "engine", "30"), Client(site / "engine") as client:
        until = time.monotonic() + WAIT_S
        while len(images(site)) > 1 and time.monotonic() < until:
            time.sleep(0.05)
        assert images(site) == ["other-scan"]
        assert client.snapshot().header.patient_id == OTHER
        assert main(["retain", "--older-than", "30", "--site", str(site)]) == 0
        with pytest.raises(InputError, match="an engine runs"):
            retain(site / "engine", keep_days=30, now_utc_s=time.time())
    assert IMAGE_REMOVED in [row.kind for row in read_rows(site / "engine" / FILE)]
    assert [line["images"] for line in log_lines(site) if line["event"] == "images removed"] == [1]


# ------------------------------------------------------------------------------------------ the service


def test_systemd_hears_that_it_serves_lives_and_stops_and_a_stop_leaves_a_whole_journal(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(WAIT_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000000")
        engine = tmp_path / "site" / "engine"
        with served(engine), Client(engine) as client:
            assert ear.recv(100) in (b"READY=1", b"WATCHDOG=1")
            assert {ear.recv(100) for _ in range(3)} <= {b"READY=1", b"WATCHDOG=1"}
            client.load_plan(plan(tmp_path / "p", PATIENT), fraction=4)
            transfer = client.begin_image(make_volume().grid, position=HFS, image_id="scan")
            transfer.send(0, make_volume().hu[:5])
            transfer.drain()
        said = [ear.recv(100)]
        while said[-1] != b"STOPPING=1":
            said.append(ear.recv(100))
    assert not list(engine.glob("journal.sqlite-*")), "closed: nothing is left in a log beside it"
    assert verify(engine / FILE).holds
    assert [row.kind for row in read_rows(engine / FILE)][-1] in (EVENT, STATE)
    with served(engine), Client(engine) as client:
        assert client.snapshot().image.slices_stored == 5
