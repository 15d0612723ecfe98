#include "cmd/span.h"

#include "base/clock.h"
#include "base/text.h"
#include "cmd/cmd.h"

static usec
unit_us(char letter)
{
    switch (letter) {
    case 'm':
        return 60 * USEC_PER_S;
    case 'h':
        return 3600 * USEC_PER_S;
    case 'd':
        return 86400 * USEC_PER_S;
    case 'w':
        return 7 * 86400 * USEC_PER_S;
    default:
        return 0;
    }
}

bool
span_parse(const char *option, const char *text, usec now, usec *out)
{
    struct slice whole = slice_of(text);
    usec unit = whole.len > 1 ? unit_us(text[whole.len - 1]) : 0;
    uint64_t count;

    if (unit != 0 && text_parse_u64(slice_first(whole, whole.len - 1), &count) == OK && count < 1000000) {
        *out = now - (usec)count * unit;
        return true;
    }
    if (clock_parse_utc(whole, out) == OK && *out >= 0)
        return true;
    cmd_complain("%s: '%s' is no time; give how long ago (90m, 24h, 7d, 4w) or a date (2026-01-31, 2026-01-31T12:00Z)",
                 option, text);
    return false;
}
