#include "quality/features.h"

#include <ctype.h>
#include <math.h>

#include "base/hash.h"
#include "base/rng.h"

/* Words, pairs of them and tags are spread over the table apart from each other. */
#define WORD_SEED 0x776f7264u
#define PAIR_SEED 0x70616972u
#define TAG_SEED 0x746167u

/* While the features of a text are gathered: which place is already among them. */
enum { INDEX_SIZE = 2 * FEATURE_WORDS_MOST };

struct reading {
    struct features *features;
    struct slice text;
    uint64_t before; /* the hash of the word before; 0: none */
    uint32_t before_at;
    uint16_t index[INDEX_SIZE]; /* 1 + the number of a feature; 0: free */
    uint32_t words, word_bytes, numbers, digits, maths, code, capitals, foreign, questions, sentences, lines;
};

const char *
trait_words(enum trait trait)
{
    static const char *const words[] = {
#define TRAIT(name, text) [TRAIT_##name] = text,
#include "quality/traits.def"
#undef TRAIT
    };

    return words[trait];
}

static uint32_t
place_of(uint64_t hash, uint64_t seed)
{
    return (uint32_t)(rng_mix(hash ^ seed) >> (64 - FEATURE_PLACE_BITS));
}

/* Counts in `value` how often the feature came. */
static void
add(struct reading *reading, uint32_t place, size_t at, size_t end)
{
    struct features *features = reading->features;
    unsigned probe = place % INDEX_SIZE;

    while (reading->index[probe] != 0 && features->words[reading->index[probe] - 1].place != place)
        probe = (probe + 1) % INDEX_SIZE;
    if (reading->index[probe] != 0) {
        features->words[reading->index[probe] - 1].value++;
        return;
    }
    if (features->count == FEATURE_WORDS_MOST)
        return;
    features->words[features->count++] = (struct word_feature){place, 1, (uint32_t)at, (uint32_t)(end - at)};
    reading->index[probe] = (uint16_t)features->count;
}

static void
add_word(struct reading *reading, uint64_t hash, size_t at, size_t end)
{
    add(reading, place_of(hash, WORD_SEED), at, end);
    if (reading->before != 0)
        add(reading, place_of(hash + 3 * reading->before, PAIR_SEED), reading->before_at, end);
    reading->before = hash;
    reading->before_at = (uint32_t)at;
}

static bool
is_of_word(unsigned char byte)
{
    return isalpha(byte) || byte >= 0x80;
}

/* Letters, in lower case where they are ASCII. */
static size_t
read_word(struct reading *reading, size_t at)
{
    uint64_t hash = WORD_SEED;
    size_t end = at;

    for (; end < reading->text.len && is_of_word((unsigned char)reading->text.data[end]); end++) {
        unsigned char byte = (unsigned char)reading->text.data[end];

        reading->capitals += isupper(byte) != 0;
        reading->foreign += byte >= 0x80;
        hash = (hash ^ (uint64_t)tolower(byte)) * 0x100000001b3u; /* FNV-1a */
    }
    reading->words++;
    reading->word_bytes += (uint32_t)(end - at);
    add_word(reading, rng_mix(hash) | 1, at, end);
    return end;
}

/* Which number it is says little: how many digits it has, and that it is one. */
static size_t
read_number(struct reading *reading, size_t at)
{
    size_t end = at;

    while (end < reading->text.len && isdigit((unsigned char)reading->text.data[end]))
        end++;
    reading->numbers++;
    reading->digits += (uint32_t)(end - at);
    add_word(reading, rng_mix(end - at < 4 ? end - at : 4) | 1, at, end);
    return end;
}

static void
read_sign(struct reading *reading, size_t at)
{
    char sign = reading->text.data[at];

    reading->lines += sign == '\n';
    if (isspace((unsigned char)sign))
        return;
    reading->maths += sign != '\0' && strchr("+-*/=^<>\\$%|", sign) != NULL;
    reading->code += sign != '\0' && strchr("{}()[];_`#&=<>\"", sign) != NULL;
    reading->questions += sign == '?';
    reading->sentences += sign == '.' || sign == '!' || sign == '?';
    add_word(reading, rng_mix((unsigned char)sign + 256u) | 1, at, at + 1);
}

