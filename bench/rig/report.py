"""Medians over the rounds, ratios within the run, and what they are held against."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time

from rig.relays import TOP
from rig.scenario import SCENARIOS

NUMBERS = ("rate", "injection_rate", "cpu_us", "enters", "sends", "receives", "switches",
           "memory_mib", "source_cpu_us", "sink_writes")


def line(result):
    """One round in one line."""
    enters = f", {result['enters']:.2f} enters" if "enters" in result else ""
    return (f"{result['rate']:,.1f} messages/s, {result['cpu_us']:.1f} µs CPU{enters}, "
            f"p99 {result['latency_ms']['p99']:.1f} ms")


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "kernel": platform.release(),
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1),
    }


def commit():
    run = lambda *command: subprocess.run(command, cwd=TOP, capture_output=True, text=True,
                                          check=False).stdout.strip()
    changed = run("git", "status", "--porcelain", "--untracked-files=no", "--", "core", "relay", "dns",
                  "metrics", "bench/load")
    return run("git", "rev-parse", "--short", "HEAD") + ("-changed" if changed else "")


def summarise(measured, failures, options, started):
    rows = []
    for name, scenario in SCENARIOS.items():
        for relay in options.relays.split(","):
            rounds = [r for r in measured if (r["scenario"], r["relay"]) == (name, relay)]
            if not rounds:
                continue
            row = {"scenario": name, "what": scenario.what, "relay": relay, "rounds": len(rounds)}
            for number in NUMBERS:
                values = [r[number] for r in rounds if number in r]
                if values:
                    row[number] = statistics.median(values)
            row["p99_ms"] = statistics.median(r["latency_ms"]["p99"] for r in rounds)
            row["messages"] = rounds[0]["messages"]
            rows.append(row)
    for row in rows:
        for other in rows:
            if other["scenario"] == row["scenario"] and other["relay"] != row["relay"]:
                row[f"rate_to_{other['relay']}"] = round(row["rate"] / other["rate"], 2)
                row[f"cpu_to_{other['relay']}"] = round(row["cpu_us"] / max(other["cpu_us"], 1e-3), 4)
    summary = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "commit": commit(),
        "command": " ".join([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]),
        "machine": machine(),
        "load_at_end": os.getloadavg(),
        "options": vars(options),
        "summary": rows,
        "rounds": measured,
        "failures": failures,
    }
    summary["targets"] = targets(rows)
    return summary


def targets(rows):
    """(what, measured, wanted, met) for the targets in bench/README.md."""
    found = {(row["scenario"], row["relay"]): row for row in rows}
    checks = []

    def check(what, key, field, limit, at_most=False):
        row = found.get((key, "posthaste"))
        if row is None or row.get(field) is None:
            return
        value = row[field]
        met = value <= limit if at_most else value >= limit
        checks.append({"what": what, "measured": value, "wanted": f"{'≤' if at_most else '≥'} {limit:,.5g}",
                       "met": met})

    check("CPU µs per message, lock-step", "lockstep", "cpu_us", 60, at_most=True)
    check("CPU µs per message, pipelined", "pipelined", "cpu_us", 30, at_most=True)
    check("CPU µs per message, HTTP batch", "http", "cpu_us", 30, at_most=True)
    check("CPU against the bare relay, lock-step", "lockstep", "cpu_to_bare", 60 / 42, at_most=True)
    check("CPU against the bare relay, pipelined", "pipelined", "cpu_to_bare", 30 / 18, at_most=True)
    check("messages/s, lock-step", "lockstep", "rate", 12000)
    check("rate against Postfix", "lockstep", "rate_to_postfix", 15)
    check("CPU against Postfix", "lockstep", "cpu_to_postfix", 1 / 35, at_most=True)
    check("io_uring enters per message, lock-step", "lockstep", "enters", 1, at_most=True)
    check("io_uring enters per message, pipelined", "pipelined", "enters", 1, at_most=True)
    for encrypted, clear in (("tls", "lockstep"), ("tls-pipelined", "pipelined")):
        rows_of = [found.get((name, "posthaste")) for name in (encrypted, clear)]
        if all(rows_of):
            ratio = rows_of[0]["cpu_us"] / rows_of[1]["cpu_us"]
            checks.append({"what": f"CPU over TLS against clear text, {clear}", "measured": ratio,
                           "wanted": "≤ 1.6", "met": ratio <= 1.6})
    check("messages/s on one connection, 50 ms, DATA", "rtt50-data", "rate", 19)
    check("messages/s on one connection, 50 ms, BDAT", "rtt50-bdat", "rate", 19)
    return checks


def table(summary):
    where = summary["machine"]
    text = [
        f"# Bench {summary['date']}, commit {summary['commit']}", "",
        f"`bench/{summary['command']}` · Linux {where['kernel']} · {where['cpus']} × {where['cpu']} · "
        f"{where['memory_gib']} GiB · load at the end {summary['load_at_end'][0]:.1f}", "",
        f"Messages of {summary['options']['size']} octets, {summary['options']['sessions']} sessions, "
        f"source and sink on the same CPUs, posthaste with durability "
        f"\"{summary['options']['durability']}\". Medians of {summary['options']['rounds']} round(s). "
        "CPU is the relay's alone.", "",
        "| scenario | relay | messages/s | CPU µs/message | enters | switches | p99 ms | × Postfix | "
        "CPU / bare |",
        "|---|---|---|---|---|---|---|---|---|",
    ]

    def shown(row, key, pattern):
        return pattern.format(row[key]) if row.get(key) is not None else ""

    for row in summary["summary"]:
        text.append("| " + " | ".join([
            row["scenario"], row["relay"], f"{row['rate']:,.1f}", f"{row['cpu_us']:,.1f}",
            shown(row, "enters", "{:.2f}"), shown(row, "switches", "{:.2f}"), f"{row['p99_ms']:.1f}",
            shown(row, "rate_to_postfix", "{:.1f}"), shown(row, "cpu_to_bare", "{:.2f}"),
        ]) + " |")
    if summary["targets"]:
        text += ["", "| target | measured | wanted | |", "|---|---|---|---|"]
        for target in summary["targets"]:
            text.append(f"| {target['what']} | {target['measured']:,.5g} | {target['wanted']} | "
                        f"{'met' if target['met'] else 'MISSED'} |")
    if summary["failures"]:
        text += ["", "Failed:", ""] + [f"- {failure}" for failure in summary["failures"]]
    text += [""] + [f"- {name}: {scenario.what}" for name, scenario in SCENARIOS.items()]
    return "\n".join(text) + "\n"


def write(summary, folder):
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{summary['date'][:10]}-{summary['commit']}"
    json_file, text_file = stem.with_suffix(".json"), stem.with_suffix(".md")
    json_file.write_text(json.dumps(summary, indent=1, default=str, ensure_ascii=False) + "\n")
    text_file.write_text(table(summary))
    return json_file, text_file
