/* One strict pass over a JSON document. What passes here, json-c reads as it was meant. */
#include "wire/json_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

enum {
    NUMBER_MAX = 128,     /* bytes of one number; no sender of ours writes longer ones */
    NAMES_INITIAL = 32,   /* slots, a power of two */
    INT_DIGITS_SAFE = 18, /* so many digits always fit int64 */
};

const struct json_limits json_limits_default = {
    .depth = 32,
    .members = 10000,
    .elements = 10000,
    .string_max =
        (size_t)1024 * 1024 /* the longest text, 100,000 code points, may come as escapes */};

/* A member name seen, under the number of the object that it stands in. */
struct name_slot {
    uint64_t hash;
    size_t object; /* 0: empty slot */
    struct text name;
};

struct scan {
    struct arena *arena;
    const struct json_limits *limits;
    const char *start;
    const char *p;
    const char *end;
    unsigned depth;
    size_t members;
    size_t elements;
    size_t objects; /* numbered from 1 */
    struct name_slot *slots;
    size_t slot_count;
    size_t slots_used;
};

static err scan_value(struct scan *s);

static bool
at(const struct scan *s, char c)
{
    return s->p < s->end && *s->p == c;
}

static void
skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
        s->p++;
}

static err
expect(struct scan *s, char c)
{
    if (!at(s, c))
        return E_JSON_SYNTAX;
    s->p++;
    return E_OK;
}

static err
scan_word(struct scan *s, struct text word)
{
    if ((size_t)(s->end - s->p) < word.len || memcmp(s->p, word.p, word.len) != 0)
        return E_JSON_SYNTAX;
    s->p += word.len;
    return E_OK;
}

/* ---- numbers ---- */

static size_t
skip_digits(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

static bool
double_finite(struct text number)
{
    char z[NUMBER_MAX + 1];

    memcpy(z, number.p, number.len);
    z[number.len] = '\0';
    return isfinite(strtod(z, NULL));
}

static err
scan_digits(struct scan *s)
{
    return skip_digits(s) > 0 ? E_OK : E_JSON_SYNTAX;
}

/* At the 'e'. */
static err
scan_exponent(struct scan *s)
{
    s->p++;
    s->p += at(s, '+') || at(s, '-');
    return scan_digits(s);
}

/* Without an exponent, so few bytes cannot pass 1e308. */
static err
number_check(struct text number, bool integer, bool exponent)
{
    int64_t ignored;

    if (number.len > NUMBER_MAX)
        return E_JSON_LIMIT;
    if (integer && number.len > INT_DIGITS_SAFE && !text_to_int(number, &ignored))
        return E_JSON_SYNTAX;
    return exponent && !double_finite(number) ? E_JSON_SYNTAX : E_OK;
}

static err
scan_number(struct scan *s)
{
    const char *from = s->p;

    s->p += at(s, '-');
    bool zero = at(s, '0');
    size_t digits = skip_digits(s);
    if (digits == 0 || (zero && digits > 1))
        return E_JSON_SYNTAX;
    bool fraction = at(s, '.');
    if (fraction) {
        s->p++;
        TRY(scan_digits(s));
    }
    bool exponent = at(s, 'e') || at(s, 'E');
    if (exponent)
        TRY(scan_exponent(s));
    return number_check((struct text){from, (size_t)(s->p - from)}, !fraction && !exponent,
                        exponent);
}

/* ---- strings ---- */

/* RFC 7493, 2.1: neither surrogates nor noncharacters; NUL cannot live in a C string or a
 * database text. */
static bool
code_point_allowed(uint32_t c)
{
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    bool noncharacter = (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;

    return c != 0 && c <= 0x10ffff && !surrogate && !noncharacter;
}

/* One sequence of two bytes or more. */
static err
scan_multibyte(struct scan *s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)*s->p;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t c = lead & (0x7fu >> len);

    if (lead < 0xc2 || lead > 0xf4 || (size_t)(s->end - s->p) < len)
        return E_JSON_SYNTAX;
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)s->p[i];
        if ((next & 0xc0) != 0x80)
            return E_JSON_SYNTAX;
        c = (c << 6) | (next & 0x3fu);
    }
    if (c < least[len] || !code_point_allowed(c))
        return E_JSON_SYNTAX;
    s->p += len;
    return E_OK;
}

/* Four hexadecimal digits. */
static bool
hex4(const char *p, const char *end, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int v = hex_digit(p[i]);
        if (v < 0)
            return false;
        unit = unit << 4 | (uint32_t)v;
    }
    *ret_unit = unit;
    return true;
}

