#include "cmd/usual.h"

#include <sys/stat.h>

#include "config/config.h"
#include "config/outside.h"
#include "config/yaml.h"

bool
usual_config_is_here(void)
{
    struct stat there;

    return lstat(USUAL_CONFIG, &there) == 0; /* a link to nothing is meant, too, and wrong */
}

const char *
usual_admin(struct arena *arena)
{
    const char *address = USUAL_ADMIN;
    struct problems problems = {0};
    struct buffer text = {0};

    if (usual_config_is_here() && config_outside_real.read_file(USUAL_CONFIG, YAML_BYTES_MOST, &text) == OK &&
        config_admin(USUAL_CONFIG, buffer_content(&text), &problems, arena, &address) != OK)
        address = USUAL_ADMIN; /* what is wrong with the file is for `check` to say */
    problems_free(&problems);
    if (text.data != NULL)
        explicit_bzero(text.data, text.size); /* it may hold secrets */
    buffer_free(&text);
    return address;
}
