/* The store's file: what is found again, whatever became of the file, and whatever the disk did. */
#include "cache/file.h"

#include "base/rng.h"
#include "cmocka_ready.h"

#define NOW (1000 * USEC_PER_S)

static const struct digest secret = {"a secret of a test"};

/* A disk in memory. `steps_left` counts down with each operation that may fail; at 0 the power is gone: an append gets
 * half of its bytes out, and nothing works from then on. */
struct memory_disk {
    struct cache_disk disk;
    struct buffer *file; /* the test's: outlives the disk */
    struct buffer fresh;
    bool begun;
    int steps_left; /* -1: all goes well */
    bool only_once; /* the step fails, and the next goes well again */
};

static bool
fails(struct memory_disk *disk)
{
    if (disk->steps_left < 0)
        return false;
    if (disk->steps_left > 0) {
        disk->steps_left--;
        return false;
    }
    if (disk->only_once)
        disk->steps_left = -1;
    return true;
}

static struct memory_disk *
of(struct cache_disk *disk)
{
    return (struct memory_disk *)(void *)disk;
}

static enum status
disk_read(struct cache_disk *disk, uint64_t at, char *out, size_t len, size_t *got)
{
    struct slice rest = slice_from(buffer_content(of(disk)->file), at);

    *got = len < rest.len ? len : rest.len;
    if (*got > 0)
        memcpy(out, rest.data, *got);
    return OK;
}

static enum status
disk_append(struct cache_disk *disk, struct slice bytes)
{
    struct memory_disk *memory = of(disk);
    bool failed = fails(memory);

    buffer_add(memory->begun ? &memory->fresh : memory->file, slice_first(bytes, failed ? bytes.len / 2 : bytes.len));
    return failed ? ERR_FULL : OK;
}

static void
disk_abandon(struct cache_disk *disk)
{
    of(disk)->begun = false;
    buffer_free(&of(disk)->fresh);
}

static enum status
disk_begin(struct cache_disk *disk)
{
    disk_abandon(disk);
    if (fails(of(disk)))
        return ERR_IO;
    of(disk)->begun = true;
    return OK;
}

static enum status
disk_replace(struct cache_disk *disk)
{
    struct memory_disk *memory = of(disk);

    assert_true(memory->begun);
    if (fails(memory)) {
        disk_abandon(disk);
        return ERR_IO;
    }
    buffer_clear(memory->file);
    buffer_add(memory->file, buffer_content(&memory->fresh));
    disk_abandon(disk);
    return OK;
}

static void
disk_close(struct cache_disk *disk)
{
    disk_abandon(disk);
    free(disk);
}

static const struct cache_disk_ops memory_ops = {.read = disk_read,
                                                 .append = disk_append,
                                                 .begin = disk_begin,
                                                 .replace = disk_replace,
                                                 .abandon = disk_abandon,
                                                 .close = disk_close};

static struct memory_disk *
disk_of(struct buffer *file)
{
    struct memory_disk *disk = must_calloc(1, sizeof(*disk));

    disk->disk.ops = &memory_ops;
    disk->file = file;
    disk->steps_left = -1;
    return disk;
}

static struct digest
key_of(uint64_t number)
{
    uint64_t words[4] = {rng_mix(number), rng_mix(~number), number, 7};
    struct digest key;

    memcpy(key.bytes, words, sizeof(key.bytes));
    return key;
}

static size_t
len_of(uint64_t number)
{
    return 1 + (size_t)(number * 37 % 400);
}

static void
put(struct cache *cache, uint64_t number)
{
    char content[512];
    struct usage usage;
    struct cache_facts facts = {.key = key_of(number),
                                .api = API_CHAT,
                                .status = 200,
                                .form = 3,
                                .tenant = number % 2 != 0 ? SLICE_LITERAL("odd") : SLICE_LITERAL("even"),
                                .usage = &usage,
                                .cost = (usd)number,
                                .created_wall_us = NOW,
                                .ttl_us = number % 10 == 9 ? 10 : USEC_NEVER,
                                .first_token_us = 5,
                                .total_us = 6};

    usage_init(&usage);
    usage_set(&usage, USAGE_output_tokens, (int64_t)number);
    usage.exactness = USAGE_EXACT;
    memset(content, 'a' + (int)(number % 26), sizeof(content));
    assert_int_equal(
        cache_put(cache, cache_entry_new(&facts, slice_make(content, len_of(number)), 200), cache_purges(cache)), OK);
}