/* The code point of the escape whose 'u' is at *p; *p moves behind it. */
static bool
unicode_escape(const char **p, const char *end, uint32_t *ret_point)
{
    uint32_t high, low;

    if (!hex4(*p + 1, end, &high))
        return false;
    *p += 5;
    if (high >= 0xd800 && high <= 0xdbff) {
        if (end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u' || !hex4(*p + 2, end, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return false;
        *p += 6;
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    *ret_point = high;
    return code_point_allowed(high);
}

/* At the backslash. */
static err
scan_escape(struct scan *s)
{
    uint32_t point;

    s->p++;
    if (s->p == s->end)
        return E_JSON_SYNTAX;
    if (*s->p == 'u')
        return unicode_escape(&s->p, s->end, &point) ? E_OK : E_JSON_SYNTAX;
    if (memchr("\"\\/bfnrt", *s->p, 8) == NULL)
        return E_JSON_SYNTAX;
    s->p++;
    return E_OK;
}

/* Leaves the bytes between the quotes in *ret_raw. */
static err
scan_string(struct scan *s, struct text *ret_raw, bool *ret_escaped)
{
    TRY(expect(s, '"'));
    const char *from = s->p;
    *ret_escaped = false;
    while (s->p < s->end && *s->p != '"') {
        unsigned char c = (unsigned char)*s->p;
        if (c < 0x20)
            return E_JSON_SYNTAX;
        if (c == '\\') {
            *ret_escaped = true;
            TRY(scan_escape(s));
        } else if (c >= 0x80) {
            TRY(scan_multibyte(s));
        } else {
            s->p++;
        }
        if ((size_t)(s->p - from) > s->limits->string_max)
            return E_JSON_LIMIT;
    }
    *ret_raw = (struct text){from, (size_t)(s->p - from)};
    return expect(s, '"');
}

/* ---- member names ---- */

static size_t
utf8_put(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* An escape is never shorter than what it stands for, so raw.len bytes are room enough. The text
 * has been scanned. */
static struct text
unescape(struct arena *a, struct text raw)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    char *to = arena_alloc(a, raw.len);
    const char *p = raw.p, *end = raw.p + raw.len;
    size_t len = 0;

    while (p < end) {
        if (*p != '\\') {
            to[len++] = *p++;
            continue;
        }
        p++;
        if (*p == 'u') {
            uint32_t point = 0;
            unicode_escape(&p, end, &point);
            len += utf8_put(to + len, point);
        } else {
            const char *found = strchr(letters, *p++);
            to[len++] = (char)(found == NULL ? '\0' : meant[found - letters]);
        }
    }
    return (struct text){to, len};
}

/* Under a key of this process: a stranger cannot make names collide. */
static uint64_t
name_hash(struct text name)
{
    static uint8_t key[16];
    static bool made;

    if (!made) {
        random_bytes(key, sizeof(key));
        made = true;
    }
    return siphash(key, name.p, name.len);
}

/* The slot of this name in this object, or the empty one where it would go. */
static struct name_slot *
slot_find(struct name_slot *slots, size_t count, const struct name_slot *wanted)
{
    size_t i = (size_t)(wanted->hash + wanted->object) & (count - 1);

    while (slots[i].object != 0 &&
           !(slots[i].object == wanted->object && slots[i].hash == wanted->hash &&
             text_eq(slots[i].name, wanted->name)))
        i = (i + 1) & (count - 1);
    return &slots[i];
}

/* Kept at most half full. */
static void
slots_grow(struct scan *s)
{
    size_t count = s->slot_count == 0 ? NAMES_INITIAL : s->slot_count * 2;
    struct name_slot *slots = arena_array(s->arena, count, sizeof(*slots));

    for (size_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i].object != 0)
            *slot_find(slots, count, &s->slots[i]) = s->slots[i];
    }
    s->slots = slots;
    s->slot_count = count;
}

static err
name_enter(struct scan *s, size_t object, struct text raw, bool escaped)
{
    struct text name = escaped ? unescape(s->arena, raw) : raw;
    struct name_slot wanted = {.hash = name_hash(name), .object = object, .name = name};

    if (s->slots_used * 2 >= s->slot_count)
        slots_grow(s);
    struct name_slot *slot = slot_find(s->slots, s->slot_count, &wanted);
    if (slot->object != 0)
        return E_JSON_SYNTAX;
    *slot = wanted;
    s->slots_used++;
    return E_OK;
}

/* ---- containers ---- */

static err
scan_member(struct scan *s, size_t object)
{
    struct text raw;
    bool escaped;

    if (++s->members > s->limits->members)
        return E_JSON_LIMIT;
    const char *from = s->p;
    TRY(scan_string(s, &raw, &escaped));
    if (name_enter(s, object, raw, escaped) != E_OK) {
        s->p = from;
        return E_JSON_SYNTAX;
    }
    skip_space(s);
    TRY(expect(s, ':'));
    return scan_value(s);
}

static err
scan_item(struct scan *s, size_t object)
{
    if (object != 0)
        return scan_member(s, object);
    if (++s->elements > s->limits->elements)
        return E_JSON_LIMIT;
    return scan_value(s);
}

/* An array (object 0) or the object of this number, at its opening bracket. */
static err
scan_container(struct scan *s, size_t object)
{
    char closing = object != 0 ? '}' : ']';

    if (s->depth == s->limits->depth)
        return E_JSON_DEPTH;
    s->depth++;
    s->p++;
    skip_space(s);
    if (!at(s, closing)) {
        TRY(scan_item(s, object));
        skip_space(s);
        while (at(s, ',')) {
            s->p++;
            skip_space(s);
            TRY(scan_item(s, object));
            skip_space(s);
        }
    }
    s->depth--;
    return expect(s, closing);
}

static err
scan_value(struct scan *s)
{
    struct text raw;
    bool escaped;

    skip_space(s);
    switch (s->p < s->end ? *s->p : '\0') {
    case '{':
        return scan_container(s, ++s->objects);
    case '[':
        return scan_container(s, 0);
    case '"':
        return scan_string(s, &raw, &escaped);
    case 't':
        return scan_word(s, TEXT("true"));
    case 'f':
        return scan_word(s, TEXT("false"));
    case 'n':
        return scan_word(s, TEXT("null"));
    default:
        return scan_number(s);
    }
}

err
json_scan(struct arena *a, struct text document, const struct json_limits *limits,
          size_t *ret_offset)
{
    const char *start = document.p == NULL ? "" : document.p;
    struct scan s = {
        .arena = a, .limits = limits, .start = start, .p = start, .end = start + document.len};
    err e = scan_value(&s);

    if (e == E_OK) {
        skip_space(&s);
        e = s.p == s.end ? E_OK : E_JSON_SYNTAX;
    }
    if (ret_offset != NULL)
        *ret_offset = (size_t)(s.p - s.start);
    return e;
}
