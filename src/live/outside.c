#include "live/outside.h"

#include "live/dns.h"

const struct config_outside config_outside_live = {
    .environment = config_outside_environment, .read_file = config_outside_read_file, .resolve = dns_resolve};
