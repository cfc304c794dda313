"""docs/limits.md says what the source says, and so does the table of docs/http-api.md: the last column of every row names the constants, and their
values must be the numbers of the row. The form of a row is explained at the top of limits.md."""

import ast
import dataclasses
import functools
import re

import pytest

from source_files import TOP

LIMITS = "docs/limits.md"
HTTP_API = "docs/http-api.md"  # its section "Limits of a connection" has the same columns
UNITS = {  # of a quantity in the document: what kind of thing it is, and how much
    "KiB": ("count", 1 << 10), "MiB": ("count", 1 << 20), "GiB": ("count", 1 << 30),
    "%": ("count", 1), "ms": ("time", 10**6), "µs": ("time", 10**3), "s": ("time", 10**9),
    "min": ("time", 60 * 10**9), "h": ("time", 3600 * 10**9), "d": ("time", 86400 * 10**9),
    "/s": ("rate", 1), "/m": ("rate", 60), "/h": ("rate", 3600), "/d": ("rate", 86400),
}
CHRONO = {"nanoseconds": 1, "microseconds": 10**3, "milliseconds": 10**6, "seconds": 10**9,
          "minutes": 60 * 10**9, "hours": 3600 * 10**9, "days": 86400 * 10**9}
NOT_A_BOUND = re.compile(  # numbers of standards, keys and code, addresses of links, enhanced codes
    r"\(?RFC \d+( section [\d.]+)?\)?|section [\d.]+|`[^`]*`|\]\([^)]*\)|\d\.\d+\.\d+|TLS 1\.\d")
QUANTITY = re.compile(r"(?<![\w.,/-])(\d+(?:,\d{3})*(?:\.\d+)?) ?(KiB|MiB|GiB|ms|µs|min|s|h|d|%|/[smhd])?(?!\w)")


# The document --------------------------------------------------------------------------------------


@dataclasses.dataclass
class Row:
    line: int
    bound: str
    default: str
    behaviour: str
    source: str
    page: str = LIMITS

    def __str__(self):
        return f"{self.page}:{self.line}: {self.bound}"


def rows_of(text, page=LIMITS, heading=None):
    """Of the whole page, or of the section below this heading."""
    rows = []
    section = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            section = line.removeprefix("## ")
        if heading not in (None, section):
            continue
        if not line.startswith("| ") or line.startswith(("| bound |", "| limit |")):
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if len(cells) != 4:
            raise ValueError(f"{page}:{number}: {len(cells)} columns instead of 4")
        rows.append(Row(number, *cells, page))
    return rows


def quantities_of(text):
    """[(as written, (kind, value), whether it has a unit or a thousands comma)]"""
    found = []
    for match in QUANTITY.finditer(NOT_A_BOUND.sub(" ", text)):
        number, unit = match.groups()
        kind, factor = UNITS.get(unit, ("count", 1))
        value = float(number.replace(",", ""))
        value = (value, factor) if kind == "rate" else round(value * factor)
        found.append((match.group(0).strip(), (kind, value), unit is not None or "," in number))
    return found


# The source ----------------------------------------------------------------------------------------


@functools.cache
def source(path):
    text = (TOP / path).read_text()
    return re.sub(r"//[^\n]*", "", text)


def declaration_of(name, path):
    """(type, initializer) of a constant, or of a member with a default: `T name = x;`, `T name{x};`"""
    owner, _, plain = name.rpartition("::")
    text = source(path)
    if owner:
        opened = re.search(rf"\b(class|struct)\s+{owner.rpartition('::')[2]}\b[^;{{]*{{", text)
        if opened is None:
            raise ValueError(f"{path} has no {owner}")
        end = re.search(r"^\s{0,4}};", text[opened.end():], re.MULTILINE)
        text = text[opened.end():opened.end() + (end.start() if end else len(text))]
    found = set(re.findall(
        rf"^\s*((?:[\w:<>]|, | )+?[\w>])\s+{plain}\s*(=\s*[^;]+|{{[^;]*}});", text, re.MULTILINE))
    if len(found) != 1:
        raise ValueError(f"{path} has {len(found)} declarations of {name} with a value; "
                         "name one constant, or Class::name")
    kind, initializer = found.pop()
    return kind, initializer.removeprefix("=").strip()


def file_with(name):
    """The header that defines Class::kName for the source that uses it."""
    owner = name.partition("::")[0]
    for path in sorted(TOP.glob("*/**/*.h")):
        if path.parts[len(TOP.parts)] in ("core", "dns", "metrics", "relay"):
            if re.search(rf"\b(class|struct)\s+{owner}\b[^;]*{{", path.read_text()):
                return str(path.relative_to(TOP))
    raise ValueError(f"no header defines {name}")


def value_of(name, path):
    """(kind, value) of what `name` is declared as in this file."""
    kind, text = declaration_of(name, path)
    if "Rate" in kind:
        count, period = text.strip("{}").split(",", 1)
        return "rate", (float(evaluate(count, path)[1]), evaluate(period, path)[1] / 10**9)
    if kind.endswith("SizeOrShare"):
        octets, percent = (int(part) for part in text.strip("{}").split(","))
        return "count", percent or octets
    if text.startswith("{"):
        text = text.strip("{}")
        unit = re.search(r"chrono::(\w+)", kind)
        if unit:
            text = f"{unit.group(1)}({text})"
    return evaluate(text, path)


