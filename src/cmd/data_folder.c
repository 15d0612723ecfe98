#include "cmd/data_folder.h"

#include "cmd/cmd.h"
#include "cmd/usual.h"
#include "config/config.h"
#include "config/yaml.h"

static int
read_config(struct data_folder *folder, struct arena *arena)
{
    struct buffer text = {0}, shown = {0};
    struct problems problems = {0};
    enum status status = cmd_read_config(folder->config, YAML_BYTES_MOST, &text);

    if (status == OK)
        status = config_data_folder(folder->config, buffer_content(&text), &problems, arena, &folder->data);
    config_print_problems(&problems, buffer_content(&text), cmd_colour(stderr), &shown);
    cmd_tell(buffer_content(&shown));
    problems_free(&problems);
    buffer_free(&shown);
    buffer_free(&text);
    return status == OK ? CMD_FINE : CMD_CONFIG;
}

int
data_folder_find(struct data_folder *folder, struct arena *arena)
{
    if (folder->data != NULL)
        return CMD_FINE;
    if (folder->config == NULL && usual_config_is_here())
        folder->config = USUAL_CONFIG;
    if (folder->config != NULL)
        return read_config(folder, arena);
    folder->data = "equipoise-data";
    return CMD_FINE;
}
