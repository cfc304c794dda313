"""Exim: every mailbox into one maildir. PIPELINING, CHUNKING, 8BITMIME, PRDR off."""

from .peer import STORE, Peer


class Exim(Peer):
    name = "exim"
    users = {"Debian-exim": (1611, 1611)}

    def configure(self):
        owner = (1611, 1611)
        self.folder("var/spool/exim4", owner, 0o750, fresh=True)
        self.folder("var/log/exim4", owner, 0o750, fresh=True)
        self.folder("run/exim4", owner)
        tls = "tls_advertise_hosts ="
        if self.identity:
            self.write_identity(owner)
            tls = """tls_advertise_hosts = *
tls_certificate = /etc/tls/cert.pem
tls_privatekey = /etc/tls/key.pem"""
        self.write("etc/exim4/exim4.conf", f"""
primary_hostname = mx.{self.domain}
domainlist local_domains = {self.domain}
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
smtp_accept_max = 200
smtp_accept_max_per_host = 200
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 100000
message_size_limit = 20M
chunking_advertise_hosts = *
accept_8bitmime = true
pipelining_advertise_hosts = *
host_lookup =
rfc1413_hosts =
{tls}
never_users =
keep_environment =
log_selector = +smtp_protocol_error +smtp_syntax_error
begin acl
acl_rcpt:
  accept domains = +local_domains
  deny message = relaying denied
acl_data:
  accept
begin routers
everyone:
  driver = accept
  domains = +local_domains
  transport = store
begin transports
store:
  driver = appendfile
  directory = /{STORE}/all
  create_directory
  maildir_format
  user = store
  group = store
  delivery_date_add = false
  envelope_to_add
  return_path_add
begin retry
* * F,2h,1s
""")
        self.folder(STORE + "/all", (1500, 1500), 0o700)

    def command(self):
        return ["/usr/sbin/exim4", "-bdf", "-q5s", "-oX", f"<; [127.0.0.1]:{self.port}"]
