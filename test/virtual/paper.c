#include "paper.h"

#include "base/list.h"

static struct paper *
paper_of(struct cache_disk *disk)
{
    return CONTAINER_OF(disk, struct paper, disk);
}

static enum status
paper_read(struct cache_disk *disk, uint64_t at, char *out, size_t len, size_t *got)
{
    struct slice content = buffer_content(&paper_of(disk)->file);

    *got = at < content.len ? content.len - at : 0;
    *got = *got < len ? *got : len;
    if (*got > 0)
        memcpy(out, content.data + at, *got);
    return OK;
}

static enum status
paper_append(struct cache_disk *disk, struct slice bytes)
{
    buffer_add(&paper_of(disk)->next, bytes);
    return OK;
}

static enum status
paper_begin(struct cache_disk *disk)
{
    buffer_clear(&paper_of(disk)->next);
    return OK;
}

static enum status
paper_replace(struct cache_disk *disk)
{
    struct paper *paper = paper_of(disk);

    buffer_clear(&paper->file);
    buffer_add(&paper->file, buffer_content(&paper->next));
    paper->written++;
    return OK;
}

static void
paper_leave(struct cache_disk *disk)
{
    (void)disk;
}

const struct cache_disk_ops paper_ops = {.read = paper_read,
                                         .append = paper_append,
                                         .begin = paper_begin,
                                         .replace = paper_replace,
                                         .abandon = paper_leave,
                                         .close = paper_leave};

void
paper_free(struct paper *paper)
{
    buffer_free(&paper->file);
    buffer_free(&paper->next);
}
