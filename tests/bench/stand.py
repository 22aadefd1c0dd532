"""What is measured: an instance with one big school, the other servers, one nginx before all."""
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
SCHOOL = "scale-10"  # 10,000 students, 1,000 courses, 100,000 enrollments, 500,000 announcements
STUDENT = "s001000"  # in courses 1, 101, 201, …
TEACHER = "t000002"  # owns courses 1, 401, 801
COURSES = {"100x": "Course 1", "10x": "Course 101", "1x": "Course 201", "write": "Course 401"}
GROWTH_ROWS = {"10x": 50000, "1x": 5000}
SERVERS = ("fastify_tuned", "fastify_pipelined", "fastify", "express")
PACKAGES = """COMMAND=tests/bench/run
source "$0/deploy/lib/common.sh"; source "$0/deploy/lib/packages.sh"
packages_install "$1" "${PACKAGES_BENCH[@]}"
"""
# What a node server gets instead of the workers, over kept connections.
PROXY = """\
if ($lectern_preflight) {{
    return 204;
}}
proxy_pass http://bench_{name};
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_set_header Host $host;
proxy_set_header X-Request-Id $lectern_request_id;
proxy_buffer_size 16k;
proxy_buffers 16 16k;
proxy_busy_buffers_size 64k;
"""
# Limits out of the way, but counted; the cost of a check does not depend on its limit.
SETTINGS = """\
WORKERS={workers}
TOKEN_EXPIRY_MINUTES=1440
MAX_ACTIVE_SESSIONS_PER_USER=1000
EDGE_RATE=1000000
EDGE_BURST=1000000
EDGE_SIGNIN_RATE=1000000
EDGE_SIGNIN_BURST=1000000
EDGE_CONNECTIONS=10000
"""
LIMITS = {"GLOBAL_RATE": "GLOBAL_RATE", "GLOBAL_MUTATION_RATE": "GLOBAL_MUTATION_RATE",
          "DEFAULT_READ": "DEFAULT_READ", "DEFAULT_MUTATION": "DEFAULT_MUTATION",
          "ANNOUNCEMENTS_CREATE": "ANNOUNCEMENTS", "AUTH_RATE": "AUTH_RATE"}


def settings(workers):
    lines = [SETTINGS.format(workers=workers)]
    lines += [f"{name}_LIMIT=1000000\n{window}_WINDOW_MS=1000\n" for name, window in LIMITS.items()]
    return "".join(lines)


