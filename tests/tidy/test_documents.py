"""Documents: every link leads somewhere, and what users were found to miss is where they look for it."""

import re

import pytest

from source_files import TOP, own_files

DOCUMENTS = [path for path in own_files()
             if path.suffix == ".md" and path.relative_to(TOP).parts[0] != "bench"]


def relative(path):
    return str(path.relative_to(TOP))


def text_of(name):
    return (TOP / name).read_text()


def without_code(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors_of(path):
    """Anchors as forges make them from headings: lower case, no punctuation, blanks as hyphens."""
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)}


def broken_links_of(path, text):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_links_lead_somewhere(path):
    assert broken_links_of(path, path.read_text()) == []


def test_a_broken_link_is_found():
    page = TOP / "docs/operating.md"
    assert broken_links_of(page, "[a](limits.md) [b](#stop) [c](https://example.com/none)") == []
    assert broken_links_of(page, "[a](none.md)") == ["none.md"]
    assert broken_links_of(page, "[a](limits.md#none)") == ["limits.md#none"]


def test_the_event_page_names_every_command_that_a_reply_can_answer():
    row = re.search(r"^\| `response` \|.*$", text_of("docs/events.md"), re.MULTILINE).group(0)
    names = re.search(r"kNames\[\] = \{([^}]*)\}", text_of("relay/smtp/client_command.cc")).group(1)
    for name in re.findall(r'"([^"]+)"', names):
        assert f"`{name}`" in row, name


def test_sites_and_paths_are_defined_where_their_limits_are():
    page = text_of("docs/configuration.md")
    assert re.search(r"^- A \*\*site\*\* is ", page, re.MULTILINE)
    assert re.search(r"^- A \*\*path\*\* is ", page, re.MULTILINE)


def test_readme_says_where_outcomes_are():
    assert "events/events.jsonl" in text_of("README.md")


def test_operating_says_one_thing_about_certificates():
    page = text_of("docs/operating.md")
    assert "are read at the start and at each [reload](#stop)" in page
    assert not re.search(r"passwords are read at the start\.|a restart reads it", page)


def test_the_kubernetes_page_names_the_version_that_its_manifests_need():
    if "sleep:" in text_of("deploy/kubernetes/statefulset.yaml"):
        assert "Kubernetes 1.30 or newer" in text_of("docs/kubernetes.md")


@pytest.mark.parametrize("platform", ["listmonk", "Mautic", "Ghost", "Mailtrain", "Your own code"])
def test_senders_find_their_platform(platform):
    assert re.search(rf"^## {platform}$", text_of("docs/senders.md"), re.MULTILINE)


def test_senders_find_long_lines_restarts_and_every_reply():
    page = text_of("docs/senders.md")
    for heading in ("Lines over 998 octets", "Before the relay is restarted",
                    "What each reply means for you"):
        assert f"\n## {heading}\n" in page
    said = page.split("## What each reply means for you")[1].split("\n## ")[0]
    sources = "".join(text_of(f"relay/smtp/{name}.cc") for name in ("server_dialogue", "command", "rejection"))
    for code in set(re.findall(r'"([45]\d\d) \d\.\d\.\d+ ', sources)) - {"502"}:
        assert code in said, f"docs/senders.md does not say what {code} means"


def test_the_operating_page_says_what_to_do_about_each_alert():
    rules = re.findall(r"^ +- alert: (\w+)$", text_of("deploy/prometheus/posthaste.rules.yml"),
                       re.MULTILINE)
    rows = re.findall(r"^\| (Posthaste\w+(?:, Posthaste\w+)*) \|", text_of("docs/operating.md"),
                      re.MULTILINE)
    assert sorted(", ".join(rows).split(", ")) == sorted(rules)
