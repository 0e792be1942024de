#include "cli/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add(cli_table_t *table, const char *text, size_t size)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
        char **cells = realloc(table->cells, capacity * sizeof(*cells));

        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    table->cells[table->count] = strndup(text, size);
    if (table->cells[table->count] == NULL) {
        table->failed = true;
        return;
    }
    table->count++;
}

void
cli_table_init(cli_table_t *table, const char *headers)
{
    memset(table, 0, sizeof(*table));
    while (table->columns < CLI_TABLE_COLUMNS) {
        size_t size;

        if (*headers == '>') {
            table->right[table->columns] = true;
            headers++;
        }
        size = strcspn(headers, "|");
        add(table, headers, size);
        table->columns++;
        if (headers[size] == '\0') {
            return;
        }
        headers += size + 1;
    }
}

void
cli_table_cleanup(cli_table_t *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    memset(table, 0, sizeof(*table));
}

void
cli_table_text(cli_table_t *table, const char *text)
{
    text = text != NULL ? text : "-";
    add(table, text, strlen(text));
}

void
cli_table_time(cli_table_t *table, const char *text)
{
    const char midnight[] = "T00:00:00Z";
    char cut[64];
    size_t size;

    if (text == NULL || strlen(text) >= sizeof(cut)) {
        cli_table_text(table, text);
        return;
    }
    size = strcspn(text, ".");
    memcpy(cut, text, size);
    cut[size] = '\0';
    if (text[size] == '.') {
        size_t digits = strspn(text + size + 1, "0123456789");

        strcpy(cut + size, text + size + 1 + digits);
    }
    size = strlen(cut);
    if (size >= sizeof(midnight) &&
        strcmp(cut + size - (sizeof(midnight) - 1), midnight) == 0) {
        cut[size - (sizeof(midnight) - 1)] = '\0';
    }
    cli_table_text(table, cut);
}

void
cli_table_uint(cli_table_t *table, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, value);
    cli_table_text(table, text);
}

size_t
cli_table_rows(const cli_table_t *table)
{
    return table->count / table->columns - 1;
}

static char **
row_at(const cli_table_t *table, size_t row)
{
    return table->cells + (row + 1) * table->columns;
}

void
cli_table_sort(cli_table_t *table, size_t column)
{
    size_t bytes = table->columns * sizeof(char *);
    char *moving[CLI_TABLE_COLUMNS];

    for (size_t i = 1; i < cli_table_rows(table); i++) {
        size_t to = i;

        memcpy(moving, row_at(table, i), bytes);
        while (to > 0 && strtoull(row_at(table, to - 1)[column], NULL, 10) <
                             strtoull(moving[column], NULL, 10)) {
            to--;
        }
        memmove(row_at(table, to + 1), row_at(table, to), (i - to) * bytes);
        memcpy(row_at(table, to), moving, bytes);
    }
}

void
cli_table_shorten(cli_table_t *table, size_t first, size_t last)
{
    size_t rows = table->count == 0 ? 0 : cli_table_rows(table);
    size_t hidden = (rows - first - last) * table->columns;
    char *told[CLI_TABLE_COLUMNS];
    char text[48];
    char **gap;

    if (table->failed || rows <= first + last + 1) {
        return;
    }
    snprintf(text, sizeof(text), "... %zu more", rows - first - last);
    for (size_t i = 0; i < table->columns; i++) {
        told[i] = strdup(i == 0 ? text : "");
        table->failed = table->failed || told[i] == NULL;
    }
    gap = row_at(table, first);
    for (size_t i = 0; !table->failed && i < hidden; i++) {
        char *cell = gap[i];

        gap[i] = i < table->columns ? told[i] : NULL;
        free(cell);
    }
    if (table->failed) {
        for (size_t i = 0; i < table->columns; i++) {
            free(told[i]);
        }
        return;
    }
    memmove(gap + table->columns, gap + hidden,
            last * table->columns * sizeof(char *));
    table->count = (1 + first + 1 + last) * table->columns;
}

/* Characters, not bytes: continuation bytes of UTF-8 take no place. */
static size_t
width(const char *text)
{
    size_t characters = 0;

    for (; *text != '\0'; text++) {
        characters += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return characters;
}

/* What came over the network must not steer the terminal. */
static void
put_printable(const char *text, FILE *file)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        fputc(c < 0x20 || c == 0x7f ? '?' : c, file);
    }
}

static void
put_spaces(size_t count, FILE *file)
{
    while (count-- > 0) {
        fputc(' ', file);
    }
}

bool
cli_table_print(const cli_table_t *table, FILE *file)
{
    size_t widths[CLI_TABLE_COLUMNS] = {0};
    size_t columns = table->columns;

    for (size_t i = 0; i < table->count; i++) {
        size_t characters = width(table->cells[i]);

        if (characters > widths[i % columns]) {
            widths[i % columns] = characters;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % columns;
        size_t padding = widths[column] - width(table->cells[i]);

        fputs(column == 0 ? "  " : "   ", file);
        if (table->right[column]) {
            put_spaces(padding, file);
        }
        put_printable(table->cells[i], file);
        if (column + 1 == columns) {
            fputc('\n', file);
        } else if (!table->right[column]) {
            put_spaces(padding, file);
        }
    }
    return !table->failed;
}

bool
cli_table_print_csv(const cli_table_t *table, FILE *file)
{
    for (size_t i = 0; i < table->count; i++) {
        const char *text = table->cells[i];
        bool quoted = text[strcspn(text, ",\"\r\n")] != '\0';

        if (quoted) {
            fputc('"', file);
        }
        for (; *text != '\0'; text++) {
            if (*text == '"') {
                fputc('"', file);
            }
            fputc(*text, file);
        }
        if (quoted) {
            fputc('"', file);
        }
        fputs((i + 1) % table->columns == 0 ? "\r\n" : ",", file);
    }
    return !table->failed;
}
