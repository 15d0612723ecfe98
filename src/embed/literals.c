#include "embed/literals.h"

#include "base/hash.h"
#include "base/status.h"
#include "embed/literal_number.h"
#include "embed/literal_run.h"
#include "embed/literal_words.h"
#include "embed/unicode.h"

enum {
    QUOTE_BYTES_MOST = 1024,
    CODE_BYTES_MOST = 4096,
    WORD_BYTES_MOST = 64, /* folded; no word of the table is as long */
    GERMAN_WORDS = 2,     /* so many make a text German */
    SHORT_TITLE = 3,      /* "Dr.", "Mrs." end no sentence */
};

/* A text as far as it has been read. */
struct reading {
    struct slice text;
    size_t at, run_end;
    struct literals found;
    uint64_t numbers_before; /* the digest before the last number: a month behind it makes it a date's day */
    int last_whole;          /* that number, if nothing but a space or a point stands behind it; else -1 */
    bool sentence_begins;
    bool after_title;
    unsigned german, negations;
    bool any_upper, any_lower;
};

struct word {
    char folded[WORD_BYTES_MOST];
    size_t len; /* of `folded` */
    size_t bytes, characters, uppers;
    bool first_upper, inner_upper, has_digit, has_underscore, ends_not;
};

static void
note(struct reading *reading, enum literal_kind kind, struct slice bytes)
{
    uint64_t digest = hash_fast(bytes, reading->found.digests[kind]);

    reading->found.digests[kind] = digest > LITERALS_UNKNOWN ? digest : digest + 2;
}

static struct slice
rest(const struct reading *reading)
{
    return slice_from(reading->text, reading->at);
}

/* Letters, digits and the like; not the signs of currencies. */
static bool
is_wordlike(uint32_t c)
{
    if ((c >= 0xa2 && c <= 0xa5) || (c >= 0x20a0 && c <= 0x20cf))
        return false;
    return c == '_' || (unicode_class(c) == CLASS_LETTER && c != UNICODE_REPLACEMENT);
}

static bool
wordlike_at(struct slice text)
{
    size_t len;

    return text.len > 0 && is_wordlike(unicode_read(text, &len));
}

static bool
wordlike_before(const struct reading *reading)
{
    unsigned char before = reading->at > 0 ? (unsigned char)reading->text.data[reading->at - 1] : ' ';

    return before >= 0x80 || is_wordlike(before);
}

/* White space of any kind and length is one space. */
static void
note_collapsed(struct reading *reading, enum literal_kind kind, struct slice bytes)
{
    uint64_t digest = 0;

    for (bytes = slice_trim(bytes); bytes.len > 0; bytes = slice_trim(bytes)) {
        size_t len = 0;

        while (len < bytes.len && strchr(" \t\r\n", bytes.data[len]) == NULL)
            len++;
        len += len == 0; /* a zero byte, which strchr takes for its end */
        digest = hash_fast(slice_first(bytes, len), digest);
        bytes = slice_from(bytes, len);
    }
    note(reading, kind, slice_make((const char *)&digest, sizeof(digest)));
}

/* `code` or ```code```: as many backticks at the end as at the beginning. */
static bool
read_code(struct reading *reading)
{
    struct slice text = rest(reading), inside;
    size_t ticks = 0, end;

    while (ticks < text.len && text.data[ticks] == '`')
        ticks++;
    if (ticks == 0)
        return false;
    inside = slice_from(text, ticks);
    if (ticks < 3)
        inside = slice_first(inside, CODE_BYTES_MOST);
    end = slice_find(inside, slice_first(text, ticks));
    if (end == inside.len && ticks < 3) {
        reading->at += ticks;
        return true;
    }
    note_collapsed(reading, LITERAL_CODE, slice_first(inside, end)); /* a block without an end is code to the end */
    reading->at += ticks + end + (end < inside.len ? ticks : 0);
    reading->sentence_begins = false;
    return true;
}

/* Is a single quotation mark, behind `inside`, an end and no apostrophe? */
static bool
ends_quote(struct slice inside, size_t end, size_t mark)
{
    return end > 0 && inside.data[end - 1] != ' ' && !wordlike_at(slice_from(inside, end + mark));
}

