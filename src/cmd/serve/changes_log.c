#include "cmd/serve/changes_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

#include "admin/change.h"
#include "base/map.h"
#include "config/facts.h"

/* One thing's newest state. */
struct known {
    char *what, *name, *value; /* malloced; value NULL: it is gone */
    bool seen;                 /* in the configuration being compared */
};

struct changes_log {
    pthread_mutex_t lock; /* of all; a line is written under it */
    int fd;
    bool torn;        /* the file's last line has no end */
    struct map known; /* "what\tname" -> struct known */
};

/* Set at run time, and so over at a start. */
static bool
is_of_run_time(const char *what)
{
    return strcmp(what, "lever at run time") == 0 || strcmp(what, "bypass") == 0;
}

/* What stands for nothing: a lever that no file names is off. */
static const char *
rest_of(const char *what)
{
    return strcmp(what, "lever") == 0 || strcmp(what, "bypass") == 0 ? "off" : NULL;
}

static struct known *
known_of(struct changes_log *log, const char *what, const char *name)
{
    struct buffer key = {0};
    struct known *known;

    buffer_printf(&key, "%s\t%s", what, name);
    known = map_get(&log->known, buffer_content(&key));
    if (known == NULL) {
        known = must_calloc(1, sizeof(*known));
        known->what = must_strdup(what);
        known->name = must_strdup(name);
        map_put(&log->known, buffer_content(&key), known);
    }
    buffer_free(&key);
    return known;
}

static bool
same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
set_known(struct known *known, const char *value)
{
    const char *rest = rest_of(known->what);

    free(known->value);
    known->value = value != NULL && !same(value, rest) ? must_strdup(value) : NULL;
}

/* A line that is none (torn by a full disk, or of a person's making) says nothing. */
static void
learn_line(struct changes_log *log, struct slice line)
{
    yyjson_doc *doc = yyjson_read(line.data, line.len, YYJSON_READ_NOFLAG);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *what = yyjson_get_str(yyjson_obj_get(root, "what")),
               *name = yyjson_get_str(yyjson_obj_get(root, "name"));

    if (what != NULL && name != NULL)
        set_known(known_of(log, what, name), yyjson_get_str(yyjson_obj_get(root, "after")));
    yyjson_doc_free(doc);
}

static void
learn_lines(struct changes_log *log, struct slice lines)
{
    while (lines.len > 0)
        learn_line(log, slice_split(&lines, '\n'));
}

static enum status
read_all(int fd, struct buffer *out)
{
    enum { PIECE_BYTES = 64 * 1024 };

    for (;;) {
        ssize_t got = read(fd, buffer_reserve(out, PIECE_BYTES), PIECE_BYTES);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 ? OK : ERR_IO;
        out->end += (size_t)got;
    }
}

const char *
changes_log_path(struct arena *arena, const char *data)
{
    return arena_printf(arena, "%s/changes.log", data);
}

/* The file itself survives a power cut once its folder is written. */
static enum status
keep_folder(const char *data)
{
    int fd = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = fd >= 0 && fsync(fd) == 0 ? OK : ERR_IO;

    if (fd >= 0)
        close(fd);
    return status;
}

enum status
changes_log_open(const char *data, struct changes_log **out)
{
    struct changes_log *log = must_calloc(1, sizeof(*log));
    struct arena arena = {0};
    struct buffer text = {0};
    enum status status;

    pthread_mutex_init(&log->lock, NULL);
    log->fd = open(changes_log_path(&arena, data), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    status = log->fd >= 0 ? read_all(log->fd, &text) : ERR_IO;
    if (status == OK && buffer_len(&text) == 0)
        status = keep_folder(data);
    if (status == OK) {
        learn_lines(log, buffer_content(&text));
        log->torn = buffer_len(&text) > 0 && !slice_ends(buffer_content(&text), "\n");
        *out = log;
    } else {
        changes_log_close(log);
    }
    arena_reset(&arena);
    buffer_free(&text);
    return status;
}

void
changes_log_close(struct changes_log *log)
{
    struct slice key;
    void *value;
    size_t at = 0;
    int why = errno;

    if (log == NULL)
        return;
    while (map_next(&log->known, &at, &key, &value)) {
        struct known *known = value;

        free(known->what);
        free(known->name);
        free(known->value);
        free(known);
    }
    map_free(&log->known);
    if (log->fd >= 0)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log);
    errno = why;
}

/* After a write that failed halfway, the next line begins afresh, so that at most one is spoilt. */
static enum status
write_lines(struct changes_log *log, struct slice lines)
{
    if (log->torn && write(log->fd, "\n", 1) != 1)
        return errno == ENOSPC ? ERR_FULL : ERR_IO;
    log->torn = false;
    while (lines.len > 0) {
        ssize_t written = write(log->fd, lines.data, lines.len);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno == ENOSPC ? ERR_FULL : ERR_IO;
        lines = slice_from(lines, (size_t)written);
        log->torn = lines.len > 0;
    }
    return fdatasync(log->fd) == 0 ? OK : ERR_IO;
}

static enum status
keep(struct changes_log *log, struct slice lines)
{
    enum status status = lines.len > 0 ? write_lines(log, lines) : OK;

    if (status == OK)
        learn_lines(log, lines);
    return status;
}

enum status
changes_log_add(struct changes_log *log, struct slice lines)
{
    enum status status;

    pthread_mutex_lock(&log->lock);
    status = keep(log, lines);
    pthread_mutex_unlock(&log->lock);
    return status;
}

static void
put_change(struct buffer *lines, const struct known *known, const char *after, const char *who, usec wall_us)
{
    const char *before = known->value != NULL ? known->value : rest_of(known->what);

    if (same(known->value, after))
        return;
    if (after == NULL)
        after = rest_of(known->what);
    change_write(&(struct change){.wall_us = wall_us,
                                  .who = slice_of(who),
                                  .what = slice_of(known->what),
                                  .name = slice_of(known->name),
                                  .before = slice_of(before),
                                  .after = slice_of(after)},
                 lines);
}

static void
put_gone(struct changes_log *log, struct buffer *lines, const char *who, bool start, usec wall_us)
{
    struct slice key;
    void *value;
    size_t at = 0;

    while (map_next(&log->known, &at, &key, &value)) {
        struct known *known = value;

        if (!known->seen && (start || !is_of_run_time(known->what)))
            put_change(lines, known, NULL, who, wall_us);
        known->seen = false;
    }
}

enum status
changes_log_compare(struct changes_log *log, const struct config *config, uint64_t salt, const char *who, bool start,
                    usec wall_us)
{
    struct arena arena = {0};
    struct buffer lines = {0};
    struct config_fact *facts;
    size_t count = config_facts(config, salt, &arena, &facts);
    enum status status;

    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < count; i++) {
        struct known *known = known_of(log, facts[i].what, facts[i].name);

        known->seen = true;
        put_change(&lines, known, facts[i].value, who, wall_us);
    }
    put_gone(log, &lines, who, start, wall_us);
    status = keep(log, buffer_content(&lines));
    pthread_mutex_unlock(&log->lock);
    buffer_free(&lines);
    arena_reset(&arena);
    return status;
}
