/* What a project pays: prices of models, discounts and other names for models,
 * each from a date on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/jobs.h"
#include "api/write.h"
#include "base/clock.h"
#include "http/fields.h"
#include "http/page.h"
#include "pricing/book.h"
#include "pricing/windows.h"
#include "services/price_books.h"

#define NS_PER_S  INT64_C(1000000000)
#define NAME_SIZE 200
/* Of an override's prices, as text. */
#define VALUE_MAX 16384

static const char *const kinds[] = {"", "override", "discount", "alias", NULL};

static void
text_member(llmlab__json_out_t *out, const char *key, const char *text)
{
    llmlab__json_key_n(out, key, strlen(key));
    if (text[0] == '\0') {
        llmlab__json_put_null(out);
    } else {
        llmlab__json_put_text(out, text);
    }
}

static void
price_members(llmlab__json_out_t *out, const llmlab__price_t *price)
{
    llmlab__json_key(out, "id");
    llmlab__json_put_int(out, price->id);
    llmlab__json_key(out, "kind");
    llmlab__json_put_text(out, kinds[price->kind]);
    text_member(out, "provider", price->provider);
    text_member(out, "model", price->model);
    text_member(out, "alias", price->alias);
    llmlab__json_key(out, "from");
    if (price->from_s == LLMLAB__PRICE_ALWAYS) {
        llmlab__json_put_null(out);
    } else {
        llmlab__write_time(out, price->from_s * NS_PER_S);
    }
    text_member(out, "percent",
                price->kind == LLMLAB__PRICE_DISCOUNT ? price->value : "");
    llmlab__json_key(out, "prices");
    if (price->kind == LLMLAB__PRICE_OVERRIDE) {
        llmlab__json_put_raw(out, price->value, strlen(price->value));
    } else {
        llmlab__json_put_null(out);
    }
    text_member(out, "note", price->note);
    llmlab__json_key(out, "created_at");
    llmlab__write_time(out, price->created_ns);
    llmlab__json_key(out, "changed_at");
    llmlab__write_time(out, price->changed_ns);
}

static bool
on_price(void *payload, const llmlab__price_t *price)
{
    llmlab__page_t *page = payload;

    if (!llmlab__page_row(page, price->id)) {
        return false;
    }
    price_members(&page->out, price);
    llmlab__json_end_object(&page->out);
    return true;
}

void
llmlab__api_prices_list(llmlab__request_t *request)
{
    llmlab__store_t *store = request->server->store;
    llmlab__page_t page;

    if (!llmlab__page_read(request, "prices", &page)) {
        return;
    }
    llmlab__page_begin(request, &page);
    if (store->prices->list(request->reader, request->project.id,
                            page.has_after ? page.after : 0, page.limit + 1,
                            on_price, &page) != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot list prices");
        return;
    }
    llmlab__page_end(request, &page);
}

/* A price, and what happens with it where it is found. */
typedef struct found_s {
    llmlab__request_t *request;
    int64_t id;
    bool found;
    bool (*act)(llmlab__request_t *request, const llmlab__price_t *price);
    bool good;
} found_t;

static bool
on_found(void *payload, const llmlab__price_t *price)
{
    found_t *found = payload;

    if (price->id == found->id) {
        found->found = true;
        found->good = found->act(found->request, price);
    }
    return false;
}

/* Act on the price that the path names. False when the reply is set. */
static bool
price_find(llmlab__request_t *request,
           bool (*act)(llmlab__request_t *request,
                       const llmlab__price_t *price))
{
    llmlab__store_t *store = request->server->store;
    found_t found = {.request = request, .act = act};

    if (llmlab__request_id(request, 1, &found.id) &&
        store->prices->list(request->reader, request->project.id, found.id - 1,
                            1, on_found, &found) != LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot read a price");
    }
    return found.found
               ? found.good
               : llmlab__reply_refuse(request, 404, "no-such-price",
                                      "No such price", NULL,
                                      "the project has no price of this id");
}

static bool
price_reply(llmlab__request_t *request, const llmlab__price_t *price)
{
    llmlab__json_out_t out;

    llmlab__reply_json(request, &out);
    llmlab__json_begin_object(&out);
    price_members(&out, price);
    llmlab__json_end_object(&out);
    llmlab__reply_version(request, price->version);
    return true;
}