static bool
read_quote_of(struct reading *reading, struct slice open, struct slice close)
{
    struct slice text = rest(reading), inside;
    bool single = slice_is(close, "'") || slice_is(close, "\xe2\x80\x99");
    size_t end, line;

    if (text.len < open.len || !slice_equal(slice_first(text, open.len), open))
        return false;
    if (wordlike_before(reading) && open.len == 1)
        return false; /* an apostrophe, or inches */
    inside = slice_first(slice_from(text, open.len), QUOTE_BYTES_MOST);
    line = slice_find_byte(inside, '\n');
    for (end = slice_find(inside, close); end < inside.len && single && !ends_quote(inside, end, close.len);)
        end += close.len + slice_find(slice_from(inside, end + close.len), close);
    if (end >= inside.len || end > line || end == 0)
        return false;
    note_collapsed(reading, LITERAL_QUOTES, slice_first(inside, end));
    reading->at += open.len + end + close.len;
    reading->sentence_begins = false;
    return true;
}

static bool
read_quote(struct reading *reading)
{
    static const struct slice marks[][2] = {
        {SLICE_CONSTANT("\""), SLICE_CONSTANT("\"")},
        {SLICE_CONSTANT("'"), SLICE_CONSTANT("'")},
        {SLICE_CONSTANT("\xe2\x80\x9c"), SLICE_CONSTANT("\xe2\x80\x9d")}, /* 66, 99 */
        {SLICE_CONSTANT("\xe2\x80\x9e"), SLICE_CONSTANT("\xe2\x80\x9c")}, /* low 99, 66 */
        {SLICE_CONSTANT("\xe2\x80\x98"), SLICE_CONSTANT("\xe2\x80\x99")}, /* 6, 9 */
        {SLICE_CONSTANT("\xc2\xab"), SLICE_CONSTANT("\xc2\xbb")},         /* guillemets, and inside out */
        {SLICE_CONSTANT("\xc2\xbb"), SLICE_CONSTANT("\xc2\xab")},
        {SLICE_CONSTANT("\xe3\x80\x8c"), SLICE_CONSTANT("\xe3\x80\x8d")}, /* corner brackets */
    };

    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (read_quote_of(reading, marks[i][0], marks[i][1]))
            return true;
    return false;
}

/* Each stretch without white space is looked at once, from its beginning. */
static bool
read_run(struct reading *reading)
{
    struct slice run;
    enum run_kind kind;

    if (reading->at < reading->run_end)
        return false;
    kind = literal_run(rest(reading), &run, &reading->run_end);
    reading->run_end += reading->at;
    if (kind == RUN_OTHER)
        return false;
    note(reading, kind == RUN_ADDRESS ? LITERAL_ADDRESSES : LITERAL_CODE, run);
    reading->at = (size_t)(run.data - reading->text.data) + run.len;
    reading->sentence_begins = false;
    return true;
}

static bool
is_apostrophe(struct slice text, size_t *len)
{
    *len = slice_starts(text, "\xe2\x80\x99") ? 3 : 1;
    return slice_starts(text, "'") || *len == 3;
}

static void
add_to_word(struct word *word, uint32_t c, size_t bytes)
{
    uint32_t folded[UNICODE_FOLD_MOST];
    unsigned count = unicode_fold(c, folded);
    bool upper = unicode_is_upper(c), digit = c >= '0' && c <= '9';

    word->first_upper = word->characters == 0 ? upper : word->first_upper;
    word->inner_upper |= word->characters > 0 && upper && word->uppers < word->characters;
    word->uppers += upper;
    word->has_digit |= digit;
    word->has_underscore |= c == '_';
    word->characters++;
    word->bytes += bytes;
    for (unsigned i = 0; i < count && word->len + UNICODE_BYTES_MOST <= sizeof(word->folded); i++)
        word->len += unicode_write(folded[i], word->folded + word->len);
}

/* A word, with apostrophes inside; 's is left to the next. `text` begins with a letter. */
static void
take_word(struct slice text, struct word *word)
{
    *word = (struct word){0};
    while (word->bytes < text.len) {
        struct slice here = slice_from(text, word->bytes);
        size_t len, mark;
        uint32_t c = unicode_read(here, &len);

        if (is_apostrophe(here, &mark) && word->bytes > 0 && wordlike_at(slice_from(here, mark))) {
            if (here.data[mark] == 't' && word->len > 0 && word->folded[word->len - 1] == 'n') {
                word->ends_not = true;
                word->bytes += mark + 1;
            }
            return;
        }
        if (unicode_class(c) == CLASS_DROPPED && len > 1) {
            word->bytes += len; /* an accent, a soft hyphen */
            continue;
        }
        if (!is_wordlike(c))
            return;
        add_to_word(word, c, len);
    }
}

