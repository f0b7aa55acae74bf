from pathlib import Path

import igrt
from igrt.cli.commands_page import commands_page
from igrt.cli.table import COMMANDS, EXIT_CODES

DOCS = Path(igrt.__file__).parents[1] / "docs"


def test_the_page_of_commands_is_the_one_that_the_table_makes():
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert page == commands_page(), "run: python -m igrt.cli.commands_page > docs/commands.md"


def test_every_command_and_exit_code_is_on_it():
    page = commands_page()
    for command in COMMANDS:
        assert f"\n## igrt {command.name}\n" in page
    for code, meaning in EXIT_CODES:
        assert f"| {code} | {meaning} |" in page


def test_the_integrators_page_names_the_ports_and_the_commands_as_they_are():
    from igrt.cli.serve import PORTS

    page = (DOCS / "integrator.md").read_text(encoding="utf-8")
    for name, number in PORTS.items():
        assert f"{name} on port {number}" in page or f"{name} on {number}" in page
    for name in igrt.__all__:
        assert name in page
