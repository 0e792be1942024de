/* The user's own prices: a file in our schema or in LiteLLM's form, aliases
 * and discounts. */
#include "pricing/book.h"

#include "base/alloc.h"
#include "base/money.h"
#include "base/status.h"
#include "base/u128.h"
#include "pricing/price_file.h"
#include "pricing/read_file.h"
#include "pricing/windows.h"

#define DEPTH_MAX 32

static char *
copy(const char *text)
{
    return llmlab__strndup(text, strlen(text));
}

static llmlab_status_t
out_of_memory(void)
{
    return llmlab__fail(LLMLAB_ENOMEM, "out of memory");
}

/* The canonical name of a provider's family, as rows have it. */
static char *
family_copy(const char *provider, size_t size)
{
    const llmlab__price_table_t *builtin = llmlab__price_table_builtin();
    const llmlab__family_t *family = llmlab__family_of(builtin, provider, size);
    char folded[LLMLAB__FAMILY_TEXT];

    if (family != NULL) {
        return copy(llmlab__price_text(builtin, family->name));
    }
    llmlab__family_fold(folded, provider, size);
    return copy(folded);
}

/* "azure/my-deployment": "azure/gpt-4o". A name whose first part is no
 * provider is that of any. */
static llmlab_status_t
read_alias(llmlab_price_book_t *book, const cJSON *item)
{
    const llmlab__price_table_t *builtin = llmlab__price_table_builtin();
    const char *key = llmlab__json_dom_string(item);
    const char *slash = strchr(item->string, '/');
    size_t size = slash != NULL ? (size_t)(slash - item->string) : 0;
    llmlab__name_alias_t *alias = &book->aliases[book->alias_count];

    if (key == NULL || llmlab__price_find(book, key).row == NULL) {
        return llmlab__fail(LLMLAB_EPARSE,
                            "aliases.%s: \"%.80s\" is no model of the book",
                            item->string, key != NULL ? key : "");
    }
    if (size > 0 && llmlab__family_of(builtin, item->string, size) != NULL) {
        alias->family = family_copy(item->string, size);
        alias->name = copy(slash + 1);
    } else {
        alias->family = copy("");
        alias->name = copy(item->string);
    }
    alias->key = copy(key);
    book->alias_count++;
    return alias->family != NULL && alias->name != NULL && alias->key != NULL
               ? LLMLAB_OK
               : out_of_memory();
}

