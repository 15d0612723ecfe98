#include "admin/change.h"

#include "base/clock.h"

static void
put(struct buffer *out, const char *name, struct slice value, bool last)
{
    buffer_printf(out, "\"%s\":", name);
    if (value.data == NULL) {
        buffer_add_text(out, "null");
    } else {
        buffer_add_byte(out, '"');
        buffer_add_json(out, value);
        buffer_add_byte(out, '"');
    }
    buffer_add_text(out, last ? "}\n" : ",");
}

void
change_write(const struct change *change, struct buffer *out)
{
    char time[CLOCK_TEXT_SIZE];

    clock_format_utc(change->wall_us, time);
    buffer_add_byte(out, '{');
    put(out, "time", slice_of(time), false);
    put(out, "who", change->who, false);
    if (change->from.len > 0)
        put(out, "from", change->from, false);
    put(out, "what", change->what, false);
    put(out, "name", change->name, false);
    put(out, "before", change->before, false);
    put(out, "after", change->after, true);
}
