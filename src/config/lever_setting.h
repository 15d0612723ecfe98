/* The levers and how they are set; a setting as text: "off", "shadow", "on", "on 5%" (on for that share of conversations,
 * shadow for the rest). */
#ifndef CONFIG_LEVER_SETTING_H
#define CONFIG_LEVER_SETTING_H

#include "base/slice.h"
#include "base/status.h"

enum lever_mode { LEVER_OFF, LEVER_SHADOW, LEVER_ON };

/* `on: 5%`: on for that share of conversations, shadow for the rest. */
struct lever_setting {
    enum lever_mode mode;
    unsigned share_ppm; /* 1,000,000: all */
};

/* The levers there are; their order is also the order in which savings are attributed. */
enum lever_id {
#define LEVER(id, name, may_change_answer, words) id,
#include "config/levers.def"
#undef LEVER
    LEVER_COUNT
};

const char *lever_name(enum lever_id id);

/* Also "on:5%" and "on: 5%". ERR_INVALID: it is none of that. */
enum status lever_setting_parse(struct slice text, struct lever_setting *out) MUST_CHECK;

/* `out` needs LEVER_TEXT_SIZE bytes. */
enum { LEVER_TEXT_SIZE = 24 };
void lever_setting_format(struct lever_setting setting, char *out);

/* The lever of that name. ERR_NOT_FOUND. */
enum status lever_by_name(struct slice name, enum lever_id *out) MUST_CHECK;

#endif
