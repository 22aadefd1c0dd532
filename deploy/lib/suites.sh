# shellcheck shell=bash
# Running suites of tests and adding up what they say of themselves; settings of a tested instance.

PASSED=0
FAILED=0
REPORT=()
SUITE_PROCESS=
BESIDE_PROCESS=

# End the suite that is running; timeout passes it on to what it started.
suite_stop() {
    [[ -n $SUITE_PROCESS ]] || return 0
    kill -TERM "$SUITE_PROCESS" 2>/dev/null || true
    wait "$SUITE_PROCESS" 2>/dev/null || true
}

# beside_begin FUNCTION: its suites in a process of their own, until beside_end adds them up.
beside_begin() {
    (
        trap 'suite_stop; exit 130' HUP INT TERM
        PASSED=0 FAILED=0 REPORT=()
        # As far back as the pool that hashes passwords, or every sign-in of the tests would wait.
        renice -n 10 -p "$BASHPID" >/dev/null
        "$1"
        declare -p PASSED FAILED REPORT | sed 's/^declare /declare -g /' >"$CHECK_LOGS/beside.counts"
    ) &
    BESIDE_PROCESS=$!
}

beside_end() {
    local passed=$PASSED failed=$FAILED
    local -a report=("${REPORT[@]}")
    wait "$BESIDE_PROCESS" || true
    BESIDE_PROCESS=
    PASSED=0 FAILED=1 REPORT=("FAILED  the suites beside ended early")
    if [[ -s $CHECK_LOGS/beside.counts ]]; then
        # shellcheck source=/dev/null
        source "$CHECK_LOGS/beside.counts"
    fi
    PASSED=$((PASSED + passed)) FAILED=$((FAILED + failed))
    REPORT=("${report[@]}" "${REPORT[@]}")
}

beside_stop() {
    [[ -n $BESIDE_PROCESS ]] || return 0
    kill -TERM "$BESIDE_PROCESS" 2>/dev/null || true
    wait "$BESIDE_PROCESS" 2>/dev/null || true
}

# How many passed and failed, from a suite's output: automake's summary, pytest's last line, or a
# last line "N passed, N failed". Prints two numbers.
suite_counts() {
    awk '
        { gsub(/\033\[[0-9;]*m/, "") }
        /^# (PASS|XFAIL): +[0-9]+/ { passed += $3; automake = 1 }
        /^# (FAIL|XPASS|ERROR): +[0-9]+/ { failed += $3; automake = 1 }
        /[0-9]+ (passed|failed|errors?)/ { last = $0 }
        END {
            if (!automake && last != "") {
                n = split(last, word, /[ ,]+/)
                for (i = 2; i <= n; i++) {
                    if (word[i] == "passed") passed += word[i - 1]
                    if (word[i] ~ /^(failed|errors?)$/) failed += word[i - 1]
                }
            }
            print passed + 0, failed + 0
        }' "$1"
}

# suite NAME SECONDS COMMAND…: one line when it passes, the end of its output when not.
suite() {
    local name=$1 limit=$2 log status=0 begun=$SECONDS passed failed word=ok
    shift 2
    log=$CHECK_LOGS/${name//[^A-Za-z0-9-]/_}.log
    # Behind, and waited for: so that an interruption is heard at once.
    timeout --kill-after=20 "$limit" "$@" >"$log" 2>&1 </dev/null &
    SUITE_PROCESS=$!
    wait "$SUITE_PROCESS" || status=$?
    SUITE_PROCESS=
    read -r passed failed < <(suite_counts "$log")
    if [[ $status -ne 0 && $failed -eq 0 ]]; then failed=1; fi
    if [[ $status -eq 0 && $passed -eq 0 && $failed -eq 0 ]]; then passed=1; fi
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    if [[ $failed -gt 0 || $status -ne 0 ]]; then
        word=FAILED
        tail -n 60 "$log" | sed 's/^/    /'
        if [[ $status -eq 124 ]]; then say "    (ended after $limit seconds)"; fi
    fi
    REPORT+=("$(printf '%-7s %-28s %5d passed %4d failed %5d s' "$word" "$name" "$passed" "$failed" $((SECONDS - begun)))")
    say "${REPORT[-1]}"
    [[ $word == ok ]]
}

# A suite that could not be begun.
suite_missed() {
    FAILED=$((FAILED + 1))
    REPORT+=("$(printf '%-7s %-28s %s' FAILED "$1" "$2")")
    say "${REPORT[-1]}"
}

# Every limit of the table: tests of limits bring a pool of their own.
generous_settings() {
    printf 'APP_ENV=test\n'
    sed -n 's/^SETTING(\([A-Z_]*_LIMIT\), INT,.*/\1=1000000/p' "$TREE/fcgi/base/settings.def"
    printf '%s\n' EDGE_RATE=100000 EDGE_BURST=100000 EDGE_SIGNIN_RATE=10000 EDGE_SIGNIN_BURST=10000 \
        EDGE_ADMIN_RATE=100000 EDGE_ADMIN_BURST=100000 EDGE_CONNECTIONS=1000
}
