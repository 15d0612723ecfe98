/* What time of a processor the built-in embedder and the vector scan take, on one thread (what others take meanwhile does
 * not count, but for the caches that they share):
 *
 *     cmake --build --preset release --target bench_embed && build/release/bench_embed [ENTRIES...]
 *
 * Vectors are those of modelled questions: words drawn by Zipf's law, so that many are near each other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "embed/embedder.h"
#include "embed/literals.h"
#include "embed/static_table.h"
#include "embed/vectors.h"

enum { WORDS = 20000, TEXT_WORDS = 50, TEXT_BYTES = 1024, SEARCHES = 400, QUESTION_WORDS = 10 };

struct bench {
    struct embedder *embedder;
    struct slice words[WORDS]; /* out of the vocabulary */
    struct rng rng;
};

static double
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void
read_words(struct bench *bench)
{
    struct slice table = static_table(), lines;
    uint32_t len;
    unsigned count = 0;

    memcpy(&len, table.data + 24, sizeof(len));
    lines = slice_first(slice_from(table, 64), len);
    while (count < WORDS && lines.data != NULL) {
        struct slice word = slice_split(&lines, '\n');

        if (word.len >= 3 && word.data[0] >= 'a' && word.data[0] <= 'z')
            bench->words[count++] = word;
    }
    ENSURE(count == WORDS);
}

/* The k-th word with a chance of about 1 / k. */
static struct slice
draw_word(struct bench *bench)
{
    double at = 1;

    for (uint64_t bits = rng_below(&bench->rng, 1 << 14); bits > 1; bits >>= 1)
        at *= 2;
    return bench->words[(size_t)(at + at * rng_unit(&bench->rng)) % WORDS];
}

static struct slice
draw_text(struct bench *bench, unsigned words, char *text)
{
    size_t len = 0;

    for (unsigned i = 0; i < words && len + 64 < TEXT_BYTES; i++) {
        struct slice word = draw_word(bench);

        ENSURE(word.len < 64);
        memcpy(text + len, word.data, word.len);
        text[len + word.len] = ' ';
        len += word.len + 1;
    }
    return slice_make(text, len);
}

static int
by_size(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one > other) - (one < other);
}

static void
print_times(const char *what, double *times, size_t count)
{
    qsort(times, count, sizeof(times[0]), by_size);
    printf("%-34s p50 %9.1f us   p99 %9.1f us\n", what, times[count / 2], times[count * 99 / 100]);
}

static void
embed_texts(struct bench *bench)
{
    static double embed[2000], guard[2000];

    for (size_t i = 0; i < 2000; i++) {
        char text[TEXT_BYTES];
        float vector[EMBED_DIMS_MOST];
        struct slice words = draw_text(bench, TEXT_WORDS, text);
        double start = now_us(), middle;
        volatile bool found = embedder_embed(bench->embedder, words, vector, NULL);
        volatile uint64_t numbers;

        (void)found;
        middle = now_us();
        numbers = literals_of(words).digests[LITERAL_NUMBERS];
        (void)numbers;
        embed[i] = middle - start;
        guard[i] = now_us() - middle;
    }
    print_times("embedding of 50 words", embed, 2000);
    print_times("literals of 50 words", guard, 2000);
}

static void
question(struct bench *bench, int8_t *out)
{
    char text[TEXT_BYTES];
    float vector[EMBED_DIMS_MOST];

    do
        embedder_embed(bench->embedder, draw_text(bench, QUESTION_WORDS, text), vector, NULL);
    while (!embedder_quantize(vector, embedder_dims(bench->embedder), out));
}

static void
search_among(struct bench *bench, struct vectors *vectors, float least)
{
    static double times[SEARCHES];
    uint64_t compared = 0, found = 0;
    char what[64];

    for (int i = 0; i < SEARCHES; i++) {
        int8_t query[EMBED_DIMS_MOST];
        struct vectors_search search;
        double start;

        question(bench, query);
        start = now_us();
        vectors_search_init(&search, vectors, 1, query, 4, least);
        while (!vectors_search_step(&search, SIZE_MAX)) {
        }
        times[i] = now_us() - start;
        compared += search.compared;
        found += search.count;
    }
    snprintf(what, sizeof(what), "search, at least %.1f (%.2f found)", (double)least, (double)found / SEARCHES);
    print_times(what, times, SEARCHES);
    printf("%34s compared exactly: 1 in %.0f\n", "",
           (double)SEARCHES * (double)vectors_count(vectors) / ((double)compared + 1));
}

static void
search_all(struct bench *bench, unsigned long entries)
{
    struct vectors vectors;
    double spent = 0, start;

    ENSURE(entries > 0);
    vectors_init(&vectors, embedder_dims(bench->embedder));
    for (unsigned long i = 0; i < entries; i++) {
        int8_t vector[EMBED_DIMS_MOST];
        uint32_t slot;
        enum status status;

        question(bench, vector);
        start = now_us();
        status = vectors_add(&vectors, 1, vector, i, &slot);
        spent += now_us() - start;
        ENSURE(status == OK);
    }
    printf("\n%lu entries, %zu bytes each, added in %.2f us each\n", entries, vectors_bytes(&vectors) / entries,
           spent / (double)entries);
    search_among(bench, &vectors, 0.8F);
    search_among(bench, &vectors, 0.6F);
    search_among(bench, &vectors, -1);
    vectors_free(&vectors);
}

int
main(int argc, char **argv)
{
    static struct bench bench;
    enum status status;
    double start = now_us();

    status = embedder_open_builtin(&bench.embedder);
    ENSURE(status == OK);
    printf("table opened in %.1f ms; %u dims; kernels: %s\n", (now_us() - start) / 1e3, embedder_dims(bench.embedder),
           scan_kernels_best()->name);
    rng_seed(&bench.rng, 1);
    read_words(&bench);
    embed_texts(&bench);
    for (int i = 1; i < argc; i++)
        search_all(&bench, strtoul(argv[i], NULL, 10));
    if (argc == 1)
        search_all(&bench, 100000);
    embedder_close(bench.embedder);
    return 0;
}