static void
read_part(struct reading *reading, size_t at, size_t end)
{
    struct slice all = reading->text;

    reading->text = slice_first(all, end);
    reading->before = 0;
    while (at < end) {
        unsigned char byte = (unsigned char)all.data[at];

        if (is_of_word(byte)) {
            at = read_word(reading, at);
        } else if (isdigit(byte)) {
            at = read_number(reading, at);
        } else {
            read_sign(reading, at++);
        }
    }
    reading->text = all;
}

/* Often is more than once, but not as much more; and long texts have no louder voice than short ones. */
static void
scale_words(struct features *features)
{
    double square = 0;

    for (unsigned i = 0; i < features->count; i++) {
        features->words[i].value = sqrtf(features->words[i].value);
        square += (double)features->words[i].value * (double)features->words[i].value;
    }
    for (unsigned i = 0; i < features->count; i++)
        features->words[i].value /= (float)sqrt(square);
}

/* 0 at none, 1 at `one` of them, growing with the logarithm. */
static float
many(uint64_t count, double one)
{
    return (float)(log2(1 + (double)count) / log2(1 + one));
}

static float
share(uint32_t part, uint32_t whole, double one)
{
    return whole > 0 ? (float)fmin(1, part / one / whole) : 0;
}

static void
read_traits(const struct reading *reading, const struct routed_request *request, float *traits)
{
    uint32_t bytes = (uint32_t)(request->text.len < UINT32_MAX ? request->text.len : UINT32_MAX);
    uint32_t read = bytes < FEATURE_TEXT_FIRST + FEATURE_TEXT_LAST ? bytes : FEATURE_TEXT_FIRST + FEATURE_TEXT_LAST;

    traits[TRAIT_LENGTH] = many(bytes, 255) - 1;
    traits[TRAIT_WORD_LENGTH] = reading->words > 0 ? (float)fmin(1, reading->word_bytes / 5.0 / reading->words - 1) : 0;
    traits[TRAIT_NUMBERS] = many(reading->numbers, 7);
    traits[TRAIT_DIGITS] = share(reading->digits, read, .2);
    traits[TRAIT_MATHS] = share(reading->maths, read, .1);
    traits[TRAIT_CODE] = share(reading->code, read, .1);
    traits[TRAIT_CAPITALS] = share(reading->capitals, read, .2);
    traits[TRAIT_FOREIGN] = share(reading->foreign, read, .2);
    traits[TRAIT_QUESTIONS] = many(reading->questions, 3);
    traits[TRAIT_SENTENCES] = many(reading->sentences, 7);
    traits[TRAIT_LINES] = many(reading->lines, 15);
    traits[TRAIT_JSON] = request->json ? 1 : 0;
    traits[TRAIT_TURNS] = many(request->turns, 15);
    traits[TRAIT_TOOLS] = many(request->tools, 15);
    traits[TRAIT_CONTEXT] = many(request->context_bytes, 65535);
}

void
features_read(struct features *features, const struct embedder *embedder, const struct routed_request *request)
{
    struct reading reading = {.features = features, .text = request->text};
    size_t len = request->text.len;

    features->count = 0;
    if (len <= FEATURE_TEXT_FIRST + FEATURE_TEXT_LAST) {
        read_part(&reading, 0, len);
    } else {
        read_part(&reading, 0, FEATURE_TEXT_FIRST);
        read_part(&reading, len - FEATURE_TEXT_LAST, len);
    }
    scale_words(features);
    read_traits(&reading, request, features->traits);
    features->dims = embedder_embed(embedder, request->text, features->vector, NULL) ? embedder_dims(embedder) : 0;
    features->tagged = request->tag.len > 0;
    features->tag_place = features->tagged ? place_of(hash_fast(request->tag, 0), TAG_SEED) : 0;
}
