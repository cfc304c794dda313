"""The shape of files: length, width, head comments, and names that do not belong in this code."""

import re

import pytest

from source_files import TOP, own_files, own_sources, without_comments_and_strings

LONGEST_FILE = 600
WIDEST_LINE = 100
LONGEST_FUNCTION = 100  # functions aim at 70; above this the test fails
HEAD_COMMENT = 2        # lines a header's head comment has at least

# What must not be used, where it may be used after all, and what to use instead.
BANNED = [
    (r"\bstd::regex\b", [], "hostile input can make it slow or overflow the stack"),
    (r"\bgetaddrinfo\b|\bgethostbyname\b", ["relay/config/machine.cc", "bench/", "tests/"], "blocks; use dns/"),
    (r"\bsystem_clock::now\b|\bsteady_clock::now\b|\bclock_gettime\b",
     ["core/runtime/clock.cc", "core/runtime/turn_watchdog.cc", "core/base/", "relay/events/event_log.cc", "bench/", "tests/"], "ask the shard's clock"),
    (r"\bsleep_for\b|\busleep\(|\bnanosleep\b|(?<![\w.:>])sleep\(", ["bench/", "tests/"],
     "await a timer of the shard"),
    (r"(?<![\w.:>])s?rand\(\)|\brandom_device\b", ["core/", "bench/", "tests/"],
     "take a core::Prng"),
    (r"\bstd::(recursive_)?mutex\b|\bstd::shared_mutex\b",
     ["core/runtime/", "core/io/", "core/base/log.cc", "relay/events/event_log", "bench/", "tests/",
      # per lease of a warm-up, per connection, per message with a tenant, per lookup of a domain, and at start and end
      "relay/egress/warmup_ledger.", "relay/intake/admission.h", "relay/security/sts_store.", "relay/node/", "relay/message/tenant.",
      "dns/shared_answers.h", "core/net/listening_sockets.", "relay/path/largest_sites.h"],
     "shards share nothing"),
    (r"\bstd::thread\b|\bstd::jthread\b",
     ["core/io/runtime.cc", "core/io/file_threads.", "relay/events/", "bench/", "tests/"],
     "one thread per shard"),
    # What throws where a person, a disk or a stranger decides whether it does. A list names the places
    # that catch it, or whose input is their own.
    (r"\b[io]?fstream\b|\bistreambuf_iterator\b",
     ["relay/security/sts_probe.cc", "bench/", "tests/"],  # a tool for tests that reads its stdin
     "core/base/text_file.h reads a file; a directory or an I/O error throws here"),
    (r"\bstd::sto(i|l|ll|ul|ull|f|d|ld)\b", ["bench/", "tests/"], "std::from_chars: a mistake is a value"),
    (r"(?:\.|->)at\((?!\))",
     ["relay/reporting/tls_reporter.cc", "tests/"],  # keys that the same object has just put in
     "find(), or an index that was checked"),
    (r"\.exceptions\(", [], "look at the state of the stream"),
    (r"\bfor \([^;()]*\s:\s[^;]*directory_iterator", ["bench/", "tests/"],
     "the step throws: it.increment(error)"),
    (r"\bthrow\b", ["tests/"], "errors are values: std::expected"),
    (r"\bstd::async\b|\bemplace_back\(\[.*\bjthread\b", ["relay/node/reload.cc", "tests/"],
     "throws without a thread to spare: catch it, as reload.cc does"),
    (r"\bcatch \(\.\.\.\)", ["tests/"], "name what the library throws"),
    (r"\bfmt::runtime\b|\bstd::vformat\b", ["tests/"], "formats are checked when they are compiled"),
    (r"\bstd::any_cast\b|\bdynamic_cast<[^>*]+&>", ["tests/"], "throws: an enum or a pointer"),
    (r"\bstd::cout\b|\bstd::cerr\b", ["bench/", "tests/"], "use the log"),
    (r"\busing namespace (?!std::)\w", ["bench/", "tests/"], "name the namespace"),
    (r"\b\w+(Manager|Util|Utils|Helper|Handler)\b(?=\s*(final\s*)?[:{])", [], "say what it is"),
]


