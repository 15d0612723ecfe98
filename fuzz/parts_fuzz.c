/* Any bytes as saved slices of a route: what is restored must be saved as the same bytes, and every one of its places is somebody's, once. */
#include <stdlib.h>

#include "quality/parts.h"
#include "sealed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
use(struct parts *parts, uint64_t mark)
{
    struct buffer name = {0};

    for (unsigned place = 1; parts_at(parts, "chat", place, &name); place++) {
        bool is_new;

        ENSURE(place <= PARTS_MOST);
        buffer_add_byte(&name, '\0');
        ENSURE(parts_place(parts, "chat", mark, buffer_content(&name).data, &is_new) == place && !is_new);
        buffer_clear(&name);
    }
    buffer_free(&name);
}

static void
restore(struct slice bytes)
{
    struct parts parts;
    struct buffer again = {0};

    parts_init(&parts);
    if (parts_restore(&parts, "chat", bytes) == OK) {
        uint64_t mark;

        parts_save(&parts, "chat", &again);
        if (bytes.data == NULL || !slice_equal(buffer_content(&again), bytes))
            abort();
        memcpy(&mark, bytes.data + 5, sizeof(mark));
        use(&parts, mark);
    }
    buffer_free(&again);
    parts_free(&parts);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_sealed(data, size, 0x54524150u, restore);
    return 0;
}
