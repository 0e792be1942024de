#include "bench/support/bench.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void
bench_begin(bench_t *bench, const char *name, int argc, char **argv)
{
    memset(bench, 0, sizeof *bench);
    bench->name = name;
    bench->json = bench_flag(argc, argv, "--json");
    bench->counting = bench_flag(argc, argv, "--count");
    if (!bench->json) {
        printf("%s\n", name);
    }
}

int
bench_end(const bench_t *bench)
{
    fflush(stdout);
    return bench->broken ? 1 : bench->missed ? 2 : 0;
}

bool
bench_flag(int argc, char **argv, const char *name)
{
    int i;

    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *
bench_option(int argc, char **argv, const char *name)
{
    int i;

    for (i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return NULL;
}

static void
print_json(const bench_t *bench, const char *what, double value,
           const char *unit, double at_most, double at_least, bool passed)
{
    printf("{\"bench\":\"%s\",\"what\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"",
           bench->name, what, value, unit);
    if (!isnan(at_most)) {
        printf(",\"at_most\":%.6g", at_most);
    }
    if (!isnan(at_least)) {
        printf(",\"at_least\":%.6g", at_least);
    }
    printf(",\"pass\":%s}\n", passed ? "true" : "false");
}

void
bench_row(bench_t *bench, const char *what, double value, const char *unit,
          double at_most, double at_least)
{
    bool passed = !(value > at_most) && !(value < at_least);

    bench->missed = bench->missed || !passed;
    if (bench->json) {
        print_json(bench, what, value, unit, at_most, at_least, passed);
        return;
    }
    printf("  %-52s %12.6g %-8s", what, value, unit);
    if (!isnan(at_most)) {
        printf(" <= %-8.6g", at_most);
    }
    if (!isnan(at_least)) {
        printf(" >= %-8.6g", at_least);
    }
    if (!isnan(at_most) || !isnan(at_least)) {
        printf(" %s", passed ? "ok" : "MISSED");
    }
    printf("\n");
}

void
bench_note(const bench_t *bench, const char *format, ...)
{
    va_list arguments;

    if (bench->json) {
        return;
    }
    va_start(arguments, format);
    printf("  ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void
bench_broken(bench_t *bench, const char *format, ...)
{
    va_list arguments;

    bench->broken = true;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", bench->name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
}

void
bench_drops(bench_t *bench, const char *what, const llmlab_client_t *client)
{
    char label[96];
    llmlab_stats_t stats;
    uint64_t dropped = 0;
    int i;

    llmlab_stats_init(&stats);
    llmlab_client_stats(client, &stats);
    for (i = 0; i < LLMLAB_DROP_CAPACITY; i++) {
        dropped += stats.dropped[i];
        if (stats.dropped[i] > 0) {
            bench_broken(bench, "%s: dropped %llu of %llu: %s", what,
                         (unsigned long long)stats.dropped[i],
                         (unsigned long long)stats.accepted,
                         llmlab_drop_name((llmlab_drop_t)i));
        }
    }
    snprintf(label, sizeof label, "%s: dropped", what);
    bench_row(bench, label, (double)dropped, "spans", 0, NAN);
}

int64_t
bench_cpu(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int
compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

void
bench_sort(double *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare);
}

double
bench_min(double *samples, size_t count)
{
    bench_sort(samples, count);
    return samples[0];
}

double
bench_median(double *samples, size_t count)
{
    bench_sort(samples, count);
    return samples[count / 2];
}

double
bench_percentile(const double *sorted, size_t count, double share)
{
    size_t i = (size_t)(share * (double)count);

    return sorted[i < count ? i : count - 1];
}

char *
bench_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long length;

    if (file == NULL) {
        return NULL;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0) {
        rewind(file);
        text = malloc((size_t)length + 1);
        if (text != NULL) {
            *size = fread(text, 1, (size_t)length, file);
            text[*size] = '\0';
        }
    }
    fclose(file);
    return text;
}
