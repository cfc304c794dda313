"""docs/faults.md: its rows are in order, and every test and document that it names exists."""

import re

import pytest
import yaml

from source_files import TOP, own_files

FAULTS = (TOP / "docs/faults.md").read_text()
ROWS = re.findall(r"^\| ([A-Z]+\d+) \|(.*)\|([^|]*)\|$", FAULTS, re.MULTILINE)


def gtests():
    text = "\n".join(path.read_text() for path in own_files()
                     if path.suffix == ".cc" and path.parts[len(TOP.parts)] == "tests")
    return {f"{suite}.{name}" for suite, name in
            re.findall(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", text)}


def alerts():
    rules = yaml.safe_load((TOP / "deploy/prometheus/posthaste.rules.yml").read_text())
    return {rule["alert"] for group in rules["groups"] for rule in group["rules"]
            if "alert" in rule}


KNOWN = gtests() | alerts()


def exists(name):
    path, _, function = name.partition("::")
    if (TOP / path).is_file():
        return not function or re.search(rf"^def {function}\(", (TOP / path).read_text(), re.MULTILINE)
    return name in KNOWN


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_the_row_names_exists(row):
    names = re.findall(r"`([^`]+)`", row[2])
    missing = [name for name in names if not exists(name)]
    missing += [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", row[2])
                if not (TOP / "docs" / link).is_file()]
    assert not missing, f"docs/faults.md, {row[0]}: there is no {', '.join(missing)}"


def test_rows_are_in_order_and_each_id_has_one():
    ids = [row[0] for row in ROWS]
    assert ids == sorted(ids, key=lambda name: (name[0], int(name[1:])))
    assert len(ids) == len(set(ids))


def test_a_name_that_does_not_exist_is_found():
    assert exists("PosthasteDown") and not exists("PosthasteUp")
    assert exists("tests/tidy/test_faults.py::test_a_name_that_does_not_exist_is_found")
    assert not exists("tests/tidy/test_faults.py::test_nothing")
    assert exists(sorted(gtests())[0]) and not exists("Journal.does_nothing_of_the_kind")
