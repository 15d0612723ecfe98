/* What is known of stored answers by their meaning, kept in step with the store: what is learned goes to the store's file
 * as a note (levers/semantic_notes.h), what is gone from the store, or purged, goes from here too. */
#ifndef GATEWAY_TURN_KEEPER_H
#define GATEWAY_TURN_KEEPER_H

#include "cache/file.h"
#include "gateway/gateway.h"
#include "levers/promotions.h"
#include "levers/semantic_index.h"

/* For the store's file; outlives it. After gateway_open_meanings. */
struct cache_notes *turn_keeper_new(struct gateway *gateway) __attribute__((returns_nonnull));
void turn_keeper_free(struct cache_notes *keeper); /* NULL is fine */

/* The turn's answer is in the store under that key. Any thread, as all that follows. */
void turns_remember(struct gateway *gateway, const struct semantic_turn *turn, const struct digest *key);

/* A judge let the pair pass. */
void turns_promote(struct gateway *gateway, const struct promotion *promotion);

/* After a purge, and when the file was read: what is about answers that are not in the store any more goes. May take
 * milliseconds. */
void turns_forget_gone(struct gateway *gateway);

#endif
