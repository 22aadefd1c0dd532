/* Refresh tokens, CSRF tokens, cursors, passwords, codes of links. */
#include "unit.h"

#include <argon2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/link_code.h"
#include "auth/link.h"
#include "auth/password.h"
#include "auth/secret.h"
#include "auth/turns.h"
#include "base/settings.h"

#define MEMORY_KIB 8192
#define ITERATIONS 2

static struct arena *a;

static void
test_refresh(void)
{
    uint8_t digest[SHA256_LEN], again[SHA256_LEN], other[SHA256_LEN], plain[SHA256_LEN];
    struct uuid session = uuid_v7(), back;
    struct text token = refresh_issue(a, &session, digest);
    struct text second = refresh_issue(a, &session, other);

    CU_ASSERT_EQUAL(token.len, 64);
    CU_ASSERT_TRUE(refresh_parse(token, &back, again));
    CU_ASSERT_TRUE(uuid_eq(&session, &back));
    CU_ASSERT_EQUAL(memcmp(digest, again, sizeof(digest)), 0);
    CU_ASSERT_FALSE(text_eq(token, second));
    CU_ASSERT_NOT_EQUAL(memcmp(digest, other, sizeof(digest)), 0);
    /* A keyed digest, not a plain one. */
    sha256(token, plain);
    CU_ASSERT_NOT_EQUAL(memcmp(digest, plain, sizeof(digest)), 0);
}

static void
test_refresh_bad(void)
{
    uint8_t digest[SHA256_LEN];
    struct uuid session = uuid_v7(), back;
    struct text token = refresh_issue(a, &session, digest);
    char copy[80];

    CU_ASSERT_FALSE(refresh_parse(TEXT_NULL, &back, digest));
    CU_ASSERT_FALSE(refresh_parse(TEXT(""), &back, digest));
    for (size_t len = 0; len < token.len; len++)
        CU_ASSERT_FALSE(refresh_parse((struct text){token.p, len}, &back, digest));
    memcpy(copy, token.p, token.len);
    copy[token.len] = 'A';
    CU_ASSERT_FALSE(refresh_parse((struct text){copy, token.len + 1}, &back, digest));
    for (const char *c = "+/=. \n%"; *c != '\0'; c++) {
        copy[40] = *c;
        CU_ASSERT_FALSE(refresh_parse((struct text){copy, token.len}, &back, digest));
    }
    copy[40] = '\0';
    CU_ASSERT_FALSE(refresh_parse((struct text){copy, token.len}, &back, digest));
}

/* Another token of the form is parsed, but its digest is none that was ever stored. */
static void
test_refresh_forged(void)
{
    uint8_t digest[SHA256_LEN], other[SHA256_LEN];
    struct uuid session = uuid_v7(), back;
    struct text token = refresh_issue(a, &session, digest);
    char copy[64];

    for (size_t i = 0; i < token.len; i++) {
        memcpy(copy, token.p, sizeof(copy));
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        CU_ASSERT_TRUE(refresh_parse((struct text){copy, sizeof(copy)}, &back, other));
        CU_ASSERT_NOT_EQUAL(memcmp(digest, other, sizeof(digest)), 0);
    }
}

static void
test_csrf(void)
{
    struct uuid session = uuid_v7(), other = uuid_v7();
    struct text token = csrf_issue(a, &session);
    struct text second = csrf_issue(a, &session);
    uint8_t digest[SHA256_LEN];
    char copy[65];

    CU_ASSERT_EQUAL(token.len, 64);
    CU_ASSERT_TRUE(csrf_valid(token, &session));
    CU_ASSERT_TRUE(csrf_valid(second, &session));
    CU_ASSERT_FALSE(text_eq(token, second));
    CU_ASSERT_FALSE(csrf_valid(token, &other));
    for (size_t i = 0; i < token.len; i++) {
        memcpy(copy, token.p, token.len);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        CU_ASSERT_FALSE(csrf_valid((struct text){copy, token.len}, &session));
        CU_ASSERT_FALSE(csrf_valid((struct text){token.p, i}, &session));
    }
    memcpy(copy, token.p, token.len);
    copy[64] = 'A';
    CU_ASSERT_FALSE(csrf_valid((struct text){copy, 65}, &session));
    CU_ASSERT_FALSE(csrf_valid(TEXT_NULL, &session));
    CU_ASSERT_FALSE(csrf_valid(TEXT(""), &session));
    /* A token of another kind has the same form. */
    CU_ASSERT_FALSE(csrf_valid(refresh_issue(a, &session, digest), &session));
}

