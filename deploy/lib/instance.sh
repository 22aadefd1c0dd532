# shellcheck shell=bash disable=SC2034
# An instance's directory: where it is, who owns what, its secrets, ports, settings.

# A socket's path has 107 bytes; the longest name below RUN takes 24.
RUN_PATH_MAX=80

# The directory may have to lie elsewhere than asked: root's services cannot pass a closed parent.
instance_place() {
    local asked=$1 parent real
    parent=$(dirname "$asked")
    [[ -d $parent ]] || die "$parent is no directory"
    if [[ ! -e $asked && ! -L $asked ]] && is_root && ! as_service test -x "$parent"; then
        real=/var/tmp/lectern-$(printf '%s' "$asked" | sha256sum | cut -c 1-12)
        mkdir -p "$real"
        [[ -O $real && ! -L $real ]] || die "$real belongs to someone else"
        ln -s "$real" "$asked"
        say "the service user cannot pass $parent: the instance lies in $real" >&2
    fi
    # A symbolic link to a directory that has gone (a cleaned /var/tmp) is filled again.
    if [[ -L $asked ]]; then mkdir -p "$(readlink "$asked")"; fi
    mkdir -p "$asked"
    (cd "$asked" && pwd -P)
}

# Names only, for commands that must not create anything.
instance_names() {
    INST=$1
    STATE=$INST/state
    LOGS=$INST/log
    SECRETS=$INST/secrets
    RUN=$INST/run
    if [[ -L $RUN ]]; then RUN=$(readlink "$RUN"); fi
}

instance_open() {
    instance_names "$(instance_place "$1")"
    [[ $INST =~ ^[A-Za-z0-9/._+-]+$ ]] || die "the path of the instance has characters that configuration files cannot hold: $INST"
    is_root && ! as_service test -x "$INST" && die "$SERVICE_USER cannot enter $INST"
    mkdir -p "$STATE" "$LOGS" "$INST/nginx" "$INST/tls"
    chmod 0755 "$INST"
    mkdir -p "$SECRETS"
    # The services read their secrets; only we write them, and know the superuser's.
    chmod 0750 "$SECRETS"
    if is_root; then chown "root:$SERVICE_USER" "$SECRETS"; fi
    instance_run_dir
}