/* It is there, and all of it is as it was put. */
static bool
has(struct cache *cache, uint64_t number)
{
    struct digest key = key_of(number);
    struct cache_entry *entry = cache_lookup(cache, &key, NOW, USEC_NEVER);
    struct chunk *content;
    struct usage usage;

    if (entry == NULL)
        return false;
    content = cache_entry_content(entry);
    assert_non_null(content);
    assert_int_equal(content->len, len_of(number));
    for (size_t i = 0; i < content->len; i++)
        assert_int_equal(content->data[i], 'a' + (int)(number % 26));
    cache_entry_usage(entry, &usage);
    assert_int_equal(usage.output_tokens, number);
    assert_int_equal(entry->cost, number);
    assert_int_equal(entry->form, 3);
    assert_int_equal(entry->created_wall_us, NOW);
    assert_int_equal(entry->total_us, 6);
    assert_true(entry->marks[CACHE_TENANT] ==
                cache_mark_of(number % 2 != 0 ? SLICE_LITERAL("odd") : SLICE_LITERAL("even")));
    chunk_release(content);
    cache_entry_release(entry);
    return true;
}

struct running {
    struct cache *cache;
    struct cache_file *file;
    struct memory_disk *disk;
};

static struct running
start_at(struct buffer *bytes, usec now)
{
    struct running run = {.cache = cache_new(1 << 20), .disk = disk_of(bytes)};

    run.file = cache_file_open(run.cache, &run.disk->disk, &secret, NULL, now);
    return run;
}

static struct running
start(struct buffer *bytes)
{
    return start_at(bytes, NOW);
}

static void
stop(struct running run)
{
    cache_file_close(run.file);
    cache_free(run.cache);
}

/* As kill -9: what was not written is gone. */
static void
kill_at(struct running run, int steps)
{
    run.disk->steps_left = steps;
    stop(run);
}

static struct cache_file_stats
stats_of(struct running run)
{
    struct cache_file_stats stats;

    cache_file_stats(run.file, &stats);
    return stats;
}

/* Written at once, as one round. */
static void
write_some(struct buffer *bytes, uint64_t first, uint64_t last)
{
    struct running run = start(bytes);

    for (uint64_t i = first; i <= last; i++)
        put(run.cache, i);
    assert_int_equal(cache_file_write(run.file), OK);
    assert_false(cache_file_due(run.file));
    stop(run);
}

static void
what_was_stored_is_found_after_a_restart(void **state)
{
    struct buffer bytes = {0};
    struct running run;

    (void)state;
    write_some(&bytes, 1, 30);
    write_some(&bytes, 31, 40);
    run = start(&bytes);
    assert_int_equal(stats_of(run).loaded, 40);
    assert_int_equal(stats_of(run).damaged, 0);
    assert_false(cache_file_due(run.file));
    for (uint64_t i = 1; i <= 40; i++)
        assert_true(has(run.cache, i));
    stop(run);
    run = start_at(&bytes, NOW + 10); /* some are past their time */
    assert_int_equal(stats_of(run).loaded, 36);
    stop(run);
    buffer_free(&bytes);
}

static void
a_torn_tail_is_cut_at_every_byte(void **state)
{
    struct buffer bytes = {0};
    size_t whole;

    (void)state;
    write_some(&bytes, 1, 5);
    whole = buffer_len(&bytes);
    for (size_t len = 0; len < whole; len++) {
        struct buffer torn = {0};
        struct running run;
        uint64_t found = 0;

        buffer_add(&torn, slice_first(buffer_content(&bytes), len));
        run = start(&torn);
        for (uint64_t i = 1; i <= 5; i++)
            found += has(run.cache, i);
        assert_int_equal(found, stats_of(run).loaded);
        assert_true(found < 5);
        put(run.cache, 6); /* goes behind what was torn, or into a file made anew */
        stop(run);
        run = start(&torn);
        assert_int_equal(stats_of(run).loaded, found + 1);
        assert_int_equal(stats_of(run).damaged, 0);
        assert_true(has(run.cache, 6));
        stop(run);
        buffer_free(&torn);
    }
    buffer_free(&bytes);
}

