"""Small apps whose containers show the secret they got, for the tests of secrets of running apps."""

import shlex

from leger_host import Example, must

# Ends at once where the secret says `bad`, as a program does that cannot use its key.
CONTAINER = """[Container]
Image={image}
{secrets}
Exec=sh -c "grep -q bad /run/secrets/* && exit 1; exec sleep 86400"
StopTimeout=1

[Install]
WantedBy=default.target
"""


def container(*secrets):
    return CONTAINER.format(image=Example().image, secrets="\n".join(f"Secret={name}" for name in secrets))


def write_app(host, name, containers):
    """A folder with an app: {name of a container: names of its secrets}."""
    for unit, secrets in containers.items():
        host.write(f"{name}/{unit}.container", container(*secrets))


def install(host, name, containers):
    write_app(host, name, containers)
    must(host.leger("releases", "upload", name))
    must(host.leger("deploy", "install", name))


def set_secret(host, name, value, *flags):
    return host.leger("secrets", "set", name, "-", *flags, stdin=value)


def value_in(host, unit, secret):
    return must(host.sh(f"podman exec systemd-{unit} cat /run/secrets/{shlex.quote(secret)}"))


def containers(host):
    """Ids by name of what runs: a restarted one has another."""
    lines = must(host.sh("podman ps --no-trunc --format '{{.Names}} {{.ID}}'")).splitlines()
    return {line.split()[0].removeprefix("systemd-"): line.split()[1] for line in lines}


def restarted(before, after):
    return {name for name in before | after if before.get(name) != after.get(name)}
