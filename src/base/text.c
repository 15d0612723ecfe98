#include "base/text.h"

enum { WORD_MOST = 64, ID_CHARACTERS = 13 };

static const char base32[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum status
text_parse_u64(struct slice text, uint64_t *out)
{
    uint64_t value = 0;

    if (text.len == 0)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR_INVALID;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
            return ERR_LIMIT;
    }
    *out = value;
    return OK;
}

size_t
text_format_u64(uint64_t number, char *out)
{
    char digits[TEXT_U64_SIZE];
    size_t at = sizeof(digits);

    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    memcpy(out, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}

void
text_format_id(uint64_t id, char *out)
{
    for (int i = ID_CHARACTERS - 1; i >= 0; i--) {
        out[i] = base32[id & 31];
        id >>= 5;
    }
    out[ID_CHARACTERS] = '\0';
}

static int
base32_value(char c)
{
    const char *at;

    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    if (c == 'i' || c == 'l')
        c = '1';
    if (c == 'o')
        c = '0';
    at = c != '\0' ? strchr(base32, c) : NULL;
    return at != NULL ? (int)(at - base32) : -1;
}

enum status
text_parse_id(struct slice text, uint64_t *out)
{
    uint64_t id = 0;

    if (text.len != ID_CHARACTERS)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        int value = base32_value(text.data[i]);

        if (value < 0 || (i == 0 && value > 15)) /* 13 × 5 bits is one more than fits */
            return ERR_INVALID;
        id = id << 5 | (uint64_t)value;
    }
    *out = id;
    return OK;
}

void
text_format_hex(struct slice bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];

        out[2 * i] = digits[c >> 4];
        out[2 * i + 1] = digits[c & 15];
    }
    out[2 * bytes.len] = '\0';
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum status
text_parse_hex(struct slice text, unsigned char *out, size_t out_len)
{
    if (text.len != 2 * out_len)
        return ERR_INVALID;
    for (size_t i = 0; i < out_len; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);

        if (high < 0 || low < 0)
            return ERR_INVALID;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return OK;
}

static unsigned
least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned
text_distance(struct slice a, struct slice b)
{
    unsigned rows[3][WORD_MOST + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    if (a.len > WORD_MOST || b.len > WORD_MOST)
        return WORD_MOST;
    for (unsigned j = 0; j <= b.len; j++)
        above[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned *oldest = before;

        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            bool same = a.data[i - 1] == b.data[j - 1];

            row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + !same);
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[b.len];
}

const char *
text_nearest(struct slice word, const char *const *words, size_t count)
{
    unsigned most = (unsigned)(word.len / 3);
    const char *nearest = NULL;

    most = most < 1 ? 1 : most > 3 ? 3 : most;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = text_distance(word, slice_of(words[i]));

        if (distance <= most) {
            most = distance != 0 ? distance - 1 : 0;
            nearest = words[i];
            if (distance == 0)
                break;
        }
    }
    return nearest;
}

/* RFC 3629, 4: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t
text_utf8_len(struct slice text)
{
    const unsigned char *s = (const unsigned char *)text.data;
    size_t need;
    unsigned char low = 0x80, high = 0xbf;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (text.len < need)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

bool
text_is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = text_utf8_len(text);

        if (len == 0)
            return false;
        text = slice_from(text, len);
    }
    return true;
}

/* U+2000 to U+2FFF, from its second byte on. */
static bool
is_tame_punctuation(unsigned char second, unsigned char third)
{
    if (second == 0x80)
        return !(third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae)); /* U+200E, U+2028 to U+202E */
    return !(second == 0x81 && third >= 0xa6 && third <= 0xa9);                       /* U+2066 to U+2069 */
}

static bool
is_tame(struct slice text)
{
    const unsigned char *c = (const unsigned char *)text.data;

    if (c[0] < 0x20 || c[0] == 0x7f)
        return false;
    if (text.len >= 2 && c[0] == 0xc2)
        return c[1] > 0x9f;
    if (text.len >= 2 && c[0] == 0xd8)
        return c[1] != 0x9c; /* U+061C */
    return text.len < 3 || c[0] != 0xe2 || is_tame_punctuation(c[1], c[2]);
}

bool
text_is_tame(struct slice text)
{
    for (; text.len > 0; text = slice_from(text, 1))
        if (!is_tame(text))
            return false;
    return true;
}

bool
text_glob(struct slice pattern, struct slice text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && (pattern.data[p] == '?' || pattern.data[p] == text.data[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.data[p] == '*')
        p++;
    return p == pattern.len;
}