static void
a_damaged_record_is_left_out(void **state)
{
    struct buffer bytes = {0};

    (void)state;
    write_some(&bytes, 1, 5);
    for (size_t at = 0; at < buffer_len(&bytes); at++) {
        struct buffer hurt = {0};
        struct running run;
        uint64_t found = 0;

        buffer_add(&hurt, buffer_content(&bytes));
        hurt.data[hurt.start + at] ^= (char)(1 << at % 8);
        run = start(&hurt);
        for (uint64_t i = 1; i <= 5; i++)
            found += has(run.cache, i);
        assert_int_equal(found, stats_of(run).loaded);
        assert_int_equal(found, at < 24 ? 0 : 4); /* all of a file with another head, one record of others */
        stop(run);
        buffer_free(&hurt);
    }
    buffer_free(&bytes);
}

static void
a_file_of_another_secret_is_ignored(void **state)
{
    static const struct digest other = {"another secret"};
    struct buffer bytes = {0};
    struct running run = {.cache = cache_new(1 << 20), .disk = disk_of(&bytes)};

    (void)state;
    write_some(&bytes, 1, 5);
    run.file = cache_file_open(run.cache, &run.disk->disk, &other, NULL, NOW);
    assert_int_equal(stats_of(run).loaded, 0);
    assert_true(cache_file_due(run.file));
    stop(run);
    buffer_free(&bytes);
}

/* What a model answers may hold the bytes of a record: it is not taken for one, be the one it stands in damaged. */
static void
a_record_within_an_answer_is_none(void **state)
{
    static const struct digest guessed = {"what an attacker guesses"};
    struct buffer planted = {0}, bytes = {0};
    struct running run = {.cache = cache_new(1 << 20), .disk = disk_of(&planted)};
    struct cache_facts facts = {.key = key_of(1), .status = 200, .created_wall_us = NOW, .ttl_us = USEC_NEVER};
    struct cache_entry *entry;

    (void)state;
    run.file = cache_file_open(run.cache, &run.disk->disk, &guessed, NULL, NOW);
    put(run.cache, 2);
    stop(run);
    run = start(&bytes);
    entry = cache_entry_new(&facts, buffer_content(&planted), SIZE_MAX);
    assert_int_equal(cache_put(run.cache, entry, 0), OK);
    stop(run);
    bytes.data[bytes.start + 24 + 40]++; /* in the record's key */
    run = start(&bytes);
    assert_int_equal(stats_of(run).loaded, 0);
    assert_true(stats_of(run).damaged > 1);
    stop(run);
    buffer_free(&planted);
    buffer_free(&bytes);
}

static void
garbage_is_written_anew(void **state)
{
    struct buffer bytes = {0};
    struct running run = start(&bytes);
    size_t largest = 0;
    uint64_t round;

    (void)state;
    for (round = 0; round < 400; round++) {
        for (uint64_t i = 0; i < 40; i++)
            put(run.cache, 1 + i);
        assert_int_equal(cache_file_write(run.file), OK);
        largest = buffer_len(&bytes) > largest ? buffer_len(&bytes) : largest;
    }
    assert_true(stats_of(run).written >= 40 * 399);
    assert_true(largest < (1 << 20) + 100000); /* small files are left alone up to this */
    for (uint64_t i = 0; i < 40; i++)
        assert_true(has(run.cache, 1 + i));
    stop(run);
    run = start(&bytes);
    assert_int_equal(stats_of(run).loaded, 40);
    stop(run);
    buffer_free(&bytes);
}

