/* Numbers with their units, and dates, however they are written. */
#include "embed/literal_reading.h"

#include "embed/literal_number.h"
#include "embed/literal_words.h"

static size_t
skip_spaces(struct slice text)
{
    size_t len = 0;

    while (len < text.len && (text.data[len] == ' ' || text.data[len] == '-'))
        len++;
    while (slice_starts(slice_from(text, len), "\xc2\xa0") || slice_starts(slice_from(text, len), "\xe2\x80\xaf"))
        len += text.data[len] == '\xc2' ? 2 : 3;
    return len;
}

/* A unit's sign at the front of `text`; 0 if there is none. */
static unsigned
unit_sign(struct slice text, size_t *len)
{
    static const struct {
        const char *sign;
        unsigned unit;
    } signs[] = {{"%", UNIT_PERCENT},
                 {"$", UNIT_DOLLAR},
                 {"\xe2\x82\xac", UNIT_EURO},
                 {"\xc2\xa3", UNIT_POUND_STERLING},
                 {"\xc2\xa5", UNIT_YEN}};

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (slice_starts(text, signs[i].sign)) {
            *len = strlen(signs[i].sign);
            return signs[i].unit;
        }
    return 0;
}

/* A unit behind a number: a sign, or a word of the table, a space or a hyphen between or not. 0 if there is none. */
static unsigned
unit_behind(struct slice text, size_t *len)
{
    size_t spaces = skip_spaces(text);
    struct slice here = slice_from(text, spaces);
    unsigned unit = unit_sign(here, len), value;
    struct word word;

    if (unit == 0 && spaces <= 3 && literal_wordlike_at(here)) {
        word_take(here, &word);
        *len = word.bytes;
        if (literal_word(word_folded(&word), &value) == WORD_UNIT)
            unit = value;
    }
    *len += spaces;
    return unit;
}

static unsigned
unit_before(const struct reading *reading)
{
    struct slice before = slice_first(reading->text, reading->at);
    size_t len;

    for (size_t back = 1; back <= 4 && back <= before.len; back++) {
        unsigned unit = unit_sign(slice_from(before, before.len - back), &len);

        if (unit != 0 && unit != UNIT_PERCENT && (len == back || slice_ends(before, " ")))
            return unit;
    }
    return 0;
}

static void
note_number(struct reading *reading, struct slice text, unsigned unit, char sign)
{
    char bytes[LITERAL_NUMBER_SIZE + 8];

    memcpy(bytes, text.data, text.len);
    bytes[text.len] = sign;
    bytes[text.len + 1] = (char)unit;
    reading->numbers_before = reading->found.digests[LITERAL_NUMBERS];
    reading_note(reading, LITERAL_NUMBERS, slice_make(bytes, text.len + 2));
}

/* Letters right behind a number that are no unit: "3D", "4th", "7b". */
static void
note_suffix(struct reading *reading)
{
    struct word word;
    unsigned value;

    if (!literal_wordlike_at(reading_rest(reading)))
        return;
    word_take(reading_rest(reading), &word);
    if (slice_is(word_folded(&word), "st") || slice_is(word_folded(&word), "nd") ||
        slice_is(word_folded(&word), "rd") || slice_is(word_folded(&word), "th")) {
        reading->found.digests[LITERAL_NUMBERS] = reading->numbers_before;
        value = (unsigned)reading->last_whole;
        reading_note(reading, LITERAL_NUMBERS, SLICE_LITERAL("#"));
        reading_note(reading, LITERAL_NUMBERS, slice_make((const char *)&value, sizeof(value)));
    } else {
        reading_note(reading, LITERAL_NUMBERS, word_folded(&word));
        reading->last_whole = -1;
    }
    reading->at += word.bytes;
}

bool
reading_number(struct reading *reading)
{
    struct slice text = reading_rest(reading);
    struct literal_number number;
    size_t len = 0;
    unsigned unit;
    bool negative;

    if (text.len == 0 || text.data[0] < '0' || text.data[0] > '9')
        return false;
    unit = unit_before(reading);
    negative = reading->at > 0 && reading->text.data[reading->at - 1] == '-' &&
               (reading->at == 1 || strchr(" (\t\n=", reading->text.data[reading->at - 2]) != NULL);
    literal_number_read(text, &number);
    reading->at += number.len;
    reading->sentence_begins = false;
    reading->last_whole = -1;
    if (number.is_date) {
        reading_note(reading, LITERAL_DATES, slice_make(number.text, number.used));
        return true;
    }
    if (unit == 0) {
        unit = unit_behind(reading_rest(reading), &len);
        reading->at += unit != 0 ? len : 0;
    }
    note_number(reading, slice_make(number.text, number.used), unit, negative ? '-' : '+');
    reading->last_whole = unit == 0 ? number.whole : -1;
    if (unit == 0)
        note_suffix(reading);
    return true;
}

/* The day and year that may stand behind a month: "5, 2024", "5th", "2024". Moves on behind them. */
static void
read_behind_month(struct reading *reading, int *day, int *year)
{
    for (int part = 0; part < 2; part++) {
        struct slice text = reading_rest(reading);
        size_t len = 0;
        struct literal_number number;

        while (len < text.len && len < 3 && strchr(" .,", text.data[len]) != NULL)
            len++;
        if (len == text.len || text.data[len] < '0' || text.data[len] > '9')
            return;
        literal_number_read(slice_from(text, len), &number);
        if (number.is_date || number.whole < 0)
            return;
        if (*day == 0 && *year == 0 && number.whole >= 1 && number.whole <= 31)
            *day = number.whole;
        else if (*year == 0 && number.whole >= 1000)
            *year = number.whole;
        else
            return;
        reading->at += len + number.len;
        text = reading_rest(reading);
        if (slice_starts(text, "st") || slice_starts(text, "nd") || slice_starts(text, "rd") ||
            slice_starts(text, "th"))
            reading->at += 2;
    }
}

bool
reading_month(struct reading *reading, unsigned month, bool sure)
{
    int day = reading->last_whole >= 1 && reading->last_whole <= 31 ? reading->last_whole : 0, year = 0;
    bool day_before = day != 0;
    struct literal_number date = {0};

    read_behind_month(reading, &day, &year);
    if (!sure && day == 0 && year == 0)
        return false;
    if (day_before) /* it was no number after all */
        reading->found.digests[LITERAL_NUMBERS] = reading->numbers_before;
    literal_date_write(year, (int)month, day, &date);
    reading_note(reading, LITERAL_DATES, slice_make(date.text, date.used));
    reading->last_whole = -1;
    return true;
}

void
reading_number_word(struct reading *reading, unsigned value)
{
    struct literal_number number;
    char digits[16];
    size_t used = 0, len = 0;
    unsigned unit = unit_behind(reading_rest(reading), &len);

    for (unsigned scale = 1000; scale > 0; scale /= 10)
        if (value >= scale || scale == 1)
            digits[used++] = (char)('0' + value / scale % 10);
    literal_number_read(slice_make(digits, used), &number);
    note_number(reading, slice_make(number.text, number.used), unit, '+');
    reading->at += unit != 0 ? len : 0;
}
