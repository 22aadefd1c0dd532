/* A mail's bytes: whatever is in the texts, the headers are those that were meant. */
#include <string.h>

#include "out/mime.h"
#include "unit.h"

static struct buf out;

static struct mime_mail
sample(void)
{
    return (struct mime_mail){.id = TEXT("0190-a"),
                              .date = {1700000000000000},
                              .kind = TEXT("invitation"),
                              .from_name = TEXT("Lectern"),
                              .from = TEXT("lectern@school.test"),
                              .to_name = TEXT("A Student"),
                              .to = TEXT("student@school.test"),
                              .subject = TEXT("Hello"),
                              .plain = TEXT("One line"),
                              .html = TEXT("<p>One line</p>")};
}

static const char *
written(const struct mime_mail *m)
{
    buf_free(&out);
    buf_init(&out, 256, 1 << 20);
    CU_ASSERT_TRUE_FATAL(mime_write(&out, m));
    buf_char(&out, '\0');
    return out.p;
}

static void
test_headers(void)
{
    struct mime_mail m = sample();
    const char *text = written(&m);

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nFrom: Lectern\r\n <lectern@school.test>\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nTo: A Student\r\n <student@school.test>\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nSubject: Hello\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nMessage-ID: <0190-a@school.test>\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nAuto-Submitted: auto-generated\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\nMIME-Version: 1.0\r\n"));
    m.to_name = TEXT_NULL;
    CU_ASSERT_PTR_NOT_NULL(strstr(written(&m), "\r\nTo: <student@school.test>\r\n"));
}

/* Every line ends with CRLF, none is longer than 78 bytes or empty of all but space, no byte is
 * above ASCII. */
static void
check_lines(const char *text)
{
    const char *line = text;

    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        CU_ASSERT_TRUE_FATAL(end > line && end[-1] == '\r' && end - line <= 79);
        CU_ASSERT_FALSE_FATAL(end - line > 1 && end[-2] == ' ');
    }
    CU_ASSERT_EQUAL(*line, '\0');
    for (const char *c = text; *c != '\0'; c++)
        CU_ASSERT_TRUE_FATAL((unsigned char)*c < 0x80);
}

static size_t
count(const char *text, const char *part)
{
    size_t n = 0;

    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

static void
test_nothing_begins_a_header(void)
{
    static const char *const bad[] = {
        "x\r\nBcc: thief@else.test",
        "x\nBcc: thief@else.test",
        "x\r\n\r\n<script>",
        "x\rBcc: y",
        "=?UTF-8?Q?x=0D=0ABcc:_y?=",
        "a\tb",
        "\"><thief@else.test>",
        "x>, <thief@else.test",
        "\xc3\xa4\xc3\xb6\xc3\xbc \xe2\x82\xac \xf0\x9f\x8e\x93",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mime_mail m = sample();
        m.to_name = m.from_name = text_of(bad[i]);
        const char *text = written(&m);
        CU_ASSERT_EQUAL(count(text, "\r\n\r\n"),
                        3); /* after the headers of the whole, and of parts */
        CU_ASSERT_PTR_NULL(strstr(text, "thief@"));
        CU_ASSERT_EQUAL(count(text, "\r\nFrom: =?UTF-8?Q?"), 1);
        CU_ASSERT_EQUAL(count(text, "\r\nTo: =?UTF-8?Q?"), 1);
        check_lines(text);
        m.subject = text_of(bad[i]);
        text = written(&m);
        CU_ASSERT_EQUAL(count(text, "\r\nSubject: "), 1);
        CU_ASSERT_EQUAL(count(text, "\r\nBcc"), 0);
        CU_ASSERT_EQUAL(count(text, "\r\n\r\n"), 3);
        check_lines(text);
    }
}

static void
test_encoded_words(void)
{
    struct mime_mail m = sample();

    m.subject = TEXT("Pr\xc3\xbc"
                     "fung? a=b_c");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(written(&m), "Subject: =?UTF-8?Q?Pr=C3=BCfung=3F_a=3Db=5Fc?=\r\n"));
    /* 40 times four bytes: words of at most 75 bytes, divided between code points. */
    char many[161];
    for (size_t i = 0; i < 40; i++)
        memcpy(many + 4 * i, "\xf0\x9f\x8e\x93", 4);
    m.subject = (struct text){many, 160};
    const char *text = written(&m);
    CU_ASSERT_EQUAL(count(text, "=F0=9F=8E=93"), 40);
    CU_ASSERT_EQUAL(count(text, "=?UTF-8?Q?"), 9); /* four in the first line, five in others */
    check_lines(text);
}

