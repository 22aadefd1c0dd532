# shellcheck shell=bash
# What every command of deploy/ uses: messages, the service user, processes started by us.
# Set by instance_open: INST, STATE, LOGS, RUN, SECRETS.

say() { printf '%s\n' "$*"; }
step() { printf '== %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "${COMMAND:-deploy}" "$*" >&2
    exit 1
}

is_root() { [[ $EUID -eq 0 ]]; }

# Run a command that may take long and matters only when it fails: `quietly SECONDS LOG COMMAND…`.
quietly() {
    local limit=$1 log=$2 status=0
    shift 2
    timeout --foreground --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null 9>&- || status=$?
    [[ $status -eq 0 ]] && return 0
    tail -n 40 "$log" >&2
    [[ $status -eq 124 ]] && warn "no end within $limit seconds: $*"
    die "failed ($status): $* (whole output: $log)"
}

# --- the service user ------------------------------------------------------------------------

SERVICE_USER=lectern
SERVICE_PREFIX=()

# Root's instances run as an unprivileged user of their own; other users' run as themselves.
service_user_prepare() {
    SERVICE_PREFIX=()
    is_root || return 0
    if ! getent passwd "$SERVICE_USER" >/dev/null; then
        local shell=/usr/sbin/nologin
        groupadd --system --force "$SERVICE_USER"
        useradd --system --gid "$SERVICE_USER" --home-dir /nonexistent --no-create-home \
            --shell "$shell" "$SERVICE_USER"
    fi
    service_user_use
}

service_user_use() {
    is_root || return 0
    getent passwd "$SERVICE_USER" >/dev/null || return 0
    SERVICE_PREFIX=(setpriv "--reuid=$SERVICE_USER" "--regid=$SERVICE_USER" --clear-groups
        --inh-caps=-all --no-new-privs)
}

as_service() { (cd / && exec "${SERVICE_PREFIX[@]}" "$@"); }

# Give to the service user what it must own.
give() { if is_root; then chown -h "$SERVICE_USER:$SERVICE_USER" "$@"; fi; }

# --- processes -------------------------------------------------------------------------------

# When a process began, in clock ticks since boot: with its number this names it for good.
process_start() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086 # the fields are wanted apart
    set -- ${stat##*) }
    [[ $1 != Z ]] || return 1
    printf '%s\n' "${20}"
}

# The number of a running process that `launch NAME` started; nothing when it is gone or not ours.
process_of() {
    local pid start
    [[ -r $STATE/$1.pid ]] || return 1
    read -r pid start <"$STATE/$1.pid" || return 1
    [[ $pid =~ ^[0-9]+$ && -n $start ]] || return 1
    [[ $(process_start "$pid") == "$start" ]] || return 1
    printf '%s\n' "$pid"
}

# launch NAME LOG COMMAND… : in a process group of its own, with nothing of our environment but what
# SERVICE_ENVIRONMENT says. All stay in one session: where the kernel groups processes by session
# (sched_autogroup), priorities count within one only.
SERVICE_ENVIRONMENT=()
launch() {
    local name=$1 log=$2 pid
    shift 2
    set -m
    (
        cd /
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "${SERVICE_ENVIRONMENT[@]}" \
            "$@" </dev/null >>"$log" 2>&1 9>&-
    ) &
    pid=$!
    set +m
    printf '%s %s\n' "$pid" "$(process_start "$pid")" >"$STATE/$name.pid"
    disown "$pid"
}

# halt NAME SIGNAL SECONDS: ask, wait, and end by force what does not listen, with its children.
halt() {
    local name=$1 signal=$2 tries=$(($3 * 10)) pid
    if pid=$(process_of "$name"); then
        kill "-$signal" "$pid" 2>/dev/null || true
        while process_of "$name" >/dev/null && ((tries-- > 0)); do sleep 0.1; done
        if process_of "$name" >/dev/null; then
            warn "$name did not end in $3 seconds and is ended by force"
            kill -KILL -- "-$pid" 2>/dev/null || true
        fi
    fi
    rm -f "$STATE/$name.pid"
}

# --- small things ----------------------------------------------------------------------------

# Is a TCP port being listened on, by anyone, on any address?
port_taken() {
    local hex tables=(/proc/net/tcp)
    hex=$(printf ':%04X' "$1")
    if [[ -r /proc/net/tcp6 ]]; then tables+=(/proc/net/tcp6); fi
    awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
        END { exit !found }' "${tables[@]}"
}

# The first free port from the given one on.
port_free_from() {
    local port=$1
    while port_taken "$port"; do
        ((++port <= 65535)) || die "no free port from $1 on"
    done
    printf '%s\n' "$port"
}

# Bytes of randomness as hexadecimal digits.
random_hex() { od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'; }

digest_of() { sha256sum -- "$@" | sha256sum | cut -c 1-64; }

# Replace a file as a whole, and only when its content changes (content on standard input).
put_file() {
    local path=$1 mode=$2 new
    new=$(mktemp "$path.XXXXXX")
    cat >"$new"
    chmod "$mode" "$new"
    if [[ -f $path ]] && cmp -s "$new" "$path"; then
        rm -f "$new"
    else
        mv -f "$new" "$path"
    fi
}