def relative(path):
    return str(path.relative_to(TOP))


@pytest.mark.parametrize("path", own_sources(), ids=relative)
def test_file(path):
    text = path.read_text()
    lines = text.split("\n")
    problems = []
    if len(lines) - 1 > LONGEST_FILE:
        problems.append(f"{len(lines) - 1} lines: past {LONGEST_FILE} it is two nouns")
    for number, line in enumerate(lines, 1):
        if len(line) > WIDEST_LINE:
            problems.append(f"line {number} has {len(line)} columns")
        if "\t" in line or line != line.rstrip():
            problems.append(f"line {number} has a tab or ends in white space")
    if not text.endswith("\n") or text.endswith("\n\n"):
        problems.append("ends without exactly one newline")
    if path.suffix == ".h":
        head = re.match(r"(//[^\n]*\n)+", text)
        if not head or head.group(0).count("\n") < HEAD_COMMENT:
            problems.append(f"opens without a head comment of at least {HEAD_COMMENT} lines")
        if text.count("#pragma once") != 1:
            problems.append("lacks #pragma once")
    problems += banned_in(relative(path), text)
    problems += throwing_filesystem(relative(path), text)
    problems += [f"{name} is {length} lines long" for name, length in functions_of(text)
                 if length > LONGEST_FUNCTION]
    assert not problems, "\n".join([relative(path)] + problems)


def banned_in(name, text):
    code = without_comments_and_strings(text)
    found = []
    for pattern, allowed, reason in BANNED:
        if any(name.startswith(prefix) for prefix in allowed):
            continue
        for match in re.finditer(pattern, code):
            line = code.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {match.group(0)}: {reason}")
    return found


# Overloads of std::filesystem without std::error_code throw filesystem_error. What asks a file_status
# that was got before does not.
FILESYSTEM = re.compile(
    r"\b(?:std::filesystem|fs)::(?:recursive_)?(absolute|canonical|weakly_canonical|relative|proximate|"
    r"copy|copy_file|copy_symlink|create_director(?:y|ies)|create_(?:directory_)?symlink|"
    r"create_hard_link|current_path|directory_iterator(?:\s+\w+)?|equivalent|exists|file_size|"
    r"hard_link_count|is_(?!absolute|relative)\w+|last_write_time|permissions|read_symlink|remove|"
    r"remove_all|rename|resize_file|space|status|symlink_status|temp_directory_path)\s*\(")
THROWING_FILESYSTEM = ["bench/", "tests/"]


