#define _GNU_SOURCE /* asprintf */
#include "live/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "money/ledger/journal.h"

static const char segment_magic[8] = {'E', 'Q', 'J', 'O', 'U', 'R', 'N', 'L'};
static const char segment_suffix[] = ".journal";
static const char unfinished_suffix[] = ".journal.new";

/* What a segment starts with; the machine's byte order, which is checked by the magic number's neighbour. */
struct segment_head {
    char magic[8];
    uint32_t version;
    uint32_t worker;
    uint64_t sequence;
    int64_t created_wall_us;
    char spare[32];
};
_Static_assert(sizeof(struct segment_head) == SEGMENT_HEAD_BYTES, "the head has a fixed size");
_Static_assert(SEGMENT_HEAD_BYTES % JOURNAL_ALIGN == 0, "records are aligned");

static struct segment *
segment_new(const char *path, void *bytes, size_t size)
{
    struct segment *segment = must_calloc(1, sizeof(*segment));
    struct segment_head head;

    memcpy(&head, bytes, sizeof(head));
    segment->path = must_strdup(path);
    segment->bytes = bytes;
    segment->size = size;
    segment->worker = head.worker;
    segment->sequence = head.sequence;
    segment->end = SEGMENT_HEAD_BYTES;
    segment->synced = SEGMENT_HEAD_BYTES;
    atomic_init(&segment->published, SEGMENT_HEAD_BYTES);
    atomic_init(&segment->following, NULL);
    atomic_init(&segment->done, false);
    return segment;
}

static void
write_head(void *bytes, unsigned worker, uint64_t sequence)
{
    struct segment_head head = {
        .version = JOURNAL_VERSION, .worker = worker, .sequence = sequence, .created_wall_us = clock_wall_us()};

    memcpy(head.magic, segment_magic, sizeof(head.magic));
    memcpy(bytes, &head, sizeof(head));
}

/* The file's name must be on the disk too. */
static bool
sync_directory(const char *dir)
{
    int handle = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = handle >= 0 && fsync(handle) == 0;

    if (handle >= 0)
        close(handle);
    return synced;
}

static enum status
status_of_errno(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG ? ERR_FULL : ERR_IO;
}

static enum status
map_new(int file, size_t size, void **out)
{
    int failed = posix_fallocate(file, 0, (off_t)size);

    if (failed != 0)
        return status_of_errno(failed);
    *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    return *out != MAP_FAILED ? OK : ERR_IO;
}

/* Under its unfinished name, so that a segment found under its own name always has room and a head. */
static enum status
create_unfinished(const char *path, unsigned worker, uint64_t sequence, size_t size, void **bytes)
{
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum status status;

    if (file < 0)
        return status_of_errno(errno);
    status = map_new(file, size, bytes);
    close(file);
    if (status != OK)
        return status;
    write_head(*bytes, worker, sequence);
    if (msync(*bytes, SEGMENT_HEAD_BYTES, MS_SYNC) == 0)
        return OK;
    munmap(*bytes, size);
    return ERR_IO;
}

static enum status
create_at(const char *dir, const char *path, const char *unfinished, unsigned worker, uint64_t sequence, size_t size,
          struct segment **out)
{
    void *bytes;
    enum status status = create_unfinished(unfinished, worker, sequence, size, &bytes);

    if (status == OK && rename(unfinished, path) == 0) {
        *out = segment_new(path, bytes, size);
        if (sync_directory(dir))
            return OK;
        segment_free(*out, true);
        return ERR_IO;
    }
    if (status == OK) {
        status = status_of_errno(errno);
        munmap(bytes, size);
    }
    unlink(unfinished);
    return status;
}

enum status
segment_create(const char *dir, unsigned worker, uint64_t sequence, size_t size, struct segment **out)
{
    char *unfinished = NULL, *path;
    enum status status;

    ENSURE(size % JOURNAL_ALIGN == 0 && size > SEGMENT_HEAD_BYTES + JOURNAL_ALIGN);
    if (asprintf(&unfinished, "%s/%03u-%016llx%s", dir, worker, (unsigned long long)sequence, unfinished_suffix) < 0)
        return ERR_NO_MEMORY;
    path = slice_strdup(slice_first(slice_of(unfinished), strlen(unfinished) - strlen(".new")));
    status = create_at(dir, path, unfinished, worker, sequence, size, out);
    free(path);
    free(unfinished);
    return status;
}

static enum status
refuse(const char *path, struct problems *problems, const char *what, const char *hint)
{
    problems_add(problems, (struct problem){.file = path, .hint = hint}, "%s", what);
    return ERR_INVALID;
}

static enum status
check_head(const char *path, const void *bytes, struct problems *problems)
{
    struct segment_head head;

    memcpy(&head, bytes, sizeof(head));
    if (memcmp(head.magic, segment_magic, sizeof(head.magic)) != 0)
        return refuse(path, problems, "is not a journal segment: its first bytes are wrong",
                      "move it out of the journal's directory if it is not ours");
    if (head.version > JOURNAL_VERSION)
        return refuse(path, problems, "was written by a newer equipoise than this one",
                      "start the newer program once, which takes it into the ledger, or go on with that one");
    return OK;
}

