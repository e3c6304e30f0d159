"""Small apps for tests of images and rollbacks: images that differ in one text, bundles around them, and a registry that
asks who is there, made of the host's busybox."""

import json
import re
import shlex

from leger_host import must, pack

REGISTRY = "127.0.0.1:5001"
SLEEP = "trap 'exit 0' TERM; while :; do sleep 0.2; done"


def bundle(name, files):
    """The bundle of an app, as bytes."""
    manifest = {"version": 1, "deployment_name": name, "created_at": "2026-11-22T00:00:00Z", "files": sorted(files),
                "services": [], "secrets_required": []}
    return pack({"manifest.json": json.dumps(manifest), **files})


def container(image, *lines, command=SLEEP):
    """The text of a container that runs `command` in a shell until it is asked to end."""
    return "\n".join(["[Container]", f"Image={image}", *lines, f'Exec=/bin/sh -c "{command}"', "[Service]", "TimeoutStopSec=10",
                      "[Install]", "WantedBy=default.target", ""])


class Apps:
    """What the tests do with a host."""

    def __init__(self, host):
        self.host = host
        must(host.sh("mkdir -p image && cp /bin/busybox image/"))

    def build(self, name, text):
        """Builds an image that holds `text`; its id."""
        recipe = f"FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\nLABEL text={text}\n"
        self.host.write("image/Containerfile", recipe)
        must(self.host.sh(f"podman build -q -t {shlex.quote(name)} image"))
        return self.id_of(name)

    def id_of(self, name):
        return must(self.host.sh(f"podman image inspect --format '{{{{.Id}}}}' {shlex.quote(name)}")).strip()

    def upload(self, name, files):
        """Uploads a release of the app; its number."""
        self.host.write(f"{name}.tar.gz", bundle(name, files))
        return self.host.leger_data("releases", "upload", f"{name}.tar.gz")["version"]

    def deploy(self, name, files):
        return self.host.leger("deploy", "install", str(self.upload(name, files)), "--yes")

    def image_of(self, name):
        """The id of the image that the container of a unit runs."""
        return must(self.host.sh(f"podman inspect --format '{{{{.Image}}}}' systemd-{name}")).strip()

    def container_of(self, name):
        return must(self.host.sh(f"podman inspect --format '{{{{.Id}}}}' systemd-{name}")).strip()

    def kept(self):
        """The ids of the images that Leger keeps."""
        names = must(self.host.sh("podman images --format '{{.Repository}}:{{.Tag}}'"))
        return sorted(re.findall(r"^localhost/leger-keep:([0-9a-f]{64})$", names, re.M))

    def newest(self):
        return self.host.leger_data("deploy", "list")["deployments"][0]

    def serve_registry(self, image, user, password):
        """Serves `image` as REGISTRY/team/app:1.json to who knows the password, and removes it from the host."""
        # The ending gives the manifest its type.
        self.host.write("registry.conf", f"/:{user}:{password}\n.json:application/vnd.oci.image.manifest.v1+json\n")
        self.host.write(".config/containers/registries.conf", f'[[registry]]\nlocation = "{REGISTRY}"\ninsecure = true\n')
        must(self.host.sh(f"""set -e
            podman save --format oci-dir -o saved {shlex.quote(image)}
            mkdir -p registry/v2/team/app/manifests registry/v2/team/app/blobs
            : >registry/v2/index.html
            for blob in saved/blobs/sha256/*; do cp "$blob" "registry/v2/team/app/blobs/sha256:${{blob##*/}}"; done
            manifest=$(grep -o '"digest":"sha256:[0-9a-f]*"' saved/index.json | head -n 1 | cut -d: -f3 | tr -d '"')
            cp saved/blobs/sha256/"$manifest" registry/v2/team/app/manifests/1.json
            podman rmi -f {shlex.quote(image)}
            systemctl --user stop podman.service
            systemd-run --user --unit registry -- /bin/busybox httpd -f -p {REGISTRY} -c ~/registry.conf -h ~/registry
        """))
