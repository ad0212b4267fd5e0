#!/usr/bin/env python3
"""Runs viscript, supervisord and pm2 side by side and prints a Markdown table.

    go build -o /tmp/viscript ./cmd/viscript
    docs/bench/launcher.py --viscript /tmp/viscript

For root on Linux (Debian for what is installed when it is missing: the package supervisor
by apt, pm2 by npm into a temporary prefix). Python's standard library only. Each test of
each launcher has a temporary folder of its own, and every wait has an end. Processes are
found by that folder in a variable of their environment, or as where their executable is,
and are ended by pidfd: nothing else is ever signalled.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

MARK = "LAUNCHER_BENCH"  # in the environment of all that a test starts: the test's folder
SH = "/bin/sh"
STEADY = 5  # apps that go on in the crash test
CODE = 42  # of the app that ends while there is no launcher
GRACE = 2  # seconds of politeness in the stop test
LINES, LINE_BYTES = 2_000_000, 100  # of the flood, the newline included
FLOOD_RUNS = 3
NEVER = float("inf")
LOOP_SECONDS = 25
MANY = 200
IDLE_SECONDS = 30  # pm2 looks after its apps every 30 s
COMMAND_SECONDS = 120  # the longest any command of a launcher may take


# What is running


def read(path, mode="r"):
    """The content of a file of /proc or of a launcher; empty when it is gone."""
    try:
        with open(path, mode) as f:
            return f.read()
    except OSError:
        return "" if mode == "r" else b""


def start_ticks(pid):
    """What tells a process from a later one of the same pid; None when it has ended."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def started_in(folder):
    """pid -> start ticks of all that was started for the test of this folder."""
    found, mark = {}, f"{MARK}={folder}".encode()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        variables = read(f"/proc/{pid}/environ", "rb").split(b"\0")
        if mark in variables or executable(pid).startswith(folder + "/"):
            if (ticks := start_ticks(pid)) is not None:
                found[pid] = ticks
    return found


def running(script):
    """pids of the shells that run exactly this script."""
    want = f"{SH}\0{script}\0".encode()
    return [p for p in started_in(os.path.dirname(script)) if read(f"/proc/{p}/cmdline", "rb") == want]


def end(pid, ticks, sig=signal.SIGKILL):
    """Signals that process, and no other that has its number by now."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if start_ticks(pid) == ticks:
            signal.pidfd_send_signal(fd, sig)
    except ProcessLookupError:
        pass
    finally:
        os.close(fd)


def wait_for(condition, seconds, pause=0.05):
    """What the condition first gave that is true, else what it gave at the end."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(pause)
    return value


def status_kb(pid, key):
    for line in read(f"/proc/{pid}/status").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def private_kb(pid):
    lines = read(f"/proc/{pid}/smaps_rollup").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def cpu_seconds(pids):
    """Time on a processor of all threads, by the scheduler's own nanoseconds."""
    total = 0
    for pid in pids:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            total += int((read(f"/proc/{pid}/task/{task}/schedstat").split() or ["0"])[0])
    return total / 1e9


# The launchers


class App:
    """What all launchers are asked to run: a shell script."""

    def __init__(self, folder, name, text, restart=False):
        self.name, self.restart = name, restart
        self.script = os.path.join(folder, name + ".sh")
        with open(self.script, "w") as f:
            f.write(text + "\n")


