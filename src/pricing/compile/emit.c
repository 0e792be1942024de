#include "compile.h"

#include <inttypes.h>

/* Each text on a line of its own; a string literal ends before the next, so
 * that no digit joins an escape. */
static void
emit_texts(FILE *file, const char *texts, size_t size)
{
    size_t at = 0;

    fputs("static const char texts[] =\n", file);
    while (at < size) {
        fputs("    \"", file);
        for (; texts[at] != '\0'; at++) {
            unsigned char c = (unsigned char)texts[at];

            if (c < 0x20 || c >= 0x7f) {
                fprintf(file, "\\%03o", c);
            } else if (c == '"' || c == '\\' || c == '?') {
                fprintf(file, "\\%c", c);
            } else {
                fputc(c, file);
            }
        }
        at++;
        fputs("\\0\"\n", file);
    }
    fputs("    ;\n\n", file);
}

/* ISO C has no empty arrays: one element of zeros stands for none. */
static void
begin(FILE *file, const char *type, const char *name, size_t count)
{
    fprintf(file, "static const %s %s[] = {\n%s", type, name,
            count == 0 ? "    {0},\n" : "");
}

static void
end(FILE *file)
{
    fputs("};\n\n", file);
}

static void
emit_u32(FILE *file, const char *name, const uint32_t *values, size_t count)
{
    size_t i;

    begin(file, "uint32_t", name, 1);
    for (i = 0; i < count; i++) {
        fprintf(file, "%s%" PRIu32 "u,%s", i % 8 == 0 ? "    " : " ", values[i],
                i % 8 == 7 || i + 1 == count ? "\n" : "");
    }
    end(file);
}

static void
emit_rows(FILE *file, const llmlab__price_table_t *table)
{
    uint32_t i;

    begin(file, "llmlab__price_row_t", "rows", table->row_count);
    for (i = 0; i < table->row_count; i++) {
        const llmlab__price_row_t *row = &table->rows[i];

        fprintf(file,
                "    {%" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u, %" PRIu32
                "u, %" PRIu32 "u, %" PRIu32 "u, %u, %u, %u, 0},\n",
                row->key, row->provider, row->mode, row->source, row->family,
                row->periods, row->period_count, row->checked, row->retires);
    }
    end(file);
}

static void
emit_periods(FILE *file, const llmlab__period_t *periods, size_t count)
{
    size_t i;

    begin(file, "llmlab__period_t", "periods", count);
    for (i = 0; i < count; i++) {
        const llmlab__period_t *period = &periods[i];

        if (period->from_s == INT64_MIN) {
            fputs("    {INT64_MIN", file);
        } else {
            fprintf(file, "    {INT64_C(%" PRId64 ")", period->from_s);
        }
        fprintf(file,
                ", %" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u, %" PRIu32
                "u, %u, %u, %u, %u, %" PRIu32 "u},\n",
                period->rates, period->contexts, period->factors,
                period->windows, period->rate_count, period->context_count,
                period->factor_count, period->window_count, period->flags);
    }
    end(file);
}

static void
emit_amounts(FILE *file, const uint64_t *amounts, size_t count)
{
    size_t i;

    begin(file, "uint64_t", "amounts", 1);
    for (i = 0; i < count; i++) {
        fprintf(file, "    UINT64_C(%" PRIu64 "),\n", amounts[i]);
    }
    end(file);
}

static void
emit_small(FILE *file, const llmlab__build_t *build,
           const llmlab__price_table_t *table)
{
    size_t contexts = build->contexts.bytes.size / sizeof(llmlab__context_t);
    size_t factors = build->factors.bytes.size / sizeof(llmlab__factor_t);
    size_t windows = build->windows.bytes.size / sizeof(llmlab__window_t);
    size_t families = build->families.size / sizeof(llmlab__family_t);
    size_t aliases = build->aliases.size / sizeof(llmlab__alias_t);
    size_t i;

    begin(file, "llmlab__context_t", "contexts", contexts);
    for (i = 0; i < contexts; i++) {
        fprintf(file, "    {%" PRIu32 "u, %" PRIu32 "u},\n",
                table->contexts[i].limit, table->contexts[i].bound);
    }
    end(file);
    begin(file, "llmlab__factor_t", "factors", factors);
    for (i = 0; i < factors; i++) {
        fprintf(file,
                "    {%" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u, %" PRIu32
                "u},\n",
                table->factors[i].kind, table->factors[i].text,
                table->factors[i].numerator, table->factors[i].denominator);
    }
    end(file);
    begin(file, "llmlab__window_t", "windows", windows);
    for (i = 0; i < windows; i++) {
        fprintf(file, "    {%u, %u, %u, %d},\n", table->windows[i].days,
                table->windows[i].start, table->windows[i].end,
                table->windows[i].zone);
    }
    end(file);
    begin(file, "llmlab__family_t", "families", families);
    for (i = 0; i < families; i++) {
        fprintf(file,
                "    {%" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u, %" PRIu32
                "u, %" PRIu32 "u},\n",
                table->families[i].name, table->families[i].prefixes,
                table->families[i].also, table->families[i].tools,
                table->families[i].gateway);
    }
    end(file);
    begin(file, "llmlab__alias_t", "aliases", aliases);
    for (i = 0; i < aliases; i++) {
        fprintf(file, "    {%" PRIu32 "u, %" PRIu32 "u},\n",
                table->aliases[i].name, table->aliases[i].family);
    }
    end(file);
}

bool
llmlab__emit_table(FILE *file, const llmlab__build_t *build,
                   const llmlab__price_table_t *table)
{
    fputs("/* Made by the table compiler from prices.json: do not edit. */\n"
          "#include \"pricing/table.h\"\n\n",
          file);
    emit_texts(file, table->texts, build->texts.bytes.size);
    emit_rows(file, table);
    emit_periods(file, table->periods,
                 build->periods.bytes.size / sizeof(llmlab__period_t));
    emit_u32(file, "rates", table->rates,
             build->rates.bytes.size / sizeof(uint32_t));
    emit_amounts(file, table->amounts,
                 build->amounts.bytes.size / sizeof(uint64_t));
    emit_small(file, build, table);
    emit_u32(file, "slots", table->slots, table->slot_mask + 1);
    emit_u32(file, "alias_slots", table->alias_slots, table->alias_mask + 1);
    fprintf(file,
            "static const llmlab__price_table_t table = {\n"
            "    \"%.10s\", INT64_C(%" PRId64 "), texts, rows, periods, rates, "
            "amounts,\n"
            "    contexts, factors, windows, families, aliases, slots, "
            "alias_slots,\n"
            "    %" PRIu32 "u, %" PRIu32 "u, %" PRIu32 "u};\n\n"
            "const llmlab__price_table_t *\n"
            "llmlab__price_table_builtin(void)\n"
            "{\n"
            "    return &table;\n"
            "}\n",
            table->version, table->instant_s, table->row_count,
            table->slot_mask, table->alias_mask);
    return ferror(file) == 0;
}
