#!/usr/bin/env python3
"""image.py ROOTFS TAG OUT.tar [--user UID:GID] ENTRYPOINT...

Packs a folder as a one-layer image archive that `ctr --namespace k8s.io images import` takes, so
that a test needs neither a container builder nor a registry. The layer is reproducible: sorted
names, no times, everything owned by root.
"""
import argparse
import hashlib
import io
import json
import os
import tarfile


def pack_layer(rootfs):
    """The bytes of the tar archive of everything under rootfs."""
    names = ["."]
    for folder, folders, files in os.walk(rootfs):
        folders.sort()
        names += [os.path.relpath(os.path.join(folder, name), rootfs) for name in folders + files]
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name in sorted(names):
            entry = archive.gettarinfo(os.path.join(rootfs, name), arcname=name)
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = "root"
            if entry.isreg():
                with open(os.path.join(rootfs, name), "rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return layer.getvalue()


def write_image(rootfs, tag, out, entrypoint, user=""):
    """Writes the archive OUT with one image TAG; its command is ENTRYPOINT."""
    layer = pack_layer(rootfs)
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": entrypoint, "User": user, "StopSignal": "SIGTERM"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + layer_digest]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    layer_name = layer_digest + "/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [tag], "Layers": [layer_name]}])
    with tarfile.open(out, "w") as image:
        for name, data in ((config_name, config), (layer_name, layer),
                           ("manifest.json", manifest.encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            image.addfile(entry, io.BytesIO(data))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[2])
    arguments.add_argument("--user", default="")
    arguments.add_argument("rootfs")
    arguments.add_argument("tag")
    arguments.add_argument("out")
    arguments.add_argument("entrypoint", nargs="+")
    given = arguments.parse_args()
    write_image(given.rootfs, given.tag, given.out, given.entrypoint, given.user)


if __name__ == "__main__":
    main()