def free_ports(count):
    """That many ports, free together."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Stand:
    def __init__(self, directory, workers):
        self.asked = directory
        self.workers = workers
        self.started = []

    # --- the instance ------------------------------------------------------------------------

    def up(self):
        self.asked.parent.mkdir(parents=True, exist_ok=True)
        wanted = self.asked.parent / (self.asked.name + ".settings")
        wanted.write_text(settings(self.workers))
        try:
            self._shell(["bash", "-euc", PACKAGES, str(TREE), str(wanted.with_suffix(".log"))], 1800)
            self._shell([str(TREE / "deploy/up"), "--dir", str(self.asked), "--settings", str(wanted)], 1800)
        finally:
            wanted.unlink()
        self.dir = self.asked.resolve()
        self.instance = json.loads((self.dir / "instance.json").read_text())
        self.run = (self.dir / "run").resolve()
        self.port = (self.dir / "state/port-database").read_text().strip()
        self.work = self.dir / "bench"
        self.work.mkdir(exist_ok=True)
        self.user = pwd.getpwnam("lectern") if os.geteuid() == 0 else None
        programs = [f"tests/bench/{name}" for name in ("statement", "pace", "limit_check", "bare")]
        self._shell(["make", "-s", "-C", str(self.dir / "build"), *programs], 600)
        self.program = {p.rsplit("/", 1)[1]: self.dir / "build" / p for p in programs}
        self.statements = json.loads(self._shell([str(self.program["statement"])], 10))

    def down(self):
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        subprocess.run([str(TREE / "deploy/down"), "--dir", str(self.asked)], check=False,
                       stdout=subprocess.DEVNULL)

    def _shell(self, command, seconds, **more):
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False,
                              **more)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        return done.stdout

    def pid(self, name):
        return int((self.dir / "state" / f"{name}.pid").read_text().split()[0])

    def postmaster(self):
        return int((self.dir / "pg/postmaster.pid").read_text().split()[0])

    # --- data --------------------------------------------------------------------------------

    def _secret(self, name):
        return (self.dir / "secrets" / name).read_text().strip()

    def _superuser(self):
        return {**os.environ, "PGHOST": str(self.run), "PGPORT": self.port, "PGUSER": "postgres",
                "PGPASSWORD": self._secret("db-superuser"), "PGDATABASE": "lectern"}

    def application(self):
        """Environment of a client that connects as the workers do."""
        return {"PGHOST": str(self.run), "PGPORT": self.port, "PGUSER": "lectern_app",
                "PGPASSWORD": self._secret("db-app"), "PGDATABASE": "lectern"}

    def sql(self, text):
        return self._shell(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text], 600,
                           env=self._superuser()).strip()

    def fill(self):
        """The school, the lists that growth is measured on, and clean tables. True when it was made."""
        ctl = self.dir / "root/usr/bin/lecternctl"
        script = self.dir / "root/usr/share/lectern/db/seeds/scale.sql"
        made = self.sql(f"select 1 from app.orgs where slug = '{SCHOOL}'") == ""
        if made:
            self._shell([str(ctl), "seed", "--scale", "10", "--script", str(script), "--config",
                         str(self.dir / "lectern.env")], 900, env=self._superuser(),
                        input=self._secret("demo-password") + "\n")
        self.course = {key: self.sql(f"select c.id from app.courses c join app.orgs o on "
                                     f"o.id = c.org_id where o.slug = '{SCHOOL}' "
                                     f"and c.title = '{title}'") for key, title in COURSES.items()}
        for key, rows in GROWTH_ROWS.items():
            self._fill_course(self.course[key], rows)
        if made:
            self.sql("vacuum analyze")
        self.sql("checkpoint")
        return made

    def _fill_course(self, course, rows):
        self.sql(f"""
            begin;
            set local session_replication_role = replica;
            insert into app.announcements (id, org_id, course_id, author_id, title, body, pinned,
                                           publish_at, created_at, updated_at)
            select app.uuid_v7(at), c.org_id, c.id, c.owner_id, 'Announcement ' || n,
                   'What the class should know, number ' || n || '.', n % 10000 = 0, at, at, at
              from app.courses c, generate_series(1, {rows}) n,
                   lateral (select now() - interval '90 days'
                                   + n * (interval '89 days' / {rows}) as at) w
             where c.id = '{course}'
               and not exists (select from app.announcements a where a.course_id = c.id);
            commit""")

    def person(self, login):
        """Identity as the statements want it, and a token."""
        email = f"{login}@{SCHOOL}.lectern.example"
        user, org, role = self.sql("select id, org_id, role from app.users "
                                   f"where email = '{email}'").split("|")
        body = json.dumps({"email": email, "password": self._secret("demo-password")}).encode()
        answer = self.get("/api/v1/auth/login", body=body)
        return {"user_id": user, "org_id": org, "role": role, "token": answer["data"]["access_token"]}

    def sign_ins(self, count):
        """Requests of as many different students, for pace."""
        password = self._secret("demo-password")
        bodies = [json.dumps({"email": f"s{i:06d}@{SCHOOL}.lectern.example", "password": password}) + "\n"
                  for i in range(1, count + 1)]
        return [f"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(b)}\r\n\r\n{b}" for b in bodies]

    # --- addresses ---------------------------------------------------------------------------

    def list_path(self, key="100x"):
        return f"/api/v1/courses/{self.course[key]}/announcements?limit=20"

    def write_path(self):
        return f"/api/v1/courses/{self.course['write']}/announcements"

    def url(self, subject):
        scheme = "https" if subject == "tls" else "http"
        return f"{scheme}://localhost:{self.ports[subject]}"

    def get(self, path, token=None, base=None, body=None):
        request = urllib.request.Request((base or self.instance["base_url"]) + path, data=body)
        if token:
            request.add_header("Authorization", "Bearer " + token)
        if body:
            request.add_header("Content-Type", "application/json")
        trust = ssl.create_default_context(cafile=self.instance["ca_file"])
        with urllib.request.urlopen(request, context=trust, timeout=30) as answer:
            return json.load(answer)

    # --- the other servers -----------------------------------------------------------------------

    def _launch(self, command, log, env):
        more = {}
        if self.user:
            more = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        with open(self.work / log, "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, cwd="/", env=env, **more)
        self.started.append(process)
        return process

    def install(self):
        """The packages of package-lock.json, outside of the tree."""
        node = self.work / "node"
        lock = (HERE / "package-lock.json").read_text()
        done = node / ".installed"
        if not done.exists() or done.read_text() != lock:
            shutil.rmtree(node, ignore_errors=True)
            node.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, node)
            self._shell(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], 300, cwd=node)
            done.write_text(lock)
        shutil.rmtree(node / "servers", ignore_errors=True)
        shutil.copytree(HERE / "servers", node / "servers")

    def serve(self):
        """{name: pid} of the servers that are compared."""
        self.install()
        url = self.application()
        common = {
            "database_url": f"postgresql://{url['PGUSER']}:{url['PGPASSWORD']}@/lectern"
                            f"?host={urllib.parse.quote(url['PGHOST'], safe='')}&port={url['PGPORT']}",
            "jwk": self.get("/.well-known/jwks.json")["keys"][0],
            "issuer": "lectern", "audience": "lectern-api", "statements": self.statements}
        pids = {}
        for name in SERVERS:
            path = self.work / f"{name}.sock"
            path.unlink(missing_ok=True)
            config = self.work / f"{name}.json"
            config.touch(mode=0o600)
            config.write_text(json.dumps({**common, "socket": str(path)}))
            if self.user:
                os.chown(config, self.user.pw_uid, self.user.pw_gid)
                os.chown(self.work, self.user.pw_uid, self.user.pw_gid)
            pids[name] = self._launch(["node", str(self.work / f"node/servers/{name}.js")],
                                      "node.log", {"PATH": os.environ["PATH"], "NODE_ENV": "production",
                                                   "BENCH_CONFIG": str(config)}).pid
        self._wait(lambda: all((self.work / f"{n}.sock").exists() for n in SERVERS), "the node servers")
        return pids

    def serve_bare(self, person):
        """The pid of plain FastCGI workers, who know this person and this list only."""
        path = self.work / "bare.sock"
        path.unlink(missing_ok=True)
        env = {**self.application(), "BENCH_TOKEN": person["token"], "BENCH_USER": person["user_id"],
               "BENCH_ORG": person["org_id"], "BENCH_ROLE": person["role"],
               "BENCH_COURSE": self.course["100x"]}
        pid = self._launch([str(self.program["bare"]), str(path), str(self.workers)], "bare.log", env).pid
        self._wait(path.exists, "bare")
        return pid

    def _wait(self, ready, what):
        end = time.monotonic() + 20
        while not ready():
            if time.monotonic() > end:
                raise SystemExit(f"{what} did not start (logs: {self.work})")
            time.sleep(0.1)

    # --- nginx -----------------------------------------------------------------------------------

    def edge(self):
        """One nginx with the instance's own files: the same locations, headers, limits and log for
        all; what differs is where a request is passed on to. Its pid."""
        live, mine = self.dir / "nginx", self.work / "nginx"
        shutil.rmtree(mine, ignore_errors=True)
        shutil.copytree(live / "lectern", mine / "lectern")
        subjects = ("plain", "tls", "bare", *SERVERS)
        self.ports = dict(zip(subjects, free_ports(len(subjects))))
        text = (live / "nginx.conf").read_text()
        frame = text[:text.index("    server {")].replace(
            f"pid {self.dir}/state/nginx-master.pid", f"pid {self.work}/nginx.pid")
        blocks = [self._block("plain", "lectern/server.conf"),
                  self._block("tls", "lectern/server.conf", tls=True)]
        blocks.append(self._block("bare", "lectern/server-bare.conf"))
        self._passing(mine / "lectern", "bare", re.sub(
            "fastcgi_pass [^;]*;", f"fastcgi_pass unix:{self.work}/bare.sock;",
            (mine / "lectern/worker.conf").read_text()))
        for name in SERVERS:
            blocks.append(f"    upstream bench_{name} {{\n        server unix:{self.work}/{name}.sock;\n"
                          "        keepalive 64;\n    }\n")
            blocks.append(self._block(name, f"lectern/server-{name}.conf"))
            self._passing(mine / "lectern", name, PROXY.format(name=name))
        (mine / "nginx.conf").write_text(frame + "\n".join(blocks) + "}\n")
        log = str(self.work / "nginx-error.log")
        command = ["nginx", "-e", log, "-c", str(mine / "nginx.conf")]
        self._shell([*command, "-t", "-q"], 10)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.started.append(process)
        self._wait(lambda: (self.work / "nginx.pid").exists(), "nginx")
        return process.pid

    def _block(self, subject, locations, tls=False):
        lines = [f"listen 127.0.0.1:{self.ports[subject]}{' ssl http2' if tls else ''};", "server_name _;"]
        if tls:
            lines += [f"ssl_certificate {self.dir}/tls/server.pem;",
                      f"ssl_certificate_key {self.dir}/tls/server.key;", "include lectern/tls.conf;"]
        lines.append(f"include {locations};")
        return "    server {\n" + "".join(f"        {line}\n" for line in lines) + "    }\n"

    @staticmethod
    def _passing(directory, name, text_of_passing):
        """The locations once more, passing on to another server."""
        text = (directory / "server.conf").read_text()
        text, count = re.subn(r"include lectern/worker\.conf;", f"include lectern/{name}.conf;", text)
        if count == 0:
            raise SystemExit("server.conf no longer includes worker.conf")
        (directory / f"server-{name}.conf").write_text(text)
        (directory / f"{name}.conf").write_text(text_of_passing)

    def logs_clear(self):
        """They grow by gigabytes in a long run; all are opened for appending."""
        for path in [*(self.dir / "log").iterdir(), *self.work.glob("*.log")]:
            if path.stat().st_size > 1 << 24:
                os.truncate(path, 0)