static void
what_was_purged_does_not_come_back(void **state)
{
    struct buffer bytes = {0};
    struct running run;

    (void)state;
    write_some(&bytes, 1, 20);
    run = start(&bytes);
    put(run.cache, 21);
    cache_purge(run.cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("odd")));
    put(run.cache, 23);
    assert_true(cache_file_due(run.file));
    assert_int_equal(cache_file_write(run.file), OK);
    kill_at(run, 0);
    run = start(&bytes);
    for (uint64_t i = 1; i <= 23; i++)
        assert_int_equal(has(run.cache, i), i == 23 || (i % 2 == 0 && i <= 20));
    stop(run);
    buffer_free(&bytes);
}

/* The power goes, or a write fails, at each step of writing anew and of appending: what is found afterwards was stored,
 * and nothing that was written before is missing. */
static void
play_failures(int step, bool only_once)
{
    struct buffer bytes = {0};
    struct running run;
    uint64_t found = 0;

    write_some(&bytes, 1, 10);
    run = start(&bytes);
    put(run.cache, 11);
    cache_purge(run.cache, CACHE_TENANT, cache_mark_of(SLICE_LITERAL("nobody"))); /* wants it anew */
    put(run.cache, 12);
    run.disk->steps_left = step;
    run.disk->only_once = only_once;
    for (int i = 0; i < 3; i++) {
        enum status status = cache_file_write(run.file);

        assert_true(status == OK || status == ERR_FULL || status == ERR_IO);
    }
    assert_true(!only_once || step > 3 || stats_of(run).failed == 1);
    put(run.cache, 13);
    stop(run);
    run = start(&bytes);
    for (uint64_t i = 1; i <= 13; i++) {
        bool here = has(run.cache, i);

        found += here;
        assert_true(here || (i > 10 && !only_once));
    }
    assert_int_equal(found, stats_of(run).loaded);
    stop(run);
    buffer_free(&bytes);
}

static void
the_disk_fails_at_each_step(void **state)
{
    (void)state;
    for (int step = 0; step < 8; step++) {
        play_failures(step, false);
        play_failures(step, true);
    }
}

static void
a_file_larger_than_the_store_fills_it(void **state)
{
    struct buffer bytes = {0};
    struct running run;
    struct cache_stats stats;

    (void)state;
    write_some(&bytes, 1, 1500);
    run = (struct running){.cache = cache_new(1 << 16), .disk = disk_of(&bytes)};
    run.file = cache_file_open(run.cache, &run.disk->disk, &secret, NULL, NOW);
    cache_stats(run.cache, &stats);
    assert_true(stats.entries > 30 && stats.entries < 400);
    assert_true(stats.bytes <= 1 << 16);
    stop(run);
    buffer_free(&bytes);
}

static void
uses_outlive_the_process(void **state)
{
    struct buffer bytes = {0};
    struct running run = start(&bytes);
    struct digest key = key_of(1);
    struct cache_entry *entry;

    (void)state;
    put(run.cache, 1);
    entry = cache_lookup(run.cache, &key, NOW, USEC_NEVER);
    for (int i = 0; i < 4; i++)
        cache_used(run.cache, entry, 1);
    cache_entry_release(entry);
    stop(run); /* the first file is written as a whole */
    run = start(&bytes);
    entry = cache_lookup(run.cache, &key, NOW, USEC_NEVER);
    assert_int_equal(entry->place.uses, 5);
    cache_entry_release(entry);
    stop(run);
    buffer_free(&bytes);
}

/* Notes: texts, each kept once. */
enum { NOTES_MOST = 8 };

struct notes {
    struct cache_notes notes;
    char all[NOTES_MOST][16];
    unsigned count;
};

static bool
read_note(struct cache_notes *notes, struct slice note)
{
    struct notes *own = (struct notes *)(void *)notes;

    if (slice_is(note, "damaged"))
        return false;
    assert_true(own->count < NOTES_MOST && note.len < sizeof(own->all[0]));
    memcpy(own->all[own->count], note.data, note.len);
    own->all[own->count++][note.len] = '\0';
    return true;
}