class Launcher:
    """One launcher in one folder. launch() may be called again after a crash."""

    def __init__(self, folder, apps, tool):
        self.folder, self.apps, self.tool = folder, apps, tool
        self.env = dict(os.environ, **{MARK: folder})
        self.child = None
        self.logs = os.path.join(folder, "logs")
        os.mkdir(self.logs)
        self.configure()

    def spawn(self, *argv):
        out = open(os.path.join(self.folder, "launcher.out"), "ab")
        with out:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          cwd=self.folder, env=self.env, start_new_session=True)

    def command(self, *argv):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              cwd=self.folder, env=self.env, timeout=COMMAND_SECONDS)
        return done.stdout

    def pid(self):
        return self.child.pid

    def helpers(self):
        return []

    def crash(self):
        pid = self.pid()
        end(pid, start_ticks(pid))
        wait_for(lambda: start_ticks(pid) is None, 5)
        self.reap(5)

    def reap(self, seconds):
        if self.child:
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                pass

    def clear(self):
        """Kills what is left of the test."""
        for _ in range(50):
            left = started_in(self.folder)
            if not left:
                break
            for pid, ticks in left.items():
                end(pid, ticks)
            self.reap(0.1)
            time.sleep(0.1)
        self.reap(5)


class Ours(Launcher):
    @staticmethod
    def version(tool):
        return "viscript"

    def configure(self):
        keep = self.tool + "-keep"  # the slim keeper that make builds; without it the executable keeps
        self.tool = shutil.copy(self.tool, os.path.join(self.folder, "viscript"))
        if os.path.exists(keep):
            shutil.copy(keep, self.tool + "-keep")
        apps = {a.name: {
            "path": SH, "default_args": [a.script], "daemon": True, "autostart": True,
            "restart": "always" if a.restart else "no", "stop_timeout": f"{GRACE}s",
            "log": {"size": "1GiB", "count": 2},
        } for a in self.apps}
        with open(os.path.join(self.folder, "config.yaml"), "w") as f:
            json.dump({"apps": apps}, f)  # JSON is YAML
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.signal = "127.0.0.1:%d" % s.getsockname()[1]

    def launch(self):
        self.spawn(self.tool, "--headless", "--config", "config.yaml", "--state", "state", "--signal", self.signal)

    def exec(self, *words):
        return self.command(self.tool, "exec", "--json", "--state", os.path.join(self.folder, "state"), *words)

    def rows(self, name=None, ended=True):
        words = ["list_apps", "-a"] if ended else ["list_apps"]
        rows = json.loads(self.exec(*words) or "[]") or []
        return [r for r in rows if name in (None, r["app"])]

    def helpers(self):
        return [p for p in started_in(self.folder) if p != self.pid() and executable(p).startswith(self.tool)]

    def managed(self, name):
        return next((r["pid"] for r in self.rows(name, ended=False) if r["pid"]), None)

    def stop(self, name):
        for r in self.rows(name, ended=False):
            self.exec("shutdown", str(r["id"]))

    def stop_all(self):
        for a in self.apps:
            self.stop(a.name)

    def log(self, name):
        paths = {r["log"] for r in self.rows(name)}
        return [p for log in paths for p in (log + ".1", log) if os.path.exists(p)]

    def state(self, name):
        rows = self.rows(name)
        if not rows:
            return "unknown"
        last = max(rows, key=lambda r: r["id"])
        more = [last.get("reason"), last.get("next_start") and "will be started again"]
        return ", ".join([last["state"], *filter(None, more)])

    def knows_exit(self, name):
        return any(r.get("exit_code") == CODE for r in self.rows(name))


class Supervisord(Launcher):
    @staticmethod
    def version(tool):
        return "supervisord " + subprocess.check_output([tool, "--version"], text=True).strip()

    def configure(self):
        sections = [f"""[supervisord]
logfile={self.folder}/supervisord.log
pidfile={self.folder}/supervisord.pid
childlogdir={self.logs}
[unix_http_server]
file={self.folder}/sock
[supervisorctl]
serverurl=unix://{self.folder}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface"""]
        for a in self.apps:
            sections.append(f"""[program:{a.name}]
command={SH} {a.script}
autostart=true
autorestart={"true" if a.restart else "false"}
stopwaitsecs={GRACE}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={self.logs}/{a.name}.log
stdout_logfile_maxbytes=0""")
        self.conf = os.path.join(self.folder, "supervisord.conf")
        with open(self.conf, "w") as f:
            f.write("\n".join(sections) + "\n")

    def launch(self):
        self.spawn(self.tool, "-n", "-c", self.conf)

    def ctl(self, *words):
        return self.command(os.path.join(os.path.dirname(self.tool), "supervisorctl"), "-c", self.conf, *words)

    def managed(self, name):
        pid = self.ctl("pid", name).strip()
        return int(pid) if pid.isdigit() and pid != "0" else None

    def stop(self, name):
        self.ctl("stop", name)

    def stop_all(self):
        self.ctl("stop", "all")

    def log(self, name):
        return [f"{self.logs}/{name}.log"]

    def state(self, name):
        return self.ctl("status", name).split()[1]

    def knows_exit(self, name):
        return f"exited: {name} (exit status {CODE}" in read(f"{self.folder}/supervisord.log")


