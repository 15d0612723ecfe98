#include "embed/unicode.h"

#include "base/text.h"

/* Hangul syllables are decomposed by arithmetic (The Unicode Standard, 3.12). */
enum {
    HANGUL_FIRST = 0xac00,
    HANGUL_LEAD = 0x1100,
    HANGUL_VOWEL = 0x1161,
    HANGUL_TAIL = 0x11a7,
    HANGUL_VOWELS = 21,
    HANGUL_TAILS = 28,
    HANGUL_COUNT = 11172,
};

struct class_range {
    uint32_t first, last;
    enum character_class class;
};

struct fold_run {
    uint32_t first, last, step, to;
    bool upper;
};

struct fold_many {
    uint32_t from, to[UNICODE_FOLD_MOST]; /* 0: none */
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define CLASS(first, last, name) {first, last, CLASS_##name},
static const struct class_range classes[] = {
#include "embed/unicode_class.def"
};

#define RUN(first, last, step, to, upper) {first, last, step, to, upper},
#define ONE(from, to, upper) {from, from, 1, to, upper},
#define MANY(from, a, b, c)
static const struct fold_run folds[] = {
#include "embed/unicode_fold.def"
};
#undef RUN
#undef ONE
#undef MANY

#define RUN(first, last, step, to, upper)
#define ONE(from, to, upper)
#define MANY(from, a, b, c) {from, {a, b, c}},
static const struct fold_many folds_many[] = {
#include "embed/unicode_fold.def"
};

static enum character_class
ascii_class(uint32_t c)
{
    if (c >= 0x7f || c < ' ')
        return c == '\t' || c == '\n' || c == '\r' ? CLASS_SPACE : CLASS_DROPPED;
    if (c == ' ')
        return CLASS_SPACE;
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return CLASS_LETTER;
    return CLASS_PUNCTUATION;
}

enum character_class
unicode_class(uint32_t character)
{
    size_t low = 0, high = COUNT(classes);

    if (character < 0x80)
        return ascii_class(character);
    while (low < high) {
        size_t middle = (low + high) / 2;

        if (classes[middle].last < character)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT(classes) && classes[low].first <= character ? classes[low].class : CLASS_LETTER;
}

/* The run that the character is in, or NULL. */
static const struct fold_run *
find_run(uint32_t character)
{
    size_t low = 0, high = COUNT(folds);

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (folds[middle].last < character)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == COUNT(folds) || folds[low].first > character)
        return NULL;
    return (character - folds[low].first) % folds[low].step == 0 ? &folds[low] : NULL;
}

static unsigned
fold_hangul(uint32_t syllable, uint32_t out[UNICODE_FOLD_MOST])
{
    uint32_t index = syllable - HANGUL_FIRST;
    uint32_t tail = index % HANGUL_TAILS;

    out[0] = HANGUL_LEAD + index / (HANGUL_VOWELS * HANGUL_TAILS);
    out[1] = HANGUL_VOWEL + index / HANGUL_TAILS % HANGUL_VOWELS;
    out[2] = HANGUL_TAIL + tail;
    return tail != 0 ? 3 : 2;
}

static unsigned
fold_many(const struct fold_many *fold, uint32_t out[UNICODE_FOLD_MOST])
{
    unsigned count = 0;

    while (count < UNICODE_FOLD_MOST && fold->to[count] != 0) {
        out[count] = fold->to[count];
        count++;
    }
    return count;
}

unsigned
unicode_fold(uint32_t character, uint32_t out[UNICODE_FOLD_MOST])
{
    const struct fold_run *run;

    out[0] = character;
    if (character < 0x80) {
        if (character >= 'A' && character <= 'Z')
            out[0] = character + ('a' - 'A');
        return 1;
    }
    if (character - HANGUL_FIRST < HANGUL_COUNT)
        return fold_hangul(character, out);
    run = find_run(character);
    if (run != NULL) {
        out[0] = character - run->first + run->to;
        return 1;
    }
    for (size_t i = 0; i < COUNT(folds_many) && folds_many[i].from <= character; i++)
        if (folds_many[i].from == character)
            return fold_many(&folds_many[i], out);
    return 1;
}

bool
unicode_is_upper(uint32_t character)
{
    const struct fold_run *run;

    if (character < 0x80)
        return character >= 'A' && character <= 'Z';
    run = find_run(character);
    return run != NULL && run->upper;
}

uint32_t
unicode_read(struct slice text, size_t *len)
{
    const unsigned char *byte = (const unsigned char *)text.data;

    *len = 1;
    if (byte[0] < 0x80)
        return byte[0];
    *len = text_utf8_len(text);
    switch (*len) {
    case 2:
        return (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu);
    case 3:
        return (byte[0] & 0x0fu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu);
    case 4:
        return (byte[0] & 0x07u) << 18 | (byte[1] & 0x3fu) << 12 | (byte[2] & 0x3fu) << 6 | (byte[3] & 0x3fu);
    default:
        *len = 1;
        return UNICODE_REPLACEMENT;
    }
}

size_t
unicode_write(uint32_t character, char out[UNICODE_BYTES_MOST])
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (char)(0xc0 | character >> 6);
        out[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (char)(0xe0 | character >> 12);
        out[1] = (char)(0x80 | (character >> 6 & 0x3f));
        out[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | character >> 18);
    out[1] = (char)(0x80 | (character >> 12 & 0x3f));
    out[2] = (char)(0x80 | (character >> 6 & 0x3f));
    out[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}
