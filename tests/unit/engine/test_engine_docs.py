"""docs/engine.md and its picture are what the tables say."""

from pathlib import Path

from igrt.engine.docs import markdown
from igrt.engine.picture import ENDS, WAY, lines, shared, svg
from igrt.engine.states import TRANSITIONS, State


def test_the_document_is_made_from_the_tables():
    document = Path(__file__).resolve().parents[3] / "docs" / "engine.md"
    assert document.read_text() == markdown(), "run: python -m igrt.engine.docs > docs/engine.md"


def test_the_picture_is_made_from_the_table():
    picture = Path(__file__).resolve().parents[3] / "docs" / "pictures" / "states.svg"
    assert picture.read_text() == svg(), "run: python -m igrt.engine.picture > docs/pictures/states.svg"


def test_the_picture_shows_every_state_and_every_step_once():
    assert sorted((*WAY, *ENDS)) == sorted(State)
    drawn = [(source, trigger, target) for (source, target), triggers in lines().items() for trigger in triggers]
    dots = [(source, trigger, target) for (trigger, target), sources in shared().items() for source in sources]
    assert sorted(drawn + dots) == sorted((source, trigger, target) for (source, trigger), target in TRANSITIONS.items())
    picture = svg()
    for state in State:
        assert f">{state}</text>" in picture
    for _, trigger, _ in drawn:
        assert trigger in picture
    for trigger, target in shared():
        assert f">{trigger} leads to {target}</text>" in picture
    assert picture.count("<circle") == len(dots) + len(shared())
    assert picture.count('class="line"') == len(lines())
