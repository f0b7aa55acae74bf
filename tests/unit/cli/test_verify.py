import json
import re
from pathlib import Path

import numpy as np
import pytest

import igrt
from igrt.cli.main import main
from igrt.verification import second_solver

VERDICTS = [
    ((-1.0, 0.0, 0.0), 0.02, 0, "proceed"),
    ((-14.0, 0.0, 0.0), 0.02, 1, "caution"),
    ((-30.0, 0.0, 0.0), 0.02, 2, "stop"),
    ((-1.0, 0.0, 0.0), 14.2, 3, "refused"),
]


@pytest.mark.parametrize(("shift_mm", "difference_mm", "code", "word"), VERDICTS)
def test_the_exit_code_is_the_verdict(shift_mm, difference_mm, code, word, usage, found, capsys):
    found(shift_mm, difference_mm)
    assert main(usage) == code
    out, err = capsys.readouterr()
    assert word.upper() in out
    assert "research software" in out
    assert err == ""


def test_json_is_the_answer_alone(usage, found, capsys):
    found((-1.0, 0.0, 0.0))
    main([*usage, "--json"])
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["version"] == "igrt-answer/1"
    assert answer["correction"]["axes"] == "fixed"
    assert answer["plan_isocentre_mm"] == [0.0, -4.0, -2.5]
    assert err == ""


def test_a_refused_match_prints_no_number_to_move_by(usage, found, capsys):
    found((-8.0, 0.0, 0.0), 14.2)
    main([*usage, "--json"])
    answer = json.loads(capsys.readouterr().out)
    for key in ("plan_from_daily", "correction", "couch", "match_point", "residuals_mm"):
        assert answer[key] is None, key
    assert answer["evidence"]["second_start_difference_mm"] == 14.2
    main(usage)
    assert not re.search(r"couch \d", capsys.readouterr().out)


def test_the_couch_target_needs_the_couch(usage, found, capsys):
    found((-1.0, 0.0, 0.0))
    main([*usage, "--json"])
    assert json.loads(capsys.readouterr().out)["couch"]["target"] is None
    main([*usage, "--couch", "0", "-620", "-145", "0", "0", "0", "--json"])
    couch = json.loads(capsys.readouterr().out)["couch"]
    assert abs(couch["target"]["longitudinal_mm"] + 620) < 5
    assert "lateral_mm" in couch["delta"]


