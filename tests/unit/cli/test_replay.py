"""`igrt replay`: exit code and output for a session that is the same, one that differs, and one that cannot be replayed."""

import json

import pytest

from igrt.cli.main import main
from igrt.engine.record import CLAIM, FILE, SPOOL
from igrt.guard import decision
from igrt.guard.table import RULES
from tests.replay.library import PLAN, rewrite, unpack


@pytest.fixture
def folder(tmp_path):
    unpack(PLAN, tmp_path)
    return unpack("released", tmp_path)


def test_a_session_that_is_the_same(folder, tmp_path, capsys):
    assert main(["replay", str(folder), "--plans", str(tmp_path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "images answered again 1, of these compared bit for bit" in text
    assert text.endswith("the same.")


def test_images_elsewhere_and_json(folder, tmp_path, capsys):
    images = (folder / SPOOL).rename(tmp_path / "images")
    assert main(["replay", str(folder / FILE), "--images", str(images), "--plans", str(tmp_path), "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    assert (tables["version"], tables["same"]) == ("igrt-replay/1", True)
    assert [answer["image_id"] for answer in tables["answers"]] == ["first"]
    assert tables["decisions"]["claim"] == 5


def test_what_differs_is_said_line_by_line(folder, monkeypatch, capsys):
    monkeypatch.setattr(decision, "RULES", tuple(rule for rule in RULES if rule.name != "token"))
    assert main(["replay", str(folder), "--decisions"]) == 1
    text = " ".join(capsys.readouterr().out.split())
    assert "claim: told" in text
    assert text.endswith("it differs.")
    assert main(["replay", str(folder), "--decisions", "--json"]) == 1
    tables = json.loads(capsys.readouterr().out)
    assert not tables["same"]
    assert {turn["what"] for turn in tables["differing_decisions"]} == {"claim"}


def test_a_long_list_is_cut_on_the_terminal(folder, tmp_path, monkeypatch, capsys):
    from igrt.cli import replay

    monkeypatch.setattr(replay, "SHOWN", 1)

    def rightful(row, payload):
        return payload | {"token_is_issued": True} if row.kind == CLAIM else None

    journal = rewrite(folder / FILE, tmp_path / "other.sqlite", rightful)
    assert main(["replay", str(journal), "--decisions"]) == 1
    assert "more (--json lists all)" in capsys.readouterr().out


def test_what_cannot_be_replayed_is_one_sentence(folder, tmp_path, capsys):
    (folder / SPOOL / "first.hu").unlink()
    assert main(["replay", str(folder), "--plans", str(tmp_path)]) == 4
    assert "first.hu cannot be read" in " ".join(capsys.readouterr().err.split())
    assert main(["replay", str(tmp_path / "nowhere")]) == 4
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "no.sqlite").write_bytes(b"")
    assert main(["replay", str(tmp_path / "no.sqlite")]) == 4
    assert "no journal of igrt" in " ".join(capsys.readouterr().err.split())
