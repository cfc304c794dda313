"""OpenSMTPD: every mailbox into one maildir. No PIPELINING, no CHUNKING: one command at a time."""

from .peer import STORE, Peer


class Opensmtpd(Peer):
    name = "opensmtpd"
    users = {"opensmtpd": (1621, 1621), "opensmtpq": (1622, 1622)}

    def configure(self):
        self.folder("var/spool/smtpd", (0, 0), 0o711, fresh=True)
        for queue, owner, mode in (("corrupt", 1622, 0o700), ("incoming", 1622, 0o700),
                                   ("offline", 0, 0o770), ("purge", 1622, 0o700),
                                   ("queue", 1622, 0o700), ("temporary", 1622, 0o700)):
            self.folder(f"var/spool/smtpd/{queue}", (owner, 0 if owner else 1622), mode)
        self.folder("var/lib/opensmtpd/empty")
        self.folder("var/empty")
        self.folder(STORE + "/all", (1500, 1500), 0o700)
        pki, tls = "", ""
        if self.identity:
            self.write_identity()
            pki = 'pki server cert "/etc/tls/cert.pem"\npki server key "/etc/tls/key.pem"'
            tls = "tls pki server"
        self.write("etc/smtpd.conf", f"""
{pki}
table everyone {{ "@" = "store" }}
smtp max-message-size "20M"
listen on 127.0.0.1 port {self.port} {tls} hostname mx.{self.domain}
action "store" maildir "/{STORE}/all" virtual <everyone>
match from any for domain "{self.domain}" action "store"
""")

    def command(self):
        return ["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd.conf"]
