#include "http/page.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define MAC_SIZE 16

/* What a cursor says, signed by who made it. */
typedef struct signed_s {
    int64_t after;
    unsigned char mac[MAC_SIZE];
} signed_t;

static bool
bad_parameter(llmlab__request_t *request, const char *field, const char *reason)
{
    return llmlab__reply_refuse(request, 400, "bad-parameter",
                                "A parameter is wrong", field, "%s: %s", field,
                                reason);
}

bool
llmlab__request_int_param(llmlab__request_t *request, const char *name,
                          int64_t low, int64_t high, int64_t fallback,
                          int64_t *out)
{
    const char *text = llmlab__request_param(request, name);
    char reason[80];
    int64_t value = 0;
    size_t digits = 0;

    *out = fallback;
    if (text == NULL) {
        return true;
    }
    while (text[digits] >= '0' && text[digits] <= '9' && digits < 18) {
        value = value * 10 + (text[digits] - '0');
        digits++;
    }
    if (digits == 0 || text[digits] != '\0' || value < low || value > high) {
        (void)snprintf(reason, sizeof(reason),
                       "a whole number from %" PRId64 " to %" PRId64
                       " is needed",
                       low, high);
        return bad_parameter(request, name, reason);
    }
    *out = value;
    return true;
}

static void
sign(const llmlab__request_t *request, const char *list, int64_t after,
     unsigned char out[MAC_SIZE])
{
    const unsigned char *secret = request->server->secret;
    char message[96];
    int size = snprintf(message, sizeof(message), "%s %" PRId64 " %" PRId64,
                        list, request->project.id, after);

    crypto_generichash(out, MAC_SIZE, (const unsigned char *)message,
                       (unsigned long long)size, secret, 32);
}

bool
llmlab__page_read(llmlab__request_t *request, const char *list,
                  llmlab__page_t *out)
{
    const char *text = llmlab__request_param(request, "cursor");
    unsigned char mac[MAC_SIZE];
    signed_t value = {0};
    int64_t limit;
    size_t size = 0;

    memset(out, 0, sizeof(*out));
    out->list = list;
    if (!llmlab__request_int_param(request, "limit", 1, LLMLAB__PAGE_MAX,
                                   LLMLAB__PAGE_DEFAULT, &limit)) {
        return false;
    }
    out->limit = (size_t)limit;
    if (text == NULL) {
        return true;
    }
    if (sodium_hex2bin((unsigned char *)&value, sizeof(value), text,
                       strlen(text), NULL, &size, NULL) == 0 &&
        size == sizeof(value)) {
        sign(request, list, value.after, mac);
        if (sodium_memcmp(mac, value.mac, MAC_SIZE) == 0) {
            out->has_after = true;
            out->after = value.after;
            return true;
        }
    }
    return bad_parameter(request, "cursor",
                         "it is no next_cursor of this list");
}

void
llmlab__page_begin(llmlab__request_t *request, llmlab__page_t *page)
{
    llmlab__reply_json(request, &page->out);
    llmlab__json_begin_object(&page->out);
    llmlab__json_key(&page->out, "data");
    llmlab__json_begin_array(&page->out);
}

bool
llmlab__page_row(llmlab__page_t *page, int64_t id)
{
    if (page->count == page->limit) {
        page->more = true;
        return false;
    }
    page->count++;
    page->last = id;
    llmlab__json_begin_object(&page->out);
    return true;
}

void
llmlab__page_end(llmlab__request_t *request, llmlab__page_t *page)
{
    signed_t value = {.after = page->last};
    char text[2 * sizeof(value) + 1];

    llmlab__json_end_array(&page->out);
    llmlab__json_key(&page->out, "next_cursor");
    if (page->more) {
        sign(request, page->list, value.after, value.mac);
        sodium_bin2hex(text, sizeof(text), (const unsigned char *)&value,
                       sizeof(value));
        llmlab__json_put_text(&page->out, text);
    } else {
        llmlab__json_put_null(&page->out);
    }
    llmlab__json_end_object(&page->out);
}
