"""Courier: what no account takes, .courier-default gives to a program that stores it."""

from .peer import STORE, Peer

STORE_PROGRAM = f"""#!/bin/sh
# The file gets its final name only when it is whole.
file=/{STORE}/new/$(date +%s.%N).$$
cat >"$file.part" && mv "$file.part" "$file"
"""

START = """#!/bin/sh
# Three daemons; the last one, which listens, stands for them all.
set -a
cd /
. /etc/courier/authdaemonrc
/usr/lib/courier/courier-authlib/authdaemond &
. /etc/courier/courierd
/usr/lib/courier/courier/courierd &
. /etc/courier/esmtpd
exec /usr/sbin/couriertcpd -noidentlookup -nodnslookup -user=courier \\
    -group=courier -address=127.0.0.1 -access=/etc/courier/smtpaccess.dat \\
    -maxprocs=200 -maxperc=200 -maxperip=200 {port} \\
    /usr/sbin/courieresmtpd
"""

ESMTPD = """
PATH=/usr/bin:/bin
SHELL=/bin/sh
BOFHCHECKDNS=0
BOFHCHECKHELO=0
BOFHBADMIME=accept
TARPIT=0
NOADDMSGID=1
NOADDDATE=1
NOADDRREWRITE=2
ESMTP_LOG_DIALOG=0
AUTH_REQUIRED=0
ESMTPAUTH=
MAILUSER=courier
MAILGROUP=courier
"""


class Courier(Peer):
    name = "courier"
    users = {"courier": (1641, 1641)}

    def configure(self):
        owner = (1641, 1641)
        self.folder("run/courier", owner, fresh=True)
        self.folder("run/courier/authdaemon", owner, 0o750)
        self.folder("var/lib/courier", owner)
        for queue, mode in (("msgs", 0o750), ("msgq", 0o750), ("tmp", 0o770), ("track", 0o755),
                            ("allfilters", 0o750), ("filters", 0o750), ("faxtmp", 0o750)):
            self.folder(f"var/lib/courier/{queue}", owner, mode, fresh=True)
        self.folder(STORE + "/new", (1500, 1500), 0o777)
        self.write("usr/local/bin/store", STORE_PROGRAM, 0o755)
        self.write("usr/local/bin/start-courier", START.format(port=self.port), 0o755)
        self.write("etc/environment", "")
        for file, text in {"me": f"mx.{self.domain}", "locals": f"localhost\n{self.domain}",
                           "defaultdomain": self.domain, "esmtpacceptmailfor": self.domain,
                           "sizelimit": "20971520", "aliasdir/.courier-default":
                           "| /usr/local/bin/store", "bofh": "opt BOFHBADMIME=accept",
                           "maxrcpts": "500", "enablefiltering": ""}.items():
            self.write(f"etc/courier/{file}", text + "\n")
        self.write("etc/courier/authdaemonrc", "authmodulelist=authuserdb\ndaemons=2\n"
                   "authmodulelistorig=authuserdb\nauthdaemonvar=/run/courier/authdaemon\n"
                   "DEBUG_LOGIN=0\nDEFAULTOPTIONS=\n")
        self.write("etc/courier/authlib/userdb", "", 0o600)
        tls = ""
        if self.identity:
            self.write_identity(owner)
            tls = ("COURIERTLS=/usr/bin/couriertls\nTLS_CERTFILE=/etc/tls/both.pem\n"
                   "TLS_VERIFYPEER=NONE\n")
        self.write("etc/courier/esmtpd", ESMTPD + tls)
        self.write("etc/courier/smtpaccess/default", "127.0.0.1\tallow\n")
        self.write("etc/courier/aliases/system", f"postmaster: store@{self.domain}\n")
        self.run("/usr/lib/courier/makedat", "-src=/etc/courier/smtpaccess",
                 "-file=/etc/courier/smtpaccess.dat", "-tmp=/etc/courier/smtpaccess.tmp", "-cidr")
        self.run("/usr/lib/courier/makealiases")

    def command(self):
        return ["/usr/local/bin/start-courier"]
