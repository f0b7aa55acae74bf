import json

import pytest

from igrt.cli.engine_process import running_engine
from igrt.cli.main import main


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with running_engine(tmp_path_factory.mktemp("site")) as folder:
        yield folder


@pytest.fixture
def sending(engine, usage) -> list[str]:
    return ["simulate", "imager", "--engine", str(engine), *usage[1:]]


def answer_of(arguments: list[str], capsys) -> tuple[int, dict]:
    code = main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_engine_gives_the_answer_of_the_command(sending, usage, capsys):
    by_bus, by_command = answer_of(sending, capsys), answer_of(usage, capsys)
    for _, answer in (by_bus, by_command):
        answer.pop("seconds")
    assert by_bus == by_command


def test_the_answer_is_printed_for_reading(sending, capsys):
    main(sending)
    out, err = capsys.readouterr()
    assert "research software" in out
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--isocentre", "0", "0", "900"], "outside the planning CT"),
        (["--protocol", "no-such"], "no-such"),
        (["--slices-per-second", "0"], "positive"),
    ],
)
def test_what_the_engine_refuses_is_one_sentence_and_4(arguments, said, sending, capsys):
    assert main([*sending, *arguments]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_without_an_engine_there_is_a_sentence(usage, tmp_path, capsys):
    assert main(["simulate", "imager", "--engine", str(tmp_path), *usage[1:]]) == 4
    assert "igrt serve" in capsys.readouterr().err


def test_an_unknown_patient_is_refused(tmp_path, capsys):
    assert main(["simulate", "files", str(tmp_path), "--patient", "nobody"]) == 4
    assert "nobody" in capsys.readouterr().err