static void
test_cursor(void)
{
    static const char binary[] = {0, 1, 2, (char)0xff, 0, '"'};
    const struct text payloads[] = {
        TEXT(""), TEXT("x"), TEXT("2026-01-31T12:34:56.789Z|id"), {binary, sizeof(binary)}};
    struct text back;

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        struct text c = cursor_sign(a, TEXT("messages"), payloads[i]);

        CU_ASSERT_TRUE(cursor_open(a, TEXT("messages"), c, &back));
        CU_ASSERT_TRUE(text_eq(back, payloads[i]));
        CU_ASSERT_FALSE(cursor_open(a, TEXT("events"), c, &back));
        CU_ASSERT_FALSE(cursor_open(a, TEXT("message"), c, &back));
        CU_ASSERT_FALSE(cursor_open(a, TEXT(""), c, &back));
    }
}

static void
test_cursor_bad(void)
{
    struct text c = cursor_sign(a, TEXT("messages"), TEXT("payload"));
    size_t huge = 1 << 20;
    char *copy = arena_alloc(a, huge);
    struct text back;

    for (size_t i = 0; i < c.len; i++) {
        memcpy(copy, c.p, c.len);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        CU_ASSERT_FALSE(cursor_open(a, TEXT("messages"), (struct text){copy, c.len}, &back));
        CU_ASSERT_FALSE(cursor_open(a, TEXT("messages"), (struct text){c.p, i}, &back));
    }
    CU_ASSERT_FALSE(cursor_open(a, TEXT("messages"), TEXT_NULL, &back));
    CU_ASSERT_FALSE(cursor_open(a, TEXT("messages"), TEXT("%00"), &back));
    memset(copy, 'A', huge);
    CU_ASSERT_FALSE(cursor_open(a, TEXT("messages"), (struct text){copy, huge}, &back));
    CU_ASSERT_FALSE(cursor_open(a, TEXT("messages"), (struct text){copy, 8192}, &back));
    /* The border between purpose and payload is part of what is signed: "ab" with "c" is not "a"
     * with "bc". */
    uint8_t moved[32];
    char encoded[64];
    size_t len = 0;

    moved[0] = 'b';
    CU_ASSERT_TRUE(base64url_decode(cursor_sign(a, TEXT("ab"), TEXT("c")), moved + 1, &len));
    CU_ASSERT_EQUAL_FATAL(len, 17);
    len = base64url_encode(moved, len + 1, encoded);
    CU_ASSERT_FALSE(cursor_open(a, TEXT("a"), (struct text){encoded, len}, &back));
}

static void
test_password(void)
{
    struct text phc, second;
    bool stale = true;

    CU_ASSERT_EQUAL(password_hash(a, TEXT("correct horse battery"), &phc), E_OK);
    CU_ASSERT_TRUE(text_starts(phc, TEXT("$argon2id$v=19$m=8192,t=2,p=1$")));
    CU_ASSERT_TRUE(password_verify(TEXT("correct horse battery"), phc, &stale));
    CU_ASSERT_FALSE(stale);
    CU_ASSERT_TRUE(password_verify(TEXT("correct horse battery"), phc, NULL));
    CU_ASSERT_FALSE(password_verify(TEXT("correct horse batterz"), phc, NULL));
    CU_ASSERT_FALSE(password_verify(TEXT("correct horse battery "), phc, NULL));
    CU_ASSERT_FALSE(password_verify(TEXT("Correct horse battery"), phc, NULL));
    CU_ASSERT_FALSE(password_verify(TEXT(""), phc, NULL));
    CU_ASSERT_FALSE(password_verify(TEXT_NULL, phc, NULL));
    CU_ASSERT_EQUAL(password_hash(a, TEXT("correct horse battery"), &second), E_OK);
    CU_ASSERT_FALSE(text_eq(phc, second));
}

static struct text
phc_with(uint32_t memory, uint32_t iterations, uint32_t lanes)
{
    char *phc = arena_alloc(a, 256);

    CU_ASSERT_EQUAL(argon2id_hash_encoded(iterations, memory, lanes, "password of mine", 16,
                                          "0123456789abcdef", 16, 32, phc, 256),
                    ARGON2_OK);
    return text_of(phc);
}

static void
test_password_stale(void)
{
    struct text password = TEXT("password of mine");
    bool stale = false;

    CU_ASSERT_TRUE(password_verify(password, phc_with(4096, ITERATIONS, 1), &stale));
    CU_ASSERT_TRUE(stale);
    CU_ASSERT_TRUE(password_verify(password, phc_with(MEMORY_KIB, 1, 1), &stale));
    CU_ASSERT_TRUE(stale);
    CU_ASSERT_TRUE(password_verify(password, phc_with(MEMORY_KIB, ITERATIONS, 1), &stale));
    CU_ASSERT_FALSE(stale);
    CU_ASSERT_TRUE(password_verify(password, phc_with(MEMORY_KIB * 2, 3, 1), &stale));
    CU_ASSERT_FALSE(stale);
}