void
llmlab__api_price_get(llmlab__request_t *request)
{
    (void)price_find(request, price_reply);
}

static bool
bad_field(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-field",
                                "A field of the body is wrong", field,
                                "%s: %.300s", field, reason);
}

/* Do all prices of the project, with the new one, make a price book? */
static bool
book_check(llmlab__request_t *request, const char *field)
{
    llmlab__store_t *store = request->server->store;
    llmlab_price_book_t *book = NULL;
    llmlab__buf_t text;
    llmlab_status_t status;
    bool any;

    llmlab__buf_init(&text);
    status = llmlab__price_file_write(request->changer, store->prices,
                                      request->project.id, &text, &any);
    if (status == LLMLAB_OK) {
        status =
            llmlab_price_book_parse(&book, (const char *)text.data, text.size);
    }
    llmlab__buf_cleanup(&text);
    llmlab_price_book_destroy(book);
    return status == LLMLAB_OK ||
           (status == LLMLAB_EPARSE
                ? bad_field(request, field, llmlab_status_detail())
                : llmlab__reply_failure(request, "cannot make a price book"));
}

static bool
price_audit(llmlab__request_t *request, const char *action,
            const llmlab__price_t *price)
{
    char target[24];
    llmlab__json_out_t out;
    llmlab__buf_t detail;
    bool good;

    (void)snprintf(target, sizeof(target), "%" PRId64, price->id);
    llmlab__buf_init(&detail);
    llmlab__json_out_init(&out, &detail);
    price_members(&out, price);
    good = llmlab__change_audit(request, action, target, &detail);
    llmlab__buf_cleanup(&detail);
    return good;
}

/* The body of a new price. */
typedef struct draft_s {
    int kind;
    const char *provider;
    const char *model;
    const char *alias;
    const char *percent;
    const char *from;
    const char *note;
    const cJSON *prices;
} draft_t;

static bool
draft_read(llmlab__request_t *request, draft_t *draft)
{
    const llmlab__field_t fields[] = {{.name = "kind",
                                       .type = LLMLAB__FIELD_CHOICE,
                                       .required = true,
                                       .out = &draft->kind,
                                       .choices = kinds},
                                      {.name = "provider",
                                       .nullable = true,
                                       .low = 1,
                                       .high = NAME_SIZE,
                                       .out = &draft->provider},
                                      {.name = "model",
                                       .nullable = true,
                                       .low = 1,
                                       .high = NAME_SIZE,
                                       .out = &draft->model},
                                      {.name = "alias",
                                       .nullable = true,
                                       .low = 1,
                                       .high = NAME_SIZE,
                                       .out = &draft->alias},
                                      {.name = "percent",
                                       .nullable = true,
                                       .low = 1,
                                       .high = 16,
                                       .out = &draft->percent},
                                      {.name = "from",
                                       .nullable = true,
                                       .low = 1,
                                       .high = 40,
                                       .out = &draft->from},
                                      {.name = "note",
                                       .nullable = true,
                                       .high = NAME_SIZE,
                                       .out = &draft->note},
                                      {.name = "prices",
                                       .type = LLMLAB__FIELD_OBJECT,
                                       .nullable = true,
                                       .out = &draft->prices}};

    return llmlab__request_fields(request, fields,
                                  sizeof(fields) / sizeof(fields[0]));
}

/* Each kind has members that it needs and others that it does not take. */
static bool
draft_check(llmlab__request_t *request, const draft_t *draft)
{
    const struct {
        const char *name;
        bool there;
        const char *needed; /* by the kinds of these initials */
        const char *taken;
    } rules[] = {{"model", draft->model != NULL, "oa", "oda"},
                 {"provider", draft->provider != NULL, "", "od"},
                 {"prices", draft->prices != NULL, "o", "o"},
                 {"percent", draft->percent != NULL, "d", "d"},
                 {"alias", draft->alias != NULL, "a", "a"},
                 {"from", draft->from != NULL, "", "od"}};
    char kind = kinds[draft->kind][0];

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (!rules[i].there && strchr(rules[i].needed, kind) != NULL) {
            return llmlab__reply_refuse(
                request, 400, "missing-field", "A field of the body is missing",
                rules[i].name, "%s is needed for kind %s", rules[i].name,
                kinds[draft->kind]);
        }
        if (rules[i].there && strchr(rules[i].taken, kind) == NULL) {
            return llmlab__reply_refuse(
                request, 400, "bad-field", "A field of the body is wrong",
                rules[i].name, "%s: kind %s does not take it", rules[i].name,
                kinds[draft->kind]);
        }
    }
    return true;
}

