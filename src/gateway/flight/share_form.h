/* Followers who want an answer in another form than the call brings it: the whole of what comes as a stream, or a stream of
 * what comes as a whole. They read nothing before it is complete; then it is made over for them, off the loop if it is long.
 * Who cannot be served so (the stream was cut, the answer is too long to be held, or is none that can be made over) goes on by
 * itself, as if it had never been there; only where the answer came well, and yet nothing can be made of it, with its part of
 * what that cost. */
#ifndef GATEWAY_SHARE_FORM_H
#define GATEWAY_SHARE_FORM_H

#include "gateway/flight/share.h"

/* Something came of the flight that a follower reads, which has answered nothing yet. True: it is seen to here; false: it
 * takes what comes as it is. */
bool share_form_progress(struct exchange *exchange);

#endif
