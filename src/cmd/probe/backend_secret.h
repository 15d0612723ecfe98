/* A backend's credential, for commands that ask one by themselves. */
#ifndef CMD_BACKEND_SECRET_H
#define CMD_BACKEND_SECRET_H

#include "config/config.h"

/* The value of the credential's header, malloced, for backend_secret_forget; its command is run. NULL: none, or its
 * command fails, which *failed says. */
char *backend_secret_value(const struct credential *credential, bool *failed);
void backend_secret_forget(char *secret); /* NULL is fine */

#endif