def arguments_from(code, start):
    """The text between the parenthesis that ends at start and the one that closes it."""
    depth = 1
    for at in range(start, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return code[start:at]
    return code[start:]


def throwing_filesystem(name, text):
    if any(name.startswith(prefix) for prefix in THROWING_FILESYSTEM):
        return []
    code = without_comments_and_strings(text)
    found = []
    for match in FILESYSTEM.finditer(code):
        arguments = arguments_from(code, match.end())
        if re.search(r"\b(error|ignored|status)\b", arguments):
            continue
        line = code.count("\n", 0, match.start()) + 1
        found.append(f"line {line}: {match.group(0)}{arguments}): throws; pass a std::error_code")
    return found


def functions_of(text):
    """(first line, number of lines) of each definition that the formatter's layout shows: it opens
    at column 0 with a line ending in '{' and closes with '}' in column 0."""
    lines = without_comments_and_strings(text).split("\n")
    start = None
    for number, line in enumerate(lines):
        if start is None:
            opens = line.endswith("{") and ("(" in line or line.startswith("    "))
            kind = re.match(r"(namespace|class|struct|enum|union|extern|constexpr|const|static|"
                            r"inline|template)\b[^(]*$", line)
            if opens and not kind and number and not line.startswith("  "):
                start = number
            elif opens and line.startswith("    ") and re.match(r"[\w:~<].*\(", lines[number - 1]):
                start = number - 1
        elif line.startswith("}"):
            yield lines[start].strip(), number - start + 1
            start = None


def test_the_checks_find_what_they_look_for():
    assert banned_in("relay/a.cc", "auto t = std::chrono::system_clock::now();")
    assert banned_in("relay/a.cc", "class QueueManager {")
    assert not banned_in("relay/a.cc", '// std::regex\nauto s = "std::mutex";')
    for throwing in ('std::ifstream in("x");', "return std::stoull(text);", "map.at(key)", "p->at(3)",
                     "throw 1;", "for (auto& e : std::filesystem::directory_iterator(d, error)) {",
                     "} catch (...) {", "in.exceptions(std::ios::badbit);", "std::async(f);",
                     "std::string text(std::istreambuf_iterator<char>(in), {});"):
        assert banned_in("relay/a.cc", throwing), throwing
    for fine in ("scanner.at()", "it.increment(error)", "for (std::filesystem::directory_iterator it(d, error), end;",
                 "std::from_chars(a, b, c)"):
        assert not banned_in("relay/a.cc", fine), fine
    body = "int f(int a) {\n" + "    g();\n" * 120 + "}\n"
    assert [length for _, length in functions_of("\n" + body)] == [122]


def test_calls_of_the_file_system_that_throw_are_found():
    for throwing in ("std::filesystem::exists(target)", "std::filesystem::create_directories(a / b(c))",
                     "std::filesystem::directory_iterator entries(directory);",
                     "std::filesystem::is_directory(path_of(x))", "fs::remove_all(directory)"):
        assert throwing_filesystem("relay/a.cc", f"void f() {{ {throwing}; }}"), throwing
    for fine in ("std::filesystem::exists(target, error)", "std::filesystem::exists(status)",
                 "std::filesystem::is_regular_file(std::filesystem::status(p, error))",
                 "std::filesystem::path(a)", "std::filesystem::file_type::regular"):
        assert not throwing_filesystem("relay/a.cc", f"void f() {{ {fine}; }}"), fine


def test_no_unfinished_marks_and_no_private_references():
    """Nothing is left for later in the text, and no document outside the tree is cited."""
    marks = re.compile(r"\b(TODO|FIXME|XXX)\b|\.\./shared|/work/(shared|main)")
    problems = []
    for path in own_files():
        if path.suffix in (".h", ".cc", ".py", ".sh", ".md", ".txt", ".toml", ".yaml", "") and \
                "tests/tidy" not in relative(path) and "/corpus/" not in relative(path):
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            problems += [f"{relative(path)}: {m.group(0)}" for m in marks.finditer(text)]
    assert not problems, "\n" + "\n".join(problems)


def test_every_folder_is_in_the_readme():
    """README's folder table has a line for each top folder and each folder of core and relay."""
    readme = (TOP / "README.md").read_text()
    folders = set()
    for path in own_files():
        parts = path.relative_to(TOP).parts
        if len(parts) > 1 and not parts[0].startswith("."):
            folders.add(parts[0])
        if len(parts) > 2 and parts[0] in ("core", "relay", "bench", "tests"):
            folders.add("/".join(parts[:2]))
    missing = [folder for folder in sorted(folders) if f"`{folder}/`" not in readme]
    assert not missing, f"README.md's folder table lacks {', '.join(missing)}"
    named = re.findall(r"^\| `([^`]+)/`", readme, re.MULTILINE)
    gone = [folder for folder in named if not (TOP / folder).is_dir()]
    assert not gone, f"README.md names folders that do not exist: {', '.join(gone)}"


def test_every_corpus_has_a_target():
    corpora = {path.relative_to(TOP).parts[3] for path in own_files()
               if relative(path).startswith("tests/fuzz/corpus/")}
    targets = {path.name.removesuffix("_fuzz.cc") for path in own_files()
               if path.name.endswith("_fuzz.cc")}
    assert corpora == targets, f"without target: {corpora - targets}; without corpus: {targets - corpora}"
