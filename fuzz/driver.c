/* Replays a corpus through a fuzz target where libFuzzer is not at hand (gcc, CI), and fuzzes shortly around it: each
 * argument is a file or a folder of files, and every file is run once as it is, and with `--changed N` N times with
 * something changed in it. What is changed follows from the file's bytes and the number of the change, so every run is
 * the same: the last number that was printed tells which input failed, and `--show NUMBER FILE` writes that to the
 * standard output, for a seed of its own. Running nothing at all is a failure, so that an empty corpus cannot pass. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/rng.h"

enum { CHANGES_MOST = 6, SPAN_MOST = 48, NUMBER_MOST = 1000000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
die(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(2);
}

/* The file's bytes in a block of exactly their size, so that ASan sees a read one byte past the end. */
static uint8_t *
read_whole(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    if (file == NULL || bytes == NULL || fread(bytes, 1, size, file) != size)
        die(path, "cannot be read");
    fclose(file);
    return bytes;
}

/* Inputs that are made of others. */
struct input {
    uint8_t *bytes;
    size_t size;
};

/* In place of `cut` bytes at `at` come `len` others, which may be some of its own. */
static void
splice(struct input *input, size_t at, size_t cut, const uint8_t *others, size_t len)
{
    size_t size = input->size - cut + len;
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    if (bytes == NULL)
        die("splice", "no memory");
    memcpy(bytes, input->bytes, at);
    memcpy(bytes + at, others, len);
    memcpy(bytes + at + len, input->bytes + at + cut, input->size - at - cut);
    free(input->bytes);
    input->bytes = bytes; /* one by one, or cppcheck takes the block for lost */
    input->size = size;
}

/* What means something to one grammar or another. */
static void
put_word(struct input *input, size_t at, struct rng *rng)
{
    static const char *const words[] = {
        "\"",   "{",    "}",        "[",    "]",      ":",      ",",    "\\u0000",      "\\ud800", "\n",
        "\r\n", "\n\n", "\r\n\r\n", "null", "data: ", "[DONE]", "\xff", "\xef\xbb\xbf", " ",       "\t"};
    const char *word = words[rng_below(rng, sizeof(words) / sizeof(words[0]))];

    splice(input, at, 0, (const uint8_t *)word, strlen(word));
}

static bool
is_digit_at(const struct input *input, size_t at)
{
    return at < input->size && input->bytes[at] >= '0' && input->bytes[at] <= '9';
}

/* In place of the next number one at which limits lie. */
static void
put_number(struct input *input, size_t at, struct rng *rng)
{
    static const char *const numbers[] = {"0",
                                          "-1",
                                          "00",
                                          "0.5",
                                          "1e308",
                                          "65536",
                                          "16777217",
                                          "4294967296",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "18446744073709551616",
                                          "ffffffffffffffff"};
    const char *number = numbers[rng_below(rng, sizeof(numbers) / sizeof(numbers[0]))];
    size_t end;

    while (at < input->size && !is_digit_at(input, at))
        at++;
    while (at > 0 && is_digit_at(input, at - 1))
        at--;
    for (end = at; is_digit_at(input, end); end++)
        ;
    splice(input, at, end - at, (const uint8_t *)number, strlen(number));
}

static void
change(struct input *input, struct rng *rng)
{
    size_t at = rng_below(rng, input->size + 1), from = rng_below(rng, input->size + 1);
    size_t rest = input->size - at, most = rng_below(rng, 2) == 0 ? 4 : SPAN_MOST;
    size_t span = rng_below(rng, (rest < most ? rest : most) + 1);
    size_t copied = rng_below(rng, (input->size - from < most ? input->size - from : most) + 1);
    uint8_t byte = (uint8_t)rng_next(rng);

    switch (rng_below(rng, 6)) {
    case 0: /* another bit */
        if (rest > 0)
            input->bytes[at] ^= (uint8_t)(1u << byte % 8);
        break;
    case 1: /* another byte */
        splice(input, at, rest > 0, &byte, 1);
        break;
    case 2: /* less, and sometimes its end is lost */
        splice(input, at, byte % 8 == 0 ? rest : span, &byte, 0);
        break;
    case 3: /* a part of it again, between the others or in their place */
        splice(input, at, byte % 2 == 0 ? 0 : span, input->bytes + from, copied);
        break;
    case 4:
        put_word(input, at, rng);
        break;
    case 5:
        put_number(input, at, rng);
        break;
    }
}

/* Change `number` of a file. */
static struct input
changed(const char *path, size_t size, unsigned number)
{
    struct input input = {read_whole(path, size), size};
    uint64_t seed = number;
    struct rng rng;

    for (size_t i = 0; i < size; i++)
        seed = rng_mix(seed ^ input.bytes[i]);
    rng_seed(&rng, seed);
    for (uint64_t left = 1 + rng_below(&rng, 1 + rng_below(&rng, CHANGES_MOST)); left > 0; left--)
        change(&input, &rng);
    return input;
}

static unsigned
run_file(const char *path, size_t size, unsigned changes)
{
    struct input input = {read_whole(path, size), size};

    /* Flushed before the run: after a crash the last line says which file did it. */
    printf("%s", path);
    for (unsigned i = 0; i <= changes; i++) {
        if (i > 0) {
            input = changed(path, size, i);
            printf(" %u", i);
        }
        fflush(stdout);
        LLVMFuzzerTestOneInput(input.bytes, input.size);
        free(input.bytes);
    }
    printf("\n");
    return 1 + changes;
}

static int
show_change(const char *path, unsigned number)
{
    struct stat about;
    struct input input;
    bool written;

    if (stat(path, &about) != 0)
        die(path, "does not exist");
    input = changed(path, (size_t)about.st_size, number);
    written = fwrite(input.bytes, 1, input.size, stdout) == input.size;
    free(input.bytes);
    return written ? 0 : 2;
}

static unsigned run_path(const char *path, unsigned changes);

static unsigned
run_folder(const char *path, unsigned changes)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    unsigned runs = 0;

    if (count < 0)
        die(path, "cannot be listed");
    for (int i = 0; i < count; i++) {
        char inside[4096];

        if (entries[i]->d_name[0] != '.') {
            snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);
            runs += run_path(inside, changes);
        }
        free(entries[i]);
    }
    free(entries);
    return runs;
}

static unsigned
run_path(const char *path, unsigned changes)
{
    struct stat about;

    if (stat(path, &about) != 0)
        die(path, "does not exist");
    return S_ISDIR(about.st_mode) ? run_folder(path, changes) : run_file(path, (size_t)about.st_size, changes);
}

static unsigned
number_of(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (end == text || *end != '\0' || number > NUMBER_MOST)
        die(text, "is no number of changes");
    return (unsigned)number;
}

int
main(int argc, char **argv)
{
    bool numbered = argc > 2 && (strcmp(argv[1], "--changed") == 0 || strcmp(argv[1], "--show") == 0);
    unsigned number = numbered ? number_of(argv[2]) : 0, runs = 0;

    if (argc == 4 && strcmp(argv[1], "--show") == 0)
        return show_change(argv[3], number);
    for (int i = numbered ? 3 : 1; i < argc; i++)
        runs += run_path(argv[i], number);
    if (runs == 0) {
        fprintf(stderr, "no input was run: give files, or folders that hold some\n");
        return 2;
    }
    printf("%u inputs\n", runs);
    return 0;
}
