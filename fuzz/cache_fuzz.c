/* Any bytes as the file of the store: nothing but what could have been stored is found, and what is found is found again
 * when it was written down. The first byte decides whether the sums are put right, without which a fuzzer would get
 * nowhere. */
#include <stdlib.h>

#include "cache/file.h"
#include "levers/semantic_notes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct digest secret = {"a secret"};

struct memory_disk {
    struct cache_disk disk;
    struct buffer file, fresh;
    bool begun;
};

static struct memory_disk *
of(struct cache_disk *disk)
{
    return (struct memory_disk *)(void *)disk;
}

static enum status
disk_read(struct cache_disk *disk, uint64_t at, char *out, size_t len, size_t *got)
{
    struct slice rest = slice_from(buffer_content(&of(disk)->file), at);

    *got = len < rest.len ? len : rest.len;
    if (*got > 0)
        memcpy(out, rest.data, *got);
    return OK;
}

static enum status
disk_append(struct cache_disk *disk, struct slice bytes)
{
    buffer_add(of(disk)->begun ? &of(disk)->fresh : &of(disk)->file, bytes);
    return OK;
}

static enum status
disk_begin(struct cache_disk *disk)
{
    buffer_clear(&of(disk)->fresh);
    of(disk)->begun = true;
    return OK;
}

static enum status
disk_replace(struct cache_disk *disk)
{
    buffer_clear(&of(disk)->file);
    buffer_add(&of(disk)->file, buffer_content(&of(disk)->fresh));
    of(disk)->begun = false;
    return OK;
}

static void
disk_nothing(struct cache_disk *disk)
{
    (void)disk;
}

static const struct cache_disk_ops memory_ops = {.read = disk_read,
                                                 .append = disk_append,
                                                 .begin = disk_begin,
                                                 .replace = disk_replace,
                                                 .abandon = disk_nothing,
                                                 .close = disk_nothing};

/* Each entry can be read to its end, whatever it is. */
static uint64_t
read_all(struct cache *cache)
{
    struct cache_held *all;
    size_t count = cache_hold_all(cache, 0, &all);

    for (size_t i = 0; i < count; i++) {
        struct chunk *content = cache_entry_content(all[i].entry);
        struct usage usage;

        if (content != NULL)
            ENSURE(content->len == all[i].entry->len);
        cache_entry_usage(all[i].entry, &usage);
        ENSURE(usage_fault(&usage) == NULL);
        chunk_release(content);
        cache_entry_release(all[i].entry);
    }
    free(all);
    return count;
}

/* Notes of turns and promotions; all that could be read are written again. */
struct notes {
    struct cache_notes notes;
    struct buffer all; /* one after the other, each behind its length */
};

static const struct semantic_space space = {.table = 0x1122334455667788u, .dims = 32};

/* What could be read is written as it was. */
static bool
read_note(struct cache_notes *notes, struct slice bytes)
{
    struct notes *own = (struct notes *)(void *)notes;
    struct semantic_note note;
    struct buffer again = {0};
    uint64_t len = bytes.len;

    semantic_note_read(&space, bytes, &note);
    if (note.kind == NOTE_TURN)
        semantic_note_turn(&space, &note.key, &note.turn, &again);
    else if (note.kind == NOTE_PROMOTION)
        semantic_note_promotion(&note.promotion, &again);
    ENSURE(buffer_len(&again) == 0 || slice_equal(buffer_content(&again), bytes));
    buffer_free(&again);
    if (note.kind == NOTE_DAMAGED)
        return false;
    buffer_add(&own->all, slice_make((const char *)&len, sizeof(len)));
    buffer_add(&own->all, bytes);
    return true;
}

static bool
next_note(struct cache_notes *notes, uint64_t *at, struct buffer *out)
{
    struct slice rest = slice_from(buffer_content(&((struct notes *)(void *)notes)->all), *at);
    uint64_t len;

    if (rest.len == 0)
        return false;
    memcpy(&len, rest.data, sizeof(len));
    buffer_add(out, slice_first(slice_from(rest, sizeof(len)), len));
    *at += sizeof(len) + len;
    return true;
}

static uint64_t
bytes_of_notes(struct cache_notes *notes)
{
    return buffer_len(&((struct notes *)(void *)notes)->all);
}

static const struct cache_notes_ops notes_ops = {.read = read_note, .next = next_note, .bytes = bytes_of_notes};

static uint64_t
start_and_stop(struct memory_disk *disk)
{
    struct notes notes = {.notes.ops = &notes_ops};
    struct cache *cache = cache_new(1 << 20);
    struct cache_file *file = cache_file_open(cache, &disk->disk, &secret, &notes.notes, 0);
    struct cache_file_stats stats;
    uint64_t count = read_all(cache);

    cache_file_stats(file, &stats);
    ENSURE(stats.loaded == count);
    cache_purge(cache, CACHE_TENANT, 1);
    count = read_all(cache);
    cache_file_close(file);
    cache_free(cache);
    count = 1000 * count + buffer_len(&notes.all);
    buffer_free(&notes.all);
    return count;
}

/* The bytes as the payloads of records, each behind a byte that is its length. */
static void
write_records(struct slice bytes, struct buffer *out)
{
    cache_file_write_head(&secret, out);
    while (bytes.len > 1) {
        size_t len = 2 * (size_t)(unsigned char)bytes.data[0] + 1;

        cache_file_write_record(&secret, slice_first(slice_from(bytes, 1), len), out);
        bytes = slice_from(slice_from(bytes, 1), len);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct memory_disk disk = {.disk.ops = &memory_ops};
    uint64_t count;

    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        buffer_add(&disk.file, slice_from(bytes, 1));
    else
        write_records(slice_from(bytes, 1), &disk.file);
    count = start_and_stop(&disk);
    ENSURE(start_and_stop(&disk) == count);
    buffer_free(&disk.file);
    buffer_free(&disk.fresh);
    return 0;
}
