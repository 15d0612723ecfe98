#include "cache/file.h"

enum status
cache_disk_read_whole(struct cache_disk *disk, size_t most, struct buffer *out)
{
    char piece[16 * 1024];
    enum status status;
    size_t got;

    do {
        status = disk->ops->read(disk, buffer_len(out), piece, sizeof(piece), &got);
        if (status != OK)
            return status;
        buffer_add(out, slice_make(piece, got));
    } while (got == sizeof(piece) && buffer_len(out) < most);
    return buffer_len(out) < most ? OK : ERR_LIMIT;
}

enum status
cache_disk_write_whole(struct cache_disk *disk, struct slice bytes)
{
    enum status status = disk->ops->begin(disk);

    if (status == OK)
        status = disk->ops->append(disk, bytes);
    if (status == OK)
        return disk->ops->replace(disk);
    disk->ops->abandon(disk);
    return status;
}
