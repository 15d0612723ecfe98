/* Where the ledger is that report, explain and export read: --data, else what --config names or the configuration that
 * stands here, else the usual folder. */
#ifndef CMD_DATA_FOLDER_H
#define CMD_DATA_FOLDER_H

#include "base/arena.h"

/* As given on the command line; NULL: not given. */
struct data_folder {
    const char *data, *config;
};

/* For a table of options. */
#define DATA_FOLDER_OPTIONS(folder)                                                                                    \
    {"data",         'd', OPTION_TEXT, "DIR", "the gateway's data directory (equipoise-data, if no file names one)",   \
     &(folder)->data},                                                                                                 \
    {                                                                                                                  \
        "config", 'c', OPTION_TEXT, "FILE",                                                                            \
            "the gateway's configuration, which names that directory (equipoise.yaml, if it is here)",                 \
            &(folder)->config                                                                                          \
    }

/* Fills in folder->data, and folder->config if one stands here; the path may be the arena's: CMD_FINE, or the exit status once it has said what is wrong. */
int data_folder_find(struct data_folder *folder, struct arena *arena);

#endif