static volatile sig_atomic_t turns;

static void
on_turn(int signal)
{
    (void)signal;
    turns++;
}

static void
turn_block(int how)
{
    sigset_t turn;

    sigemptyset(&turn);
    sigaddset(&turn, SIGRTMIN);
    sigprocmask(how, &turn, NULL);
}

/* The first test of passwords: no turn has been refused yet. Signals are counted in place of the
 * handler that gives the core away: they come while a computation runs, and none once it has
 * ended. */
static void
test_password_turns(void)
{
    const struct text phcs[] = {phc_with(MEMORY_KIB * 4, ITERATIONS, 1), TEXT_NULL};
    struct sigaction count = {.sa_handler = on_turn}, before;
    struct timespec later = {.tv_nsec = 20000000};
    struct text made;

    turn_block(SIG_BLOCK);
    password_verify(TEXT("password of mine"), TEXT_NULL, NULL); /* sets its own handler, once */
    sigaction(SIGRTMIN, &count, &before);
    turn_block(SIG_UNBLOCK);
    for (size_t i = 0; i < sizeof(phcs) / sizeof(phcs[0]); i++) {
        turns = 0;
        password_verify(TEXT("password of mine"), phcs[i], NULL);
        CU_ASSERT_TRUE(turns > 0);
    }
    turns = 0;
    CU_ASSERT_EQUAL(password_hash(a, TEXT("password of mine"), &made), E_OK);
    CU_ASSERT_TRUE(turns > 0);
    turns = 0;
    CU_ASSERT_EQUAL(nanosleep(&later, NULL), 0);
    CU_ASSERT_EQUAL(turns, 0);
    sigaction(SIGRTMIN, &before, NULL);
}

/* Held back, the signal of a timer that runs stays to be seen. */
static bool
turns_are_offered(void)
{
    struct timespec later = {.tv_nsec = 20000000};
    sigset_t seen;

    turn_block(SIG_BLOCK);
    turns_begin();
    nanosleep(&later, NULL);
    sigpending(&seen);
    turns_end();
    turn_block(SIG_UNBLOCK);
    return sigismember(&seen, SIGRTMIN) == 1;
}

/* A computation that does not compute waits for its core, as far as can be seen from here. */
static void
test_turns_pause(void)
{
    struct timespec wait = {.tv_nsec = 100000000}, pause = {.tv_sec = 2, .tv_nsec = 100000000};

    nanosleep(&pause, NULL); /* of the tests before */
    CU_ASSERT_TRUE(turns_are_offered());
    turns_begin();
    while (nanosleep(&wait, &wait) != 0)
        continue;
    turns_end();
    CU_ASSERT_FALSE(turns_are_offered());
    nanosleep(&pause, NULL);
    CU_ASSERT_TRUE(turns_are_offered());
}

static void
test_password_bad_phc(void)
{
    static const char *const bad[] = {
        "",
        "x",
        "$argon2id$",
        "$argon2id$v=19$m=8192,t=2,p=1$",
        "$argon2id$v=19$m=8192,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA",
        "$argon2id$v=19$m=8192,t=2,p=1$$",
        "$argon2id$v=19$m=0,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2g",
        "$argon2id$v=19$m=99999999999,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2g",
        "$argon2id$v=19$m=8192,t=-1,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2g",
        "$argon2id$v=19$t=2,m=8192,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2g",
        "$argon2i$v=19$m=8192,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2g",
        "$2b$12$abcdefghijklmnopqrstuv",
        "plain text password",
    };
    struct text lanes = phc_with(MEMORY_KIB, ITERATIONS, 2);
    struct text good = phc_with(MEMORY_KIB, ITERATIONS, 1);
    char *copy = arena_alloc(a, 300);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(password_verify(text_of(bad[i]), text_of(bad[i]), NULL));
    CU_ASSERT_FALSE(password_verify(TEXT("password of mine"), lanes, NULL));
    memset(copy, 'A', 300);
    memcpy(copy, good.p, good.len);
    CU_ASSERT_FALSE(password_verify(TEXT("password of mine"), (struct text){copy, 300}, NULL));
    CU_ASSERT_FALSE(
        password_verify(TEXT("password of mine"), (struct text){good.p, good.len + 1}, NULL));
}

