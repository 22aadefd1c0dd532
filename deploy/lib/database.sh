# shellcheck shell=bash
# The instance's own PostgreSQL: a cluster in pg/, a socket in RUN, one loopback port.

PGBIN=/usr/lib/postgresql/15/bin
DATABASE=lectern

database_running() {
    [[ -f $INST/pg/PG_VERSION ]] || return 1
    as_service "$PGBIN/pg_ctl" -D "$INST/pg" status >/dev/null 2>&1
}

database_settings() {
    cat <<SETTINGS
listen_addresses = '127.0.0.1'
port = $DB_PORT
unix_socket_directories = '$RUN'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = 128MB
effective_cache_size = 1GB
random_page_cost = 1.1
max_wal_size = 1GB
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_line_prefix = '%m [%p] %q%u@%d '
# Statements and parameters hold what people wrote.
log_statement = 'none'
log_min_error_statement = panic
log_parameter_max_length_on_error = 0
SETTINGS
}

database_init() {
    [[ -f $INST/pg/PG_VERSION ]] && return 0
    step "new PostgreSQL cluster"
    rm -rf "$INST/pg"
    mkdir -m 0700 "$INST/pg"
    give "$INST/pg"
    cp "$SECRETS/db-superuser" "$SECRETS/db-superuser.initdb"
    chmod 0600 "$SECRETS/db-superuser.initdb"
    give "$SECRETS/db-superuser.initdb"
    (cd / && quietly 120 "$LOGS/initdb.log" "${SERVICE_PREFIX[@]}" "$PGBIN/initdb" -D "$INST/pg" \
        -U postgres --pwfile="$SECRETS/db-superuser.initdb" --auth=scram-sha-256 --encoding=UTF8 \
        --locale=C.UTF-8 --data-checksums)
    rm -f "$SECRETS/db-superuser.initdb"
    printf "include 'lectern.conf'\n" | as_service tee -a "$INST/pg/postgresql.conf" >/dev/null
}

database_start() {
    local new
    new=$(database_settings)
    if [[ $new != "$(cat "$INST/pg/lectern.conf" 2>/dev/null)" ]]; then
        database_stop
        printf '%s\n' "$new" | as_service tee "$INST/pg/lectern.conf" >/dev/null
    fi
    database_running && return 0
    step "starting PostgreSQL on port $DB_PORT"
    # Who starts it again by pg_ctl writes there as the service user.
    touch "$LOGS/postgres.log"
    give "$LOGS/postgres.log"
    launch postgres "$LOGS/postgres.log" "${SERVICE_PREFIX[@]}" "$PGBIN/postgres" -D "$INST/pg"
    database_wait
}

# Until it takes connections, or why it does not. pg_ctl would start it in a session of its own.
database_wait() {
    local tries=600
    until "$PGBIN/pg_isready" -q -h "$RUN" -p "$DB_PORT"; do
        if ! process_of postgres >/dev/null || ((tries-- == 0)); then
            tail -n 15 "$LOGS/postgres.log" >&2
            die "PostgreSQL does not start (log: $LOGS/postgres.log)"
        fi
        sleep 0.1
    done
}

database_stop() {
    database_running || return 0
    (cd / && quietly 90 "$LOGS/pg_ctl.log" "${SERVICE_PREFIX[@]}" \
        "$PGBIN/pg_ctl" -D "$INST/pg" -w -t 60 -s -m fast stop)
    rm -f "$STATE/postgres.pid"
}

# Connections of the superuser, for libpq and for sqitch.
database_environment() {
    export PGHOST=$RUN PGPORT=$DB_PORT PGUSER=postgres PGPASSFILE=$SECRETS/pgpass \
        PGCONNECT_TIMEOUT=10 PGDATABASE=$DATABASE
    (umask 077 && printf '*:*:*:postgres:%s\n' "$(secret db-superuser)" >"$PGPASSFILE")
    unset PGSERVICE PGOPTIONS PGSSLMODE PGSERVICEFILE
}

sql() { timeout 300 psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }

database_url_local() { # ROLE SECRET
    printf 'postgresql://%s:%s@/%s?host=%s&port=%s' "$1" "$(secret "$2")" "$DATABASE" \
        "${RUN//\//%2F}" "$DB_PORT"
}

database_url_tcp() {
    printf 'postgresql://%s:%s@127.0.0.1:%s/%s' "$1" "$(secret "$2")" "$DB_PORT" "$DATABASE"
}

database_roles() {
    if [[ $(sql -d postgres -c "select 1 from pg_database where datname = '$DATABASE'") != 1 ]]; then
        sql -d postgres -c "create database $DATABASE"
    fi
    sql -f "$TREE/db/bootstrap.sql" >"$LOGS/bootstrap.log" 2>&1 || {
        tail -n 20 "$LOGS/bootstrap.log" >&2
        die "db/bootstrap.sql failed"
    }
    # Through the environment: a command line can be read by everyone on the machine.
    LECTERN_APP=$(secret db-app) LECTERN_JOBS=$(secret db-jobs) sql <<'SQL'
\getenv app LECTERN_APP
\getenv jobs LECTERN_JOBS
alter role lectern_app password :'app';
alter role lectern_jobs password :'jobs';
SQL
}

database_migrate() {
    (cd "$TREE/db" && SQITCH_FULLNAME=Lectern SQITCH_EMAIL=maintainers@lectern.example \
        TZ=UTC LC_ALL=C.UTF-8 quietly 300 "$LOGS/sqitch.log" sqitch deploy "db:pg:$DATABASE")
}

# One random password for all accounts of the examples, per installation.
database_seed() {
    local stamp=$STATE/seeded seed=$TREE/db/seeds/demo.sql hash
    [[ -f $seed ]] || return 0
    [[ -f $stamp && $(<"$stamp") == "$(digest_of "$seed")" ]] && return 0
    step "seeding"
    hash=$("$BIN/lecternctl" password hash --config "$INST/lectern.env" <"$SECRETS/demo-password") ||
        die "lecternctl could not hash the password of the accounts"
    LECTERN_PASSWORD_HASH=$hash sql >"$LOGS/seed.log" 2>&1 <<SQL || { tail -n 20 "$LOGS/seed.log" >&2; die "db/seeds/demo.sql failed"; }
\\getenv password_hash LECTERN_PASSWORD_HASH
\\i $seed
SQL
    digest_of "$seed" >"$stamp"
}
