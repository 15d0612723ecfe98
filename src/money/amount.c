#include "money/amount.h"

#include <stdio.h>

#include "money/wire.h"

enum { DIGITS_MOST = 40 };

/* The digits of a magnitude, last first, at least one. */
static unsigned
digits_of(wide_unsigned magnitude, char *out)
{
    unsigned count = 0;

    do {
        out[count++] = (char)('0' + (unsigned)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude != 0);
    return count;
}

static wide_unsigned
magnitude_of(wide_int amount)
{
    return amount < 0 ? (wide_unsigned)0 - (wide_unsigned)amount : (wide_unsigned)amount;
}

/* `units` in steps of 10^-places dollars. */
static void
write_decimal(wide_unsigned units, unsigned places, bool thousands, char *out)
{
    char digits[DIGITS_MOST];
    unsigned count = digits_of(units, digits);

    while (count <= places)
        digits[count++] = '0';
    for (unsigned i = count; i-- > 0;) {
        *out++ = digits[i];
        if (thousands && i > places && (i - places) % 3 == 0)
            *out++ = ',';
        if (i == places && places != 0)
            *out++ = '.';
    }
    *out = '\0';
}

void
amount_format_exact(wide_int units, unsigned places, char *out)
{
    size_t len;

    if (units < 0)
        *out++ = '-';
    write_decimal(magnitude_of(units), places, false, out);
    len = strlen(out);
    while (places != 0 && out[len - 1] == '0')
        len--;
    if (out[len - 1] == '.')
        len--;
    out[len] = '\0';
}

void
amount_format(wide_int pico, char *out)
{
    amount_format_exact(pico, USD_DECIMALS, out);
}

static wide_int
power_of_ten(unsigned exponent)
{
    wide_int power = 1;

    while (exponent-- > 0)
        power *= 10;
    return power;
}

void
amount_format_places(wide_int pico, unsigned places, char *out)
{
    wide_int units = wide_divide_half_even(pico, power_of_ten(USD_DECIMALS - places));

    ENSURE(places <= USD_DECIMALS);
    if (units < 0)
        *out++ = '-';
    *out++ = '$';
    write_decimal(magnitude_of(units), places, true, out);
}

void
amount_format_people(wide_int pico, char *out)
{
    wide_unsigned magnitude = magnitude_of(pico);
    unsigned places = 2;

    /* Three digits that count: the first stands at 10^-places * 100. */
    while (places < USD_DECIMALS && magnitude != 0 &&
           magnitude < (wide_unsigned)power_of_ten(USD_DECIMALS + 2 - places))
        places++;
    amount_format_places(pico, places, out);
}

void
amount_add_json(struct buffer *out, const char *name, wide_int pico)
{
    char text[AMOUNT_TEXT_SIZE];

    amount_format(pico, text);
    buffer_add_json_member(out, name, slice_of(text));
}

void
amount_add_csv(struct buffer *out, wide_int pico)
{
    char text[AMOUNT_TEXT_SIZE];

    amount_format(pico, text);
    buffer_printf(out, ",%s", text);
}
