/* usage: price-compiler OUT.c REPORT PROVIDERS.json PRICES.json REVIEWED.json
 * SECOND.json */
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

static cJSON *
read_json(const char *path)
{
    size_t size;
    char *text = read_file(path, &size);
    cJSON *root = NULL;

    if (text != NULL &&
        llmlab__json_dom_parse(&root, text, size, 32) != LLMLAB_OK) {
        fprintf(stderr, "%s: %s\n", path, llmlab_status_detail());
    }
    free(text);
    return root;
}

static bool
add_file(llmlab__build_t *build, const char *path)
{
    cJSON *root = read_json(path);
    bool added = root != NULL;

    if (added && llmlab__price_file_own(build, root, NULL) != LLMLAB_OK) {
        fprintf(stderr, "%s: %s\n", path, llmlab_status_detail());
        added = false;
    }
    cJSON_Delete(root);
    return added;
}

/* Is everything right with the table that can be told? */
static bool
check(const llmlab__price_table_t *table, const char *reviewed_path,
      const char *second_path)
{
    cJSON *reviewed = read_json(reviewed_path);
    cJSON *second = read_json(second_path);
    llmlab__faults_t faults;
    bool is_sound = reviewed != NULL && second != NULL &&
                    llmlab__faults_init(&faults, reviewed);

    if (is_sound) {
        llmlab__check_table(&faults, table);
        is_sound = llmlab__check_second(&faults, table, second);
    }
    if (is_sound) {
        llmlab__faults_close(&faults);
        is_sound = faults.count == 0;
        if (!is_sound) {
            fprintf(stderr,
                    "%u prices cannot be right: correct them, or say in %s "
                    "why they are\n",
                    faults.count, reviewed_path);
        }
    }
    cJSON_Delete(reviewed);
    cJSON_Delete(second);
    return is_sound;
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

    if (argc != 7) {
        fprintf(stderr,
                "usage: %s OUT.c REPORT PROVIDERS.json PRICES.json "
                "REVIEWED.json SECOND.json\n",
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
    if (!check(&table, argv[5], argv[6])) {
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
