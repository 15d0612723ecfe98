/* What a configuration that is served needs of the machine: files, the environment, and where names lead. */
#ifndef LIVE_OUTSIDE_H
#define LIVE_OUTSIDE_H

#include "config/outside.h"

extern const struct config_outside config_outside_live;

#endif