class Pm2(Launcher):
    @staticmethod
    def version(tool):
        package = os.path.join(os.path.dirname(os.path.realpath(tool)), "..", "package.json")
        return "pm2 " + json.loads(read(package) or "{}").get("version", "")

    def configure(self):
        self.env.update(PM2_HOME=os.path.join(self.folder, "pm2"), PM2_DISABLE_VERSION_CHECK="true")
        apps = [{
            "name": a.name, "script": SH, "args": [a.script], "interpreter": "none", "cwd": self.folder,
            "autorestart": a.restart, "kill_timeout": GRACE * 1000, "merge_logs": True,
            "out_file": f"{self.logs}/{a.name}.log", "error_file": f"{self.logs}/{a.name}.err",
        } for a in self.apps]
        self.conf = os.path.join(self.folder, "bench.config.json")
        with open(self.conf, "w") as f:
            json.dump({"apps": apps}, f)

    def launch(self):
        self.reap(0)
        self.spawn(self.tool, "start", self.conf)  # it starts the daemon when none answers

    def pid(self):
        return int(wait_for(lambda: read(f"{self.folder}/pm2/pm2.pid").strip(), 10) or 0)

    def entry(self, name):
        self.reap(COMMAND_SECONDS)
        out = self.command(self.tool, "jlist", "--silent")
        return next((e for e in json.loads(out[out.find("["):] or "[]") if e["name"] == name), None)

    def managed(self, name):
        return (self.entry(name) or {}).get("pid") or None

    def stop(self, name):
        self.command(self.tool, "stop", name)

    def stop_all(self):
        self.stop("all")

    def log(self, name):
        return [f"{self.logs}/{name}.log"]

    def state(self, name):
        return (self.entry(name) or {"pm2_env": {"status": "unknown"}})["pm2_env"]["status"]

    def knows_exit(self, name):
        return (self.entry(name) or {"pm2_env": {}})["pm2_env"].get("exit_code") == CODE


# The tests. Each yields its rows: (what, figure).


def up(launcher, condition, seconds, pause=0.05):
    """Launches, and waits until the condition holds; False: it never did."""
    launcher.launch()
    if not wait_for(condition, seconds, pause):
        print(f"  {type(launcher).__name__}: not there after {seconds} s", file=sys.stderr)
        return False
    return True


def test_crash(make):
    names = [f"steady{i}" for i in range(STEADY)] + ["ends"]
    with make(lambda d: [App(d, n, f"read x < {d}/{n}.fifo; exit {CODE}") for n in names]) as l:
        for a in l.apps:
            os.mkfifo(os.path.join(l.folder, a.name + ".fifo"))
        steady, ends = l.apps[:STEADY], l.apps[STEADY]
        up(l, lambda: all(running(a.script) for a in l.apps), 20)
        time.sleep(2)  # past the time a launcher takes to call them running
        before = {a.name: running(a.script) for a in steady}
        l.crash()
        survived = sum(len(running(a.script)) for a in steady)
        with open(os.open(os.path.join(l.folder, "ends.fifo"), os.O_WRONLY | os.O_NONBLOCK), "w") as f:
            f.write("now\n")
        wait_for(lambda: not running(ends.script), 5)
        l.launch()
        wait_for(lambda: all(running(a.script) for a in steady), 20)
        time.sleep(3)
        after = sum(len(running(a.script)) for a in steady)
        same = sum(l.managed(a.name) in before[a.name] for a in steady)
        yield f"crash: alive of {STEADY} apps after `kill -9` of the launcher", survived
        yield f"crash: processes of these {STEADY} apps after it was started again ({STEADY} is right)", after
        yield "crash: of them under its care with the pid of before", same
        yield f"crash: exit code {CODE} of an app that ended meanwhile", "known" if l.knows_exit("ends") else "not known"
        l.stop_all()
        time.sleep(1)
        yield "crash: processes left after it stopped all of its apps", sum(len(running(a.script)) for a in steady)