def evaluate(text, path):
    """(kind, value) of a constant expression: numbers, names, + - * / << and std::chrono."""
    text = re.sub(r"(?<=\d)'(?=\d)", "", text.strip())
    text = re.sub(r"\b(\d+|0x[0-9a-fA-F]+)[uUlLzZ]+\b", r"\1", text)
    text = re.sub(r"\b(?:std::chrono::|core::)", "", text)
    text = re.sub(r"\bstd::(?:size_t|u?int\d+_t)\b", "int", text).replace("{", "(").replace("}", ")")
    text = re.sub(r"(\w+)::(k?\w+)", r"\1.\2", text)
    return walk(ast.parse(text, mode="eval").body, path)


def walk(node, path):
    if isinstance(node, ast.Constant):
        return "count", node.value
    if isinstance(node, ast.Name):
        return value_of(node.id, path)
    if isinstance(node, ast.Attribute):
        name = f"{node.value.id}::{node.attr}"
        try:
            return value_of(name, path)
        except ValueError:
            if re.match(r"[a-z]+::", name):  # a namespace of ours
                header = next(p for p in sorted((TOP / node.value.id).rglob("*.h"))
                              if re.search(rf"\b{node.attr}\b\s*[={{]", p.read_text()))
                return value_of(node.attr, str(header.relative_to(TOP)))
            return value_of(name, file_with(name))
    if isinstance(node, ast.Call):
        _, value = walk(node.args[0], path)
        called = node.func.id
        return ("count", value) if called == "int" else ("time", value * CHRONO[called])
    if isinstance(node, ast.BinOp):
        (kind, left), (other, right) = walk(node.left, path), walk(node.right, path)
        operation = {ast.Add: lambda: left + right, ast.Sub: lambda: left - right,
                     ast.Mult: lambda: left * right, ast.Div: lambda: left // right,
                     ast.LShift: lambda: left << right}[type(node.op)]
        return ("time" if "time" in (kind, other) else "count"), operation()
    raise ValueError(f"{ast.dump(node)} is no constant expression that this test knows")


def claims_of(row):
    """[(as written, (kind, value))]: what the constants of the last column come to."""
    found = []
    for entry in row.source.split(";"):
        path, _, names = entry.strip().partition(": ")
        if not (TOP / path).is_file():
            raise ValueError(f"{row}: there is no file {path!r}")
        quoted = re.findall(r"`([^`]+)`", names)
        for code in quoted:  # a place without a named constant: its text, and the numbers in it
            if code not in source(path):
                raise ValueError(f"{row}: {path} has no `{code}`")
            for number in re.findall(r"(?<![\w.'])\d[\d']*[uUlL]*(?:\s*<<\s*\d+)?", code):
                found.append((number, evaluate(number, path)))
        for name in re.sub(r"`[^`]+`", "", names).split(","):
            if name.strip():
                found.append((name.strip(), evaluate(name, path)))
    return found


def problems_of(row):
    try:
        claims = claims_of(row)
    except ValueError as error:
        return [str(error)]
    default = quantities_of(row.default)
    around = quantities_of(row.bound) + quantities_of(row.behaviour)
    values = [value for _, value in claims]
    problems = [f"{row}: no constant of the last column is {text}"
                for text, value, _ in default if value not in values]
    problems += [f"{row}: no constant of the last column is {text}"
                 for text, value, marked in around if marked and value not in values]
    written = [value for _, value, _ in default + around]
    problems += [f"{row}: {name} is {value[1]} ({value[0]}), which the row does not say"
                 for name, value in claims if value not in written]
    return problems


ROWS = rows_of((TOP / LIMITS).read_text())
HTTP_ROWS = rows_of((TOP / HTTP_API).read_text(), HTTP_API, "Limits of a connection")


@pytest.mark.parametrize("row", ROWS + HTTP_ROWS, ids=lambda row: row.bound)
def test_the_row_says_what_the_source_says(row):
    problems = problems_of(row)
    assert not problems, "\n" + "\n".join(problems)


def test_the_document_has_rows():
    assert len(ROWS) > 100
    assert len(HTTP_ROWS) >= 10


def test_a_wrong_number_a_lost_constant_and_a_lost_file_are_found():
    row = "| age | {} | at {} | {} |"
    right = "relay/delivery/tls_memory.h: kTrustFor"

    def found(*cells):
        return problems_of(rows_of(row.format(*cells))[0])

    assert found("1 d", "dawn", right) == []
    assert found("24 h", "dawn", right) == []
    assert found("2 d", "dawn", right)
    assert found("1 d and 7", "dawn", right)
    assert found("1 d", "5 s", right)
    assert found("1", "dawn", right)  # a number is no time
    assert found("1 d", "dawn", "relay/delivery/tls_memory.h")
    assert found("1 d", "dawn", "relay/delivery/tls_memory.h: kNoSuch")
    assert found("1 d", "dawn", "relay/delivery/none.h: kTrustFor")
    assert found("1 d", "dawn", right + ", kMostHosts")
    assert found("65,536", "dawn", "dns/answer_cache.h: entries") == []
    assert found("98", "dawn", "relay/bounce/rule_reader.h: kMostPatterns / 100 - 2") == []
    assert found("2 × and 32 MiB", "dawn", "relay/intake/x.h") != []


def test_the_threats_page_uses_the_numbers_of_the_limits():
    """docs/threats.md says what each can cost: a number there that no row has is out of date."""
    known = {value for row in ROWS
             for cell in (row.bound, row.default, row.behaviour)
             for _, value, _ in quantities_of(cell)}
    page = (TOP / "docs/threats.md").read_text()
    codes = re.compile(r"\b(250|403|421|452|503|550)\b|\b0\d{3}\b")
    rows = [codes.sub("", line) for line in page.splitlines() if line.startswith("| ")]
    unknown = [(text, row) for row in rows for text, value, _ in quantities_of(row)
               if value not in known]
    assert not unknown, unknown