static struct slice
folded(const struct word *word)
{
    return slice_make(word->folded, word->len);
}

/* --- numbers and dates --- */

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

    if (unit == 0 && spaces <= 3 && wordlike_at(here)) {
        take_word(here, &word);
        *len = word.bytes;
        if (literal_word(folded(&word), &value) == WORD_UNIT)
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
    note(reading, LITERAL_NUMBERS, slice_make(bytes, text.len + 2));
}

/* Letters right behind a number that are no unit: "3D", "4th", "7b". */
static void
note_suffix(struct reading *reading)
{
    struct word word;
    unsigned value;

    if (!wordlike_at(rest(reading)))
        return;
    take_word(rest(reading), &word);
    if (slice_is(folded(&word), "st") || slice_is(folded(&word), "nd") || slice_is(folded(&word), "rd") ||
        slice_is(folded(&word), "th")) {
        reading->found.digests[LITERAL_NUMBERS] = reading->numbers_before;
        value = (unsigned)reading->last_whole;
        note(reading, LITERAL_NUMBERS, SLICE_LITERAL("#"));
        note(reading, LITERAL_NUMBERS, slice_make((const char *)&value, sizeof(value)));
    } else {
        note(reading, LITERAL_NUMBERS, folded(&word));
        reading->last_whole = -1;
    }
    reading->at += word.bytes;
}

static bool
read_number(struct reading *reading)
{
    struct slice text = rest(reading);
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
        note(reading, LITERAL_DATES, slice_make(number.text, number.used));
        return true;
    }
    if (unit == 0) {
        unit = unit_behind(rest(reading), &len);
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
        struct slice text = rest(reading);
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
        text = rest(reading);
        if (slice_starts(text, "st") || slice_starts(text, "nd") || slice_starts(text, "rd") ||
            slice_starts(text, "th"))
            reading->at += 2;
    }
}

/* The word has been read; it is a month, or may be one. False: it is none. */
static bool
read_month(struct reading *reading, unsigned month, bool sure)
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
    note(reading, LITERAL_DATES, slice_make(date.text, date.used));
    reading->last_whole = -1;
    return true;
}

static void
note_number_word(struct reading *reading, unsigned value)
{
    struct literal_number number;
    char digits[16];
    size_t used = 0, len = 0;
    unsigned unit = unit_behind(rest(reading), &len);

    for (unsigned scale = 1000; scale > 0; scale /= 10)
        if (value >= scale || scale == 1)
            digits[used++] = (char)('0' + value / scale % 10);
    literal_number_read(slice_make(digits, used), &number);
    note_number(reading, slice_make(number.text, number.used), unit, '+');
    reading->at += unit != 0 ? len : 0;
}

/* --- words --- */

/* True if the word's kind says all that there is to say. */
static bool
note_known_word(struct reading *reading, const struct word *word)
{
    unsigned value;
    enum word_kind kind = literal_word(folded(word), &value);
    bool capital_inside = word->first_upper && !reading->sentence_begins;

    switch (kind) {
    case WORD_NEGATION:
        reading->negations++;
        return true;
    case WORD_MONTH:
    case WORD_MONTH_MAYBE:
        return read_month(reading, value, kind == WORD_MONTH || capital_inside);
    case WORD_DAY:
        note(reading, LITERAL_DATES, slice_make((const char *)&value, sizeof(value)));
        return true;
    case WORD_NUMBER:
        note_number_word(reading, value);
        return true;
    case WORD_ORDINAL:
        note(reading, LITERAL_NUMBERS, SLICE_LITERAL("#"));
        note(reading, LITERAL_NUMBERS, slice_make((const char *)&value, sizeof(value)));
        return true;
    case WORD_GERMAN:
        reading->german++;
        return false;
    case WORD_UNIT:
    case WORD_PLAIN:
        return false;
    }
    return false;
}

static void
note_word(struct reading *reading, const struct word *word)
{
    bool abbreviation = word->characters >= 2 && word->uppers == word->characters;

    if (word->ends_not) {
        reading->negations++;
        return;
    }
    if (note_known_word(reading, word))
        return;
    if (word->has_underscore || (word->has_digit && word->characters > 1) || (word->inner_upper && !abbreviation)) {
        note(reading, LITERAL_CODE, slice_make(reading->text.data + reading->at - word->bytes, word->bytes));
        return;
    }
    if ((word->first_upper && !reading->sentence_begins && !slice_is(folded(word), "i")) || abbreviation)
        note(reading, LITERAL_NAMES, folded(word));
}