TREE = """
import os, signal, time
def wait(name):
    with open(os.path.join({folder!r}, name), "w") as f:
        f.write(str(os.getpid()))
    while True:
        signal.pause()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait("member.pid")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        wait("stray.pid")
    os._exit(0)
os.wait()
wait("leader.pid")
"""


def test_stop(make):
    def tree(d):
        with open(os.path.join(d, "tree.py"), "w") as f:
            f.write(TREE.format(folder=d))
        return [App(d, "tree", f"exec {shutil.which('python3', path='/usr/bin') or sys.executable} {d}/tree.py")]

    with make(tree) as l:
        pids = lambda: [read(f"{l.folder}/{n}.pid") for n in ("leader", "member", "stray")]
        up(l, lambda: all(pids()), 20)
        time.sleep(2)
        known = {int(p): start_ticks(p) for p in pids()}
        began = time.monotonic()
        l.stop("tree")
        took = time.monotonic() - began
        time.sleep(1)
        left = [start_ticks(p) == t is not None for p, t in known.items()]
        yield "stop: the app itself left", "yes" if left[0] else "no"
        yield "stop: a child in its group that ignores SIGTERM left", "yes" if left[1] else "no"
        yield "stop: a double-forked child with `setsid` left", "yes" if left[2] else "no"
        yield f"stop: seconds until the command returned ({GRACE} s of grace)", f"{took:.2f}"


def flood_file(path):
    with open(path, "wb") as f:
        for i in range(0, LINES, 10_000):
            f.write(b"".join(b"%0*d\n" % (LINE_BYTES - 1, n) for n in range(i, i + 10_000)))


FLOODS = {
    "in blocks": "cat {folder}/flood.txt",
    "a line a write": f"stdbuf -oL seq -f %0{LINE_BYTES - 1}.0f 0 {LINES - 1}",
}


def check_lines(paths):
    """(lost, cut): line numbers that are in no log, and lines that are none of the flood's."""
    seen, cut = bytearray(LINES), 0
    for path in paths:
        with open(path, "rb") as f:
            for line in f:
                whole = len(line) == LINE_BYTES and line[:-1].isdigit() and int(line) < LINES
                if whole:
                    seen[int(line)] = 1
                else:
                    cut += 1
    return LINES - sum(seen), cut


class Flood:
    """Watches a log grow, and the memory of who writes it."""

    def __init__(self, launcher):
        self.launcher, self.paths, self.helpers, self.peak = launcher, [], [], {}

    def complete(self):
        self.helpers = self.helpers or self.launcher.helpers()
        for p in (self.launcher.pid(), *self.helpers):
            self.peak[p] = max(self.peak.get(p, 0), status_kb(p, "VmHWM"))
        self.paths = self.paths or [p for p in self.launcher.log("flood") if os.path.exists(p)]
        return sum(map(os.path.getsize, self.paths)) >= LINES * LINE_BYTES


