import json
import socket

import pytest

from igrt.cli import doctor, serve
from igrt.cli.main import main


def test_doctor_answers_every_question(tmp_path, capsys):
    code = main(["doctor", "--site", str(tmp_path), "--json"])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["question"] for row in rows] == ["Instruction set", "GPU", "Disk", "Ports", "Site folder", "Clock"]
    assert all(row["remedy"] for row in rows if row["level"] != "ok")
    assert code == max({"ok": 0, "warn": 1, "stop": 2}[row["level"]] for row in rows)


def test_the_text_names_each_row_and_its_remedy(tmp_path, capsys):
    main(["doctor", "--site", str(tmp_path / "new")])
    out = capsys.readouterr().out
    assert "Instruction set" in out
    assert "does not exist" in out
    assert "→" in out


def test_a_taken_port_is_said(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        monkeypatch.setattr(serve, "PORTS", {"commands": number})
        row = doctor.ports()
    assert (row.level, str(number) in row.found) == ("warn", True)


@pytest.mark.parametrize(("free_gib", "level"), [(500, "ok"), (5, "warn"), (0.5, "stop")])
def test_disk(free_gib, level, tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=int(free_gib * 2**30)))
    assert doctor.disk(tmp_path / "not" / "yet").level == level


def test_a_broken_file_in_the_site_folder_stops(tmp_path):
    (tmp_path / "machines").mkdir()
    (tmp_path / "machines" / "linac3.toml").write_text("[profile\n")
    row = doctor.site_files(tmp_path)
    assert row.level == "stop"
    assert "linac3.toml" in row.found


@pytest.mark.parametrize(
    ("state", "level", "said"), [(0, "ok", "kept by"), (doctor.TIME_ERROR, "warn", "no time service"), (None, "ok", "cannot be told")]
)
def test_clock(state, level, said, monkeypatch):
    monkeypatch.setattr(doctor, "_kernel_clock_state", lambda: state)
    row = doctor.clock()
    assert row.level == level
    assert said in row.found


def test_kernels_that_are_not_built_stop(monkeypatch):
    from igrt.compute import device

    def missing():
        raise ImportError("the native module for baseline is not built; run `make install`")

    monkeypatch.setattr(device, "choose", missing)
    row = doctor.instruction_set()
    assert row.level == "stop"
    assert "make install" in row.remedy
