/* What proves to a backend who we are: a secret from the configuration, or one that a command of the user's prints and
 * that is good for a while. Each worker asks for itself; exchanges wait in line while the command runs. */
#ifndef GATEWAY_CREDENTIALS_H
#define GATEWAY_CREDENTIALS_H

#include "gateway/exchange.h"

/* One per backend of the view's configuration. */
struct credential_cache *credentials_new(struct view *view);

/* What commands printed for the view before is good for the same commands in this one. */
void credentials_take_over(struct view *view, const struct view *before);
void credentials_free(struct credential_cache *caches);

/* Calls exchange_secret_here for the exchange's plan, at once or when the command has run. A backend without a
 * credential has the secret "". */
void credentials_ask(struct exchange *exchange);

/* What is at hand: the secret of the configuration, or what its command printed and is still good. NULL: nothing is. */
const char *credentials_known(const struct view *view, const struct backend_config *backend);

/* The exchange waits no longer; fine if it does not. */
void credentials_forget(struct exchange *exchange);

/* The backend did not accept it: the next request asks the command anew. */
void credentials_refused(struct view *view, const struct backend_config *backend);

#endif