static void
test_addresses(void)
{
    static const char *const good[] = {"a@b", "a.b+c@d-e.test", "!#$%&'*+/=?^_`{|}~-@x.test"};
    static const char *const bad[] = {
        "",           "a",          "@b",     "a@",           "a@b@c", "a b@c",  "a@b c",
        ".a@b",       "a.@b",       "a..b@c", "a@.b",         "a@b.",  "a@b..c", "a>@b",
        "a@b>,<c@d",  "a\r\n@b",    "a@b\n",  "\"a\"@b",      "a,b@c", "a;b@c",  "a:b@c",
        "\xc3\xa4@b", "a@\xc3\xa4", "a@b/c",  "a@[127.0.0.1]"};
    struct mime_mail m = sample();

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        CU_ASSERT_TRUE(mime_address_valid(text_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(mime_address_valid(text_of(bad[i])));
        m.to = text_of(bad[i]);
        buf_reset(&out);
        CU_ASSERT_FALSE(mime_write(&out, &m));
        CU_ASSERT_EQUAL(out.len, 0);
    }
    CU_ASSERT_FALSE(mime_address_valid((struct text){"a\0@b", 4}));
    m = sample();
    m.from = TEXT("x");
    CU_ASSERT_FALSE(mime_write(&out, &m));
    char local[66];
    memset(local, 'a', 65);
    memcpy(local + 64, "@b", 2);
    CU_ASSERT_TRUE(mime_address_valid((struct text){local, 66}));
    struct text longer =
        TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b");
    CU_ASSERT_FALSE(mime_address_valid(longer));
}

static void
test_bodies(void)
{
    struct mime_mail m = sample();
    char line[400];

    memset(line, 'x', sizeof line);
    m.plain = (struct text){line, sizeof line};
    m.html = TEXT("a = b \n\xc3\xa4\t\n.\n--=_0190-a\nFrom x\n ");
    const char *text = written(&m);
    check_lines(text);
    CU_ASSERT_EQUAL(count(text, "x=\r\nx"), 5);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "a =3D b=20\r\n=C3=A4=09\r\n.\r\n--=3D_0190-a\r\nFrom x\r\n=20\r\n"));
    CU_ASSERT_EQUAL(count(text, "\r\n--=_0190-a\r\n"), 2);
    CU_ASSERT_EQUAL(count(text, "\r\n--=_0190-a--\r\n"), 1);
    CU_ASSERT_TRUE(strstr(text, "text/plain") < strstr(text, "text/html"));
}

static void
test_too_large(void)
{
    struct mime_mail m = sample();
    struct buf small;

    buf_init(&small, 16, 64);
    CU_ASSERT_FALSE(mime_write(&small, &m));
    buf_free(&small);
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"headers", test_headers},
        {"nothing begins a header", test_nothing_begins_a_header},
        {"encoded words", test_encoded_words},
        {"addresses", test_addresses},
        {"bodies", test_bodies},
        {"too large", test_too_large},
        {NULL, NULL},
    };
    int status;

    buf_init(&out, 256, 1 << 20);
    status = unit_main("out mime", cases);
    buf_free(&out);
    return status;
}
