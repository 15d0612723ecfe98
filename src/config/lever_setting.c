#include "config/lever_setting.h"

#include <stdio.h>

#include "config/value.h"

enum { ALL_PPM = 1000000 };

static const char *const modes[] = {[LEVER_OFF] = "off", [LEVER_SHADOW] = "shadow", [LEVER_ON] = "on"};

enum status
lever_setting_parse(struct slice text, struct lever_setting *out)
{
    struct lever_setting setting = {.mode = LEVER_ON, .share_ppm = ALL_PPM};
    struct slice share;
    enum status status;

    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (slice_is(text, modes[i])) {
            *out = (struct lever_setting){.mode = (enum lever_mode)i, .share_ppm = ALL_PPM};
            return OK;
        }
    }
    if (text.len < 3 || !slice_starts(text, "on") || (text.data[2] != ':' && text.data[2] != ' '))
        return ERR_INVALID;
    share = slice_trim(slice_from(text, 3));
    status = value_share(share, &setting.share_ppm);
    if (status == OK)
        *out = setting;
    return status;
}

/* 12500 as "1.25": without zeros at the end. */
static void
format_percent(unsigned ppm, char *out, size_t size)
{
    unsigned fraction = ppm % 10000, digits = 4;

    while (digits > 0 && fraction % 10 == 0) {
        fraction /= 10;
        digits--;
    }
    if (digits == 0)
        snprintf(out, size, "%u", ppm / 10000);
    else
        snprintf(out, size, "%u.%0*u", ppm / 10000, (int)digits, fraction);
}

void
lever_setting_format(struct lever_setting setting, char *out)
{
    char percent[16];

    if (setting.mode != LEVER_ON || setting.share_ppm >= ALL_PPM) {
        snprintf(out, LEVER_TEXT_SIZE, "%s", modes[setting.mode]);
        return;
    }
    format_percent(setting.share_ppm, percent, sizeof percent);
    snprintf(out, LEVER_TEXT_SIZE, "on %s%%", percent);
}

enum status
lever_by_name(struct slice name, enum lever_id *out)
{
    for (unsigned id = 0; id < LEVER_COUNT; id++) {
        if (slice_is(name, lever_name((enum lever_id)id))) {
            *out = (enum lever_id)id;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}
