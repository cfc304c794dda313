"""Arrows between folders point one way: reads every #include and compares it with .ci/layers.txt."""

from source_files import TOP, includes_of, own_sources


def read_layers():
    layers = {}
    for line in (TOP / ".ci/layers.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            layers[folder.strip()] = allowed.split()
    return layers


def inside(path, folder):
    """Whether path is in folder; a rule may also name the files of one noun (dns/wire)."""
    return path.startswith(folder + "/") or path.startswith(folder + ".")


def rule_for(path, layers):
    return max((folder for folder in layers if inside(path, folder)), key=len, default=None)


def violations_of(path, included, layers):
    folder = rule_for(path, layers)
    if folder is None:
        return [f"{path}: no rule in .ci/layers.txt covers it"]
    return [
        f"{path}: includes {target}, but {folder} may include only "
        f"{', '.join([folder] + layers[folder])}"
        for target in included
        if not any(inside(target, allowed) for allowed in [folder] + layers[folder])
    ]


def test_includes_follow_the_layers():
    layers = read_layers()
    problems = []
    for path in own_sources():
        problems += violations_of(str(path.relative_to(TOP)), includes_of(path), layers)
    assert not problems, "\n" + "\n".join(problems)


def test_includes_are_written_from_the_root():
    problems = [
        f"{path.relative_to(TOP)}: {target} is not a file below the root"
        for path in own_sources()
        for target in includes_of(path)
        if not (TOP / target).is_file()
    ]
    assert not problems, "\n" + "\n".join(problems)


def test_the_rules_themselves_refuse_a_wrong_arrow():
    layers = read_layers()
    assert violations_of("core/base/a.h", ["core/io/shard.h"], layers)
    assert violations_of("core/net/a.cc", ["relay/message/message.h"], layers)
    assert violations_of("relay/smtp/a.cc", ["core/runtime/task.h"], layers)
    assert violations_of("relay/path/a.cc", ["bench/load/sink.h"], layers)
    assert violations_of("elsewhere/a.cc", ["core/base/result.h"], layers)
    assert not violations_of("relay/smtp/a.cc", ["relay/message/content.h"], layers)
    assert not violations_of("relay/node/a.cc", ["relay/path/path.h", "core/io/runtime.h"], layers)


def test_dependencies_have_no_cycle():
    """A folder of layers.txt must not reach itself, except among the pure folders of relay."""
    pure = {f"relay/{name}" for name in ("message", "smtp", "dkim", "dsn", "template")}
    layers = {
        folder: [a for a in allowed if not inside(folder + "/", a)]
        for folder, allowed in read_layers().items()
        if folder not in pure | {"tests", "bench", "relay/node"}
    }

    def reaches(start, goal, seen):
        for allowed in layers.get(start, []):
            if allowed == goal or (allowed not in seen and reaches(allowed, goal, seen | {allowed})):
                return True
        return False

    assert [folder for folder in layers if reaches(folder, folder, set())] == []