static double
milliseconds(struct text phc)
{
    struct timespec from, to;
    double best = 1e9;

    for (int i = 0; i < 7; i++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        CU_ASSERT_FALSE(password_verify(TEXT("wrong password"), phc, NULL));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        double ms =
            (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
        if (ms < best)
            best = ms;
    }
    return best;
}

/* An unknown account costs what a known one costs. */
static void
test_password_time(void)
{
    double known = milliseconds(phc_with(MEMORY_KIB, ITERATIONS, 1));
    double unknown = milliseconds(TEXT_NULL);

    printf("(known %.2f ms, unknown %.2f ms) ", known, unknown);
    CU_ASSERT(unknown > known * 0.5 && unknown < known * 2);
}

static void
test_password_weak(void)
{
    struct text email = TEXT("ada.lovelace@school.example");
    char longer[200];

    CU_ASSERT_TRUE(password_is_weak(TEXT("password"), email));
    CU_ASSERT_TRUE(password_is_weak(TEXT("PassWord123"), email));
    CU_ASSERT_TRUE(password_is_weak(TEXT("12345678"), email));
    CU_ASSERT_TRUE(password_is_weak(TEXT("QWERTYUIOP"), TEXT_NULL));
    CU_ASSERT_TRUE(password_is_weak(TEXT("ada.lovelace@school.example"), email));
    CU_ASSERT_TRUE(password_is_weak(TEXT("Ada.Lovelace"), email));
    CU_ASSERT_FALSE(password_is_weak(TEXT("ada.lovelace@"), email));
    CU_ASSERT_FALSE(password_is_weak(TEXT("school.example"), email));
    CU_ASSERT_FALSE(password_is_weak(TEXT("correct horse battery"), email));
    CU_ASSERT_FALSE(password_is_weak(TEXT("password\0"), email));
    CU_ASSERT_FALSE(password_is_weak(TEXT("passwor"), email));
    CU_ASSERT_FALSE(password_is_weak(TEXT(""), TEXT("")));
    CU_ASSERT_FALSE(password_is_weak(TEXT(""), TEXT("@x")));
    CU_ASSERT_FALSE(password_is_weak(TEXT("no address"), TEXT("nobody")));
    memset(longer, 'a', sizeof(longer));
    CU_ASSERT_FALSE(password_is_weak((struct text){longer, sizeof(longer)}, email));
}

static void
test_password_list(void)
{
    static const char *const list[] = {
#define COMMON(password) password,
#include "auth/common_passwords.def"
#undef COMMON
    };
    size_t n = sizeof(list) / sizeof(list[0]), wrong = 0;

    CU_ASSERT(n >= 300);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(list[i]);

        wrong += len < 8 || len > 32 || (i > 0 && strcmp(list[i - 1], list[i]) >= 0);
        wrong += strpbrk(list[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
        wrong += !password_is_weak(text_of(list[i]), TEXT_NULL);
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* Everything that settings ask for. */
static size_t
settings_prepare(void)
{
    static const char *const values[][2] = {
        {"JWT_REFRESH_SECRET", "0123456789abcdef0123456789abcdef-refresh"},
        {"SIGNING_SECRET", "0123456789abcdef0123456789abcdef-signing"},
        {"ARGON2_MEMORY_KIB", "8192"},
        {"ARGON2_ITERATIONS", "2"},
        {"APP_ENV", "test"},
        {"JWT_KEYSET", "e30="},
        {"DATABASE_URL", "postgresql:///lectern"},
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        setenv(values[i][0], values[i][1], 1);
    return settings_load(NULL, stderr);
}

/* --- codes of links ------------------------------------------------------------------------ */

static void
test_link_code(void)
{
    uint8_t digest[SHA256_LEN], again[SHA256_LEN], other[SHA256_LEN], plain[SHA256_LEN];
    struct text code = link_code_issue(a, digest), second = link_code_issue(a, other);

    CU_ASSERT_EQUAL_FATAL(code.len, 14);
    CU_ASSERT_EQUAL(code.p[4], '-');
    CU_ASSERT_EQUAL(code.p[9], '-');
    CU_ASSERT_FALSE(text_eq(code, second));
    CU_ASSERT_NOT_EQUAL(memcmp(digest, other, sizeof digest), 0);
    CU_ASSERT_TRUE(link_code_parse(code, again));
    CU_ASSERT_EQUAL(memcmp(digest, again, sizeof digest), 0);
    sha256(code, plain);
    CU_ASSERT_NOT_EQUAL(memcmp(digest, plain, sizeof digest), 0);
}

/* Different ways to write one code down, and what is none. */
static void
test_link_code_forms(void)
{
    static const char *const same[] = {"A0B1-C2D1-E3F0", "a0b1c2d1e3f0", "AOBI-C2DL-E3FO",
                                       "-aobl-c2di-e3fo-"};
    static const char *const bad[] = {"",
                                      "A0B1-C2D1-E3F",
                                      "A0B1-C2D1-E3F00",
                                      "A0B1-C2D1-E3FU",
                                      "A0B1 C2D1 E3F0",
                                      "A0B1-C2D1-E3F\xc3\xa9",
                                      "------------"};
    uint8_t digest[SHA256_LEN], first[SHA256_LEN];

    CU_ASSERT_TRUE_FATAL(link_code_parse(text_of(same[0]), first));
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        CU_ASSERT_TRUE(link_code_parse(text_of(same[i]), digest));
        CU_ASSERT_EQUAL(memcmp(digest, first, sizeof digest), 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CU_ASSERT_FALSE(link_code_parse(text_of(bad[i]), digest));
    CU_ASSERT_FALSE(link_code_parse(TEXT_NULL, digest));
    CU_ASSERT_FALSE(link_code_parse((struct text){"A0B1\0C2D1E3F0", 13}, digest));
}

static void
test_link(void)
{
    struct text verify = TEXT("verify_email"), reset = TEXT("password_reset");
    uint8_t digest[SHA256_LEN], again[SHA256_LEN], other[SHA256_LEN], plain[SHA256_LEN];
    struct text token = link_issue(a, verify, digest);
    struct text second = link_issue(a, verify, other);

    CU_ASSERT_EQUAL(token.len, 43);
    CU_ASSERT_FALSE(text_eq(token, second));
    CU_ASSERT_NOT_EQUAL(memcmp(digest, other, sizeof(digest)), 0);
    CU_ASSERT_TRUE(link_read(token, verify, again));
    CU_ASSERT_EQUAL(memcmp(digest, again, sizeof(digest)), 0);
    CU_ASSERT_TRUE(link_read(token, reset, other)); /* the form is right, the digest is another */
    CU_ASSERT_NOT_EQUAL(memcmp(digest, other, sizeof(digest)), 0);
    sha256(token, plain);
    CU_ASSERT_NOT_EQUAL(memcmp(digest, plain, sizeof(digest)), 0);
}

static void
test_link_bad(void)
{
    struct text purpose = TEXT("verify_email");
    uint8_t digest[SHA256_LEN];
    struct text token = link_issue(a, purpose, digest);
    char copy[48];

    CU_ASSERT_FALSE(link_read(TEXT_NULL, purpose, digest));
    for (size_t len = 0; len < token.len; len++)
        CU_ASSERT_FALSE(link_read((struct text){token.p, len}, purpose, digest));
    memcpy(copy, token.p, token.len);
    copy[token.len] = 'A';
    CU_ASSERT_FALSE(link_read((struct text){copy, token.len + 1}, purpose, digest));
    copy[token.len - 1] = 'B'; /* bits that belong to no byte */
    CU_ASSERT_FALSE(link_read((struct text){copy, token.len}, purpose, digest));
    for (const char *c = "+/=. \n%"; *c != '\0'; c++) {
        copy[20] = *c;
        CU_ASSERT_FALSE(link_read((struct text){copy, token.len}, purpose, digest));
    }
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"refresh: issued tokens come back", test_refresh},
        {"refresh: hostile forms", test_refresh_bad},
        {"refresh: forged tokens have other digests", test_refresh_forged},
        {"link: of its purpose only", test_link},
        {"link: hostile forms", test_link_bad},
        {"csrf: of its session only", test_csrf},
        {"cursor: of its list only", test_cursor},
        {"cursor: hostile forms", test_cursor_bad},
        {"password: while one is computed, its core is offered to others", test_password_turns},
        {"password: on a busy machine no core is offered for a while", test_turns_pause},
        {"password: hash and verify", test_password},
        {"password: parameters that have risen", test_password_stale},
        {"password: hostile hashes", test_password_bad_phc},
        {"password: unknown accounts take as long", test_password_time},
        {"password: weak ones", test_password_weak},
        {"password: the shipped list", test_password_list},
        {"link code: issued ones come back", test_link_code},
        {"link code: as people write it", test_link_code_forms},
        {NULL, NULL},
    };
    int status;

    if (settings_prepare() != 0)
        return EXIT_FAILURE;
    a = arena_new((size_t)16 << 20);
    status = unit_main("auth secret", cases);
    arena_free(a);
    return status;
}
