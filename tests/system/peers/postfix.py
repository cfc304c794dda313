"""Postfix: virtual mailboxes in one maildir. PIPELINING, CHUNKING, SMTPUTF8, 8BITMIME."""

from .peer import STORE, STORE_UID, Peer

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
          "saved", "trace")


class Postfix(Peer):
    name = "postfix"
    users = {"postfix": (1601, 1601)}
    groups = {"postdrop": 1602}

    def configure(self):
        postfix, postdrop = (1601, 1601), 1602
        spool = "var/spool/postfix"
        self.folder(spool, fresh=True)
        for queue in QUEUES:
            self.folder(f"{spool}/{queue}", (1601, 0), 0o700)
        self.folder(f"{spool}/maildrop", (1601, postdrop), 0o730)
        self.folder(f"{spool}/public", (1601, postdrop), 0o710)
        self.folder(f"{spool}/pid")
        self.folder("var/lib/postfix", postfix, 0o700, fresh=True)
        self.write("etc/postfix/main.cf", f"""
compatibility_level = 3.6
myhostname = mx.{self.domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 192.0.2.0/24
maillog_file = /var/log/postfix.log
virtual_mailbox_domains = {self.domain}
virtual_mailbox_base = /{STORE}
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{STORE_UID}
virtual_gid_maps = static:{STORE_UID}
virtual_minimum_uid = 100
mailbox_size_limit = 0
virtual_mailbox_limit = 0
message_size_limit = 20971520
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
""")
        if self.identity:
            self.write_identity()
            with open(self.root / "etc/postfix/main.cf", "a", encoding="ascii") as main:
                main.write("smtpd_tls_security_level = may\n"
                           "smtpd_tls_chain_files = /etc/tls/both.pem\n"
                           "smtpd_tls_session_cache_database =\n")
        services = [f"127.0.0.1:{self.port} inet n - n - 100 smtpd"]
        services += [
            "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce", "verify unix - - n - 1 verify",
            "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap",
            "smtp unix - - n - - smtp", "error unix - - n - - error",
            "retry unix - - n - - error", "discard unix - - n - - discard",
            "virtual unix - n n - - virtual", "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd",
            "showq unix n - n - - showq", "tlsmgr unix - - n 1000? 1 tlsmgr", "local unix - n n - - local",
        ]
        self.write("etc/postfix/master.cf", "\n".join(services) + "\n")

    def command(self):
        return ["/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix"]
