// replay.c: gives a fuzz target the files that its arguments name, or those of the
// directories that they name. Ends well where the target does, and says how many.
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 1 << 20, PATH_BYTES_MAX = 4096 };

static unsigned replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    uint8_t *space = malloc(FILE_BYTES_MAX);
    size_t size = fread(space, 1, FILE_BYTES_MAX, file);
    fclose(file);
    // Exactly as many bytes as there are, so that a sanitizer sees a read beyond.
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    memcpy(bytes, space, size);
    free(space);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return 1;
}

static unsigned replay_directory(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    unsigned count = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char name[PATH_BYTES_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        fprintf(stderr, "%s\n", name); // the last one is at fault
        count += replay_file(name);
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}

int main(int count, char **arguments)
{
    unsigned replayed = 0;
    for (int i = 1; i < count; i++) {
        struct stat status;
        bool directory = stat(arguments[i], &status) == 0 && S_ISDIR(status.st_mode);
        replayed +=
            directory ? replay_directory(arguments[i]) : replay_file(arguments[i]);
    }
    printf("%u\n", replayed);
    return 0;
}
