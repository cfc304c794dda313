"""docs/conformance.md: the tests that it names exist, so that renaming one cannot leave a claim with nothing to show it."""

import fnmatch
import re

import pytest

from source_files import TOP, own_files
from test_faults import gtests

PAGE = (TOP / "docs/conformance.md").read_text()
ROWS = [line for line in PAGE.splitlines() if "`" in line]
GTESTS = gtests()
PYTHON = "\n".join(path.read_text() for path in own_files()
                   if path.suffix == ".py" and path.is_relative_to(TOP / "tests"))
FUNCTIONS = set(re.findall(r"^def (test_\w+)\(", PYTHON, re.MULTILINE))
FILES = {path.name for path in own_files() if path.is_relative_to(TOP / "tests")}


def missing(row):
    """The tests that a row names and nobody has; `.name` follows `Suite.name`, * and … stand for the rest of a name."""
    lost = []
    suite = None
    for name in re.findall(r"`([^`]+)`", row):
        python = re.fullmatch(r"(test_\w+\.py)?(?:(?:::)?(test_\w+))?", name)
        cplusplus = re.fullmatch(r"(?:\w+/)?([A-Z]\w*)?\.([\w*…]+)", name)
        if python and python.group(0):
            file, function = python.groups()
            found = (not file or file in FILES) and (not function or function in FUNCTIONS)
        elif cplusplus:
            suite = cplusplus.group(1) or suite
            pattern = f"{suite}.{cplusplus.group(2).replace('…', '*')}"
            found = any(fnmatch.fnmatchcase(test, pattern) for test in GTESTS)
        else:
            continue
        if not found:
            lost.append(name)
    return lost


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip() if "|" in row else "text")
def test_what_a_row_names_exists(row):
    assert not missing(row), f"docs/conformance.md names {', '.join(missing(row))}, which no test is called"


def test_a_name_that_does_not_exist_is_found():
    assert missing("| `Dispositions.are_those_of_the_table`, `.are_none` |") == [".are_none"]
    assert missing("| `Dispositions.*`, `RelaySts.waiving_…`, `NoSuite.*` |") == ["NoSuite.*"]
    assert missing("| `test_dns.py::test_null_mx`, `::test_none`, `test_none.py` |") == \
        ["::test_none", "test_none.py"]
    assert missing("| `[delivery] address_literals`, `Origin::rule_of()` |") == []