/* A model by whatever name: the key of its row, if the built-in table has one
 * that is surely meant. */
static const char *
model_key(const draft_t *draft, llmlab__price_ref_t *ref)
{
    llmlab_match_t match =
        llmlab__price_resolve(ref, NULL, draft->provider, draft->model);

    if (match == LLMLAB_MATCH_UNKNOWN || match == LLMLAB_MATCH_DATED_FALLBACK) {
        *ref = (llmlab__price_ref_t){NULL, NULL};
        return draft->model;
    }
    return llmlab__price_ref_key(*ref);
}

/* An override's prices as text: an object that is not empty. */
static bool
value_write(llmlab__request_t *request, const cJSON *prices, char *out)
{
    if (prices->child == NULL) {
        return bad_field(request, "prices", "rates or units are needed");
    }
    if (llmlab__json_dom_get(prices, "from") != NULL ||
        llmlab__json_dom_get(prices, "provider") != NULL) {
        return bad_field(request, "prices",
                         "from and provider stand beside it, not in it");
    }
    /* Numbers keep their text: they are raw nodes. */
    return cJSON_PrintPreallocated((cJSON *)(uintptr_t)prices, out, VALUE_MAX,
                                   0) ||
           bad_field(request, "prices", "it is too long");
}

static bool
draft_price(llmlab__request_t *request, const draft_t *draft,
            llmlab__price_t *price, char *value)
{
    llmlab__price_ref_t ref = {NULL, NULL};

    price->project = request->project.id;
    price->kind = (llmlab__price_kind_t)draft->kind;
    price->provider = draft->provider != NULL ? draft->provider : "";
    price->model = draft->model != NULL ? model_key(draft, &ref) : "";
    price->alias = draft->alias != NULL ? draft->alias : "";
    price->note = draft->note != NULL ? draft->note : "";
    price->value = draft->percent != NULL ? draft->percent : "";
    price->from_s = LLMLAB__PRICE_ALWAYS;
    price->created_ns = price->changed_ns = llmlab__clock_real_ns();
    price->version = 1;
    if (draft->from != NULL &&
        !llmlab__instant_parse(draft->from, &price->from_s)) {
        return bad_field(request, "from", "it is no date or UTC time");
    }
    if (price->kind != LLMLAB__PRICE_OVERRIDE) {
        return true;
    }
    if (draft->provider == NULL && ref.row == NULL) {
        return llmlab__reply_refuse(
            request, 400, "missing-field", "A field of the body is missing",
            "provider",
            "provider is needed: the table does not know the model");
    }
    if (ref.row != NULL) {
        price->provider = llmlab__price_text(ref.table, ref.row->provider);
    }
    price->value = value;
    return value_write(request, draft->prices, value);
}

static void
price_add(llmlab__request_t *request, llmlab__price_t *price)
{
    llmlab_status_t status =
        request->server->store->prices->add(request->changer, price);

    if (status == LLMLAB_EINVAL) {
        llmlab__reply_refuse(request, 409, "price-exists",
                             "There is such a price already", NULL,
                             "one of the same kind, names and date: change or "
                             "delete it");
        return;
    }
    if (status != LLMLAB_OK) {
        llmlab__reply_failure(request, "cannot add a price");
        return;
    }
    if (!book_check(request, price->kind == LLMLAB__PRICE_OVERRIDE ? "prices"
                             : price->kind == LLMLAB__PRICE_DISCOUNT
                                 ? "percent"
                                 : "model") ||
        !price_audit(request, "price.create", price)) {
        return;
    }
    price_reply(request, price);
    request->reply.status = 201;
    llmlab__reply_header(request, "Location", "/v1/projects/%s/prices/%" PRId64,
                         request->project.uuid, price->id);
}

/* A change of prices; books that were made before are forgotten once it is
 * committed. */
static void
within_change(llmlab__request_t *request, void (*act)(llmlab__request_t *))
{
    if (llmlab__change_begin(request)) {
        act(request);
        llmlab__change_end(request);
        llmlab__price_books_forget(request->server->books, request->project.id);
    }
}

