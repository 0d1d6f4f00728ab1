/*
 * Runs a fuzz target over every file of a directory, without a fuzzer: what was once interesting stays so. Prints counts
 * as cmocka does. An input that a target refuses to live with ends the program.
 */
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_BYTES_MAX (1024 * 1024)

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The bytes are in a block of exactly their size, so that a sanitizer or valgrind sees a read behind them. */
static bool replay(const char *dir, const char *name)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        perror(path);
        return false;
    }
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    bool whole = feof(file) != 0;
    fclose(file);
    printf("[ RUN      ] %s\n", name);
    fflush(stdout);
    uint8_t *input = mem_resize(NULL, len + (len == 0), 1);
    memcpy(input, bytes, len);
    int code = LLVMFuzzerTestOneInput(input, len);
    mem_free(input);
    printf("[ %s ] %s\n", whole && code == 0 ? "      OK" : " FAILED ", name);
    return whole && code == 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries = NULL;
    int len = argc == 2 ? scandir(argv[1], &entries, is_input, alphasort) : -1;
    if (len < 0) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    printf("[==========] Running %d test(s).\n", len);
    int passed = 0;
    for (int i = 0; i < len; i++) {
        passed += replay(argv[1], entries[i]->d_name);
        free(entries[i]); /* library memory */
    }
    free(entries); /* library memory */
    printf("[==========] %d test(s) run.\n[  PASSED  ] %d test(s).\n", len, passed);
    if (passed < len) {
        printf("[  FAILED  ] %d test(s), listed below:\n", len - passed);
    }
    return len > 0 && passed == len ? 0 : 1;
}
