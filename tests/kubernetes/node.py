"""A real single-node Kubernetes inside one network namespace of its own.

`Node(folder)` starts etcd, containerd, the Kubernetes programs and CoreDNS from folder/bin (see
`build`), keeps everything that they write below folder/run, and stops exactly what it started, by
process id. Nothing leaves the machine: the namespace has no link to the outside. The pods' network
is a bridge with 10.244.0.0/24, Services are in 10.96.0.0/24, the node is 192.168.77.1.

What is unusual, and why:
- No image registry: images come from folders (image.py) and are imported; the pause container is
  BusyBox, asleep.
- Some sandboxes lack CAP_SYS_RESOURCE and mount cgroup v1: containerd restricts its OOM score, and
  the kubelet (1.34 is the last to accept v1 by default) drives cgroupfs.
- The node's address sits on a veth pair whose two ends stay inside, because the kubelet refuses a
  loopback address and not every kernel has a dummy device.
- No storage provisioner: `local_volume` makes one PersistentVolume by hand.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import image

NAMESPACE = "posthaste-k8s"  # of the network
NODE = "node1"
ADDRESS = "192.168.77.1"
POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.96.0.0/24"

CONTAINERD = """\
version = 2
root = "{run}/containerd"
state = "{run}/containerd-state"
[grpc]
  address = "{run}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "localhost/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{run}/cni"
"""

BRIDGE = {
    "cniVersion": "1.0.0", "name": "pods", "plugins": [
        {"type": "bridge", "bridge": "pods0", "isGateway": True, "hairpinMode": True,
         "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_NETWORK}]],
                  "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}}]}

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: k, cluster: {server: "https://127.0.0.1:16443", insecure-skip-tls-verify: true}}]
users: [{name: a, user: {token: of-this-test}}]
contexts: [{name: k, context: {cluster: k, user: a}}]
current-context: k
"""

KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failSwapOn: false
containerRuntimeEndpoint: unix://{run}/containerd.sock
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
clusterDNS: ["{address}"]
clusterDomain: cluster.local
address: {address}
readOnlyPort: 0
resolvConf: ""
evictionHard: {{nodefs.available: "1%", imagefs.available: "1%", nodefs.inodesFree: "1%"}}
"""

COREFILE = """\
.:53 {{
  bind {address}
  errors
  file {run}/mail.zone receiver.test
  kubernetes cluster.local 10.in-addr.arpa {{
    kubeconfig {run}/kubeconfig k
    pods insecure
  }}
}}
"""

# A domain of the outside world, so to speak: its mail exchanger is the sink's Service.
ZONE = """\
$ORIGIN receiver.test.
@ 60 IN SOA ns.receiver.test. hostmaster.receiver.test. 1 3600 600 86400 60
@ 60 IN NS ns.receiver.test.
@ 60 IN MX 10 sink.posthaste.svc.cluster.local.
ns 60 IN A {address}
"""


class Node:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.bin = self.folder / "bin"
        self.run = self.folder / "run"
        self.environment = dict(os.environ, KUBECONFIG=str(self.run / "kubeconfig"),
                                PATH=f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin")

    # Commands

    def inside(self, *command, **options):
        """Runs a command in the node's network and returns its output; raises if it fails."""
        options.setdefault("check", True)
        done = subprocess.run(["nsenter", f"--net=/run/netns/{NAMESPACE}", *map(str, command)],
                              env=self.environment, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, **options)
        return done.stdout

    def kubectl(self, *arguments, **options):
        return self.inside(self.bin / "kubectl", *arguments, **options)

    def ctr(self, *arguments):
        return self.inside("ctr", "--address", self.run / "containerd.sock", "--namespace",
                           "k8s.io", *arguments)

    def import_image(self, rootfs, tag, entrypoint, user=""):
        archive = self.run / "image.tar"
        image.write_image(rootfs, tag, archive, entrypoint, user)
        self.ctr("images", "import", archive)
        archive.unlink()

    def local_volume(self, name, size):
        """A PersistentVolume of one folder of this machine, for the next claim that fits."""
        folder = self.run / "volumes" / name
        folder.mkdir(parents=True)
        volume = {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"],
                     "persistentVolumeReclaimPolicy": "Retain", "local": {"path": str(folder)},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                         {"key": "kubernetes.io/hostname", "operator": "In",
                          "values": [NODE]}]}]}}}}
        self.kubectl("apply", "-f", "-", input=json.dumps(volume))
        return folder

    def seccomp_profile(self, name, profile):
        """Puts a profile where pods can name it (`localhostProfile: NAME`)."""
        folder = self.run / "kubelet" / "seccomp"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(profile)

    # Start

    def up(self):
        self.run.mkdir(parents=True)
        self._network()
        self._write_configuration()
        self._start("etcd", "etcd", "--data-dir", self.run / "etcd",
                    "--listen-client-urls", "http://127.0.0.1:12379",
                    "--advertise-client-urls", "http://127.0.0.1:12379",
                    "--listen-peer-urls", "http://127.0.0.1:12380")
        self._start("containerd", "containerd", "--config", self.run / "containerd.toml")
        self._start("apiserver", self.bin / "kube-apiserver",
                    "--etcd-servers=http://127.0.0.1:12379", "--secure-port=16443",
                    "--bind-address=0.0.0.0", f"--advertise-address={ADDRESS}",
                    f"--cert-dir={self.run}/certs", f"--token-auth-file={self.run}/tokens.csv",
                    "--authorization-mode=RBAC", "--service-account-issuer=https://posthaste",
                    f"--service-account-key-file={self.run}/accounts.key",
                    f"--service-account-signing-key-file={self.run}/accounts.key",
                    f"--service-cluster-ip-range={SERVICE_NETWORK}",
                    "--kubelet-preferred-address-types=InternalIP")
        self._wait("the API server", 120, lambda: self.kubectl("get", "namespace", "default"))
        account = ["--kubeconfig", self.run / "kubeconfig"]
        self._start("controllers", self.bin / "kube-controller-manager", *account,
                    f"--service-account-private-key-file={self.run}/accounts.key",
                    f"--root-ca-file={self.run}/certs/apiserver.crt")
        self._start("scheduler", self.bin / "kube-scheduler", *account)
        self._wait("containerd", 30, lambda: self.ctr("images", "ls"))
        self._pause_image()
        self._start("kubelet", self.bin / "kubelet", *account, "--config",
                    self.run / "kubelet.yaml", "--root-dir", self.run / "kubelet",
                    "--hostname-override", NODE)
        self._start("proxy", self.bin / "kube-proxy", *account, "--hostname-override", NODE,
                    "--cluster-cidr", POD_NETWORK, "--conntrack-max-per-core", "0")
        self._start("coredns", self.bin / "coredns", "-conf", self.run / "Corefile")
        self._wait("the node", 120, lambda: self.kubectl(
            "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=5s"))
        return self

    def _network(self):
        ip = shutil.which("ip", path=self.environment["PATH"])
        subprocess.run([ip, "netns", "add", NAMESPACE], check=True)
        for command in ("link set lo up", "link add node0 type veth peer name node1",
                        f"addr add {ADDRESS}/24 dev node0", "link set node0 up",
                        "link set node1 up", "route add default via 192.168.77.2 dev node0"):
            self.inside("ip", *command.split())
        self.inside("sysctl", "-qw", "net.ipv4.ip_forward=1")

    def _write_configuration(self):
        values = {"run": self.run, "address": ADDRESS}
        self.inside("openssl", "genrsa", "-out", self.run / "accounts.key", "2048")
        (self.run / "cni").mkdir()
        (self.run / "cni" / "10-bridge.conflist").write_text(json.dumps(BRIDGE))
        for name, text in (("tokens.csv", "of-this-test,admin,admin,system:masters\n"),
                           ("containerd.toml", CONTAINERD.format(**values)),
                           ("kubeconfig", KUBECONFIG), ("kubelet.yaml", KUBELET.format(**values)),
                           ("Corefile", COREFILE.format(**values)),
                           ("mail.zone", ZONE.format(**values))):
            (self.run / name).write_text(text)

    def _pause_image(self):
        rootfs = self.run / "pause"
        (rootfs / "bin").mkdir(parents=True)
        shutil.copy("/bin/busybox", rootfs / "bin")
        self.import_image(rootfs, "localhost/pause:1", ["/bin/busybox", "sleep", "2000000000"])

    def _start(self, name, *command):
        with open(self.run / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{NAMESPACE}", *map(str, command)], stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.run,
                env=self.environment, start_new_session=True)
        (self.run / f"{name}.pid").write_text(str(process.pid))

    def _wait(self, what, seconds, attempt):
        end = time.monotonic() + seconds
        while True:
            try:
                return attempt()
            except subprocess.CalledProcessError as error:
                if time.monotonic() > end:
                    raise SystemExit(f"node: {what} did not come up in {seconds} s (logs are in "
                                     f"{self.run}): {error.stdout}") from None
            time.sleep(1)

    # Stop

    def down(self):
        """Stops what `up` started, by the ids that it wrote down, and removes the state."""
        for name in ("coredns", "proxy", "kubelet", "scheduler", "controllers", "apiserver",
                     "etcd"):
            self._stop(name)
        if (self.run / "containerd.pid").exists():
            for task in self._tasks():
                subprocess.run(["ctr", "--address", self.run / "containerd.sock", "--namespace",
                                "k8s.io", "tasks", "delete", "--force", task], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._stop("containerd")
        mounts = [line.split()[1] for line in open("/proc/mounts", encoding="utf-8")]
        for mount in sorted(mounts, reverse=True):
            if mount.startswith(f"{self.run}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)
        self._remove_network()
        shutil.rmtree(self.run, ignore_errors=True)

    def _tasks(self):
        done = subprocess.run(["ctr", "--address", self.run / "containerd.sock", "--namespace",
                               "k8s.io", "tasks", "ls", "--quiet"], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.split()

    def _remove_network(self):
        if not pathlib.Path("/run/netns", NAMESPACE).exists():
            return
        # The namespaces of pods are ours if their way out is the node's bridge.
        for pod in pathlib.Path("/run/netns").glob("cni-*"):
            routes = subprocess.run(["nsenter", f"--net={pod}", "ip", "route"], check=False,
                                    text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if POD_NETWORK in routes.stdout:
                subprocess.run(["ip", "netns", "delete", pod.name], check=False)
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=False)

    def _stop(self, name):
        file = self.run / f"{name}.pid"
        if not file.exists():
            return
        pid = int(file.read_text())
        for number, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            end = time.monotonic() + patience
            while time.monotonic() < end and self._runs(pid):
                time.sleep(0.1)
            if not self._runs(pid):
                break
        file.unlink()

    @staticmethod
    def _runs(pid):
        try:
            os.waitpid(pid, os.WNOHANG)  # reaps it, if it is a child of this process
        except ChildProcessError:
            pass
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] != "Z"
        except FileNotFoundError:
            return False
