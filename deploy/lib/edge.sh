# shellcheck shell=bash
# nginx of the instance: certificate, pages, configuration from templates.

certificate_make() {
    local dir=$INST/tls
    if [[ -s $dir/server.pem ]] && openssl x509 -in "$dir/server.pem" -noout -checkend 2592000 >/dev/null; then
        return 0
    fi
    step "certificate"
    (
        umask 077
        cd "$dir"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
            -subj "/CN=Lectern instance $(random_hex 4)" -keyout ca.key -out ca.pem \
            -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
            -addext 'keyUsage=critical,keyCertSign,cRLSign'
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj /CN=localhost -keyout server.key -out server.csr
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 800 \
            -set_serial "0x$(random_hex 15)" -out server.crt -extfile <(
                printf '%s\n' 'basicConstraints=critical,CA:FALSE' \
                    'keyUsage=critical,digitalSignature' 'extendedKeyUsage=serverAuth' \
                    'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1'
            )
        cat server.crt ca.pem >server.pem.new
        mv server.pem.new server.pem
        rm -f server.csr server.crt
    ) >"$LOGS/certificate.log" 2>&1 || die "no certificate could be made (see $LOGS/certificate.log)"
    chmod 0644 "$dir/ca.pem" "$dir/server.pem"
}

# Pages: ours, and the documentation's from the npm registry by its lock file.
web_make() {
    local source=$TREE/nginx/web npm=$INST/npm web=$INST/web file
    mkdir -p "$npm" "$web/docs"
    cp "$source"/*.html "$source"/*.js "$source"/*.css "$source"/*.svg "$web/"
    cp "$source"/docs/* "$web/docs/"
    if [[ $(cat "$npm/.installed" 2>/dev/null) != "$(digest_of "$source/package-lock.json" "$source/package.json")" ]]; then
        step "npm ci"
        cp "$source/package.json" "$source/package-lock.json" "$npm/"
        if (cd "$npm" && timeout 90 npm ci --fetch-retries=1 --fetch-timeout=20000 --ignore-scripts --no-audit --no-fund \
            --no-update-notifier >"$LOGS/npm.log" 2>&1 </dev/null 9>&-); then
            digest_of "$source/package-lock.json" "$source/package.json" >"$npm/.installed"
        else
            warn "npm ci failed (see $LOGS/npm.log): /api/docs only links to the OpenAPI document"
            return 0
        fi
    fi
    for file in swagger-ui.css swagger-ui-bundle.js LICENSE NOTICE; do
        install -m 0644 "$npm/node_modules/swagger-ui-dist/$file" "$web/docs/$file"
    done
}

# --- templates -------------------------------------------------------------------------------

# render TEMPLATE: @NAME@ becomes the shell variable T_NAME, in one pass; an unknown name fails.
render() {
    awk -v template="$1" '{
        rest = $0; line = ""
        while (match(rest, /@[A-Z][A-Z0-9_]*@/)) {
            name = "T_" substr(rest, RSTART + 1, RLENGTH - 2)
            if (!(name in ENVIRON)) {
                printf "%s:%d: unknown variable %s\n", template, FNR, name >"/dev/stderr"
                exit 1
            }
            line = line substr(rest, 1, RSTART - 1) ENVIRON[name]
            rest = substr(rest, RSTART + RLENGTH)
        }
        print line rest
    }' "$1"
}

# check NAME PATTERN: values end up in configuration files, so each has a strict form.
check() {
    local name=T_$1
    [[ ${!name} =~ ^$2$ ]] || die "the value of $1 has not the right form: ${!name}"
}

CIDR_PATTERN='[0-9a-fA-F.:]+(/[0-9]{1,3})?'
ORIGIN_PATTERN='https?://[A-Za-z0-9.:-]+(\[[0-9a-fA-F:]+\](:[0-9]+)?)?'

cidr_lines() { # PREFIX LIST SUFFIX LAST
    local item items
    IFS=', ' read -ra items <<<"$2"
    for item in "${items[@]}"; do
        [[ $item =~ ^$CIDR_PATTERN$ ]] || die "not a network: $item"
        printf '%s %s%s\n' "$1" "$item" "$3"
    done
    if [[ ${#items[@]} -gt 0 ]]; then printf '%s\n' "$4"; fi
}

origin_lines() { # LIST
    local item items
    IFS=', ' read -ra items <<<"$1"
    for item in "${items[@]}"; do
        if [[ $item == '*' ]]; then
            printf '    "~." "*";\n'
            continue
        fi
        [[ $item =~ ^$ORIGIN_PATTERN$ ]] || die "not an origin: $item"
        printf '    "%s" "%s";\n' "${item,,}" "${item,,}"
    done
}

listen_lines() { # PORT SUFFIX
    printf '        listen 127.0.0.1:%s%s;\n' "$1" "$2"
    if grep -q '^00000000000000000000000000000001 ' /proc/net/if_inet6 2>/dev/null; then
        printf '        listen [::1]:%s%s;\n' "$1" "$2"
    fi
}

comma_space() { local list=${1//, /,}; printf '%s' "${list//,/, }"; }

word_if() { # SETTING WORD: the word when the setting is on
    if [[ $(setting "$1") =~ ^(1|true)$ ]]; then printf '%s' "$2"; fi
}

edge_variables() {
    local name trace origins
    trace=$(setting TRACE_HEADER_NAME)
    trace=${trace,,}
    origins=$(setting CORS_ALLOWED_ORIGINS)
    export T_USER_DIRECTIVE='' T_STATE_DIR=$STATE T_LOG_DIR=$LOGS T_TEMP_DIR=$INST/nginx-temp \
        T_WEB_DIR=$INST/web T_TLS_CERTIFICATE=$INST/tls/server.pem T_TLS_KEY=$INST/tls/server.key \
        T_API_SOCKET=$RUN/api.sock T_AUTH_SOCKET=$RUN/auth.sock T_SERVER_NAME=_ \
        T_REDIRECT_DEFAULT=localhost T_REDIRECT_PORT=":$HTTPS_PORT"
    is_root && T_USER_DIRECTIVE="user $SERVICE_USER $SERVICE_USER;"
    T_LISTEN_HTTP=$(listen_lines "$HTTP_PORT" '')
    T_LISTEN_HTTPS=$(listen_lines "$HTTPS_PORT" ' ssl http2')
    T_REDIRECT_HOSTS=$(printf '    "%s" "%s";\n' localhost localhost 127.0.0.1 127.0.0.1 '[::1]' '[::1]')
    T_TRACE_VARIABLE=${trace:+\$http_${trace//-/_}}
    T_CORS_ORIGINS=$(origin_lines "${origins:-$(setting APP_URL)}")
    T_CORS_CREDENTIALS=$(word_if CORS_ALLOW_CREDENTIALS true)
    T_CORS_METHODS=$(comma_space "$(setting CORS_ALLOWED_METHODS)")
    T_CORS_HEADERS=$(comma_space "$(setting CORS_ALLOWED_HEADERS)")
    T_CORS_MAX_AGE=$(setting CORS_MAX_AGE_SECONDS)
    T_COEP=$(word_if COEP require-corp)
    T_HSTS=${EDGE[EDGE_HSTS]}
    T_FRAME_SOURCES=${EDGE[FRAME_SOURCES]:+ ${EDGE[FRAME_SOURCES]}}
    T_REALIP_RULES=$(cidr_lines set_real_ip_from "${EDGE[TRUSTED_PROXIES]}" ';' \
        $'real_ip_header X-Forwarded-For;\nreal_ip_recursive on;')
    T_ADMIN_ALLOW_RULES=$(cidr_lines allow "$(setting ADMIN_ALLOWED_CIDRS)" ';' 'deny all;')
    T_METRICS_ALLOW_RULES=$(cidr_lines allow "$(setting METRICS_ALLOWED_IPS)" ';' 'deny all;')
    export T_LISTEN_HTTP T_LISTEN_HTTPS T_REDIRECT_HOSTS T_TRACE_VARIABLE T_CORS_ORIGINS \
        T_CORS_CREDENTIALS T_CORS_METHODS T_CORS_HEADERS T_CORS_MAX_AGE T_COEP T_HSTS \
        T_FRAME_SOURCES T_REALIP_RULES T_ADMIN_ALLOW_RULES T_METRICS_ALLOW_RULES
    T_EDGE_READ_TIMEOUT=${EDGE[EDGE_READ_TIMEOUT]}
    export T_EDGE_READ_TIMEOUT
    check EDGE_READ_TIMEOUT '[1-9][0-9]{0,3}s'
    for name in EDGE_RATE EDGE_BURST EDGE_SIGNIN_RATE EDGE_SIGNIN_BURST EDGE_ADMIN_RATE \
        EDGE_ADMIN_BURST EDGE_CONNECTIONS EDGE_MAX_BODY; do
        export "T_$name=${EDGE[$name]}"
        check "$name" '[1-9][0-9]{0,7}[kKmM]?'
    done
    check CORS_METHODS '[A-Z, ]*'
    check CORS_HEADERS '[A-Za-z0-9, -]*'
    check CORS_MAX_AGE '[0-9]+'
    check TRACE_VARIABLE '([$]http_[a-z0-9_]+)?'
    check HSTS '[A-Za-z0-9=; -]*'
    check FRAME_SOURCES '[A-Za-z0-9:/.* -]*'
}

# Render into a new directory, let nginx check it, and put it in place. Sets EDGE_CHANGED.
edge_configure() {
    local new=$INST/nginx.new live=$INST/nginx file
    edge_variables
    rm -rf "$new"
    mkdir -p "$new/lectern" "$INST/nginx-temp"
    give "$INST/nginx-temp"
    cp "$TREE"/nginx/snippets/*.conf "$TREE"/nginx/generated/*.conf "$new/lectern/"
    render "$TREE/nginx/templates/nginx.conf.in" >"$new/nginx.conf" || die "nginx.conf.in cannot be rendered"
    for file in edge server redirect admin-allow metrics-allow; do
        render "$TREE/nginx/templates/$file.conf.in" >"$new/lectern/$file.conf" ||
            die "$file.conf.in cannot be rendered"
    done
    EDGE_CHANGED=0
    if diff -rq "$new" "$live" >/dev/null 2>&1; then return 0; fi
    EDGE_CHANGED=1
    if ! nginx -e "$LOGS/nginx-error.log" -t -q -c "$new/nginx.conf" >"$LOGS/nginx-test.log" 2>&1; then
        cat "$LOGS/nginx-test.log" >&2
        die "nginx refuses its configuration in $new"
    fi
    rm -rf "$live"
    mv "$new" "$live"
}

edge_start() {
    local pid
    edge_configure
    if pid=$(process_of nginx); then
        # Ports cannot be taken over by a reload when the old one holds them for others.
        if [[ $EDGE_CHANGED == 1 || $INST/tls/server.pem -nt $STATE/nginx.pid ]]; then
            kill -HUP "$pid"
            touch "$STATE/nginx.pid"
        fi
        return 0
    fi
    step "starting nginx on port $HTTPS_PORT"
    launch nginx "$LOGS/nginx-error.log" nginx -e "$LOGS/nginx-error.log" -c "$INST/nginx/nginx.conf"
}