def flood(make, line):
    """One flood: (seconds, lines lost, lines cut, peak RSS of the launcher and of its helper in kB)."""
    with make(lambda d: [App(d, "flood", f"date +%s.%N > {d}/began\nexec {line.format(folder=d)}")]) as l:
        flood_file(os.path.join(l.folder, "flood.txt"))
        f = Flood(l)
        whole = up(l, f.complete, 60, pause=0.01)
        took = time.time() - float(read(f"{l.folder}/began") or "nan") if whole else NEVER
        main = f.peak.pop(l.pid(), 0)
        return took, *check_lines(l.log("flood")), main, max(f.peak.values(), default=0)


def test_flood(make):
    megabytes = LINES * LINE_BYTES / 1e6
    for how, line in FLOODS.items():
        took, lost, cut, main, helper = zip(*(flood(make, line) for _ in range(FLOOD_RUNS)))
        middle = sorted(took)[FLOOD_RUNS // 2]
        yield (f"flood {how}: seconds until {megabytes:.0f} MB were in the log, median (range) of {FLOOD_RUNS} runs",
               f"{middle:.1f} ({min(took):.1f} to {max(took):.1f}), {megabytes / middle:.0f} MB/s".replace("inf", "never"))
        bad = sum(map(bool, map(sum, zip(lost, cut))))
        yield f"flood {how}: lines lost, lines cut, of {LINES:,} in each run", f"{sum(lost):,}, {sum(cut):,}" + (
            f" (in {bad} of {FLOOD_RUNS} runs)" if bad else "")
        yield f"flood {how}: peak RSS of the launcher, of its helper", f"{max(main) / 1024:.0f} MB, " + (
            f"{max(helper) / 1024:.0f} MB" if max(helper) else "none")


def test_loop(make):
    with make(lambda d: [App(d, "loop", f"echo >> {d}/starts\nexit 3", restart=True)]) as l:
        starts = lambda: len(read(os.path.join(l.folder, "starts")))
        up(l, starts, 20)
        time.sleep(LOOP_SECONDS)
        yield f"crash loop: starts in {LOOP_SECONDS} s of `exit 3`", starts()
        yield "crash loop: state after that", l.state("loop")


def test_many(make):
    script = lambda d: f"echo >> {d}/up\nexec sleep 100000"
    with make(lambda d: [App(d, f"app{i}", script(d)) for i in range(MANY)]) as l:
        began = time.monotonic()
        up(l, lambda: len(read(f"{l.folder}/up")) >= MANY, 180)
        took = time.monotonic() - began
        l.reap(COMMAND_SECONDS if isinstance(l, Pm2) else 0)
        time.sleep(5)
        main, helpers = l.pid(), l.helpers()
        before = cpu_seconds([main, *helpers])
        time.sleep(IDLE_SECONDS)
        used = cpu_seconds([main, *helpers]) - before
        private = sum(map(private_kb, helpers))
        rss = f"{status_kb(main, 'VmRSS') / 1024:.0f} MB ({private_kb(main) / 1024:.0f} MB)"
        yield f"{MANY} apps: seconds from launch until all are up", f"{took:.1f}"
        yield f"{MANY} apps: RSS of the launcher (private)", rss
        yield f"{MANY} apps: helper processes, their private memory", (
            f"{len(helpers)}, {private / 1024:.0f} MB ({private / 1024 / len(helpers):.1f} MB each)" if helpers else "0")
        yield f"{MANY} apps: CPU of all that over {IDLE_SECONDS} s of idling", f"{used * 1000:.0f} ms"


TESTS = {"crash": test_crash, "stop": test_stop, "flood": test_flood, "loop": test_loop, "many": test_many}
LAUNCHERS = {"ours": Ours, "supervisord": Supervisord, "pm2": Pm2}


class Maker:
    """Makes a launcher in a new folder, and takes both away at the end of a test."""

    def __init__(self, kind, tool, root):
        self.kind, self.tool, self.root = kind, tool, root

    def __call__(self, apps):
        folder = tempfile.mkdtemp(dir=self.root)
        self.launcher = self.kind(folder, apps(folder), self.tool)
        return self

    def __enter__(self):
        return self.launcher

    def __exit__(self, *_):
        self.launcher.clear()
        shutil.rmtree(self.launcher.folder, ignore_errors=True)


def find_supervisord():
    if not shutil.which("supervisord"):
        subprocess.run(["apt-get", "update", "-q"], check=True, stdout=sys.stderr, timeout=300)
        subprocess.run(["apt-get", "install", "-qy", "--no-install-recommends", "supervisor"], check=True,
                       stdout=sys.stderr, timeout=300)
    return shutil.which("supervisord")


def find_pm2(root):
    if found := shutil.which("pm2"):
        return found
    subprocess.run(["npm", "install", "--prefix", f"{root}/npm", "--no-audit", "--no-fund", "--ignore-scripts", "pm2"],
                   check=True, stdout=sys.stderr, timeout=300)
    return f"{root}/npm/node_modules/.bin/pm2"


def table(results):
    names = [n for n in LAUNCHERS if results.get(n)]
    rows = {}  # in the order in which the tests yield them
    for test in TESTS:
        for n in names:
            rows.update(dict.fromkeys(results[n]["rows"].get(test, {}), test))
    out = ["| | " + " | ".join(results[n]["version"] for n in names) + " |", "| --- |" + " --- |" * len(names)]
    for what, test in rows.items():
        out.append(f"| {what} | " + " | ".join(str(results[n]["rows"].get(test, {}).get(what, "-")) for n in names) + " |")
    kernel = ".".join(os.uname().release.split(".")[:2])
    return f"{os.cpu_count()} cores, kernel {kernel}.\n\n" + "\n".join(out)


def put(path, text):
    """Replaces what stands between the marks in a Markdown file."""
    before, begin, rest = read(path).partition("<!-- table -->\n")
    _, end_mark, after = rest.partition("<!-- end of table -->\n")
    if not end_mark:
        sys.exit(f"{path} has no <!-- table --> and <!-- end of table -->, each on a line of its own")
    with open(path, "w") as f:
        f.write(before + begin + text + "\n" + end_mark + after)


def main():
    p = argparse.ArgumentParser(description="viscript, supervisord and pm2 side by side")
    p.add_argument("--viscript", metavar="FILE", help="a viscript executable; without it only the others run")
    p.add_argument("--pm2", metavar="FILE", help="a pm2 that is installed already")
    p.add_argument("--only", default=",".join(LAUNCHERS), help="launchers, default %(default)s")
    p.add_argument("--tests", default=",".join(TESTS), help="tests, default %(default)s")
    p.add_argument("--results", metavar="FILE", help="JSON with the figures so far; what runs now is added")
    p.add_argument("--write", metavar="FILE", help="a Markdown file whose table, between two marks, is replaced")
    o = p.parse_args()
    results = json.loads(read(o.results) or "{}") if o.results else {}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes all down on the way
    root = tempfile.mkdtemp(prefix="launcher-")
    try:
        for name in o.only.split(","):
            if name == "ours" and not o.viscript:
                continue
            tool = {"ours": lambda: os.path.abspath(o.viscript), "supervisord": find_supervisord,
                    "pm2": lambda: o.pm2 or find_pm2(root)}[name]()
            kind = LAUNCHERS[name]
            kept = results.setdefault(name, {"rows": {}})
            kept["version"] = kind.version(tool)
            for test in o.tests.split(","):
                print(f"{name}: {test}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
                try:
                    rows = kept["rows"][test] = {}
                    for what, figure in TESTS[test](Maker(kind, tool, root)):
                        rows[what] = figure
                        print(f"  {what}: {figure}", file=sys.stderr)
                except (OSError, ValueError, LookupError, subprocess.SubprocessError) as err:
                    print(f"  {test} failed: {err!r}", file=sys.stderr)
                if o.results:
                    with open(o.results, "w") as f:
                        json.dump(results, f, indent=1)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    text = table(results)
    print(text)
    if o.write:
        put(o.write, text)


if __name__ == "__main__":
    main()
