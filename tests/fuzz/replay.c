/* Runs a fuzz target over kept inputs, without libFuzzer: files and directories named on the
 * command line, or the target's corpus under $srcdir. Says how many; fails when there were none. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifndef CORPUS
#define CORPUS "."
#endif

enum { FILE_MAX = 1024 * 1024, PATH_ROOM = 4096 };

static unsigned long replayed;

static void
replay_file(const char *path)
{
    static uint8_t room[FILE_MAX];
    FILE *f = fopen(path, "rb");

    if (f == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t n = fread(room, 1, sizeof(room), f);
    fclose(f);
    /* A copy of exact size lets a sanitizer see the first byte too many. */
    uint8_t *exact = malloc(n + (n == 0));
    if (exact == NULL)
        exit(EXIT_FAILURE);
    memcpy(exact, room, n);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    replayed++;
}

static void
replay_path(const char *path)
{
    struct stat st;
    struct dirent *entry;
    char inner[PATH_ROOM];

    DIR *dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    if (dir == NULL) {
        replay_file(path);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        replay_file(inner);
    }
    closedir(dir);
}

int
main(int argc, char **argv)
{
    const char *srcdir = getenv("srcdir");
    char corpus[PATH_ROOM];

    for (int i = 1; i < argc; i++)
        replay_path(argv[i]);
    if (argc < 2) {
        snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/" CORPUS,
                 srcdir == NULL ? "." : srcdir);
        replay_path(corpus);
    }
    printf("%lu inputs replayed\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
