"""What the scripts in Tests/ share: namespaces of their own, processes in them, facts to wait for.

Everything runs in namespaces for processes, mounts and networks that belong to this run alone, with its files in memory. When
its first process ends, however it ends, the kernel kills the rest, and with the last process files and networks go. Nothing
needs tidying up, and neither a port nor a path can be taken by somebody else.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INSIDE = "MARTLET_TEST_INSIDE"


def isolate():
    """Starts this script again inside; there, makes the places that processes write to."""
    if os.environ.get(INSIDE) != "1":
        if os.geteuid() != 0:
            sys.exit(f"{sys.argv[0]}: only root can make network namespaces")
        words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
        os.execvpe(words[0], words + [sys.executable, "-uB", *sys.argv], dict(os.environ, **{INSIDE: "1"}))
    for path in ["/run", "/srv"]:
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "martlet-test", path)
    for path in ["/run/postgresql", "/run/netns", "/run/test"]:
        os.mkdir(path)
    os.chmod("/run/postgresql", 0o777)
    sh("ip", "link", "set", "lo", "up")
    # The first process of a namespace inherits those whose parents have ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))


def sh(*words, **more):
    ended = subprocess.run(words, capture_output=True, text=True, **more)
    check(ended.returncode == 0, f"{' '.join(map(str, words))}: {ended.stderr or ended.stdout}")
    return ended.stdout


class Failure(Exception):
    pass


def check(fact, complaint):
    if not fact:
        raise Failure(complaint)


def wait_for(what, fact, limit=60, every=0.02):
    """The limit only ends a wait for what does not come."""
    end = time.monotonic() + limit
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {limit} s in vain: {what}")
        time.sleep(every)


def main(test):
    """Runs the test, and shows what the processes said when it fails."""
    isolate()
    site = Site(pathlib.Path("/run/test"))
    try:
        test(site)
    except Failure as failure:
        for process in site.started:
            if process.popen.poll() == 0 and not process.errors():
                continue
            print(f"--- {process.name}: {process.words}\n{process.errors()[-3000:]}", file=sys.stderr)
        sys.exit(f"{sys.argv[0]}: {failure}")


class Process:
    def __init__(self, name, words, popen, directory):
        self.name, self.words, self.popen, self.directory = name, words, popen, directory

    def output(self):
        return (self.directory / "output").read_text()

    def errors(self):
        return (self.directory / "errors").read_text()

    def is_running(self):
        return self.popen.poll() is None

    def end(self, limit=60):
        try:
            return self.popen.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end in {limit} s") from None

    def tell(self, number):
        self.popen.send_signal(number)


class Site:
    """Processes as some user on some host, each with files for what it says."""

    def __init__(self, directory):
        self.directory = directory
        self.started = []
        self.martlet = self.place(ROOT / ".build/debug/martlet")

    def place(self, binary):
        """The binary and Swift's libraries where users other than root can reach them, wherever the repository lies."""
        check(binary.exists(), f"{binary} is not built")
        libraries = {line.split()[2] for line in sh("ldd", binary).splitlines() if "libswiftCore" in line}
        self.libraries = {}
        for number, library in enumerate(libraries):
            path = f"/run/swift-{number}"
            os.mkdir(path)
            sh("mount", "--bind", os.path.dirname(library), path)
            self.libraries = {"LD_LIBRARY_PATH": path}
        path = "/run/martlet"
        open(path, "x").close()
        sh("mount", "--bind", binary.resolve(), path)
        return path

    def start(self, name, words, user=None, host=None, environment=None, cwd="/", given=None):
        directory = self.directory / f"{len(self.started)}-{name}"
        directory.mkdir()
        prefix = []
        if host:
            prefix += ["ip", "netns", "exec", host]
        if user:
            groups = "--clear-groups" if str(user).isdigit() else "--init-groups"
            prefix += ["setpriv", f"--reuid={user}", f"--regid={user}", groups, "--no-new-privs"]
        settings = {"PATH": os.environ["PATH"], "LC_ALL": "C", **self.libraries, **(environment or {})}
        words = [str(word) for word in words]
        with open(directory / "output", "x") as output, open(directory / "errors", "x") as errors:
            popen = subprocess.Popen(
                prefix + words, env=settings, cwd=cwd, stdout=output, stderr=errors,
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, start_new_session=True)
        if given is not None:
            popen.stdin.write(given.encode())
            popen.stdin.close()
        process = Process(name, words, popen, directory)
        self.started.append(process)
        return process

    def run(self, name, words, limit=60, **more):
        process = self.start(name, words, **more)
        status = process.end(limit)
        check(status == 0, f"{name} ended with status {status}: {process.errors()}")
        return process.output()

    def jobs(self, **more):
        """All jobs, as the program lists them."""
        words = [self.martlet, "jobs", "list", "--limit", "1000000", "--json"]
        return [json.loads(line) for line in self.run("jobs", words, **more).splitlines()]


class Postgres:
    """A server as the official image makes it: trust on the socket, passwords by TCP."""

    def __init__(self, site, password, host=None, name="postgres", port=5432):
        versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        check(versions, "no PostgreSQL server is installed")
        self.binaries = versions[-1].parent
        self.site, self.host, self.name, self.port = site, host, name, port
        self.data = f"/run/postgresql/{name}"
        if password is None:
            return
        pwfile = f"/run/postgresql/{name}.password"
        with open(os.open(pwfile, os.O_CREAT | os.O_WRONLY, 0o644), "w") as file:
            file.write(password)
        self.tool(
            "initdb", "-D", self.data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "-E", "UTF8",
            "--locale=C", "--no-sync", f"--pwfile={pwfile}")
        with open(f"{self.data}/pg_hba.conf", "a") as file:
            file.write("host all all all scram-sha-256\n")

    def standby(self, name, port):
        """A hot standby of this server, which streams from it."""
        standby = Postgres(self.site, None, self.host, name, port)
        standby.tool("pg_basebackup", "-h", "/run/postgresql", "-p", self.port, "-D", standby.data, "-R", "-X", "stream", "-c", "fast")
        standby.start()
        return standby

    def tool(self, tool, *words, **more):
        return self.site.run(tool, [self.binaries / tool, *words], user="postgres", host=self.host, **more)

    def start(self, *settings):
        words = [self.binaries / "postgres", "-D", self.data, "-c", "listen_addresses=*", "-c", f"port={self.port}", *settings]
        self.process = self.site.start(self.name, words, user="postgres", host=self.host)
        wait_for("the server answers", lambda: self.is_ready() or not self.process.is_running())
        check(self.process.is_running(), "the server does not start")

    def is_ready(self):
        words = [self.binaries / "pg_isready", "-q", "-h", "/run/postgresql", "-p", str(self.port)]
        return subprocess.run(words, env={"LC_ALL": "C"}).returncode == 0

    def sql(self, text, database="postgres"):
        words = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "/run/postgresql", "-p", self.port, "-d", database]
        return self.tool("psql", *words, given=text).strip()
