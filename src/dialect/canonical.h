/* What a request asks, as one number that does not depend on how it was written: the key under which an equal request
 * finds an answer again, and by which equal requests can be told.
 *
 * The number is the HMAC-SHA256 (RFC 2104), keyed by a secret of this installation, of the parts of its scope and of the
 * body's canonical form. HMAC, because a plain hash of secret and text can be continued by whoever sees one, and because
 * without the secret nobody may find out, from a key or from where one lies, what was asked. The form says of each
 * value its kind and length before its content, so no two different requests have the same form.
 *
 * Equal: bodies that differ in white space, in the order of members, in how characters are escaped, in how a number is
 * written (0.50, 5e-1), or in members that change how an answer is sent but not what it says (the table in canonical.c).
 * 1 and 1.0 are equal as members of the body itself (`temperature`), where they are read as numbers; deeper they may be
 * shown to the model as they are written (a tool's schema), so there they are two. All else counts, members that we do
 * not know too; so does the order of elements, and of two members of one name. */
#ifndef DIALECT_CANONICAL_H
#define DIALECT_CANONICAL_H

#include "base/arena.h"
#include "base/hash.h"
#include "dialect/api.h"

/* What a key is made of beside API and body. Texts may be SLICE_NONE. Requests of two scopes have nothing in common. */
struct canonical_scope {
    const struct digest *secret; /* of this installation */
    struct slice tenant;         /* tenants never share */
    struct slice route;          /* as the configuration calls it */
    struct slice target;         /* "backend/model", where the answer of one model must not serve for another */
    struct slice headers; /* whatever else of the request changes its answer: anthropic-beta, anthropic-version */
};

/* The key of a whole request. `hasher` is the worker's; NULL: one is made for the call, as on another thread, where
 * bodies above 1 MiB belong (about 4 ms per MiB). ERR_INVALID: the body is no JSON object. ERR_LIMIT: it is nested too
 * deeply. */
enum status canonical_request(const struct canonical_scope *scope, enum api api, struct slice body,
                              struct hasher *hasher, struct digest *out) MUST_CHECK;

/* Embeddings: a key for each element of `input`, in the arena, being that of a request for it alone; however many others
 * it is sent with. ERR_NOT_FOUND: there is no element. ERR_LIMIT: more than `most`. Other errors as above. */
enum status canonical_elements(const struct canonical_scope *scope, struct slice body, size_t most,
                               struct hasher *hasher, struct arena *arena, struct digest **keys, size_t *count)
    MUST_CHECK;

/* The last turn of the user's, and the key of all the rest: two requests with the same `rest` differ in that turn's text
 * at most. */
struct canonical_conversation {
    struct digest rest;
    struct slice turn; /* decoded, in the arena */
};

/* Of chat, messages, responses and completions (whose prompt is the turn). A turn of several parts: the text is that of
 * its last part that is a text; the others count as the rest. ERR_NOT_FOUND: there is no such text, so nothing that could
 * be compared by its meaning. Other errors as above. */
enum status canonical_conversation(const struct canonical_scope *scope, enum api api, struct slice body,
                                   struct hasher *hasher, struct arena *arena, struct canonical_conversation *out)
    MUST_CHECK;

#endif
