"""Haraka (Node.js): a plugin stores each message. It offers PIPELINING, but to what follows the final
dot in one group it answers 503, while it accepts the message."""

import fcntl
import pathlib
import shutil

from processes import PEERS, Process, connects, free_port, wait_until

from .peer import STORE, Peer

PLUGIN = r"""
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const folder = process.env.HARAKA_STORE;
exports.register = function () {
    this.register_hook('rcpt', 'accept');
    this.register_hook('queue', 'store');
};
exports.accept = (next, connection, [recipient]) =>
    recipient.host === 'haraka.test' ? next(OK) : next(DENY, 'relaying denied');
exports.store = (next, connection) => {
    const transaction = connection.transaction;
    const file = path.join(folder, 'new', transaction.uuid);
    const stream = fs.createWriteStream(file + '.part');
    stream.on('finish', () => fs.rename(file + '.part', file, (error) =>
        error ? next(DENYSOFT, String(error)) : next(OK)));
    stream.on('error', (error) => next(DENYSOFT, String(error)));
    transaction.message_stream.pipe(stream, { line_endings: '\r\n' });
};
"""


class Haraka(Peer):
    name = "haraka"

    def __init__(self, log_folder, identity=None):
        self.domain = f"{self.name}.test"
        self.identity = identity
        self.node = PEERS / "node"
        assert (self.node / ".complete").exists(), \
            f"{self.node} is missing: run tests/system/peers/install"
        self.log = pathlib.Path(log_folder) / "haraka.log"
        self.root = PEERS / "haraka"
        self.root.mkdir(exist_ok=True)
        self.port = free_port()
        self.process = None
        self.lock = open(self.root / ".lock", "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def start(self):
        for folder in ("config", "plugins", STORE):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        (self.root / STORE / "new").mkdir(parents=True)
        self.configure()
        self.log.unlink(missing_ok=True)
        self.process = Process(
            [self.node / "bin/node", self.node / "node_modules/Haraka/bin/haraka", "-c", self.root],
            self.log, name=self.name, env={"HARAKA_STORE": str(self.root / STORE)})
        wait_until(lambda: connects(self.port) or not self.process.alive(), self.start_seconds,
                   f"haraka listens on {self.port}")
        assert self.process.alive(), f"haraka ended:\n{self.process.output()}"
        return self

    def configure(self):
        self.write("config/smtp.ini", f"listen=127.0.0.1:{self.port}\nnodes=0\n")
        self.write("config/plugins", "tls\nstore\n" if self.identity else "store\n")
        if self.identity:
            self.write("config/tls_cert.pem", self.identity.certificate.read_text())
            self.write("config/tls_key.pem", self.identity.key.read_text(), 0o600)
        self.write("config/me", f"mx.{self.domain}\n")
        self.write("config/host_list", f"{self.domain}\n")
        self.write("config/log.ini", "level=NOTICE\n")
        # Its own defaults, but for lines: beyond 992 octets it would fold them.
        defaults = self.node / "node_modules/Haraka/config/connection.ini"
        self.write("config/connection.ini", defaults.read_text().replace(
            "data_line_length=992", "data_line_length=1000"))
        self.write("plugins/store.js", PLUGIN)

    def stop(self):
        if self.process:
            self.process.stop(5)
        self.lock.close()
