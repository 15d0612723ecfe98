#include "embed/literal_words.h"

struct literal_word {
    struct slice word;
    enum word_kind kind;
    unsigned value;
};

#define WORD(word, kind, value) {SLICE_CONSTANT(word), WORD_##kind, value},
static const struct literal_word words[] = {
#include "embed/literal_words.def"
};

enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };

/* As strcmp; what ends first comes first. */
static int
compare(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

enum word_kind
literal_word(struct slice word, unsigned *value)
{
    size_t low = 0, high = WORD_COUNT;

    *value = 0;
    while (low < high && word.len > 0) {
        size_t middle = (low + high) / 2;
        int order = compare(words[middle].word, word);

        if (order == 0) {
            *value = words[middle].value;
            return words[middle].kind;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return WORD_PLAIN;
}

struct slice
literal_word_at(size_t index)
{
    return index < WORD_COUNT ? words[index].word : SLICE_NONE;
}
