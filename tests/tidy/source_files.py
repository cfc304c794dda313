"""The project's own files, as the checks of tests/tidy see them: what git tracks or would track."""

import functools
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
CODE = (".h", ".cc", ".c")


@functools.cache
def own_files():
    """Everything in the working tree but ignored files, as paths."""
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={TOP}", "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"],
        cwd=TOP, capture_output=True, check=True).stdout
    files = [TOP / name for name in listed.decode().split("\0") if name]
    return sorted(path for path in files if path.is_file())


def own_sources():
    """C and C++ files."""
    found = [path for path in own_files() if path.suffix in CODE]
    assert found, "no source files found"
    return found


def includes_of(path):
    """What a file includes in quotes, as written."""
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE)


def without_comments_and_strings(text):
    """C++ text of the same number of lines, with comments and literals blanked."""
    pattern = re.compile(
        r'R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.DOTALL)

    def blank(match):
        return '""' + "\n" * match.group(0).count("\n")

    return pattern.sub(blank, text)