/* Chinese and Japanese say no in the middle of what looks like a word. */
static size_t
negation_inside(struct slice text)
{
    static const char *const signs[] = {"\xe4\xb8\x8d",
                                        "\xe6\xb2\xa1",
                                        "\xe6\xb2\x92",
                                        "\xe7\x84\xa1",
                                        "\xe6\x9c\xaa",
                                        "\xe3\x81\xaa\xe3\x81\x84",
                                        "\xe3\x81\xbe\xe3\x81\x9b\xe3\x82\x93"};

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (slice_starts(text, signs[i]))
            return strlen(signs[i]);
    return 0;
}

static void
count_negations_inside(struct reading *reading, struct slice text)
{
    while (text.len > 0) {
        size_t len = (unsigned char)text.data[0] >= 0xe3 ? negation_inside(text) : 0;

        reading->negations += len != 0;
        text = slice_from(text, len != 0 ? len : 1);
    }
}

static bool
read_word(struct reading *reading)
{
    struct word word;

    if (!wordlike_at(rest(reading)))
        return false;
    take_word(rest(reading), &word);
    count_negations_inside(reading, slice_first(rest(reading), word.bytes));
    reading->at += word.bytes;
    reading->any_upper |= word.uppers > 0 && !(word.characters == 1 && word.folded[0] == 'i');
    reading->any_lower |= word.uppers < word.characters && !word.has_digit;
    note_word(reading, &word);
    reading->last_whole = -1;
    reading->after_title = word.first_upper && word.characters <= SHORT_TITLE;
    reading->sentence_begins = false;
    return true;
}

/* Any other character. */
static void
read_mark(struct reading *reading)
{
    size_t len, no = negation_inside(rest(reading));
    uint32_t c = unicode_read(rest(reading), &len);

    reading->negations += no != 0;
    if (c == '!' || c == '?' || c == ':' || c == '\n' || (c == '.' && !reading->after_title))
        reading->sentence_begins = true;
    if (c != ' ' && c != '.')
        reading->last_whole = -1;
    if (unicode_class(c) == CLASS_CJK)
        reading->sentence_begins = reading->after_title = false;
    reading->at += no != 0 ? no : len;
}

/* An s behind an apostrophe belongs to the word before. */
static bool
read_possessive(struct reading *reading)
{
    size_t mark;
    struct slice text = rest(reading);

    if (!wordlike_before(reading) || text.len < 2 || !is_apostrophe(text, &mark))
        return false;
    if (!slice_starts(slice_from(text, mark), "s") || wordlike_at(slice_from(text, mark + 1)))
        return false;
    reading->at += mark + 1;
    return true;
}

struct literals
literals_of(struct slice text)
{
    struct reading reading = {.text = text, .last_whole = -1, .sentence_begins = true};

    while (reading.at < text.len)
        if (!read_possessive(&reading) && !read_code(&reading) && !read_quote(&reading) && !read_run(&reading) &&
            !read_number(&reading) && !read_word(&reading))
            read_mark(&reading);
    reading.found.digests[LITERAL_NEGATIONS] = reading.negations;
    if (!reading.any_upper || !reading.any_lower || reading.german >= GERMAN_WORDS)
        reading.found.digests[LITERAL_NAMES] = LITERALS_UNKNOWN;
    return reading.found;
}

bool
literals_equal(const struct literals *a, const struct literals *b, enum literal_kind *why)
{
    for (unsigned kind = 0; kind < LITERAL_KINDS; kind++) {
        uint64_t one = a->digests[kind], other = b->digests[kind];

        /* Unknown names may be none, but not those that the other text has. */
        if (one == other || (kind == LITERAL_NAMES && one <= LITERALS_UNKNOWN && other <= LITERALS_UNKNOWN))
            continue;
        if (why != NULL)
            *why = (enum literal_kind)kind;
        return false;
    }
    return true;
}

const char *
literal_kind_text(enum literal_kind kind)
{
    static const char *const texts[LITERAL_KINDS] = {"numbers",   "dates", "quotes",   "code",
                                                     "addresses", "names", "negations"};

    ENSURE(kind < LITERAL_KINDS);
    return texts[kind];
}
