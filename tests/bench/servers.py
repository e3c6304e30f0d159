"""The servers under measurement: started on their core in folders of their own, ended with their `with` block."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import socket
import subprocess

from measure import PATIENCE, Unmeasurable, wait_for_answer


@dataclasses.dataclass(frozen=True)
class Cores:
    server: int
    load: int

    @staticmethod
    def of_this_machine():
        allowed = sorted(os.sched_getaffinity(0))
        return Cores(server=allowed[0], load=allowed[1 % len(allowed)])


@dataclasses.dataclass(frozen=True)
class Yard:
    """Where and how long to measure; the folder is empty and goes away with the run."""
    build: pathlib.Path
    folder: pathlib.Path
    cores: Cores
    rounds: int
    seconds: int


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A program that serves HTTP on a port of 127.0.0.1. Its process is ended by leaving the `with` block."""

    def __init__(self, cores, name, command, environment, path):
        self.cores, self.name, self.command, self.environment, self.path = cores, name, command, environment, path
        self.port = free_port()
        self.process = None

    def url(self):
        return f"http://127.0.0.1:{self.port}{self.path}"

    def launch(self):
        """Starts the process on its core, and puts ourselves on that of the load."""
        command = [part.replace("PORT", str(self.port)) for part in self.command]
        os.sched_setaffinity(0, {self.cores.server})  # inherited, at no cost that a start would show
        try:
            self.process = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL)
        except OSError as problem:
            raise Unmeasurable(f"{self.name} cannot be started: {problem}") from problem
        finally:
            os.sched_setaffinity(0, {self.cores.load})

    def first_answer(self):
        return wait_for_answer(self.process, self.port, self.path)

    def end(self):
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self):
        self.launch()
        with contextlib.ExitStack() as undo:
            undo.callback(self.end)
            self.first_answer()
            undo.pop_all()
        return self

    def __exit__(self, *_):
        self.end()


NO_LIMITS = """
[limits]
requests_per_second = 0
sign_ins_per_minute = 0
uploads_per_minute = 0
connections_per_peer = 0
"""


def legerd(yard, home):
    """legerd as an account of its own would run it; `home` is kept over starts."""
    program = yard.build / "daemon" / "legerd"
    if not program.exists():
        raise Unmeasurable(f"there is no {program}: ./dev build release")
    home.mkdir(mode=0o700, exist_ok=True)
    run = home / "run"
    run.mkdir(mode=0o700, exist_ok=True)
    # The limits are for people; what is measured is the work.
    (home / "config" / "leger").mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "config" / "leger" / "legerd.toml").write_text(NO_LIMITS, encoding="ascii")
    environment = {
        "HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"), "XDG_RUNTIME_DIR": str(run),
    }
    command = [str(program), "--listen", "127.0.0.1:PORT", "--socket", str(run / "legerd.sock"), "--log-level", "error"]
    return Server(yard.cores, "legerd", command, environment, "/health")


# nginx at its best with a small file: what Debian's nginx.conf sets (sendfile, tcp_nopush, no cache of open files) costs
# it a third of its requests a second, and would flatter us.
NGINX_CONF = """
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  sendfile {sendfile};
  open_file_cache max=100;
  types_hash_max_size 2048;
  include /etc/nginx/mime.types;
  access_log off;
  keepalive_timeout 75s;
  keepalive_requests 4294967295;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port} backlog=511;
    root .;
    client_max_body_size 64m;
    {dav}
  }}
}}
"""


def nginx(yard, home, body, *, sendfile=False, upload=False):
    """nginx that serves `body` as a static file; with `upload` it takes files by PUT, too."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not program:
        raise Unmeasurable("nginx is not here: apt-get install nginx-light")
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "health.json").write_bytes(body)
    command = [program, "-p", f"{home}/", "-c", "nginx.conf", "-e", "stderr"]
    server = Server(yard.cores, "nginx", command, {"PATH": os.environ["PATH"]}, "/health.json")
    # As root its worker would become an account that may not look into our folder.
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(NGINX_CONF.format(
        user=user, port=server.port, sendfile="on" if sendfile else "off", dav="dav_methods PUT;" if upload else ""), encoding="ascii")
    return server