static llmlab_status_t
read_aliases(llmlab_price_book_t *book, const cJSON *aliases)
{
    const cJSON *item;

    if (aliases == NULL) {
        return LLMLAB_OK;
    }
    if (!cJSON_IsObject(aliases)) {
        return llmlab__fail(LLMLAB_EPARSE, "aliases: is no object");
    }
    book->aliases = llmlab__calloc((size_t)cJSON_GetArraySize(aliases) + 1,
                                   sizeof(*book->aliases));
    if (book->aliases == NULL) {
        return out_of_memory();
    }
    cJSON_ArrayForEach(item, aliases)
    {
        llmlab_status_t status = read_alias(book, item);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* 12.5 % off is 875/1000. */
static bool
parse_percent(const char *text, llmlab__discount_t *discount)
{
    const uint64_t whole = LLMLAB__FEMTO * 100;
    const uint64_t unit = LLMLAB__FEMTO / 10000; /* four decimals */
    llmlab_money_t percent;
    int inexact = 0;

    if (text == NULL ||
        llmlab_money_parse(&percent, text, strlen(text), &inexact) !=
            LLMLAB_OK ||
        inexact || percent.high != 0 || percent.low > whole ||
        percent.low % unit != 0) {
        return false;
    }
    discount->numerator = (uint32_t)((whole - percent.low) / unit);
    discount->denominator = (uint32_t)(whole / unit);
    return true;
}

/* {"provider": "openai", "percent": "12.5", "from": "2026-07-01"},
 * {"model": key, "percent": ...} */
static llmlab_status_t
read_discount(llmlab_price_book_t *book, const cJSON *item)
{
    const cJSON *percent = llmlab__json_dom_get(item, "percent");
    const char *provider =
        llmlab__json_dom_string(llmlab__json_dom_get(item, "provider"));
    const char *key =
        llmlab__json_dom_string(llmlab__json_dom_get(item, "model"));
    const char *from =
        llmlab__json_dom_string(llmlab__json_dom_get(item, "from"));
    const char *number = llmlab__json_dom_string(percent);
    llmlab__discount_t *discount = &book->discounts[book->discount_count];

    number = number != NULL ? number : llmlab__json_dom_number(percent);
    if (!parse_percent(number, discount)) {
        return llmlab__fail(LLMLAB_EPARSE,
                            "discounts: percent is no decimal from 0 to 100 "
                            "with up to four decimals");
    }
    discount->from_s = INT64_MIN;
    if (from != NULL && !llmlab__instant_parse(from, &discount->from_s)) {
        return llmlab__fail(LLMLAB_EPARSE,
                            "discounts: from is no date or UTC time");
    }
    discount->family =
        provider != NULL ? family_copy(provider, strlen(provider)) : copy("");
    discount->key = copy(key != NULL ? key : "");
    book->discount_count++;
    return discount->family != NULL && discount->key != NULL ? LLMLAB_OK
                                                             : out_of_memory();
}

static llmlab_status_t
read_discounts(llmlab_price_book_t *book, const cJSON *discounts)
{
    const cJSON *item;

    if (discounts == NULL) {
        return LLMLAB_OK;
    }
    if (!cJSON_IsArray(discounts)) {
        return llmlab__fail(LLMLAB_EPARSE, "discounts: is no list");
    }
    book->discounts = llmlab__calloc((size_t)cJSON_GetArraySize(discounts) + 1,
                                     sizeof(*book->discounts));
    if (book->discounts == NULL) {
        return out_of_memory();
    }
    cJSON_ArrayForEach(item, discounts)
    {
        llmlab_status_t status = read_discount(book, item);

        if (status != LLMLAB_OK) {
            return status;
        }
    }
    return LLMLAB_OK;
}

/* The narrowest that fits: the model's, the provider's, that of all. Of those
 * as narrow the latest that has begun. */
const llmlab__discount_t *
llmlab__price_discount(const llmlab_price_book_t *book, llmlab__price_ref_t ref,
                       int64_t time_s)
{
    const llmlab__discount_t *found = NULL;
    unsigned narrowest = 0;
    size_t i;

    for (i = 0; book != NULL && i < book->discount_count; i++) {
        const llmlab__discount_t *discount = &book->discounts[i];
        bool by_key = discount->key[0] != '\0';
        bool by_family = discount->family[0] != '\0';
        unsigned narrow = 1u + by_family + 2u * by_key;

        if (discount->from_s > time_s ||
            (by_key &&
             strcmp(discount->key, llmlab__price_ref_key(ref)) != 0) ||
            (by_family &&
             strcmp(discount->family,
                    llmlab__price_text(ref.table, ref.row->family)) != 0)) {
            continue;
        }
        if (narrow > narrowest ||
            (narrow == narrowest && discount->from_s > found->from_s)) {
            narrowest = narrow;
            found = discount;
        }
    }
    return found;
}

static llmlab_status_t
fill(llmlab_price_book_t *book, const cJSON *root)
{
    const llmlab__price_table_t *builtin = llmlab__price_table_builtin();
    bool own = llmlab__price_file_is_own(root);
    llmlab_status_t status;

    book->build.version = llmlab__build_text(&book->build, "custom");
    status = own ? llmlab__price_file_own(&book->build, root, builtin)
                 : llmlab__price_file_litellm(&book->build, root, builtin);
    if (status == LLMLAB_OK) {
        status = llmlab__build_finish(&book->build, &book->table);
    }
    if (status == LLMLAB_OK && own) {
        status = read_aliases(book, llmlab__json_dom_get(root, "aliases"));
    }
    if (status == LLMLAB_OK && own) {
        status = read_discounts(book, llmlab__json_dom_get(root, "discounts"));
    }
    return status;
}

llmlab_status_t
llmlab_price_book_parse(llmlab_price_book_t **out, const char *json,
                        size_t size)
{
    llmlab_price_book_t *book;
    llmlab_status_t status;
    cJSON *root = NULL;

    if (out == NULL || (json == NULL && size > 0)) {
        return llmlab__fail(LLMLAB_EINVAL, "no text, or nowhere to put it");
    }
    *out = NULL;
    status = llmlab__json_dom_parse(&root, json, size, DEPTH_MAX);
    if (status != LLMLAB_OK) {
        return status;
    }
    book = llmlab__calloc(1, sizeof(*book));
    if (book == NULL) {
        cJSON_Delete(root);
        return out_of_memory();
    }
    llmlab__build_init(&book->build);
    status = fill(book, root);
    cJSON_Delete(root);
    if (status != LLMLAB_OK) {
        llmlab_price_book_destroy(book);
        return status;
    }
    *out = book;
    return LLMLAB_OK;
}

llmlab_status_t
llmlab_price_book_load(llmlab_price_book_t **out, const char *path)
{
    llmlab_status_t status;
    llmlab__buf_t buf;

    if (out == NULL || path == NULL) {
        return llmlab__fail(LLMLAB_EINVAL, "no path, or nowhere to put it");
    }
    *out = NULL;
    llmlab__buf_init(&buf);
    status = llmlab__price_file_read(&buf, path);
    if (status == LLMLAB_OK) {
        status = llmlab_price_book_parse(out, (const char *)buf.data, buf.size);
        if (status != LLMLAB_OK) {
            llmlab__price_file_blame(path, status);
        }
    }
    llmlab__buf_cleanup(&buf);
    return status;
}

const char *
llmlab_price_book_version(const llmlab_price_book_t *book)
{
    return book != NULL ? book->table.version : llmlab_pricing_version();
}

void
llmlab_price_book_destroy(llmlab_price_book_t *book)
{
    size_t i;

    if (book == NULL) {
        return;
    }
    for (i = 0; i < book->alias_count; i++) {
        llmlab__free(book->aliases[i].family);
        llmlab__free(book->aliases[i].name);
        llmlab__free(book->aliases[i].key);
    }
    for (i = 0; i < book->discount_count; i++) {
        llmlab__free(book->discounts[i].family);
        llmlab__free(book->discounts[i].key);
    }
    llmlab__free(book->aliases);
    llmlab__free(book->discounts);
    llmlab__build_cleanup(&book->build);
    llmlab__free(book);
}
