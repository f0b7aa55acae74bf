"""`igrt journal verify`: says what holds, and names what does not."""

import sqlite3

import pytest

from igrt.cli.main import main
from igrt.engine.journal import Entry, Journal
from igrt.engine.record import EVENT, FILE


@pytest.fixture
def folder(tmp_path):
    with Journal(tmp_path / FILE, session="s") as journal:
        journal.append_all([Entry(EVENT, b"\x80")] * 3)
    return tmp_path


def test_a_whole_journal_holds(folder, capsys):
    for path in (folder, folder / FILE):
        assert main(["journal", "verify", str(path)]) == 0
        text = " ".join(capsys.readouterr().out.split())
        assert "3 rows hold" in text
    head = text.split()[-1].rstrip(".")
    assert main(["journal", "verify", str(folder), "--head", head]) == 0
    assert main(["journal", "verify", str(folder), "--head", head.replace("3:", "4:")]) == 4
    assert "missing from the end" in " ".join(capsys.readouterr().err.split())
    assert main(["journal", "verify", str(folder), "--head", "nonsense"]) == 4
    assert "is no journal head" in " ".join(capsys.readouterr().err.split())


def test_a_changed_row_is_named(folder, capsys):
    base = sqlite3.connect(folder / FILE, isolation_level=None)
    (triggers,) = zip(*base.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall(), strict=True)
    for trigger in triggers:
        base.execute(f"DROP TRIGGER {trigger}")
    base.execute("UPDATE payloads SET payload = x'81' WHERE number = 2")
    base.close()
    assert main(["journal", "verify", str(folder)]) == 4
    assert "restore a backup" in " ".join(capsys.readouterr().err.split())


def test_where_there_is_no_journal_it_is_said(tmp_path, capsys):
    assert main(["journal", "verify", str(tmp_path)]) == 4
    assert "there is no journal" in capsys.readouterr().err
