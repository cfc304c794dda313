"""sendmail: every mailbox through a delivery program that stores one file per message."""

from .peer import STORE, Peer

PROGRAM = f"""#!/bin/sh
# The file gets its final name only when it is whole.
file=/{STORE}/new/$(date +%s.%N).$$
cat >"$file.part" && mv "$file.part" "$file"
"""


class Sendmail(Peer):
    name = "sendmail"
    users = {"smmta": (1631, 1631), "smmsp": (1632, 1632)}

    def configure(self):
        self.folder("var/spool/mqueue", (0, 0), 0o700, fresh=True)
        self.folder("var/spool/mqueue-client", (1632, 1632), 0o770, fresh=True)
        self.folder("var/run/sendmail/mta")
        self.folder(STORE + "/new", (1500, 1500), 0o777)
        self.folder("etc/mail", mode=0o755)
        self.write("usr/local/bin/store", PROGRAM, 0o755)
        self.write("etc/mail/service.switch", "hosts files\naliases files\n")
        tls = ""
        if self.identity:
            self.write_identity()
            tls = """define(`confSERVER_CERT', `/etc/tls/cert.pem')dnl
define(`confSERVER_KEY', `/etc/tls/key.pem')dnl
define(`confCACERT', `/etc/tls/ca.pem')dnl
define(`confCACERT_PATH', `/etc/tls')dnl
define(`confTLS_SRV_OPTIONS', `V')dnl
"""
        self.write("etc/mail/sendmail.mc", f"""divert(-1)
divert(0)dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.{self.domain}')dnl
define(`confEBINDIR', `/usr/libexec')dnl
define(`ALIAS_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`confPID_FILE', `/var/run/sendmail.pid')dnl
LOCAL_DOMAIN(`{self.domain}')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confMAX_DAEMON_CHILDREN', `200')dnl
define(`confQUEUE_LA', `1000')dnl
define(`confREFUSE_LA', `1000')dnl
define(`confDELIVERY_MODE', `background')dnl
define(`confEIGHT_BIT_HANDLING', `pass8')dnl
define(`confTO_IDENT', `0')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confBAD_RCPT_THROTTLE', `0')dnl
define(`LOCAL_MAILER_PATH', `/usr/local/bin/store')dnl
define(`LOCAL_MAILER_ARGS', `store $u')dnl
define(`LOCAL_MAILER_FLAGS', `Pn8S')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w5A:/|@q')dnl
define(`LOCAL_MAILER_MAX', `0')dnl
define(`confSERVICE_SWITCH_FILE', `/etc/mail/service.switch')dnl
{tls}FEATURE(`nocanonify')dnl
FEATURE(`nouucp',`reject')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA, Addr=127.0.0.1, Port={self.port}')dnl
FEATURE(`no_default_msa')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_RULESETS
SLocal_check_rcpt
R$* not-here . test $*\t$#error $@ 5.7.1 $: "550 5.7.1 relaying denied, even from here"
""")
        text = self.run("/usr/bin/m4", "/usr/share/sendmail/cf/m4/cf.m4", "/etc/mail/sendmail.mc")
        self.write("etc/mail/sendmail.cf", text)

    def command(self):
        return ["/usr/libexec/sendmail/sendmail", "-bD", "-q5s", "-C", "/etc/mail/sendmail.cf"]
