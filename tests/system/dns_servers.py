"""Name servers on loopback: NSD with zones of the test, dnsmasq in front of it, unbound that validates
signed ones, and a scripted one for what no honest server does (SERVFAIL on demand, silence, garbage, truncation without end)."""

import pathlib
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time

from processes import Process, free_port, wait_until

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28}
SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 2, 3, 4, 5


def encode_name(name):
    labels = [label.encode() for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class Query:
    """One question as it came."""

    def __init__(self, octets):
        self.octets = octets
        self.id, self.flags, _, _, _, extra = struct.unpack(">HHHHHH", octets[:12])
        labels, at = [], 12
        while octets[at]:
            labels.append(octets[at + 1:at + 1 + octets[at]].decode())
            at += 1 + octets[at]
        self.name = ".".join(labels).lower()
        self.type = struct.unpack(">H", octets[at + 1:at + 3])[0]
        self.question = octets[12:at + 5]
        self.edns = extra > 0

    def reply(self, records=(), code=0, truncated=False):
        """records: (type, ttl, data octets) of the name asked for."""
        flags = 0x8180 | code | (0x0200 if truncated else 0)
        body = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data
                        for kind, ttl, data in records)
        opt = b"\0" + struct.pack(">HHIH", 41, 1232, 0, 0) if self.edns else b""
        return (struct.pack(">HHHHHH", self.id, flags, 1, len(records), 0, 1 if opt else 0)
                + self.question + body + opt)


def mx(preference, exchange, ttl=60):
    return (TYPES["MX"], ttl, struct.pack(">H", preference) + encode_name(exchange))


class ScriptedServer:
    """script(query, over_tcp) returns the octets of the answer, or None for silence."""

    def __init__(self, script):
        outer = self
        self.queries = []

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                octets, sock = self.request
                answer = outer.answer(octets, False)
                if answer:
                    sock.sendto(answer, self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                stream = self.request.makefile("rb")
                while len(prefix := stream.read(2)) == 2:
                    answer = outer.answer(stream.read(int.from_bytes(prefix, "big")), True)
                    if answer is None:
                        return
                    self.request.sendall(len(answer).to_bytes(2, "big") + answer)

        self.script = script
        self.port = free_port()
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.servers = [socketserver.ThreadingUDPServer(("127.0.0.1", self.port), Udp),
                        socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Tcp)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, octets, over_tcp):
        query = Query(octets)
        self.queries.append((query.name, query.type, over_tcp))
        return self.script(query, over_tcp)

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def answers(port, name):
    """Whether a server answers a question at all."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        probe.connect(("127.0.0.1", port))
        try:
            probe.send(struct.pack(">HHHHHH", 1, 0x0100, 1, 0, 0, 0) + encode_name(name)
                       + struct.pack(">HH", 6, 1))
            return len(probe.recv(4096)) > 12
        except OSError:
            return False


class Nsd:
    """NSD serving zones: {zone name: text of the zone file without SOA and NS}."""

    def __init__(self, folder, zones, negative_ttl=300):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        config = [f"""server:
    ip-address: 127.0.0.1@{self.port}
    username: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/pid"
    xfrdfile: "{folder}/xfrd"
    zonelistfile: "{folder}/zonelist"
    server-count: 1
    do-ip6: no
    round-robin: no
    minimal-responses: yes
    refuse-any: no
    rrl-ratelimit: 0
remote-control:
    control-enable: no
"""]
        for zone, text in zones.items():
            start = (f"$ORIGIN {zone}.\n$TTL 300\n"
                     f"@ SOA ns root 1 3600 600 86400 {negative_ttl}\n@ NS ns\nns A 127.0.0.1\n")
            (folder / f"{zone}.zone").write_text(start + text)
            config.append(f'zone:\n    name: "{zone}"\n    zonefile: "{zone}.zone"\n')
        (folder / "nsd.conf").write_text("".join(config))
        self.process = Process([shutil.which("nsd", path="/usr/sbin:/usr/bin:/bin"), "-d", "-c",
                                folder / "nsd.conf"], folder / "log", name="nsd")
        wait_until(lambda: answers(self.port, next(iter(zones))), 20, "NSD answers")

    def stop(self):
        self.process.stop()


class Dnsmasq:
    """dnsmasq that asks another server for everything: a caching resolver as many sites have."""

    def __init__(self, folder, upstream_port, ask_for):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.process = Process(
            [shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/bin"), "--keep-in-foreground",
             "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
             f"--pid-file={folder}/pid", f"--port={self.port}", "--listen-address=127.0.0.1",
             "--bind-interfaces", f"--server=127.0.0.1#{upstream_port}"],
            folder / "log", name="dnsmasq")
        wait_until(lambda: answers(self.port, ask_for), 20, "dnsmasq answers")

    def stop(self):
        self.process.stop()


def signed(folder, zone, text, expired=()):
    """A zone file signed with ldns, as text, and its DNSKEY record. The signatures over the TLSA
    records of the names in `expired` have run out."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)

    def ldns(*command):
        done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def sign(end):
        ldns("ldns-signzone", "-i", "20200101000000", "-e", end, "-f", "signed", "zone", key)
        return (folder / "signed").read_text()

    (folder / "zone").write_text(f"$ORIGIN {zone}.\n$TTL 60\n"
                                 f"@ SOA ns root 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
                                 + text)
    key = ldns("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone)
    old = {line.split()[0]: line for line in sign("20210101000000").splitlines()
           if re.search(r"\sRRSIG\s+TLSA\s", line)}
    next_week = time.strftime("%Y%m%d000000", time.gmtime(time.time() + 7 * 86400))
    good = sign(next_week).splitlines()
    for i, line in enumerate(good):
        if re.search(r"\sRRSIG\s+TLSA\s", line) and any(
                f".{name}.{zone}." in line.split()[0] for name in expired):
            good[i] = old[line.split()[0]]
    return "\n".join(good) + "\n", (folder / f"{key}.key").read_text()


class Unbound:
    """A validating resolver with zones of its own: {zone: (text, DNSKEY or None)}. With an address it
    serves port 53 there too, for programs that know no other port."""

    def __init__(self, folder, zones, address=None):
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.address = address
        anchors, served = "", ""
        for zone, (text, key) in zones.items():
            (folder / f"{zone}.zone").write_text(text)
            if key:
                (folder / f"{zone}.key").write_text(key)
                anchors += f'    trust-anchor-file: "{folder}/{zone}.key"\n'
            served += (f'auth-zone:\n    name: "{zone}."\n    zonefile: "{folder}/{zone}.zone"\n'
                       "    for-downstream: no\n    for-upstream: yes\n    fallback-enabled: no\n")
        more = f"    interface: {address}@53\n" if address else ""
        (folder / "unbound.conf").write_text(f"""server:
    interface: 127.0.0.1@{self.port}
{more}    do-ip6: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: "{folder}/pid"
    use-syslog: no
    module-config: "validator iterator"
    local-zone: "test." nodefault
    access-control: 127.0.0.0/8 allow
    cache-max-negative-ttl: 1
{anchors}remote-control:
    control-enable: no
{served}""")
        self.process = Process([shutil.which("unbound", path="/usr/sbin:/usr/bin:/sbin:/bin"), "-d",
                                "-c", folder / "unbound.conf"], folder / "log", name="unbound")
        wait_until(lambda: answers(self.port, next(iter(zones))), 20, "unbound answers")

    def stop(self):
        self.process.stop()
