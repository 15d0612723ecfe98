/* What stands between white space: an address, or code. */
#ifndef EMBED_LITERAL_RUN_H
#define EMBED_LITERAL_RUN_H

#include "base/slice.h"

enum run_kind { RUN_OTHER, RUN_ADDRESS, RUN_CODE };

/* What is at the front of `text` up to the next white space, quotation mark, backtick or angle bracket, *len bytes; *run
 * is that without brackets and marks around it. */
enum run_kind literal_run(struct slice text, struct slice *run, size_t *len);

#endif
