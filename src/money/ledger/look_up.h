/* What became of look-ups for stored answers, as rows and the ledger's sums name it. A row has a list of them,
 * "lever=result" joined by commas, one for each lever that looked. */
#ifndef MONEY_LOOK_UP_H
#define MONEY_LOOK_UP_H

#include "base/slice.h"

enum look_up_result {
#define LOOK_UP(id, name, words) id,
#include "money/ledger/look_up.def"
#undef LOOK_UP
    LOOK_UP_RESULTS,
    LOOK_UP_NONE = LOOK_UP_RESULTS /* it did not look */
};

enum { LOOK_UPS_OF_ROW_MOST = 4 };

const char *look_up_name(enum look_up_result result);  /* "hit" */
const char *look_up_words(enum look_up_result result); /* for a person: "served" */

/* LOOK_UP_NONE: there is no result of that name. */
enum look_up_result look_up_of_name(struct slice name);

/* Takes the next one off the list. False: there is none; what is none is passed over. */
bool look_up_take(struct slice *list, struct slice *lever, enum look_up_result *result);

#endif