static void
create(llmlab__request_t *request)
{
    char value[VALUE_MAX];
    draft_t draft = {0};
    llmlab__price_t price = {0};

    if (draft_read(request, &draft) && draft_check(request, &draft) &&
        draft_price(request, &draft, &price, value)) {
        price_add(request, &price);
    }
}

void
llmlab__api_price_create(llmlab__request_t *request)
{
    within_change(request, create);
}

static bool
change(llmlab__request_t *request, const llmlab__price_t *known)
{
    llmlab__price_t price = *known;
    char value[VALUE_MAX];
    const cJSON *prices = NULL;
    const char *percent = NULL;
    const llmlab__field_t fields[] = {
        {.name = "note", .high = NAME_SIZE, .out = &price.note},
        {.name = "percent", .low = 1, .high = 16, .out = &percent},
        {.name = "prices", .type = LLMLAB__FIELD_OBJECT, .out = &prices}};

    if (!llmlab__request_if_match(request, price.version) ||
        !llmlab__request_fields(request, fields, 3)) {
        return false;
    }
    if (percent != NULL && price.kind != LLMLAB__PRICE_DISCOUNT) {
        return bad_field(request, "percent", "a discount has it");
    }
    if (prices != NULL && price.kind != LLMLAB__PRICE_OVERRIDE) {
        return bad_field(request, "prices", "an override has them");
    }
    if (prices != NULL && !value_write(request, prices, value)) {
        return false;
    }
    price.value = percent != NULL  ? percent
                  : prices != NULL ? value
                                   : price.value;
    price.version++;
    price.changed_ns = llmlab__clock_real_ns();
    if (request->server->store->prices->change(request->changer, &price) !=
        LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot change a price");
    }
    return book_check(request, percent != NULL ? "percent" : "prices") &&
           price_audit(request, "price.update", &price) &&
           price_reply(request, &price);
}

static void
change_found(llmlab__request_t *request)
{
    (void)price_find(request, change);
}

void
llmlab__api_price_patch(llmlab__request_t *request)
{
    within_change(request, change_found);
}

static bool
discard(llmlab__request_t *request, const llmlab__price_t *price)
{
    if (!llmlab__request_if_match(request, price->version) ||
        !price_audit(request, "price.delete", price)) {
        return false;
    }
    if (request->server->store->prices->remove(request->changer, price->project,
                                               price->id) != LLMLAB_OK) {
        return llmlab__reply_failure(request, "cannot delete a price");
    }
    /* An alias may lead to a model that only this price knows. */
    if (!book_check(request, "id")) {
        return false;
    }
    llmlab__reply_nothing(request);
    return true;
}

static void
discard_found(llmlab__request_t *request)
{
    (void)price_find(request, discard);
}

void
llmlab__api_price_delete(llmlab__request_t *request)
{
    within_change(request, discard_found);
}

/* Price stored calls again. Without "apply" nothing is changed: the job's
 * result tells what would be. */
void
llmlab__api_reprice(llmlab__request_t *request)
{
    int64_t start = 0;
    int64_t end = 0;
    bool has_start = false;
    bool has_end = false;
    bool apply = false;
    const llmlab__field_t fields[] = {
        {.name = "start",
         .type = LLMLAB__FIELD_TIME,
         .out = &start,
         .present = &has_start},
        {.name = "end",
         .type = LLMLAB__FIELD_TIME,
         .out = &end,
         .present = &has_end},
        {.name = "apply", .type = LLMLAB__FIELD_BOOL, .out = &apply}};
    char times[2][LLMLAB__TIME_TEXT];
    llmlab__job_t job;

    if (!llmlab__request_fields(request, fields, 3)) {
        return;
    }
    if (has_start && has_end && start >= end) {
        bad_field(request, "end", "it is not after start");
        return;
    }
    llmlab__time_format(start, times[0]);
    llmlab__time_format(end, times[1]);
    llmlab__job_init(&job, "reprice", request->project.id);
    (void)snprintf(job.arguments, sizeof(job.arguments),
                   "{%s%s%s%s%s%s\"apply\":%s}",
                   has_start ? "\"start\":\"" : "", has_start ? times[0] : "",
                   has_start ? "\"," : "", has_end ? "\"end\":\"" : "",
                   has_end ? times[1] : "", has_end ? "\"," : "",
                   apply ? "true" : "false");
    if (llmlab__job_submit(request, &job)) {
        llmlab__job_reply(request, 202, &job);
    }
}