static bool
next_note(struct cache_notes *notes, uint64_t *at, struct buffer *out)
{
    const struct notes *own = (const struct notes *)(const void *)notes;

    if (*at >= own->count)
        return false;
    buffer_add_text(out, own->all[(*at)++]);
    return true;
}

static uint64_t
bytes_of_notes(struct cache_notes *notes)
{
    return ((const struct notes *)(const void *)notes)->count * (uint64_t)16;
}

static const struct cache_notes_ops notes_ops = {.read = read_note, .next = next_note, .bytes = bytes_of_notes};

static struct running
start_with(struct buffer *bytes, struct notes *notes)
{
    struct running run = {.cache = cache_new(1 << 20), .disk = disk_of(bytes)};

    *notes = (struct notes){.notes.ops = &notes_ops};
    run.file = cache_file_open(run.cache, &run.disk->disk, &secret, &notes->notes, NOW);
    return run;
}

/* Whether they were appended or the file was written anew; what no longer holds is not written anew. */
static void
notes_are_kept_with_the_answers(void **state)
{
    struct buffer bytes = {0};
    struct notes notes;
    struct running run = start_with(&bytes, &notes);

    (void)state;
    put(run.cache, 1);
    strcpy(notes.all[notes.count++], "first");
    cache_file_note(run.file, SLICE_LITERAL("first"));
    assert_true(cache_file_due(run.file));
    assert_int_equal(cache_file_write(run.file), OK);
    cache_file_note(run.file, SLICE_LITERAL("second"));
    cache_file_note(run.file, SLICE_LITERAL("damaged"));
    assert_int_equal(cache_file_write(run.file), OK);
    stop(run);
    run = start_with(&bytes, &notes);
    assert_true(has(run.cache, 1));
    assert_int_equal(notes.count, 2);
    assert_string_equal(notes.all[0], "first");
    assert_string_equal(notes.all[1], "second");
    assert_int_equal(stats_of(run).damaged, 1);
    notes.count = 1; /* the second does not hold any more */
    cache_purge(run.cache, CACHE_TENANT, 1);
    assert_int_equal(cache_file_write(run.file), OK);
    stop(run);
    run = start_with(&bytes, &notes);
    assert_int_equal(notes.count, 1);
    assert_int_equal(stats_of(run).damaged, 0);
    stop(run);
    buffer_free(&bytes);
}

/* The power goes at each step: an answer whose note is lost is there all the same, and nothing is made up. */
static void
notes_survive_what_the_disk_does(void **state)
{
    (void)state;
    for (int step = 0; step < 6; step++) {
        struct buffer bytes = {0};
        struct notes notes;
        struct running run = start_with(&bytes, &notes);

        put(run.cache, 1);
        strcpy(notes.all[notes.count++], "first");
        assert_int_equal(cache_file_write(run.file), OK);
        run.disk->steps_left = step;
        put(run.cache, 2);
        strcpy(notes.all[notes.count++], "second");
        cache_file_note(run.file, SLICE_LITERAL("second"));
        (void)!cache_file_write(run.file);
        cache_purge(run.cache, CACHE_TENANT, 1);
        (void)!cache_file_write(run.file);
        stop(run);
        run = start_with(&bytes, &notes);
        assert_true(has(run.cache, 1));
        assert_true(notes.count >= 1 && notes.count <= 2);
        assert_string_equal(notes.all[0], "first");
        stop(run);
        buffer_free(&bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_stored_is_found_after_a_restart),
        cmocka_unit_test(a_torn_tail_is_cut_at_every_byte),
        cmocka_unit_test(a_damaged_record_is_left_out),
        cmocka_unit_test(a_file_of_another_secret_is_ignored),
        cmocka_unit_test(a_record_within_an_answer_is_none),
        cmocka_unit_test(garbage_is_written_anew),
        cmocka_unit_test(what_was_purged_does_not_come_back),
        cmocka_unit_test(the_disk_fails_at_each_step),
        cmocka_unit_test(a_file_larger_than_the_store_fills_it),
        cmocka_unit_test(uses_outlive_the_process),
        cmocka_unit_test(notes_are_kept_with_the_answers),
        cmocka_unit_test(notes_survive_what_the_disk_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
