/* A fuzzer without libFuzzer: feeds each file of the folders that it is given
 * once, and a few inputs that every reader must survive. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static size_t fed;

static int
feed_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status;
    uint8_t *bytes = NULL;
    size_t size;
    int result = -1;

    if (file == NULL || fstat(fileno(file), &status) != 0) {
        goto out;
    }
    size = (size_t)status.st_size;
    bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL || fread(bytes, 1, size, file) != size) {
        goto out;
    }
    LLVMFuzzerTestOneInput(bytes, size);
    fed++;
    result = 0;
out:
    free(bytes);
    if (file != NULL) {
        fclose(file);
    }
    if (result != 0) {
        fprintf(stderr, "cannot read %s\n", path);
    }
    return result;
}

static int
feed_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int result = 0;

    if (dir == NULL) {
        return 0; /* a fuzzer without seeds */
    }
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        char path[4096];

        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            result = feed_file(path);
        }
    }
    closedir(dir);
    return result;
}

/* Memory of exactly the size, so that ASan sees a byte read too far. */
static void
feed_run(uint8_t byte, size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    if (bytes != NULL) {
        memset(bytes, byte, size > 0 ? size : 1);
        LLVMFuzzerTestOneInput(bytes, size);
        free(bytes);
    }
}

static void
feed_runs(void)
{
    static const uint8_t runs[] = {0x00, 0x01, '"', '[', '{', '9', 0x80, 0xff};

    for (size_t i = 0; i < sizeof(runs); i++) {
        feed_run(runs[i], 0);
        feed_run(runs[i], 1);
        feed_run(runs[i], 1000);
    }
}

int
main(int argc, char **argv)
{
    feed_runs();
    for (int i = 1; i < argc; i++) {
        if (feed_folder(argv[i]) != 0) {
            return 1;
        }
    }
    printf("%zu files\n", fed);
    return 0;
}
