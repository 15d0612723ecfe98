/* Shared by the parts of a flight: flight.c (the call and what it brings), flight_cursor.c (what is here of it, and who reads
 * that), flight_fed.c (flights without a call) and flight_feed.c (those that a call for several requests is dealt out to). */
#ifndef GATEWAY_FLIGHT_INSIDE_H
#define GATEWAY_FLIGHT_INSIDE_H

#include "gateway/flight/flight.h"

/* One holder, in FLIGHT_OPENING. */
struct flight *flight_new(struct world *world, struct flights *all, enum api api, enum dialect dialect);

/* The only function that changes a flight's state. */
void flight_move(struct flight *flight, enum flight_state to);

/* What comes of the answer, for all who read. */
void flight_append(struct flight *flight, struct slice bytes, enum meter_event event, bool open_event);

/* Stars out our own key where an error's answer repeats it. */
void flight_hide_secret(const struct flight *flight, char *bytes, size_t len);

/* flight_translate.c: the head as it is told, of any flight; then what comes of an answer that is translated. Any of them
 * may end the flight, as failed. */
void flight_tell_head(struct flight *flight);
void flight_translate_head(struct flight *flight);
void flight_translate_frame(struct flight *flight, struct slice frame);
void flight_translate_unread(struct flight *flight); /* an event was too long */
void flight_translate_piece(struct flight *flight, struct slice piece);
void flight_translate_end(struct flight *flight);
void flight_translate_free(struct flight *flight);
void flight_drop_untold(struct flight *flight); /* it is metered, or nobody waits for it any more */

/* flight_logprobs.c: whether a whole answer waits in `untold` until its logprobs can be taken out; then that; and a frame of
 * a stream, of any flight, for its readers. */
bool flight_gathers(const struct flight *flight);
void flight_tell_gathered(struct flight *flight);
void flight_tell_frame(struct flight *flight, struct slice frame, enum meter_event event, bool open_event);

/* Takes over the chunk (malloced), for all who read. */
void flight_add_chunk(struct flight *flight, struct flight_chunk *chunk);
void flight_drop_chunk(struct flight *flight, struct flight_chunk *chunk);

/* Tells all readers. Any of them may leave while one is told, and the flight may end with it: hold it. */
void flight_wake_all(struct flight *flight);

/* Frees what every reader has read, if all let go of it. */
void flight_trim(struct flight *flight);

/* When all readers have seen what came: what they left is what they are behind. */
void flight_pause_if_behind(struct flight *flight);

/* Nobody reads it any more: what it still would say is not worth its price. */
void flight_close_if_unread(struct flight *flight);

/* With their texts, all in one piece. */
const struct http_header *flight_copy_headers(struct arena *arena, const struct http_header *from, size_t count);

/* Takes in what came of the body: of a stream by its events, of another answer as it is, to be metered at its end. */
void flight_take_stream(struct flight *flight, struct slice input);
void flight_take_piece(struct flight *flight, struct slice piece);
void flight_meter_all(struct flight *flight);

#endif
