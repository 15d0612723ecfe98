#include "embed/literal_number.h"

#include <stdio.h>

#include "base/hash.h"

enum { GROUPS_MOST = 12 };

/* Digits, with what stands between them. */
struct groups {
    unsigned count;
    struct slice digits[GROUPS_MOST];
    char separators[GROUPS_MOST]; /* [i] stands before digits[i]; a space for all kinds of spaces */
};

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct slice
take_digits(struct slice text)
{
    size_t len = 0;

    while (len < text.len && is_digit(text.data[len]))
        len++;
    return slice_first(text, len);
}

/* What may stand between the digits of one number; its bytes, 0 if it is none. */
static size_t
separator_len(struct slice text, char *kind)
{
    static const struct {
        const char *text;
        char kind;
    } others[] = {{"\xe2\x80\x99", '\''}, {"\xc2\xa0", ' '}, {"\xe2\x80\xaf", ' '}, {"\xe2\x80\x89", ' '}};

    if (text.len > 0 && strchr(",.'_ -/:", text.data[0]) != NULL && text.data[0] != '\0') {
        *kind = text.data[0];
        return 1;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (slice_starts(text, others[i].text)) {
            *kind = others[i].kind;
            return strlen(others[i].text);
        }
    return 0;
}

static void
read_groups(struct slice text, struct groups *groups)
{
    groups->count = 0;
    while (groups->count < GROUPS_MOST) {
        char kind = 0;
        size_t separator = groups->count > 0 ? separator_len(text, &kind) : 0;
        struct slice digits = take_digits(slice_from(text, separator));

        if (digits.len == 0 || (groups->count > 0 && separator == 0))
            return;
        groups->separators[groups->count] = kind;
        groups->digits[groups->count++] = digits;
        text = slice_from(text, separator + digits.len);
    }
}

static int
value_of(struct slice digits)
{
    int value = 0;

    if (digits.len > 4)
        return -1;
    for (size_t i = 0; i < digits.len; i++)
        value = value * 10 + (digits.data[i] - '0');
    return value;
}

/* Up to the end of group `last`. */
static size_t
len_to(struct slice text, const struct groups *groups, unsigned last)
{
    return (size_t)(groups->digits[last].data - text.data) + groups->digits[last].len;
}

static void
add(struct literal_number *out, struct slice bytes)
{
    size_t len = bytes.len < sizeof(out->text) - out->used ? bytes.len : sizeof(out->text) - out->used;

    if (len > 0)
        memcpy(out->text + out->used, bytes.data, len);
    out->used += len;
}

void
literal_date_write(int year, int month, int day, struct literal_number *out)
{
    out->is_date = true;
    out->used = (size_t)snprintf(out->text, sizeof(out->text), "%d-%d-%d", year, month, day);
}

/* 2024-01-31, 31.1.2024, 1/31/2024. With slashes, and both below 13, either order may be meant: it stays as it is. */
static bool
read_date(struct slice text, const struct groups *groups, struct literal_number *out)
{
    char separator = groups->separators[1];
    int a, b, c;

    if (groups->count < 3 || groups->separators[2] != separator || strchr("-./", separator) == NULL)
        return false;
    a = value_of(groups->digits[0]);
    b = value_of(groups->digits[1]);
    c = value_of(groups->digits[2]);
    if (groups->digits[0].len == 4 && b >= 1 && b <= 12 && c >= 1 && c <= 31) {
        literal_date_write(a, b, c, out);
    } else if (groups->digits[2].len != 4 || a < 1 || b < 1 || a > 31 || b > 31 || (a > 12 && b > 12)) {
        return false;
    } else if (separator == '/' && a <= 12 && b <= 12) {
        out->is_date = true;
        add(out, slice_first(text, len_to(text, groups, 2)));
    } else {
        literal_date_write(c, b > 12 ? a : b, b > 12 ? b : a, out);
    }
    out->len = len_to(text, groups, 2);
    return true;
}

/* 10:30 or 10:30:15, without a zero in front. */
static bool
read_time(struct slice text, const struct groups *groups, struct literal_number *out)
{
    unsigned last = 1;

    if (groups->count < 2 || groups->separators[1] != ':' || groups->digits[0].len > 2 || groups->digits[1].len != 2)
        return false;
    if (groups->count > 2 && groups->separators[2] == ':' && groups->digits[2].len == 2)
        last = 2;
    out->len = len_to(text, groups, last);
    add(out, slice_first(text, out->len));
    if (text.data[0] == '0' && groups->digits[0].len == 2) {
        out->used--;
        memmove(out->text, out->text + 1, out->used);
    }
    return true;
}

/* 192.168.0.1, 1.2.3: not a number, but to be the same. */
static bool
read_version(struct slice text, const struct groups *groups, unsigned thousands, struct literal_number *out)
{
    unsigned last = 0;

    while (last + 1 < groups->count && groups->separators[last + 1] == '.')
        last++;
    if (last < 2 || thousands >= last)
        return false;
    out->len = len_to(text, groups, last);
    add(out, slice_first(text, out->len));
    return true;
}

/* How many groups behind the first are thousands: all of three digits, behind the same separator. */
static unsigned
count_thousands(const struct groups *groups)
{
    unsigned count = 0;
    char separator = groups->separators[1];

    if (groups->count < 2 || groups->digits[0].len > 3 || strchr(",.' _", separator) == NULL)
        return 0;
    while (count + 1 < groups->count && groups->separators[count + 1] == separator &&
           groups->digits[count + 1].len == 3)
        count++;
    /* One point may be a decimal one, unless a comma follows that is. */
    if (separator == '.' && count == 1 && (groups->count < 3 || groups->separators[2] != ','))
        return 0;
    return count;
}

/* Behind the whole part: ".50" is ".5"; but ".500" after a part without thousands may be five hundred, and stays. */
static void
add_fraction(struct literal_number *out, struct slice digits, bool may_be_thousands)
{
    while (digits.len > 0 && digits.data[digits.len - 1] == '0' && !may_be_thousands)
        digits.len--;
    if (digits.len == 0)
        return;
    add(out, SLICE_LITERAL("."));
    add(out, digits);
    out->whole = -1;
}

static void
read_number(struct slice text, struct literal_number *out)
{
    struct groups groups = {.separators = {0}};
    unsigned thousands, next;

    read_groups(text, &groups);
    thousands = count_thousands(&groups);
    if (groups.count >= 2 &&
        (read_date(text, &groups, out) || read_time(text, &groups, out) || read_version(text, &groups, thousands, out)))
        return;
    for (unsigned i = 0; i <= thousands; i++)
        add(out, groups.digits[i]);
    out->whole = thousands == 0 ? value_of(groups.digits[0]) : -1;
    out->len = len_to(text, &groups, thousands);
    next = thousands + 1;
    if (next >= groups.count || (groups.separators[next] != '.' && groups.separators[next] != ','))
        return;
    /* "1, 2" is no number, as no space stands within; "1,2,3" is a list. */
    if (next + 1 < groups.count && groups.separators[next + 1] == groups.separators[next])
        return;
    out->len = len_to(text, &groups, next);
    add_fraction(out, groups.digits[next], thousands == 0 && groups.digits[next].len == 3);
}

void
literal_number_read(struct slice text, struct literal_number *out)
{
    *out = (struct literal_number){.whole = -1};
    read_number(text, out);
    if (out->used == sizeof(out->text)) {
        uint64_t all = hash_fast(slice_first(text, out->len), 0);

        memcpy(out->text, &all, sizeof(all));
    }
}
