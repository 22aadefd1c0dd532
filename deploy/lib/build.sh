# shellcheck shell=bash disable=SC2034
# Building out of the tree. Set: TREE. Sets: BIN.

PREFIX=/usr

tree_prepare() {
    local newest=
    if [[ -x $TREE/configure && -f $TREE/Makefile.in ]]; then
        newest=$(find "$TREE/configure.ac" "$TREE/Makefile.am" "$TREE/fcgi" "$TREE/db" "$TREE/docs" \
            "$TREE/tests" \( -name '*.mk' -o -name configure.ac -o -name Makefile.am \) \
            -newer "$TREE/Makefile.in" -print -quit)
        [[ -z $newest ]] && return 0
    fi
    [[ -w $TREE ]] || die "$TREE must be writable once, for autoreconf"
    step "autoreconf"
    (cd "$TREE" && quietly 300 "$LOGS/autoreconf.log" autoreconf -fi)
}

# build_at DIRECTORY OPTION… : configure when needed, make.
build_at() {
    local dir=$1
    shift
    mkdir -p "$dir"
    if [[ ! -f $dir/Makefile || $TREE/configure -nt $dir/config.status ||
        $(cat "$dir/.options" 2>/dev/null) != "$*" ]]; then
        step "configure${*:+ $*}"
        (cd "$dir" && quietly 300 "$LOGS/configure.log" "$TREE/configure" --prefix="$PREFIX" "$@")
        printf '%s\n' "$*" >"$dir/.options"
    fi
    step "make"
    quietly 900 "$LOGS/make.log" make -s -C "$dir" -j2
}

build_install() {
    quietly 120 "$LOGS/install.log" make -s -C "$INST/build" install DESTDIR="$INST/root"
}

build_names() { BIN=$INST/root$PREFIX/bin; }
