/* What a replay tells: for people, as JSON, each request as CSV, and as a picture. */
#ifndef CMD_REPLAY_REPORT_H
#define CMD_REPLAY_REPORT_H

#include "cmd/replay/replay_world.h"

enum { REPLAY_LINES_MOST = 12, REPLAY_DOTS_MOST = 90 };

struct replay_result {
    const struct replay_world *world;
    const char *name; /* of the trace */
    bool interrupted;
    struct replay_summary coarse, fine; /* over few slices of time, and over many */
};

void replay_write_text(const struct replay_result *result, bool colour, struct buffer *out);
void replay_write_json(const struct replay_result *result, struct buffer *out);
void replay_write_csv(const struct replay_result *result, struct buffer *out);
void replay_write_svg(const struct replay_result *result, struct buffer *out);

#endif