def test_a_shift_made_on_purpose_after_the_scan_is_no_set_up_error(usage, found, capsys):
    found((-30.0, 0.0, 0.0), 0.02)
    assert main([*usage, "--json"]) == 2
    correction = json.loads(capsys.readouterr().out)["correction"]
    made = [str(correction[f"{axis}_mm"]) for axis in ("lateral", "longitudinal", "vertical")]
    assert main([*usage, "--scan-offset", *made, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["correction"] == correction


def test_the_library_says_the_same(usage, images, found, capsys):
    found((-2.0, 0.5, 0.0))
    main([*usage, "--json"])
    of_command = json.loads(capsys.readouterr().out)
    plan = igrt.load_plan(images[0], isocentre_mm=[0, -4, -2.5], position="HFS")
    of_library = igrt.answer.verify(plan, igrt.load_daily(images[1], position="HFS")).to_json()
    for answer in (of_command, of_library):
        answer.pop("seconds")
    assert of_command == json.loads(json.dumps(of_library))


def test_the_real_registration_finds_the_shift(usage, capsys):
    """Two voxelisations of one ball, 2 mm apart along LPS x (HFS: to the right, seen facing the gantry)."""
    code = main([*usage, "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code in (0, 1, 2, 3)
    assert "register" in answer["seconds"]
    if answer["outcome"] == "accepted":
        assert np.abs(answer["correction"]["lateral_mm"] + 2.0) < 0.5


def test_a_report_is_written_and_named(usage, found, tmp_path, capsys):
    found((-1.0, 0.0, 0.0))
    path = tmp_path / "report.html"
    main([*usage, "--report", str(path)])
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(path) in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize("destination", ["gone/report.html", "."])
def test_a_report_that_cannot_be_written_stops_before_the_work(destination, usage, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(igrt.answer, "verify", lambda *_, **__: pytest.fail("the registration ran"))
    assert main([*usage, "--report", str(tmp_path / destination)]) == 4
    assert capsys.readouterr().err.count("\n") == 1


BAD_INPUT = [
    (["--position", "HFP"], 0, None),
    (["--isocentre", "0", "0", "900"], 4, "outside the planning CT"),
    (["--daily-isocentre", "0", "0", "900"], 4, "outside the daily image"),
    (["--machine", "no-such"], 4, "no-such"),
    (["--protocol", "no-such"], 4, "no-such"),
    (["--device", "abacus"], 4, "abacus"),
    (["--plan-isocentre", "2"], 4, "volume file"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), BAD_INPUT)
def test_bad_input_is_one_sentence_and_4(arguments, code, said, usage, found, capsys):
    if "--device" not in arguments:
        found((-1.0, 0.0, 0.0))
    assert main([*usage, *arguments]) == code
    out, err = capsys.readouterr()
    if said is not None:
        assert said in err
        assert err.count("\n") == 1
        assert out == ""


@pytest.mark.parametrize("content", [b"", b"not an image", b"ObjectType = Image\nNDims = 3\n"])
def test_a_damaged_file_is_one_sentence_and_4(content, usage, tmp_path, capsys):
    path = tmp_path / "broken.mha"
    path.write_bytes(content)
    assert main([*usage[:4], str(path), *usage[5:]]) == 4
    assert "broken.mha" in capsys.readouterr().err


def test_volume_files_need_an_isocentre_and_a_position(usage, capsys):
    assert main(usage[:5]) == 4
    assert "states no isocentre; give --isocentre" in capsys.readouterr().err
    assert main(usage[:-2]) == 4
    assert "states no patient position; give --position" in capsys.readouterr().err


def test_the_match_can_be_restricted_and_the_answer_says_so(usage, capsys):
    main([*usage, "--region=-60,-60,-50,60,60,50", "--mode", "grey", "--translations-only", "--json"])
    match = json.loads(capsys.readouterr().out)["match"]
    assert (match["region"], match["freedom"], match["manual"]) == ("box -60 -60 -50 to 60 60 50 mm", "translations", False)


def test_a_pose_set_by_hand_is_judged_beside_the_automatic_one(usage, tmp_path, capsys):
    pose = tmp_path / "pose.json"
    pose.write_text(json.dumps({"plan_from_daily": [[1, 0, 0, -2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}))
    code = main([*usage, "--manual-pose", str(pose), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code in (1, 2)
    assert answer["outcome"] == "accepted"
    assert set(answer["match"]["automatic"]) == {"difference_mm", "difference_deg", "reason", "evidence"}
    assert answer["plan_from_daily"][0][3] == -2.0


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--margin", "5"], "--margin is given without --region"),
        (["--region", "liver"], "the plan has none"),
        (["--region", "1,2,3"], "give six"),
        (["--translations-only", "--rotation-centre", "0", "0", "0"], "not allowed with"),
        (["--mode", "teeth"], "invalid choice"),
    ],
)
def test_a_match_that_cannot_be_is_bad_input(usage, capsys, flags, sentence):
    assert main([*usage, *flags]) == 4
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("opinion", "code"), [("confirmed", 0), ("no_opinion", 0), ("withdrawn", 2)])
def test_the_second_solver_is_in_answer_and_report_and_a_contradiction_is_a_stop(
    usage, found, capsys, monkeypatch, tmp_path, opinion, code
):
    found((-2.0, 0.0, 0.0))
    figures = second_solver.SecondFigures(difference_mm=8.0, similarity=0.9, similarity_there=float("nan"), seconds=3.25)
    said = second_solver.SecondOpinion(opinion=second_solver.Opinion(opinion), sentence="It says what it says.", figures=figures)
    monkeypatch.setattr(second_solver, "second_opinion", lambda *_, **__: said)
    report = tmp_path / "report.html"
    without = main([*usage, "--json"])
    assert "second_solver" not in json.loads(capsys.readouterr().out)
    assert main([*usage, "--second-solver", "--json", "--report", str(report)]) == max(without, code)
    answer = json.loads(capsys.readouterr().out)
    page = (Path(igrt.__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(second_solver[^`]*)` \|", page, flags=re.MULTILINE))
    assert documented == {"second_solver", *(f"second_solver.{key}" for key in answer["second_solver"])}
    assert all(f"`{key}`" in page for key in answer["second_solver"]["figures"])
    assert answer["second_solver"]["figures"]["similarity_there"] is None
    assert f"A second solver: {opinion.replace('_', ' ')}" in report.read_text(encoding="utf-8")
    main([*usage, "--second-solver"])
    assert "It says what it says." in capsys.readouterr().out


def key_paths(value: object, path: str = "") -> set[str]:
    """Every key of an answer as docs/json.md writes it."""
    if path.removesuffix("[]") in LEAVES:
        return {path}
    if isinstance(value, dict):
        inside = {p for key, inner in value.items() for p in key_paths(inner, _join(path, key))}
        return inside | ({path} if path and path not in ("seconds", "residuals_mm.POINT") else set())
    if isinstance(value, list) and value and isinstance(value[0], str | dict):
        inside = {p for inner in value for p in key_paths(inner, f"{path}[]")}
        return inside if isinstance(value[0], str) else inside | {f"{path}[]"}
    return {path}


LEAVES = {"couch.made", "couch.target", "couch.delta", "match.automatic", "match.target"}
LISTS_OF_TEXT = {"couch.limited"}


def _join(path: str, key: str) -> str:
    if path == "residuals_mm":
        return f"{path}.POINT"
    if path == "seconds":
        return f"{path}.STAGE"
    return f"{path}.{key}" if path else key


def test_every_key_is_documented_and_every_documented_key_exists(usage, found, capsys):
    found((-14.0, 0.0, 0.0))
    main([*usage, "--couch", "0", "-620", "-145", "0", "0", "0", "--json"])
    answer = json.loads(capsys.readouterr().out)
    written = {p + "[]" if p in LISTS_OF_TEXT else p for p in key_paths(answer)} - {"findings[]"} | {"findings[]"}
    page = (Path(igrt.__file__).parents[1] / "docs" / "json.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)) - {"error.kind", "error.sentence"}
    elsewhere = {key for key in documented if key.startswith("radiographs.") or key.partition(".")[0] in ("markers", "second_solver")}
    assert written == documented - elsewhere  # other tests have those
    six = {"lateral_mm", "longitudinal_mm", "vertical_mm", "pitch_deg", "roll_deg", "yaw_deg"}
    assert set(answer["couch"]["target"]) == set(answer["couch"]["delta"]) == six
    assert set(answer["couch"]["made"]) == set(answer["correction"]) == six | {"axes", "words"}
