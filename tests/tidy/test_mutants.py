"""tests/mutants/mutants.toml: every fault still has its line, and the test that must notice it exists."""

import fnmatch
import re
import tomllib

import pytest

from source_files import TOP, own_files

MUTANTS = tomllib.loads((TOP / "tests/mutants/mutants.toml").read_text())["mutant"]
FIELDS = {"name", "file", "find", "replace", "target", "filter", "why"}


def programs():
    """{target: the names of its tests, with an instance for those that have parameters}"""
    found = {}
    for listing in (path for path in own_files() if path.name == "CMakeLists.txt"):
        text = re.sub(r"#.*", "", listing.read_text())
        for target, arguments in re.findall(r"posthaste_unit_test\(\s*(\w+)([^)]*)\)", text):
            names = found.setdefault(target, set())
            for source in re.findall(r"[\w./]+\.cc", arguments):
                path = listing.parent / source
                if path.is_file():
                    names |= names_in(path.read_text())
    return found


def names_in(text):
    names = set()
    for kind, suite, name in re.findall(r"\bTEST(_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)", text):
        names.add(f"Any/{suite}.{name}/0" if kind == "_P" else f"{suite}.{name}")
    return names


PROGRAMS = programs()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one["name"])
def test_the_fault_can_be_tried(mutant):
    assert set(mutant) == FIELDS
    source = (TOP / mutant["file"]).read_text()
    assert "\n" not in mutant["find"] + mutant["replace"], "a fault is one line"
    assert source.count(mutant["find"]) == 1, (
        f"{mutant['file']} has this {source.count(mutant['find'])} times; where the rule stands "
        "now? tests/mutants/README.md says what to do")
    assert mutant["find"] != mutant["replace"]
    assert mutant["target"] in PROGRAMS, f"there is no test program {mutant['target']}"
    patterns = mutant["filter"].split(":")
    missing = [each for each in patterns
               if not any(fnmatch.fnmatch(name, each) for name in PROGRAMS[mutant["target"]])]
    assert not missing, f"{mutant['target']} has no test {', '.join(missing)}"


def test_there_are_enough_and_names_are_unique():
    assert len(MUTANTS) >= 60
    assert len({one["name"] for one in MUTANTS}) == len(MUTANTS)
