/* usage: price-compiler OUT.c REPORT PROVIDERS.json PRICES.json */
#include "compile.h"

#include <stdlib.h>

#include "pricing/price_file.h"

#define FILE_MAX (64u << 20)

typedef struct report_s {
    FILE *file;
    unsigned count;
} report_t;

static void
rounded(void *context, const char *key, const char *rate, const char *text)
{
    report_t *report = context;

    fprintf(report->file, "rounded to 1e-15 USD: %s: %s: %s\n", key, rate,
            text);
    report->count++;
}

static char *
read_file(const char *path, size_t *out_size)
{
    FILE *file = fopen(path, "rb");
    char *text = malloc(FILE_MAX);

    *out_size = 0;
    if (file != NULL && text != NULL) {
        *out_size = fread(text, 1, FILE_MAX, file);
    }
    if (file == NULL || text == NULL || ferror(file) || !feof(file)) {
        perror(path);
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static bool
add_file(llmlab__build_t *build, const char *path)
{
    size_t size;
    char *text = read_file(path, &size);
    cJSON *root = NULL;
    bool added = text != NULL &&
                 llmlab__json_dom_parse(&root, text, size, 32) == LLMLAB_OK &&
                 llmlab__price_file_own(build, root, NULL) == LLMLAB_OK;

    if (text != NULL && !added) {
        fprintf(stderr, "%s: %s\n", path, llmlab_status_detail());
    }
    cJSON_Delete(root);
    free(text);
    return added;
}

static bool
write_file(const char *path, const llmlab__build_t *build,
           const llmlab__price_table_t *table)
{
    FILE *file = fopen(path, "w");
    bool written = file != NULL && llmlab__emit_table(file, build, table);

    if (file != NULL && fclose(file) != 0) {
        written = false;
    }
    if (!written) {
        perror(path);
    }
    return written;
}

int
main(int argc, char **argv)
{
    llmlab__price_table_t table;
    llmlab__build_t build;
    report_t report = {NULL, 0};
    int result = EXIT_FAILURE;
    unsigned faults;

    if (argc != 5) {
        fprintf(stderr, "usage: %s OUT.c REPORT PROVIDERS.json PRICES.json\n",
                argv[0]);
        return EXIT_FAILURE;
    }
    report.file = fopen(argv[2], "w");
    if (report.file == NULL) {
        perror(argv[2]);
        return EXIT_FAILURE;
    }
    llmlab__build_init(&build);
    build.rounded = rounded;
    build.rounded_context = &report;
    if (!add_file(&build, argv[3]) || !add_file(&build, argv[4])) {
        goto out;
    }
    if (llmlab__build_finish(&build, &table) != LLMLAB_OK) {
        fprintf(stderr, "%s: %s\n", argv[4], llmlab_status_detail());
        goto out;
    }
    faults = llmlab__check_table(&table);
    if (faults > 0) {
        fprintf(stderr, "%s: %u prices cannot be right\n", argv[4], faults);
        goto out;
    }
    fprintf(report.file, "%u models, %u rates rounded\n", table.row_count,
            report.count);
    if (write_file(argv[1], &build, &table)) {
        result = EXIT_SUCCESS;
    }
out:
    llmlab__build_cleanup(&build);
    if (fclose(report.file) != 0) {
        perror(argv[2]);
        result = EXIT_FAILURE;
    }
    return result;
}
