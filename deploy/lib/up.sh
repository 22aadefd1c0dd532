# shellcheck shell=bash disable=SC2034
# Bringing an instance up, as deploy/up and deploy/check both do it.

LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TREE=$(cd "$LIB/../.." && pwd -P)
# shellcheck source=deploy/lib/common.sh
source "$LIB/common.sh"
# shellcheck source=deploy/lib/packages.sh
source "$LIB/packages.sh"
# shellcheck source=deploy/lib/instance.sh
source "$LIB/instance.sh"
# shellcheck source=deploy/lib/build.sh
source "$LIB/build.sh"
# shellcheck source=deploy/lib/database.sh
source "$LIB/database.sh"
# shellcheck source=deploy/lib/edge.sh
source "$LIB/edge.sh"
# shellcheck source=deploy/lib/services.sh
source "$LIB/services.sh"

# instance_up DIRECTORY [HTTPS PORT]: everything after the packages. Configure options of the build
# come from BUILD_OPTIONS.
instance_up() {
    umask 022
    service_user_prepare
    instance_open "$1"
    instance_lock
    build_names
    tree_prepare
    build_at "$INST/build" "${BUILD_OPTIONS[@]}"
    build_install
    secrets_make
    database_init
    ports_choose "${2:-}"
    database_start
    database_environment
    database_roles
    step "migrating"
    database_migrate
    keyset_make
    settings_read_local
    settings_write
    database_seed
    certificate_make
    web_make
    ports_confirm "${2:-}"
    services_start
    edge_start
    services_wait
    instance_write
}

# Accounts as the database has them, so that no list of them is kept twice.
instance_write() {
    export L_URL=https://localhost:$HTTPS_PORT L_HTTP=http://localhost:$HTTP_PORT \
        L_CA=$INST/tls/ca.pem L_DATABASE L_METRICS L_PASSWORD
    L_DATABASE=$(database_url_tcp lectern_app db-app)
    L_METRICS=$(secret metrics)
    L_PASSWORD=$(secret demo-password)
    sql <<'SQL' | put_file "$INST/instance.json" 0600
\getenv url L_URL
\getenv http L_HTTP
\getenv ca L_CA
\getenv database L_DATABASE
\getenv metrics L_METRICS
\getenv password L_PASSWORD
select jsonb_pretty(jsonb_build_object(
    'base_url', :'url', 'http_url', :'http', 'ca_file', :'ca', 'database_url', :'database',
    'metrics', jsonb_build_object('url', :'url' || '/metrics', 'bearer_token', :'metrics'),
    'accounts', (select coalesce(jsonb_agg(jsonb_build_object('role', u.role, 'email', u.email,
            'password', :'password', 'org', o.slug) order by o.slug, u.role, u.email), '[]')
        from app.users u join app.orgs o on o.id = u.org_id
        -- Not those who have registered since: their passwords are their own.
        where o.slug in ('demo', 'northside') and u.email like '%@' || o.slug || '.lectern.example'
              and u.status = 'active')));
SQL
    unset L_URL L_HTTP L_CA L_DATABASE L_METRICS L_PASSWORD
}

accounts_print() {
    sql -F ' ' <<'SQL'
select '  ' || rpad(o.slug, 10), rpad(u.role, 9), u.email
from app.users u join app.orgs o on o.id = u.org_id
where o.slug in ('demo', 'northside') and u.email like '%@' || o.slug || '.lectern.example'
      and u.status = 'active'
order by o.slug, u.role, u.email;
SQL
}

instance_down() {
    services_stop
    database_stop
}