instance_run_dir() {
    local link=$INST/run
    RUN=$link
    if ((${#link} > RUN_PATH_MAX)); then
        if [[ ! -L $link ]] || ! owned_by_service "$(readlink "$link")"; then
            rm -rf "$link"
            RUN=$(mktemp -d /tmp/lectern-run.XXXXXX)
            ln -s "$RUN" "$link"
        fi
        RUN=$(readlink "$link")
    fi
    mkdir -p "$RUN"
    chmod 0750 "$RUN"
    give "$RUN"
    # Below it the services may have put anything: nothing is done there with more rights than theirs.
    as_service mkdir -p "$RUN/shared"
    # Mails that no server takes; the directory is its reader's as well.
    mkdir -p "$INST/mail"
    chmod 0750 "$INST/mail"
    give "$INST/mail"
}

owned_by_service() {
    [[ -d $1 && ! -L $1 ]] || return 1
    if is_root; then [[ $(stat -c %U "$1") == "$SERVICE_USER" ]]; else [[ -O $1 ]]; fi
}

instance_lock() {
    exec 9>"$STATE/lock"
    flock -w 600 9 || die "another command holds $INST"
}

# --- ports: chosen once, kept ----------------------------------------------------------------

port_choose() { # NAME of the file, first port to try, process that may be listening on it already
    local file=$STATE/port-$1 kept=
    [[ -r $file ]] && kept=$(<"$file")
    if [[ -n $kept ]] && { [[ $3 == running ]] || ! port_taken "$kept"; }; then
        printf '%s\n' "$kept"
        return
    fi
    kept=$(port_free_from "$2")
    printf '%s\n' "$kept" >"$file"
    printf '%s\n' "$kept"
}

ports_choose() { # port asked for, or nothing
    local nginx=stopped database=stopped
    process_of nginx >/dev/null && nginx=running
    database_running && database=running
    if [[ -n ${1:-} && $(cat "$STATE/port-https" 2>/dev/null) != "$1" ]]; then
        port_taken "$1" && die "port $1 is taken"
        printf '%s\n' "$1" >"$STATE/port-https"
    fi
    HTTPS_PORT=$(port_choose https 8443 $nginx)
    HTTP_PORT=$(port_choose http 8080 $nginx)
    DB_PORT=$(port_choose database 15432 $database)
}

# Someone else may have taken a port since it was chosen: two instances come up at a time.
ports_confirm() { # port asked for, or nothing
    process_of nginx >/dev/null && return 0
    port_taken "$HTTPS_PORT" || port_taken "$HTTP_PORT" || return 0
    ports_choose "$1"
    settings_write
}

# --- secrets ---------------------------------------------------------------------------------

secret_make() { # NAME BYTES
    local file=$SECRETS/$1
    if [[ ! -s $file ]]; then
        (umask 077 && random_hex "$2" >"$file.new" && mv "$file.new" "$file")
    fi
}

secret() { cat "$SECRETS/$1"; }

secrets_make() {
    local name
    for name in db-superuser db-app db-jobs refresh signing metrics; do secret_make "$name" 32; done
    secret_make demo-password 9
    data_key_make
    give "$SECRETS"/{refresh,signing,metrics,data-key}
}

# The key of values sealed at rest; losing it loses them.
data_key_make() {
    local file=$SECRETS/data-key
    if [[ ! -s $file ]]; then
        (umask 077 && head -c 32 /dev/urandom | base64 -w 0 >"$file.new" && mv "$file.new" "$file")
    fi
}

# The keyset that signs access tokens: made once; `lecternctl jwt rotate` renews it.
keyset_make() {
    local file=$SECRETS/jwt-keyset
    [[ -s $file ]] && return 0
    (umask 077 && env -i PATH="$PATH" "$BIN/lecternctl" jwt rotate --keyset-file /dev/null \
        >"$file.new" 2>"$LOGS/keyset.log") || die "lecternctl could not make a keyset (see $LOGS/keyset.log)"
    mv "$file.new" "$file"
    give "$file"
}

# --- settings --------------------------------------------------------------------------------

# Settings of nginx alone; everything else in local.env goes to the workers.
declare -A EDGE=([EDGE_RATE]=100 [EDGE_BURST]=200 [EDGE_SIGNIN_RATE]=10 [EDGE_SIGNIN_BURST]=20
    [EDGE_ADMIN_RATE]=50 [EDGE_ADMIN_BURST]=100 [EDGE_CONNECTIONS]=100 [EDGE_MAX_BODY]=2m
    [EDGE_READ_TIMEOUT]=60s [EDGE_HSTS]=max-age=3600 [TRUSTED_PROXIES]="" [FRAME_SOURCES]="")

settings_read_local() {
    local line name
    [[ -r $INST/local.env ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        [[ -z $line || $line == \#* ]] && continue
        name=${line%%=*}
        [[ $line == *=* && $name =~ ^[A-Z][A-Z0-9_]*$ ]] || die "local.env: not NAME=value: $line"
        if [[ -v EDGE[$name] ]]; then EDGE[$name]=${line#*=}; fi
    done <"$INST/local.env"
}

settings_of_workers() {
    local name
    cat <<SETTINGS
# Written by deploy/up; changes belong into local.env.
APP_ENV=development
APP_URL=https://localhost:$HTTPS_PORT
WORKERS=$(($(nproc) * 2))
SHARED_DIR=$RUN/shared
DATABASE_URL=$(database_url_local lectern_app db-app)
JOBS_DATABASE_URL=$(database_url_local lectern_jobs db-jobs)
JWT_KEYSET_FILE=$SECRETS/jwt-keyset
JWT_REFRESH_SECRET_FILE=$SECRETS/refresh
SIGNING_SECRET_FILE=$SECRETS/signing
DATA_ENCRYPTION_PRIMARY_KEY_FILE=$SECRETS/data-key
DATA_ENCRYPTION_ACTIVE_KEY_ID=key-1
METRICS_BEARER_TOKEN_FILE=$SECRETS/metrics
MAIL_DIR=$INST/mail
REGISTRATION_ORG=demo
SETTINGS
    [[ -r $INST/local.env ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        name=${line%%=*}
        [[ -z $line || $line == \#* || -v EDGE[$name] ]] || printf '%s\n' "$line"
    done <"$INST/local.env"
}

# Later lines win over earlier ones here, whatever the reader of the file makes of repetitions.
last_wins() {
    awk -F= '/^#/ { next } { if (!($1 in at)) order[++n] = $1; at[$1] = $0 }
        END { for (i = 1; i <= n; i++) print at[order[i]] }'
}

settings_write() {
    settings_of_workers | last_wins | put_file "$INST/lectern.env" 0600
    give "$INST/lectern.env"
    env -i PATH="$PATH" "$BIN/lecternctl" config check --config "$INST/lectern.env" \
        >"$LOGS/config.log" 2>&1 || {
        cat "$LOGS/config.log" >&2
        die "the settings are not valid (they come from $INST/local.env and from deploy/up)"
    }
    env -i PATH="$PATH" "$BIN/lecternctl" config show --config "$INST/lectern.env" \
        >"$STATE/settings-in-force"
}

# A value in force, defaults included.
setting() { sed -n "s/^$1=//p" "$STATE/settings-in-force" | sed 's/\t#.*$//'; }
