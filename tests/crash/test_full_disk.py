"""Disks that fill up and disks that fail, as file systems of the kernel."""

import errno
import os
import time

import pytest

from processes import wait_until
from source import Source, restart


def used_up(point, but):
    """Ballast on a file system until only about so many octets are free. Its path."""
    ballast = point / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                facts = os.statvfs(point)
                left = facts.f_bavail * facts.f_frsize - but
                if left <= 0:
                    break
                file.write(b"\1" * min(left, 1 << 20))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return ballast


def all_arrive(sink, wanted):
    """Others may, too: whose batch was interrupted had no reply, and may be delivered."""
    wait_until(lambda: wanted <= {one for _, one in sink.accepted()}, 60,
               f"{len(wanted)} arrive")


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_a_full_disk(make_relay, make_sink, mounted, kind):
    """452 and 503 while there is no space; accepted mail stays; no restart when space returns."""
    point = mounted(kind, 128 << 20)
    sink = make_sink()
    relay = make_relay({"down.test": 9, "*": sink.port}, {
        "node": {"hostname": "relay.test", "shards": 2, "data_dir": str(point / "data")},
        "spool": {"durability": "commit", "segment_size": "1MiB", "max_size": "100%",
                  "min_free": "1B"},
        "retry": {"intervals": ["1s"], "max_age": "1h"}}).start()
    ballast = used_up(point, 12 << 20)
    source = Source(relay.smtp_port, ["down.test"], size=20_000, name="full").run()
    wait_until(lambda: len(source.refused) > 20, 60, "mail is refused")
    source.stop()
    assert all(one.startswith("452 4.3.1") for one in source.refused), source.refused[:5]
    assert 50 < len(source.accepted)
    status, text = relay.get("/readyz")
    assert status == 503 and "full" in text, text
    assert relay.get("/healthz")[0] == 200
    assert relay.metric("posthaste_spool_state", state="full") == 1

    # A kill now: what was accepted is there, and it is still full.
    relay.process.kill()
    restart(relay)
    wait_until(lambda: relay.get("/readyz")[0] == 503, 20, "it is full again")

    ballast.unlink()
    wait_until(lambda: relay.get("/readyz")[0] == 200, 20, "it accepts again")
    again = Source(relay.smtp_port, ["good.test"], size=20_000, name="again").run()
    wait_until(lambda: len(again.accepted) > 100, 30, "mail is accepted")
    again.stop()
    all_arrive(sink, set(again.accepted))
    for route in relay.config["route"]:
        route["hosts"] = [f"127.0.0.1:{sink.port}"]
    relay.stop()
    restart(relay)
    all_arrive(sink, set(source.accepted))
    relay.stop()


def test_a_disk_that_fails(make_relay, make_sink, mounted, tmp_path):
    """A thin image whose store is used up: writes fail with EIO. Acceptance stops until a restart,
    delivery goes on, and what was accepted is there when the disk is well again."""
    store = mounted("tmpfs", 96 << 20)
    point = mounted("ext4", 512 << 20, folder=store)
    sink = make_sink()
    relay = make_relay({"down.test": 9, "*": sink.port}, {
        "node": {"hostname": "relay.test", "shards": 2, "data_dir": str(point / "data")},
        "retry": {"intervals": ["1s"], "max_age": "1h"}}).start()
    source = Source(relay.smtp_port, ["down.test"], size=20_000, name="before").run()
    wait_until(lambda: len(source.accepted) > 50, 30, "mail is accepted")
    ballast = used_up(store, 0)
    wait_until(lambda: relay.get("/readyz")[0] == 503, 60, "the disk fails")
    time.sleep(1)
    source.stop()
    status, text = relay.get("/readyz")
    assert status == 503 and "restart" in text, text
    assert relay.get("/healthz")[0] == 200
    assert relay.metric("posthaste_spool_state", state="failed") == 1
    assert any(one.startswith("451 4.3.0") for one in source.refused), source.refused[:5]
    assert "no mail is accepted until a restart" in relay.process.output()
    ballast.unlink()
    time.sleep(2)
    assert relay.get("/readyz")[0] == 503, "it must not trust the disk again by itself"
    with relay.client() as client:
        client.ehlo()
        code, text = client.mail("a@sender.test")  # before any content
        assert code == 451 and text.startswith(b"4.3.0"), text
    relay.process.kill()
    run_fsck(point, store)
    for route in relay.config["route"]:
        route["hosts"] = [f"127.0.0.1:{sink.port}"]
    restart(relay)
    all_arrive(sink, set(source.accepted))
    relay.inject(b"Subject: x\r\n\r\nx\r\n", "after@good.test")
    relay.stop()


def run_fsck(point, store):
    """Mounts the image again, mended: its journal was aborted by the failed writes."""
    import subprocess
    from conftest import run
    image = next(store.glob("image*"))
    # The kernel lets go of what a ring held some time after its process has ended.
    wait_until(lambda: subprocess.run(["umount", point], check=False).returncode == 0, 10,
               "nobody has the disk")
    subprocess.run(["e2fsck", "-fy", str(image)], check=False, capture_output=True)
    run("mount", "-o", "loop", image, point)
