"""docs/contributing.md leads a newcomer: every file and folder that it names exists, and its recipes name files."""

import re

import pytest

from source_files import TOP

PAGE = (TOP / "docs/contributing.md").read_text()
TOPS = ("core", "relay", "dns", "metrics", "bench", "tests", "deploy", "docs", ".ci")


def paths_of(text):
    """What looks like a path of ours, in code or out of it; `x` and a name with … stand for any."""
    found = re.findall(r"(?<![\w./-])((?:%s)/[\w./-]*[\w/]|README\.md)" % "|".join(map(re.escape, TOPS)), text)
    return sorted({path for path in found if not re.search(r"\bx(_test)?\.(h|cc)$", path)})


@pytest.mark.parametrize("path", paths_of(PAGE))
def test_what_the_page_names_exists(path):
    assert (TOP / path).exists(), f"docs/contributing.md names {path}, which does not exist"


def test_each_recipe_names_the_files_that_it_touches():
    recipes = re.split(r"^### ", PAGE.split("\n## Recipes\n")[1].split("\n## ")[0], flags=re.MULTILINE)[1:]
    titles = [recipe.splitlines()[0] for recipe in recipes]
    for wanted in ("A key of the configuration", "A metric", "An answer over HTTP, or a command", "A fuzz target"):
        assert wanted in titles
    for recipe in recipes:
        files = [path for path in paths_of(recipe) if (TOP / path).is_file()]
        assert len(files) >= 2 or "tests/unit/" in recipe, recipe


def test_a_path_that_does_not_exist_is_found():
    assert paths_of("see `relay/none.cc`, tests/run and http://x/relay/y") == ["relay/none.cc", "tests/run"]
    assert not (TOP / "relay/none.cc").exists()
