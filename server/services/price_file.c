/* What a project says it pays, as a price file (docs/PRICING.md). */
#include <string.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "services/price_books.h"

#define NS_PER_S INT64_C(1000000000)

typedef struct file_s {
    llmlab__buf_t models;
    llmlab__buf_t discounts;
    llmlab__buf_t aliases;
    llmlab__json_out_t model_out;
    llmlab__json_out_t discount_out;
    llmlab__json_out_t alias_out;
    llmlab__buf_t model; /* whose prices are being written; empty: none */
    int64_t changed_ns;
} file_t;

static void
put_member(llmlab__json_out_t *out, const char *key, const char *text)
{
    llmlab__json_key_n(out, key, strlen(key));
    llmlab__json_put_text(out, text);
}

static void
put_from(llmlab__json_out_t *out, int64_t from_s)
{
    char text[LLMLAB__TIME_TEXT];

    if (from_s != LLMLAB__PRICE_ALWAYS) {
        llmlab__time_format(from_s * NS_PER_S, text);
        put_member(out, "from", text);
    }
}

static void
model_end(file_t *file)
{
    if (file->model.size > 0) {
        llmlab__json_end_array(&file->model_out);
        llmlab__json_end_object(&file->model_out);
        llmlab__buf_clear(&file->model);
    }
}

static void
put_override(file_t *file, const llmlab__price_t *price)
{
    llmlab__json_out_t *out = &file->model_out;
    size_t size = strlen(price->model);

    if (file->model.size != size ||
        memcmp(file->model.data, price->model, size) != 0) {
        model_end(file);
        llmlab__buf_append(&file->model, price->model, size);
        llmlab__json_key_n(out, price->model, size);
        llmlab__json_begin_object(out);
        put_member(out, "provider", price->provider);
        llmlab__json_key(out, "prices");
        llmlab__json_begin_array(out);
    }
    llmlab__json_begin_object(out);
    put_from(out, price->from_s);
    /* The members of the stored object, which is not empty. */
    if (out->comma) {
        llmlab__buf_text(out->buf, ",");
    }
    llmlab__buf_append(out->buf, price->value + 1, strlen(price->value) - 2);
    llmlab__json_end_object(out);
}

static void
put_discount(file_t *file, const llmlab__price_t *price)
{
    llmlab__json_out_t *out = &file->discount_out;

    llmlab__json_begin_object(out);
    if (price->provider[0] != '\0') {
        put_member(out, "provider", price->provider);
    }
    if (price->model[0] != '\0') {
        put_member(out, "model", price->model);
    }
    put_from(out, price->from_s);
    put_member(out, "percent", price->value);
    llmlab__json_end_object(out);
}

static bool
on_price(void *payload, const llmlab__price_t *price)
{
    file_t *file = payload;

    file->changed_ns = price->changed_ns > file->changed_ns ? price->changed_ns
                                                            : file->changed_ns;
    switch (price->kind) {
    case LLMLAB__PRICE_OVERRIDE:
        put_override(file, price);
        break;
    case LLMLAB__PRICE_DISCOUNT:
        put_discount(file, price);
        break;
    case LLMLAB__PRICE_ALIAS:
        put_member(&file->alias_out, price->alias, price->model);
        break;
    }
    return true;
}

static void
put_part(llmlab__json_out_t *out, const char *key, const llmlab__buf_t *part)
{
    if (part->size > 0) {
        llmlab__json_key_n(out, key, strlen(key));
        llmlab__json_put_raw(out, (const char *)part->data, part->size);
    }
}

static void
file_write(file_t *file, llmlab__buf_t *buf)
{
    llmlab__json_out_t out;
    char text[LLMLAB__TIME_TEXT];

    llmlab__json_out_init(&out, buf);
    llmlab__json_begin_object(&out);
    llmlab__json_key(&out, "llmlab_prices");
    llmlab__json_put_int(&out, 1);
    if (file->changed_ns > 0) {
        llmlab__time_format(file->changed_ns / NS_PER_S * NS_PER_S, text);
        put_member(&out, "version", text);
    }
    put_part(&out, "models", &file->models);
    put_part(&out, "aliases", &file->aliases);
    put_part(&out, "discounts", &file->discounts);
    llmlab__json_end_object(&out);
}

llmlab_status_t
llmlab__price_file_write(llmlab__reader_t *reader,
                         const llmlab__price_ops_t *ops, int64_t project,
                         llmlab__buf_t *out, bool *any)
{
    llmlab_status_t status;
    file_t file = {.changed_ns = 0};

    llmlab__json_out_init(&file.model_out, &file.models);
    llmlab__json_out_init(&file.discount_out, &file.discounts);
    llmlab__json_out_init(&file.alias_out, &file.aliases);
    llmlab__json_begin_object(&file.model_out);
    llmlab__json_begin_array(&file.discount_out);
    llmlab__json_begin_object(&file.alias_out);
    status = ops->book(reader, project, on_price, &file);
    model_end(&file);
    llmlab__json_end_object(&file.model_out);
    llmlab__json_end_array(&file.discount_out);
    llmlab__json_end_object(&file.alias_out);
    *any = file.changed_ns > 0;
    if (status == LLMLAB_OK) {
        file_write(&file, out);
        if (out->failed || file.models.failed || file.discounts.failed ||
            file.aliases.failed || file.model.failed) {
            status = LLMLAB_ENOMEM;
        }
    }
    llmlab__buf_cleanup(&file.models);
    llmlab__buf_cleanup(&file.discounts);
    llmlab__buf_cleanup(&file.aliases);
    llmlab__buf_cleanup(&file.model);
    return status;
}