static enum status
map_file(const char *path, int file, struct problems *problems, struct segment **out)
{
    struct stat about;
    size_t size;
    void *bytes;
    enum status status;

    if (fstat(file, &about) != 0)
        return refuse(path, problems, strerror(errno), NULL);
    size = (size_t)about.st_size & ~(size_t)(JOURNAL_ALIGN - 1);
    if (size < SEGMENT_HEAD_BYTES)
        return refuse(path, problems, "is not a journal segment: it is too short", "move it out of the directory");
    bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED)
        return refuse(path, problems, strerror(errno), NULL);
    status = check_head(path, bytes, problems);
    if (status == OK)
        *out = segment_new(path, bytes, size);
    else
        munmap(bytes, size);
    return status;
}

enum status
segment_map(const char *path, struct problems *problems, struct segment **out)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    enum status status;

    if (file < 0 && errno == ENOENT)
        return ERR_NOT_FOUND;
    if (file < 0)
        return refuse(path, problems, strerror(errno), "make it readable for this user");
    status = map_file(path, file, problems, out);
    close(file);
    return status;
}

void
segment_free(struct segment *segment, bool remove_file)
{
    if (segment == NULL)
        return;
    munmap(segment->bytes, segment->size);
    if (remove_file)
        unlink(segment->path);
    free(segment->path);
    free(segment);
}

enum status
segment_sync(struct segment *segment)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t end = atomic_load_explicit(&segment->published, memory_order_acquire);
    size_t start = segment->synced & ~(page - 1);

    if (end == segment->synced)
        return OK;
    if (msync(segment->bytes + start, end - start, MS_SYNC) != 0)
        return ERR_IO;
    segment->synced = end;
    return OK;
}

static void
publish(unsigned char *at, uint32_t length)
{
    __atomic_store_n((uint32_t *)(void *)at, length, __ATOMIC_RELEASE);
}

enum status
segment_append(struct segment *segment, struct slice record)
{
    unsigned char *at = segment->bytes + segment->end;
    uint32_t length;

    ENSURE(record.len % JOURNAL_ALIGN == 0 && record.len > sizeof(length));
    if (record.len + JOURNAL_ALIGN > segment->size - segment->end)
        return ERR_FULL;
    memcpy(&length, record.data, sizeof(length));
    ENSURE(length != 0 && length != JOURNAL_SEALED);
    memcpy(at + sizeof(length), record.data + sizeof(length), record.len - sizeof(length));
    publish(at, length);
    segment->end += record.len;
    atomic_store_explicit(&segment->published, segment->end, memory_order_release);
    return OK;
}

void
segment_seal(struct segment *segment)
{
    ENSURE(segment->end + JOURNAL_ALIGN <= segment->size);
    publish(segment->bytes + segment->end, JOURNAL_SEALED);
}

enum segment_found
segment_look(const struct segment *segment, size_t offset, struct slice *record)
{
    const unsigned char *at = segment->bytes + offset;
    uint32_t length;

    ENSURE(offset % JOURNAL_ALIGN == 0 && offset <= segment->size);
    if (segment->size - offset < JOURNAL_ALIGN)
        return SEGMENT_TORN;
    length = __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
    if (length == 0)
        return SEGMENT_WAIT;
    if (length == JOURNAL_SEALED)
        return SEGMENT_SEALED;
    if (journal_record_bytes(length) > segment->size - offset)
        return SEGMENT_TORN;
    *record = slice_make((const char *)at, journal_record_bytes(length));
    return SEGMENT_RECORD;
}

static int
by_sequence(const void *a, const void *b)
{
    const struct segment *left = *(struct segment *const *)a, *right = *(struct segment *const *)b;

    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

static enum status
list_open_directory(const char *dir, DIR *open_dir, struct problems *problems, struct segment ***out, size_t *count)
{
    struct segment **all = NULL;
    enum status worst = OK;
    struct dirent *entry;

    while ((entry = readdir(open_dir)) != NULL) {
        enum status status = ERR_NOT_FOUND;
        char *path = NULL;

        if (!slice_ends(slice_of(entry->d_name), segment_suffix))
            continue;
        all = must_realloc(all, (*count + 1) * sizeof(struct segment *));
        if (asprintf(&path, "%s/%s", dir, entry->d_name) >= 0)
            status = segment_map(path, problems, &all[*count]);
        free(path);
        if (status == OK)
            (*count)++;
        else if (status != ERR_NOT_FOUND)
            worst = status;
    }
    if (*count > 1)
        qsort(all, *count, sizeof(struct segment *), by_sequence);
    *out = all;
    return worst;
}

enum status
segment_list(const char *dir, struct problems *problems, struct segment ***out, size_t *count)
{
    DIR *open_dir = opendir(dir);
    enum status status;

    *out = NULL;
    *count = 0;
    if (open_dir == NULL && errno == ENOENT)
        return OK;
    if (open_dir == NULL)
        return refuse(dir, problems, strerror(errno), "make it readable for this user");
    status = list_open_directory(dir, open_dir, problems, out, count);
    closedir(open_dir);
    return status;
}

void
segment_clear_unfinished(const char *dir)
{
    DIR *open_dir = opendir(dir);
    struct dirent *entry;

    while (open_dir != NULL && (entry = readdir(open_dir)) != NULL)
        if (slice_ends(slice_of(entry->d_name), unfinished_suffix))
            unlinkat(dirfd(open_dir), entry->d_name, 0);
    if (open_dir != NULL)
        closedir(open_dir);
}
