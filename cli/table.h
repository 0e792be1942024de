/* A table of texts, printed aligned for people or as CSV for programs. */
#ifndef LLMLAB_CLI_TABLE_H
#define LLMLAB_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_TABLE_COLUMNS 16

typedef struct cli_table_s {
    char **cells; /* the header first */
    size_t count;
    size_t capacity;
    size_t columns;
    bool right[CLI_TABLE_COLUMNS]; /* numbers stand right */
    bool failed;                   /* out of memory: printing says so */
} cli_table_t;

/* Headers separated by "|"; one that begins with ">" is a column of numbers:
 * "model|>calls|>cost". */
void cli_table_init(cli_table_t *table, const char *headers);
void cli_table_cleanup(cli_table_t *table);

/* Cells row by row; a text is copied, NULL is "-". */
void cli_table_text(cli_table_t *table, const char *text);
/* An RFC 3339 time, without the fraction and, at midnight UTC, the time. */
void cli_table_time(cli_table_t *table, const char *text);
void cli_table_uint(cli_table_t *table, uint64_t value);
size_t cli_table_rows(const cli_table_t *table); /* without the header */

/* Rows by the number in a column, largest first; equal ones keep their order.
 * Only for columns of counts. */
void cli_table_sort(cli_table_t *table, size_t column);
/* Keep the first rows and the last few; a row between them tells how many are
 * not shown. */
void cli_table_shorten(cli_table_t *table, size_t first, size_t last);

/* False when memory ran out somewhere. */
bool cli_table_print(const cli_table_t *table, FILE *file);
bool cli_table_print_csv(const cli_table_t *table, FILE *file);

#endif
