"""An authority and the certificates it signs, by openssl(1). P-256 keys."""

import pathlib
import subprocess


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


class Identity:
    """Files: certificate (chain, leaf first) and key, readable by their owner."""

    def __init__(self, certificate, key):
        self.certificate, self.key = pathlib.Path(certificate), pathlib.Path(key)

    @property
    def sink_options(self):
        return "--tls-cert", self.certificate, "--tls-key", self.key


class Authority:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "ca.pem"
        self.key = self.folder / "ca.key"
        self.count = 0
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", self.key, "-out", self.file, "-days", 30, "-subj", "/CN=test authority")

    def issue(self, name):
        """A certificate for one DNS name, signed by this authority."""
        self.count += 1
        stem = self.folder / f"{self.count}-{name}"
        key, request, leaf, chain = (stem.with_suffix(stem.suffix + end)
                                     for end in (".key", ".csr", ".leaf", ".pem"))
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key,
                 "-CAcreateserial", "-days", 20, "-extfile", extensions, "-out", leaf)
        chain.write_text(leaf.read_text() + self.file.read_text())
        key.chmod(0o600)
        return Identity(chain, key)
