"""The logs: of bounded size, structured, and without what may name a patient, wherever it came from."""

import json
import logging
import threading
import warnings

import pytest

from igrt.engine import log_files, logs
from igrt.engine.log_files import FOLDER, erase_lines, ref_words, site_key
from igrt.engine.log_files import log_files as files_of
from igrt.engine.logs import WITHHELD, Ref, log, logging_to

LOG = logging.getLogger("igrt.engine.test")
NAME = "DOE^JANE"


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def lines(folder):
    return [json.loads(line) for line in (folder / FOLDER / "engine.jsonl").read_text().splitlines()]


def test_a_line_says_when_what_and_by_which_codes(folder, capsys):
    with logging_to(folder, "engine"):
        log(LOG, "state", state="ready", patient=Ref("patient", NAME), image=Ref("image", None), seconds=1.5)
    (line,) = lines(folder)
    assert (line["level"], line["from"], line["event"]) == ("info", "igrt.engine.test", "state")
    assert (line["state"], line["seconds"], line["image"]) == ("ready", 1.5, None)
    assert line["patient"] == ref_words(site_key(folder), "patient", NAME)
    err = capsys.readouterr().err
    assert 'info state state="ready" patient="patient-' in err
    assert NAME not in err


def test_the_same_patient_has_the_same_mark_at_one_site_and_another_at_the_next(tmp_path):
    for site in ("a", "b"):
        (tmp_path / site).mkdir()
    a, b = site_key(tmp_path / "a"), site_key(tmp_path / "b")
    assert a == site_key(tmp_path / "a") != b
    assert ref_words(a, "patient", NAME) == ref_words(a, "patient", NAME) != ref_words(b, "patient", NAME)
    assert ref_words(a, "patient", NAME) != ref_words(a, "image", NAME).replace("image", "patient")


def test_what_an_exception_says_is_left_out_and_its_places_stay(folder, capsys):
    def inner():
        raise KeyError(NAME)

    with logging_to(folder, "engine"):
        try:
            try:
                inner()
            except KeyError as error:
                raise RuntimeError(f"no plan of {NAME}") from error
        except RuntimeError as error:
            LOG.error("a defect", exc_info=error)
    (line,) = lines(folder)
    assert line["error"][0] == "RuntimeError"
    assert "KeyError" in line["error"]
    assert line["error"][-1].endswith("inner")
    assert NAME not in json.dumps(line)
    assert NAME not in capsys.readouterr().err


def test_messages_of_others_are_withheld(folder, capsys):
    def fail():
        raise ValueError(NAME)

    with logging_to(folder, "engine"):
        logging.getLogger("asyncio").error("Task exception was never retrieved of %s", NAME)
        logging.getLogger("igrtx").error(NAME)
        LOG.warning("ours, with %s", NAME)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(NAME, stacklevel=1)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    found = lines(folder)
    assert [line["event"] for line in found] == [WITHHELD, WITHHELD, "ours, with %s", WITHHELD, "a thread ended with an exception"]
    assert NAME not in json.dumps(found)
    assert NAME not in capsys.readouterr().err


def test_the_logs_stay_within_bounds(folder, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST_FILE_BYTES", 2000)
    with logging_to(folder, "engine"):
        for number in range(500):
            log(LOG, "again", number=number)
    found = files_of(folder)
    assert len(found) == 1 + logs.OLDER_FILES
    assert all(path.stat().st_size <= 2000 for path in found)
    assert lines(folder)[-1]["number"] == 499
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in found)


def test_a_disk_that_takes_no_line_stops_nobody(folder, monkeypatch):
    with logging_to(folder, "engine"):
        (handler,) = [h for h in logging.getLogger().handlers if isinstance(h, logs._Files)]

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(handler, "flush", full)
        log(LOG, "lost")
        monkeypatch.undo()
        log(LOG, "kept")
    assert lines(folder)[-1]["event"] == "kept"


def test_lines_of_one_patient_leave_every_file(folder, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST_FILE_BYTES", 3000)
    with logging_to(folder, "engine"):
        for number in range(60):
            log(LOG, "state", patient=Ref("patient", NAME if number % 3 else "another"), number=number)
    before = sum(len(path.read_text().splitlines()) for path in files_of(folder))
    mark = ref_words(site_key(folder), "patient", NAME)
    theirs = sum(path.read_text().count(mark) for path in files_of(folder))
    assert erase_lines(folder, [NAME]) == theirs > 0
    assert sum(len(path.read_text().splitlines()) for path in files_of(folder)) == before - theirs
    assert erase_lines(folder, [NAME]) == 0
    assert not list((folder / FOLDER).glob("*.tmp"))


def test_a_folder_without_logs_has_nothing_to_erase(folder):
    assert erase_lines(folder, [NAME]) == 0
    assert not (folder / log_files.KEY_FILE).exists()


def test_a_key_that_a_power_cut_left_empty_is_made_anew(folder):
    (folder / log_files.KEY_FILE).touch()
    assert len(site_key(folder)) == log_files.KEY_BYTES
