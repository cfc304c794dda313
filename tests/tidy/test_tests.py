"""Tests are named and placed in one way: TEST(Noun, says_what_holds), and tests/unit mirrors the tree of the sources."""

import re

import pytest

from source_files import TOP, includes_of, own_files

CASE = re.compile(r"\b(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)")
UNIT = TOP / "tests/unit"
SOURCES = [path for path in own_files() if path.suffix == ".cc" and path.is_relative_to(TOP / "tests")]


def relative(path):
    return str(path.relative_to(TOP))


def badly_named(text):
    return [f"{suite}.{name}" for suite, name in CASE.findall(text)
            if not re.fullmatch(r"[A-Z][A-Za-z0-9]*", suite)
            or not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name)]


@pytest.mark.parametrize("path", [path for path in SOURCES if CASE.search(path.read_text())], ids=relative)
def test_names_are_sentences(path):
    wrong = badly_named(path.read_text())
    assert not wrong, f"{relative(path)}: write TEST(Noun, says_what_holds) instead of {', '.join(wrong)}"


def mirrored(folder):
    """The source folder whose tests are in tests/unit/<folder>: core/net and dns as they are, config for relay/config."""
    for source in (folder, f"relay/{folder}", f"{folder}/load"):
        if any((TOP / source).glob("*.h")):
            return source
    return None


@pytest.mark.parametrize("path", [path for path in SOURCES if path.is_relative_to(UNIT)], ids=relative)
def test_unit_tests_stand_where_their_source_does(path):
    folder = str(path.parent.relative_to(UNIT))
    source = mirrored(folder)
    assert source, f"there is no source folder for tests/unit/{folder}"
    if not path.name.endswith("_test.cc"):
        return
    names = set(includes_of(path))
    for name in list(names):  # what a header beside it includes counts as well
        if name.startswith(f"tests/unit/{folder}/"):
            names |= set(includes_of(TOP / name))
    assert any(name.rpartition("/")[0] == source for name in names), \
        f"{relative(path)} includes nothing of {source}; it belongs beside the tests of what it tests"


def test_bad_names_are_found():
    assert badly_named("TEST(Spool, IsWritten) TEST_F(spool, is_read) TEST(Spool, is_read_2)") == \
        ["Spool.IsWritten", "spool.is_read"]
    assert badly_named("TEST(\n    Spool,\n    Is_kept)") == ["Spool.Is_kept"]
    assert mirrored("config") == "relay/config" and mirrored("core/net") == "core/net" and mirrored("none") is None
