#include "embed/literal_reading.h"

#include "base/hash.h"
#include "base/status.h"
#include "embed/literal_run.h"
#include "embed/literal_words.h"
#include "embed/unicode.h"

enum {
    GERMAN_WORDS = 2, /* so many make a text German */
    SHORT_TITLE = 3,  /* "Dr.", "Mrs." end no sentence */
};

void
reading_note(struct reading *reading, enum literal_kind kind, struct slice bytes)
{
    uint64_t digest = hash_fast(bytes, reading->found.digests[kind]);

    reading->found.digests[kind] = digest > LITERALS_UNKNOWN ? digest : digest + 2;
}

/* Letters, digits and the like; not the signs of currencies. */
static bool
is_wordlike(uint32_t c)
{
    if ((c >= 0xa2 && c <= 0xa5) || (c >= 0x20a0 && c <= 0x20cf))
        return false;
    return c == '_' || (unicode_class(c) == CLASS_LETTER && c != UNICODE_REPLACEMENT);
}

bool
literal_wordlike_at(struct slice text)
{
    size_t len;

    return text.len > 0 && is_wordlike(unicode_read(text, &len));
}

bool
reading_wordlike_before(const struct reading *reading)
{
    unsigned char before = reading->at > 0 ? (unsigned char)reading->text.data[reading->at - 1] : ' ';

    return before >= 0x80 || is_wordlike(before);
}

/* Each stretch without white space is looked at once, from its beginning. */
static bool
read_run(struct reading *reading)
{
    struct slice run;
    enum run_kind kind;

    if (reading->at < reading->run_end)
        return false;
    kind = literal_run(reading_rest(reading), &run, &reading->run_end);
    reading->run_end += reading->at;
    if (kind == RUN_OTHER)
        return false;
    reading_note(reading, kind == RUN_ADDRESS ? LITERAL_ADDRESSES : LITERAL_CODE, run);
    reading->at = (size_t)(run.data - reading->text.data) + run.len;
    reading->sentence_begins = false;
    return true;
}

bool
literal_apostrophe(struct slice text, size_t *len)
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

void
word_take(struct slice text, struct word *word)
{
    *word = (struct word){0};
    while (word->bytes < text.len) {
        struct slice here = slice_from(text, word->bytes);
        size_t len, mark;
        uint32_t c = unicode_read(here, &len);

        if (literal_apostrophe(here, &mark) && word->bytes > 0 && literal_wordlike_at(slice_from(here, mark))) {
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

/* True if the word's kind says all that there is to say. */
static bool
note_known_word(struct reading *reading, const struct word *word)
{
    unsigned value;
    enum word_kind kind = literal_word(word_folded(word), &value);
    bool capital_inside = word->first_upper && !reading->sentence_begins;

    switch (kind) {
    case WORD_NEGATION:
        reading->negations++;
        return true;
    case WORD_MONTH:
    case WORD_MONTH_MAYBE:
        return reading_month(reading, value, kind == WORD_MONTH || capital_inside);
    case WORD_DAY:
        reading_note(reading, LITERAL_DATES, slice_make((const char *)&value, sizeof(value)));
        return true;
    case WORD_NUMBER:
        reading_number_word(reading, value);
        return true;
    case WORD_ORDINAL:
        reading_note(reading, LITERAL_NUMBERS, SLICE_LITERAL("#"));
        reading_note(reading, LITERAL_NUMBERS, slice_make((const char *)&value, sizeof(value)));
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
        reading_note(reading, LITERAL_CODE, slice_make(reading->text.data + reading->at - word->bytes, word->bytes));
        return;
    }
    if ((word->first_upper && !reading->sentence_begins && !slice_is(word_folded(word), "i")) || abbreviation)
        reading_note(reading, LITERAL_NAMES, word_folded(word));
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

    if (!literal_wordlike_at(reading_rest(reading)))
        return false;
    word_take(reading_rest(reading), &word);
    count_negations_inside(reading, slice_first(reading_rest(reading), word.bytes));
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
    size_t len, no = negation_inside(reading_rest(reading));
    uint32_t c = unicode_read(reading_rest(reading), &len);

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
    struct slice text = reading_rest(reading);

    if (!reading_wordlike_before(reading) || text.len < 2 || !literal_apostrophe(text, &mark))
        return false;
    if (!slice_starts(slice_from(text, mark), "s") || literal_wordlike_at(slice_from(text, mark + 1)))
        return false;
    reading->at += mark + 1;
    return true;
}

struct literals
literals_of(struct slice text)
{
    struct reading reading = {.text = text, .last_whole = -1, .sentence_begins = true};

    while (reading.at < text.len)
        if (!read_possessive(&reading) && !reading_code(&reading) && !reading_quote(&reading) && !read_run(&reading) &&
            !reading_number(&reading) && !read_word(&reading))
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
