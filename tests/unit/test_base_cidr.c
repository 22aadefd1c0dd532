#include "unit.h"

#include "base/cidr.h"
#include "base/settings.h"

static void
test_parse_bad(void)
{
    static const char *const bad[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0/ 8",
        "10.0.0/8",
        "10.0.0.256",
        "010.0.0.1",
        "0x0a.0.0.1",
        "10.1",
        "10.0.0.1/8",     /* bits behind the prefix */
        "2001:db8::1/32", /* likewise */
        "2001:db8::/129",
        "2001:db8:::/32",
        "fe80::1%eth0",
        "[::1]",
        "::1 ",
        "localhost",
        "*",
        "1:2:3:4:5:6:7:8:9",
        "10.0.0.0/999999999999999999999",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
    };
    struct cidr c;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (cidr_parse(text_of(bad[i]), &c))
            CU_FAIL(bad[i]);
    }
    CU_ASSERT_FALSE(cidr_parse(TEXT("10.0.0.1\0"), &c));
    CU_ASSERT_FALSE(cidr_parse(TEXT_NULL, &c));
}

static bool
match(const char *list, const char *address)
{
    return cidr_match(text_of(list), text_of(address));
}

static void
test_version_4(void)
{
    CU_ASSERT_TRUE(match("10.0.0.0/8", "10.255.255.255"));
    CU_ASSERT_FALSE(match("10.0.0.0/8", "11.0.0.0"));
    CU_ASSERT_TRUE(match("192.0.2.128/25", "192.0.2.128"));
    CU_ASSERT_FALSE(match("192.0.2.128/25", "192.0.2.127"));
    CU_ASSERT_TRUE(match("192.0.2.1", "192.0.2.1"));
    CU_ASSERT_FALSE(match("192.0.2.1/32", "192.0.2.0"));
    CU_ASSERT_TRUE(match("0.0.0.0/0", "203.0.113.9"));
    CU_ASSERT_FALSE(match("0.0.0.0/0", "2001:db8::1"));
    CU_ASSERT_TRUE(match("172.16.0.0/12, 10.0.0.0/8 ,192.0.2.1", "192.0.2.1"));
}

static void
test_version_6(void)
{
    CU_ASSERT_TRUE(match("2001:db8::/32", "2001:db8:ffff::1"));
    CU_ASSERT_TRUE(match("2001:db8::/32", "2001:0DB8:0:0:0:0:0:1"));
    CU_ASSERT_FALSE(match("2001:db8::/32", "2001:db9::1"));
    CU_ASSERT_TRUE(match("2001:db8:0:8000::/49", "2001:db8:0:ffff::"));
    CU_ASSERT_FALSE(match("2001:db8:0:8000::/49", "2001:db8:0:7fff::"));
    CU_ASSERT_TRUE(match("::1", "::1"));
    CU_ASSERT_FALSE(match("::1", "::2"));
    CU_ASSERT_TRUE(match("::/0", "2001:db8::1"));
    CU_ASSERT_FALSE(match("::/0", "192.0.2.1"));
    CU_ASSERT_FALSE(match("::/0", "::ffff:192.0.2.1"));
}

static void
test_mapped(void)
{
    CU_ASSERT_TRUE(match("10.0.0.0/8", "::ffff:10.1.2.3"));
    CU_ASSERT_TRUE(match("10.0.0.0/8", "::ffff:0a01:0203"));
    CU_ASSERT_FALSE(match("10.0.0.0/8", "::ffff:11.1.2.3"));
    CU_ASSERT_TRUE(match("::ffff:10.0.0.0/104", "10.1.2.3"));
    CU_ASSERT_FALSE(match("10.0.0.0/8", "::10.1.2.3")); /* compatible, not mapped */
}

static void
test_match_bad(void)
{
    CU_ASSERT_FALSE(match("", "10.0.0.1"));
    CU_ASSERT_FALSE(match(NULL, "10.0.0.1"));
    CU_ASSERT_FALSE(match("0.0.0.0/0,::/0", ""));
    CU_ASSERT_FALSE(match("0.0.0.0/0,::/0", NULL));
    CU_ASSERT_FALSE(match("0.0.0.0/0,::/0", "unix:"));
    CU_ASSERT_FALSE(match("0.0.0.0/0,::/0", "10.0.0.1/8"));
    CU_ASSERT_FALSE(match("0.0.0.0/0,::/0", "10.0.0.1 "));
    CU_ASSERT_FALSE(match("nonsense,,10.0.0.0/8x", "10.0.0.1"));
    CU_ASSERT_TRUE(match("nonsense,,10.0.0.0/8", "10.0.0.1"));
}

int
main(void)
{
    static const struct unit_case cases[] = {
        {"bad networks", test_parse_bad}, {"version 4", test_version_4},
        {"version 6", test_version_6},    {"mapped", test_mapped},
        {"bad matches", test_match_bad},  {NULL, NULL},
    };

    return unit_main("base cidr", cases);
}
