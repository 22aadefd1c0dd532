# shellcheck shell=bash
# The workers' masters and the background daemon.

# What a process was started from; when it changes, the process is replaced.
service_version() { digest_of "$1" "$INST/lectern.env" "$SECRETS"/{jwt-keyset,refresh,signing,metrics}; }

# service_start NAME BINARY ARGUMENT…
service_start() {
    local name=$1 binary=$2 version
    shift 2
    version=$(service_version "$binary")
    if process_of "$name" >/dev/null; then
        [[ $(cat "$STATE/$name.version" 2>/dev/null) == "$version" ]] && return 0
        halt "$name" TERM 35
    fi
    step "starting $name"
    rm -f "$RUN/$name.sock" # of one that was killed; a new one appears when it is listened on
    launch "$name" "$LOGS/$name.log" "${SERVICE_PREFIX[@]}" "$binary" --config "$INST/lectern.env" "$@"
    printf '%s\n' "$version" >"$STATE/$name.version"
}

services_start() {
    service_start api "$BIN/lectern-api" --pool api --socket "$RUN/api.sock"
    # A password hash keeps a core busy for some 30 ms: half the cores at most, and behind the others.
    local -a prefix=("${SERVICE_PREFIX[@]}")
    SERVICE_PREFIX+=(nice -n 10)
    service_start auth "$BIN/lectern-api" --pool auth --workers "$((($(nproc) + 1) / 2))" \
        --socket "$RUN/auth.sock"
    SERVICE_PREFIX=("${prefix[@]}")
    if [[ -x $BIN/lectern-jobs ]]; then service_start jobs "$BIN/lectern-jobs"; fi
}

services_stop() {
    halt nginx QUIT 10
    halt api TERM 35
    halt auth TERM 35
    halt jobs TERM 35
}

# Health is asked of one pool; the other begins behind it.
ready() {
    [[ -S $RUN/auth.sock ]] || { say "auth does not listen" >&2; return 1; }
    curl --silent --show-error --fail --max-time 3 --cacert "$INST/tls/ca.pem" --output /dev/null \
        "https://localhost:$HTTPS_PORT/api/v1/health/ready"
}

# Ready, or the reason why not.
services_wait() {
    local tries=150 name
    while ! ready 2>/dev/null; do
        for name in api auth nginx; do
            process_of "$name" >/dev/null && continue
            tail -n 15 "$LOGS/$name.log" "$LOGS/nginx-error.log" 2>/dev/null >&2 || true
            die "$name has ended (logs: $LOGS)"
        done
        if ((tries-- == 0)); then
            ready || true
            tail -n 15 "$LOGS/api.log" >&2 || true
            die "not ready within 60 seconds (logs: $LOGS)"
        fi
        sleep 0.2
    done
}
