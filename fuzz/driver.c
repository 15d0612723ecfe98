/* Replays a corpus through a fuzz target where libFuzzer is not at hand (gcc, CI): each argument is a file or a folder
 * of files, and every file is run once. Running nothing at all is a failure, so that an empty corpus cannot pass. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
die(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(2);
}

/* The file's bytes in a block of exactly their size, so that ASan sees a read one byte past the end. */
static uint8_t *
read_whole(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    if (file == NULL || bytes == NULL || fread(bytes, 1, size, file) != size)
        die(path, "cannot be read");
    fclose(file);
    return bytes;
}

static unsigned
run_file(const char *path, size_t size)
{
    uint8_t *bytes = read_whole(path, size);

    /* Flushed before the run: after a crash the last line says which file did it. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 1;
}

static unsigned run_path(const char *path);

static unsigned
run_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    unsigned runs = 0;

    if (count < 0)
        die(path, "cannot be listed");
    for (int i = 0; i < count; i++) {
        char inside[4096];

        if (entries[i]->d_name[0] != '.') {
            snprintf(inside, sizeof inside, "%s/%s", path, entries[i]->d_name);
            runs += run_path(inside);
        }
        free(entries[i]);
    }
    free(entries);
    return runs;
}

static unsigned
run_path(const char *path)
{
    struct stat about;

    if (stat(path, &about) != 0)
        die(path, "does not exist");
    return S_ISDIR(about.st_mode) ? run_folder(path) : run_file(path, (size_t)about.st_size);
}

int
main(int argc, char **argv)
{
    unsigned runs = 0;

    for (int i = 1; i < argc; i++)
        runs += run_path(argv[i]);
    if (runs == 0) {
        fprintf(stderr, "no input was run: give files, or folders that hold some\n");
        return 2;
    }
    printf("%u inputs\n", runs);
    return 0;
}
